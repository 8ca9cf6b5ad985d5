-- The job queue: see src/jobs/mod.rs.

CREATE TABLE jobs (
    id uuid CONSTRAINT jobs_pkey PRIMARY KEY,
    -- null for the installation's own chores
    workspace_id uuid CONSTRAINT jobs_workspace_fkey REFERENCES workspaces,
    -- whose turn it is: the workspace, and the nil id for the chores
    tenant uuid NOT NULL GENERATED ALWAYS AS
        (coalesce(workspace_id, '00000000-0000-0000-0000-000000000000')) STORED,
    kind text NOT NULL,
    payload jsonb NOT NULL,
    state text NOT NULL DEFAULT 'queued'
        CONSTRAINT jobs_state_check CHECK (state IN ('queued', 'running', 'completed', 'failed', 'cancelled')),
    -- smaller goes first
    priority smallint NOT NULL,
    run_at timestamptz NOT NULL,
    -- whether run_at has come; keeps what waits for its time out of the claim's way
    due boolean NOT NULL,
    -- the database's clock, so that workers need not agree on the time
    lease_until timestamptz,
    -- which worker holds it, for a person who looks
    leased_by text,
    -- raised by every claim and never lowered: the fencing token of the lease
    attempt integer NOT NULL DEFAULT 0,
    -- how many attempts ended with an error; the job is given up at max_attempts
    failures integer NOT NULL DEFAULT 0,
    max_attempts integer NOT NULL,
    -- how many attempts ended with the process gone instead of an error, since it last got ahead
    crashes integer NOT NULL DEFAULT 0,
    cancel_requested boolean NOT NULL DEFAULT false,
    -- at most one job of a kind with this key, while the row is kept
    unique_key text,
    progress jsonb NOT NULL DEFAULT '{}',
    last_error text,
    created_by uuid,
    created_at timestamptz NOT NULL,
    finished_at timestamptz,
    CONSTRAINT jobs_lease_check CHECK ((state = 'running') = (lease_until IS NOT NULL)),
    CONSTRAINT jobs_finished_check CHECK
        ((state IN ('completed', 'failed', 'cancelled')) = (finished_at IS NOT NULL))
)
-- A row is updated many times in its short life.
WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01, autovacuum_analyze_scale_factor = 0.02);
CREATE UNIQUE INDEX jobs_unique_key ON jobs (kind, unique_key) WHERE unique_key IS NOT NULL;
-- Claiming skips from lane to lane of this one, and reads the head of a lane.
CREATE INDEX jobs_due_idx ON jobs (kind, tenant, priority, run_at, id) WHERE state = 'queued' AND due;
CREATE INDEX jobs_later_idx ON jobs (run_at) WHERE state = 'queued' AND NOT due;
-- Few rows. Without lease_until, so that renewing a lease or noting progress touches no index.
CREATE INDEX jobs_running_idx ON jobs (kind, tenant) WHERE state = 'running';
CREATE INDEX jobs_workspace_idx ON jobs (workspace_id, id);
CREATE INDEX jobs_creator_idx ON jobs (workspace_id, created_by, id) WHERE created_by IS NOT NULL;
CREATE INDEX jobs_failed_idx ON jobs (workspace_id, id) WHERE state = 'failed';
CREATE INDEX jobs_finished_idx ON jobs (finished_at) WHERE finished_at IS NOT NULL;
SELECT grant_to_app('jobs', 'SELECT, INSERT, UPDATE');

-- When each cron schedule fired last; the schedules themselves are in the code.
CREATE TABLE schedules (
    name text CONSTRAINT schedules_pkey PRIMARY KEY,
    last_fired_for timestamptz NOT NULL
);
