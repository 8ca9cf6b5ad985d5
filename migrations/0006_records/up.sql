-- Contacts, accounts, and the changes to any record.

CREATE EXTENSION IF NOT EXISTS pg_trgm;

CREATE TABLE accounts (
    workspace_id uuid NOT NULL CONSTRAINT accounts_workspace_fkey REFERENCES workspaces,
    id uuid NOT NULL,
    version integer NOT NULL DEFAULT 1,
    name text NOT NULL,
    account_number text,
    website text,
    industry text,
    annual_revenue numeric(19,4),
    employees integer CONSTRAINT accounts_employees_check CHECK (employees >= 0),
    account_type text NOT NULL DEFAULT 'prospect'
        CONSTRAINT accounts_account_type_check CHECK (account_type IN ('prospect', 'customer', 'partner', 'vendor')),
    phone text,
    billing_address text,
    billing_city text,
    billing_state text,
    billing_country text,
    billing_postal_code text,
    shipping_address text,
    shipping_city text,
    shipping_state text,
    shipping_country text,
    shipping_postal_code text,
    description text,
    owner_id uuid,
    tags text[] NOT NULL DEFAULT '{}',
    custom_fields jsonb NOT NULL DEFAULT '{}',
    created_by uuid NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    deleted_at timestamptz,
    search_text text GENERATED ALWAYS AS (lower(name || ' ' || coalesce(industry, ''))) STORED,
    CONSTRAINT accounts_pkey PRIMARY KEY (workspace_id, id),
    CONSTRAINT accounts_owner_fkey FOREIGN KEY (workspace_id, owner_id) REFERENCES members
);
CREATE UNIQUE INDEX accounts_account_number_key ON accounts (workspace_id, account_number) WHERE deleted_at IS NULL;
CREATE INDEX accounts_owner_idx ON accounts (workspace_id, owner_id, id) WHERE deleted_at IS NULL AND owner_id IS NOT NULL;
CREATE INDEX accounts_name_idx ON accounts (workspace_id, name, id) WHERE deleted_at IS NULL;
CREATE INDEX accounts_updated_idx ON accounts (workspace_id, updated_at, id) WHERE deleted_at IS NULL;
CREATE INDEX accounts_search_idx ON accounts USING gin (search_text gin_trgm_ops) WITH (fastupdate = off);
SELECT make_tenant_table('accounts');

CREATE TABLE contacts (
    workspace_id uuid NOT NULL CONSTRAINT contacts_workspace_fkey REFERENCES workspaces,
    id uuid NOT NULL,
    version integer NOT NULL DEFAULT 1,
    first_name text,
    last_name text,
    -- trimmed, NFC, lower case, domain in ASCII: see base::text::EmailAddress
    email text,
    phone text,
    mobile text,
    title text,
    department text,
    account_id uuid,
    source text NOT NULL DEFAULT 'website'
        CONSTRAINT contacts_source_check CHECK (source IN
            ('website', 'referral', 'social_media', 'email_campaign', 'cold_call', 'event', 'other')),
    status text NOT NULL DEFAULT 'active'
        CONSTRAINT contacts_status_check CHECK (status IN ('active', 'inactive', 'lead', 'customer')),
    linkedin_url text,
    twitter_handle text,
    address text,
    city text,
    state text,
    country text,
    postal_code text,
    notes text,
    owner_id uuid,
    last_contact_date timestamptz,
    tags text[] NOT NULL DEFAULT '{}',
    custom_fields jsonb NOT NULL DEFAULT '{}',
    created_by uuid NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    deleted_at timestamptz,
    search_text text GENERATED ALWAYS AS
        (lower(coalesce(first_name, '') || ' ' || coalesce(last_name, '') || ' ' || coalesce(email, ''))) STORED,
    CONSTRAINT contacts_pkey PRIMARY KEY (workspace_id, id),
    CONSTRAINT contacts_account_fkey FOREIGN KEY (workspace_id, account_id) REFERENCES accounts,
    CONSTRAINT contacts_owner_fkey FOREIGN KEY (workspace_id, owner_id) REFERENCES members,
    CONSTRAINT contacts_reachable_check CHECK
        (num_nonnulls(first_name, last_name, email, phone, mobile) > 0)
);
CREATE UNIQUE INDEX contacts_email_key ON contacts (workspace_id, email) WHERE deleted_at IS NULL;
CREATE INDEX contacts_account_idx ON contacts (workspace_id, account_id, id) WHERE deleted_at IS NULL AND account_id IS NOT NULL;
CREATE INDEX contacts_owner_idx ON contacts (workspace_id, owner_id, id) WHERE deleted_at IS NULL AND owner_id IS NOT NULL;
CREATE INDEX contacts_country_idx ON contacts (workspace_id, country, id) WHERE deleted_at IS NULL;
CREATE INDEX contacts_last_name_idx ON contacts (workspace_id, last_name, id) WHERE deleted_at IS NULL;
CREATE INDEX contacts_updated_idx ON contacts (workspace_id, updated_at, id) WHERE deleted_at IS NULL;
CREATE INDEX contacts_search_idx ON contacts USING gin (search_text gin_trgm_ops) WITH (fastupdate = off);
SELECT make_tenant_table('contacts');

-- The newest ids whose search text holds the pattern, of the bound workspace only.
-- Row-level security would forbid the trigram index to the app role: LIKE is not leak-proof, so
-- PostgreSQL must filter by workspace first, one row at a time (measured: a sequential scan of
-- all contacts). These run as their owner, the system role, and bind the workspace themselves.
-- EXECUTE plans with the values at hand: a rare fragment by the trigram index, a common one by
-- walking the primary key backwards.
CREATE FUNCTION search_record_ids(target regclass, pattern text, below uuid, above uuid, at_most integer)
RETURNS SETOF uuid
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
BEGIN
    IF target NOT IN ('contacts'::regclass, 'accounts'::regclass) THEN
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
-- Everybody may call a new function, and who calls this one sets the workspace.
REVOKE ALL ON FUNCTION search_record_ids FROM PUBLIC;
DO $$ BEGIN
    EXECUTE format('GRANT EXECUTE ON FUNCTION search_record_ids TO %I', current_setting('kontor.app_role'));
END $$;

-- One row per change of a record; none for its creation. Field history, the answer to a stale
-- update, and every undo read it.
CREATE TABLE record_changes (
    workspace_id uuid NOT NULL,
    kind text NOT NULL,
    record_id uuid NOT NULL,
    -- the record's version after this change
    version integer NOT NULL,
    at timestamptz NOT NULL,
    actor jsonb NOT NULL,
    -- by which way it came: 'graphql', 'rest', 'import', ...
    origin text NOT NULL,
    -- the changed fields only, by column name
    before jsonb NOT NULL,
    after jsonb NOT NULL,
    CONSTRAINT record_changes_pkey PRIMARY KEY (workspace_id, kind, record_id, version)
);
SELECT make_tenant_table('record_changes');
