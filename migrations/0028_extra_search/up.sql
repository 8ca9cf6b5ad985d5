-- Search looks into the further addresses of contacts, too. They stand in the contact's row, kept by a
-- trigger, so that one index finds all: the first hundred, for merges may bring very many.
ALTER TABLE contacts ADD COLUMN extra_emails text, ADD COLUMN extra_phone_digits text;

-- In the second part: REST's contract names the fields that its search looks into (see the migration `search`).
ALTER TABLE contacts DROP COLUMN search_text, ADD COLUMN search_text text GENERATED ALWAYS AS
    (lower(coalesce(first_name, '') || ' ' || coalesce(last_name, '') || ' ' || coalesce(email, ''))
        || E'\x01' || coalesce(lower(extra_emails), '')
        || E'\x02' || coalesce(phone_digits(phone), '') || coalesce(' ' || phone_digits(mobile), '')
        || coalesce(' ' || extra_phone_digits, '')) STORED;

CREATE FUNCTION note_extra_addresses(workspace uuid, contact uuid) RETURNS void
LANGUAGE sql
AS $$
    UPDATE contacts c SET extra_emails = x.emails, extra_phone_digits = x.digits
      FROM (SELECT string_agg(address, ' ' ORDER BY created_at, id) FILTER (WHERE kind = 'email') AS emails,
                   string_agg(phone_digits(address), ' ' ORDER BY created_at, id) FILTER (WHERE kind = 'phone') AS digits
              FROM (SELECT * FROM contact_extra_addresses WHERE workspace_id = workspace AND contact_id = contact
                     ORDER BY created_at, id LIMIT 100) AS first) AS x
     WHERE c.workspace_id = workspace AND c.id = contact
       AND (c.extra_emails, c.extra_phone_digits) IS DISTINCT FROM (x.emails, x.digits)
$$;
CREATE FUNCTION keep_extra_search() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        PERFORM note_extra_addresses(OLD.workspace_id, OLD.contact_id);
    END IF;
    IF TG_OP = 'INSERT' OR TG_OP = 'UPDATE' AND NEW.contact_id <> OLD.contact_id THEN
        PERFORM note_extra_addresses(NEW.workspace_id, NEW.contact_id);
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER searched AFTER INSERT OR DELETE OR UPDATE OF contact_id, kind, address ON contact_extra_addresses
    FOR EACH ROW EXECUTE FUNCTION keep_extra_search();

SELECT note_extra_addresses(workspace_id, contact_id)
  FROM (SELECT DISTINCT workspace_id, contact_id FROM contact_extra_addresses) AS known;
CREATE INDEX contacts_search_idx ON contacts USING gin (search_text gin_trgm_ops);
