-- Workspaces, and the two locks that every tenant table gets: see docs/architecture.md.

-- The workspace that this transaction is bound to; no row matches while it is not set.
CREATE FUNCTION current_workspace() RETURNS uuid
LANGUAGE sql STABLE PARALLEL SAFE
AS $$ SELECT nullif(current_setting('kontor.workspace', true), '')::uuid $$;

-- Gives a tenant table its row-level security, forced for the owner too, and its grants.
-- The migrating connection has set kontor.app_role and kontor.system_role.
CREATE FUNCTION make_tenant_table(target regclass) RETURNS void
LANGUAGE plpgsql
AS $$
BEGIN
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', target);
    EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', target);
    EXECUTE format(
        'CREATE POLICY tenant ON %s TO %I USING (workspace_id = (SELECT current_workspace()))',
        target, current_setting('kontor.app_role'));
    EXECUTE format('CREATE POLICY system ON %s TO %I USING (true)', target, current_setting('kontor.system_role'));
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %s TO %I', target, current_setting('kontor.app_role'));
END
$$;

-- Grants on a global table; rights are a list such as 'SELECT, INSERT'.
CREATE FUNCTION grant_to_app(target regclass, rights text) RETURNS void
LANGUAGE plpgsql
AS $$
BEGIN
    EXECUTE format('GRANT %s ON %s TO %I', rights, target, current_setting('kontor.app_role'));
END
$$;

-- What belongs to the whole installation: the demo mark, the check value of the secret.
CREATE TABLE instance_settings (
    name text CONSTRAINT instance_settings_pkey PRIMARY KEY,
    value jsonb NOT NULL
);

CREATE TABLE workspaces (
    id uuid CONSTRAINT workspaces_pkey PRIMARY KEY,
    name text NOT NULL,
    time_zone text NOT NULL DEFAULT 'UTC',
    week_start text NOT NULL DEFAULT 'monday'
        CONSTRAINT workspaces_week_start_check CHECK (week_start IN
            ('monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday', 'sunday')),
    created_at timestamptz NOT NULL DEFAULT now()
);
SELECT grant_to_app('workspaces', 'SELECT, UPDATE');

-- Import batches are copied in here under the system role: no row-level security, reachable
-- through the transfer feature alone.
CREATE SCHEMA staging;
DO $$ BEGIN
    EXECUTE format('GRANT USAGE ON SCHEMA staging TO %I', current_setting('kontor.app_role'));
END $$;
