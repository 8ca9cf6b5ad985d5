DROP INDEX contacts_tags_idx, contacts_lower_city_idx;
DROP STATISTICS contacts_lower_city, contacts_lower_country;
DROP FUNCTION lower_all(text[]);
DROP FUNCTION find_record_ids(regclass, text[], uuid, uuid, integer);
ALTER TABLE contacts DROP COLUMN search_text, ADD COLUMN search_text text GENERATED ALWAYS AS
    (lower(coalesce(first_name, '') || ' ' || coalesce(last_name, '') || ' ' || coalesce(email, ''))) STORED;
ALTER TABLE leads DROP COLUMN search_text, ADD COLUMN search_text text GENERATED ALWAYS AS
    (lower(coalesce(first_name, '') || ' ' || coalesce(last_name, '') || ' ' || coalesce(email, '')
        || ' ' || coalesce(company, ''))) STORED;
ALTER TABLE accounts DROP COLUMN search_text, ADD COLUMN search_text text GENERATED ALWAYS AS
    (lower(name || ' ' || coalesce(industry, ''))) STORED;
DROP FUNCTION phone_digits(text);
CREATE INDEX contacts_phone_key_idx ON contacts (workspace_id, phone_key(phone))
    WHERE deleted_at IS NULL AND phone IS NOT NULL;
CREATE INDEX contacts_mobile_key_idx ON contacts (workspace_id, phone_key(mobile))
    WHERE deleted_at IS NULL AND mobile IS NOT NULL;
CREATE INDEX leads_phone_key_idx ON leads (workspace_id, phone_key(phone))
    WHERE deleted_at IS NULL AND phone IS NOT NULL;
CREATE INDEX accounts_phone_key_idx ON accounts (workspace_id, phone_key(phone))
    WHERE deleted_at IS NULL AND phone IS NOT NULL;
CREATE INDEX contacts_search_idx ON contacts USING gin (search_text gin_trgm_ops);
CREATE INDEX leads_search_idx ON leads USING gin (search_text gin_trgm_ops);
CREATE INDEX accounts_search_idx ON accounts USING gin (search_text gin_trgm_ops);
CREATE OR REPLACE FUNCTION search_record_ids(target regclass, pattern text, below uuid, above uuid, at_most integer)
RETURNS SETOF uuid
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
BEGIN
    IF target NOT IN ('leads'::regclass, 'contacts'::regclass, 'accounts'::regclass, 'deals'::regclass,
                      'products'::regclass, 'tasks'::regclass) THEN
        RAISE EXCEPTION 'no search over %', target;
    END IF;
    RETURN QUERY EXECUTE format(
        'SELECT id FROM %s WHERE workspace_id = $1 AND deleted_at IS NULL AND search_text LIKE lower($2)%s%s'
        ' ORDER BY workspace_id %s, id %s LIMIT $5',
        target,
        CASE WHEN below IS NULL THEN '' ELSE ' AND id < $3' END,
        CASE WHEN above IS NULL THEN '' ELSE ' AND id > $4' END,
        CASE WHEN above IS NULL THEN 'DESC' ELSE 'ASC' END,
        CASE WHEN above IS NULL THEN 'DESC' ELSE 'ASC' END)
    USING current_workspace(), pattern, below, above, at_most;
END
$$;
