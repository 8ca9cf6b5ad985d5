-- Who would enter and leave a list whose criteria were changed, as far as the job that looks is: until it
-- is through, the members are those of the former criteria. Not there for a list's first members.
CREATE TABLE list_builds (
    workspace_id uuid NOT NULL,
    list_id uuid NOT NULL,
    record_id uuid NOT NULL,
    enters boolean NOT NULL,
    CONSTRAINT list_builds_pkey PRIMARY KEY (workspace_id, list_id, record_id)
)
WITH (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 5000);
SELECT make_tenant_table('list_builds');
