-- Further addresses of contacts, what finds duplicates, and merges with what takes them back.

CREATE TABLE contact_extra_addresses (
    workspace_id uuid NOT NULL,
    id uuid NOT NULL,
    contact_id uuid NOT NULL,
    kind text NOT NULL CONSTRAINT contact_extra_addresses_kind_check CHECK (kind IN ('email', 'phone')),
    -- as contacts.email and contacts.phone have theirs
    address text NOT NULL,
    label text,
    -- whether its contact is: kept by a trigger, for the index of taken addresses
    is_live boolean NOT NULL DEFAULT true,
    created_at timestamptz NOT NULL,
    CONSTRAINT contact_extra_addresses_pkey PRIMARY KEY (workspace_id, id),
    CONSTRAINT contact_extra_addresses_contact_fkey FOREIGN KEY (workspace_id, contact_id) REFERENCES contacts
        ON DELETE CASCADE,
    CONSTRAINT contact_extra_addresses_address_key UNIQUE (workspace_id, contact_id, kind, address)
);
-- A phone may be shared, an e-mail address is nobody's twice.
CREATE UNIQUE INDEX contact_extra_addresses_email_key ON contact_extra_addresses (workspace_id, address)
    WHERE kind = 'email' AND is_live;
SELECT make_tenant_table('contact_extra_addresses');

-- Triggers keep further addresses and those of contacts apart, whoever writes either. What two
-- transactions do at once they cannot see: writers of either hold a lock for that, which those of
-- further addresses hold alone (crm/contacts/addresses).
CREATE FUNCTION refuse_taken_address() RETURNS void
LANGUAGE plpgsql
AS $$
BEGIN
    RAISE unique_violation USING MESSAGE = 'an e-mail address of another contact',
        CONSTRAINT = 'contact_extra_addresses_email_key';
END
$$;
CREATE FUNCTION check_new_contact_emails() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    IF EXISTS (SELECT FROM changed c
                 JOIN contact_extra_addresses x ON x.workspace_id = c.workspace_id AND x.address = c.email
                  AND x.kind = 'email' AND x.is_live
                WHERE c.deleted_at IS NULL) THEN
        PERFORM refuse_taken_address();
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER addresses_inserted AFTER INSERT ON contacts REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION check_new_contact_emails();
CREATE FUNCTION keep_contact_addresses() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    IF (OLD.deleted_at IS NULL) <> (NEW.deleted_at IS NULL) THEN
        UPDATE contact_extra_addresses SET is_live = NEW.deleted_at IS NULL
         WHERE workspace_id = NEW.workspace_id AND contact_id = NEW.id;
    END IF;
    IF NEW.deleted_at IS NULL AND EXISTS (
        SELECT FROM contact_extra_addresses x
         WHERE x.workspace_id = NEW.workspace_id AND x.address = NEW.email AND x.kind = 'email' AND x.is_live) THEN
        PERFORM refuse_taken_address();
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER addresses_updated AFTER UPDATE OF email, deleted_at ON contacts FOR EACH ROW
    WHEN (OLD.email IS DISTINCT FROM NEW.email OR (OLD.deleted_at IS NULL) <> (NEW.deleted_at IS NULL))
    EXECUTE FUNCTION keep_contact_addresses();
CREATE FUNCTION check_extra_address() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    IF EXISTS (SELECT FROM contacts c WHERE c.workspace_id = NEW.workspace_id AND c.email = NEW.address
                  AND c.deleted_at IS NULL) THEN
        PERFORM refuse_taken_address();
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER taken_checked AFTER INSERT OR UPDATE ON contact_extra_addresses FOR EACH ROW
    WHEN (NEW.kind = 'email' AND NEW.is_live) EXECUTE FUNCTION check_extra_address();

