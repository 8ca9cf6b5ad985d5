-- Dynamic lists that follow what happens to records, and the clock.

-- How far time's passing was told is kept once per workspace, see list_clocks.
ALTER TABLE contact_lists DROP COLUMN clock_at;
-- What its criteria read, so that other changes cost nothing: the sources of changes ('contact', 'deal',
-- 'list_member:<id>', ...), 'clock' where they are relative to the present, 'zone' where days matter.
-- Null until that is looked up; then everything matters.
ALTER TABLE contact_lists ADD COLUMN reads text[];
CREATE INDEX contact_lists_dynamic_idx ON contact_lists (workspace_id) WHERE list_type = 'dynamic' AND deleted_at IS NULL;

-- Changes that dynamic lists have still to look at. A row goes in the transaction that moved what
-- follows from it.
CREATE TABLE list_changes (
    workspace_id uuid NOT NULL,
    id bigint GENERATED ALWAYS AS IDENTITY,
    -- what was changed: a kind of records, 'user', 'team', 'stage', 'pipeline', 'list', 'list_member', or
    -- 'criteria' where those that cannot be answered are to be tried again
    source text NOT NULL,
    -- the API names of what changed; null for all of it
    fields text[],
    record_ids uuid[] NOT NULL,
    -- the lists that it concerns, where that is known
    list_ids uuid[],
    -- one of very many at once: people's own changes go first
    is_bulk boolean NOT NULL,
    at timestamptz NOT NULL,
    CONSTRAINT list_changes_pkey PRIMARY KEY (workspace_id, is_bulk, id)
)
-- A queue: nearly empty, and always moving.
WITH (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 500);
SELECT make_tenant_table('list_changes');

-- How far the dynamic lists of a workspace were told of time's passing, and by which days.
CREATE TABLE list_clocks (
    workspace_id uuid NOT NULL CONSTRAINT list_clocks_workspace_fkey REFERENCES workspaces,
    at timestamptz NOT NULL,
    time_zone text NOT NULL,
    week_start text NOT NULL,
    CONSTRAINT list_clocks_pkey PRIMARY KEY (workspace_id)
);
SELECT make_tenant_table('list_clocks');