-- By what two phone numbers are taken for one: the last eight digits, so that a number with its
-- country and one without it meet. (Not by a regular expression, which takes five times as long.)
CREATE FUNCTION phone_key(phone text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
    SELECT right(ltrim(translate(replace(phone, '(0)', ''), translate(replace(phone, '(0)', ''), '0123456789', ''), ''),
        '0'), 8)
$$;
CREATE INDEX contacts_phone_key_idx ON contacts (workspace_id, phone_key(phone))
    WHERE deleted_at IS NULL AND phone IS NOT NULL;
CREATE INDEX contacts_mobile_key_idx ON contacts (workspace_id, phone_key(mobile))
    WHERE deleted_at IS NULL AND mobile IS NOT NULL;
CREATE INDEX leads_phone_key_idx ON leads (workspace_id, phone_key(phone))
    WHERE deleted_at IS NULL AND phone IS NOT NULL;
CREATE INDEX accounts_phone_key_idx ON accounts (workspace_id, phone_key(phone))
    WHERE deleted_at IS NULL AND phone IS NOT NULL;
CREATE INDEX contact_extra_addresses_phone_key_idx ON contact_extra_addresses (workspace_id, phone_key(address))
    WHERE kind = 'phone' AND is_live;

-- What became one. The merged records stay as deleted ones, for as long as those are kept.
CREATE TABLE record_merges (
    workspace_id uuid NOT NULL CONSTRAINT record_merges_workspace_fkey REFERENCES workspaces,
    id uuid NOT NULL,
    kind text NOT NULL
        CONSTRAINT record_merges_kind_check CHECK (kind IN ('lead', 'contact', 'account', 'deal', 'product', 'task')),
    -- which of the records stayed
    record_id uuid NOT NULL,
    merged_at timestamptz NOT NULL,
    merged_by uuid NOT NULL,
    -- what it did to that one's fields, as record_changes has it
    before jsonb NOT NULL,
    after jsonb NOT NULL,
    undone_at timestamptz,
    undone_by uuid,
    CONSTRAINT record_merges_pkey PRIMARY KEY (workspace_id, id)
);
CREATE INDEX record_merges_record_idx ON record_merges (workspace_id, kind, record_id, id);
CREATE INDEX record_merges_at_idx ON record_merges (merged_at);
SELECT make_tenant_table('record_merges');

-- The records that became part of another. Without a foreign key to them: their purge removes these.
CREATE TABLE record_merge_losers (
    workspace_id uuid NOT NULL,
    merge_id uuid NOT NULL,
    record_id uuid NOT NULL,
    CONSTRAINT record_merge_losers_pkey PRIMARY KEY (workspace_id, merge_id, record_id),
    CONSTRAINT record_merge_losers_merge_fkey FOREIGN KEY (workspace_id, merge_id) REFERENCES record_merges
        ON DELETE CASCADE
);
CREATE INDEX record_merge_losers_record_idx ON record_merge_losers (workspace_id, record_id);
SELECT make_tenant_table('record_merge_losers');

-- What each step of a merge moved, to move it back; for as long as a merge can be undone.
CREATE TABLE record_merge_moves (
    workspace_id uuid NOT NULL,
    merge_id uuid NOT NULL,
    id bigint GENERATED ALWAYS AS IDENTITY,
    step text NOT NULL,
    row_id uuid NOT NULL,
    data jsonb NOT NULL,
    CONSTRAINT record_merge_moves_pkey PRIMARY KEY (workspace_id, merge_id, id),
    CONSTRAINT record_merge_moves_merge_fkey FOREIGN KEY (workspace_id, merge_id) REFERENCES record_merges
        ON DELETE CASCADE
);
SELECT make_tenant_table('record_merge_moves');

-- All records that became part of this one, directly or by way of another: their histories are its own.
CREATE FUNCTION records_merged_into(workspace uuid, of_kind text, record uuid) RETURNS SETOF uuid
LANGUAGE sql STABLE ROWS 1
AS $$
    WITH RECURSIVE merged (id) AS (
        SELECT l.record_id FROM record_merges m
          JOIN record_merge_losers l ON l.workspace_id = m.workspace_id AND l.merge_id = m.id
         WHERE m.workspace_id = workspace AND m.kind = of_kind AND m.record_id = record AND m.undone_at IS NULL
        UNION
        SELECT l.record_id FROM merged
          JOIN record_merges m ON m.workspace_id = workspace AND m.kind = of_kind AND m.record_id = merged.id
           AND m.undone_at IS NULL
          JOIN record_merge_losers l ON l.workspace_id = m.workspace_id AND l.merge_id = m.id)
    SELECT id FROM merged
$$;
