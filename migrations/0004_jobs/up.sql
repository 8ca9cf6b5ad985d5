-- The job queue: see src/jobs/mod.rs.

CREATE TABLE jobs (
    id uuid CONSTRAINT jobs_pkey PRIMARY KEY,
    -- null for the installation's own chores
    workspace_id uuid CONSTRAINT jobs_workspace_fkey REFERENCES workspaces,
    kind text NOT NULL,
    payload jsonb NOT NULL,
    state text NOT NULL DEFAULT 'queued'
        CONSTRAINT jobs_state_check CHECK (state IN ('queued', 'running', 'completed', 'failed', 'cancelled')),
    -- smaller goes first
    priority smallint NOT NULL,
    run_at timestamptz NOT NULL,
    -- the database's clock, so that workers need not agree on the time
    lease_until timestamptz,
    -- which worker holds it, for a person who looks
    leased_by text,
    attempt integer NOT NULL DEFAULT 0,
    max_attempts integer NOT NULL,
    -- how many attempts ended with the process gone instead of an error
    crashes integer NOT NULL DEFAULT 0,
    cancel_requested boolean NOT NULL DEFAULT false,
    -- at most one job of a kind with this key, while the row is kept
    unique_key text,
    progress jsonb NOT NULL DEFAULT '{}',
    last_error text,
    created_by uuid,
    created_at timestamptz NOT NULL,
    finished_at timestamptz,
    CONSTRAINT jobs_lease_check CHECK ((state = 'running') = (lease_until IS NOT NULL))
);
CREATE UNIQUE INDEX jobs_unique_key ON jobs (kind, unique_key) WHERE unique_key IS NOT NULL;
CREATE INDEX jobs_due_idx ON jobs (priority, run_at) WHERE state = 'queued';
CREATE INDEX jobs_running_idx ON jobs (lease_until) WHERE state = 'running';
CREATE INDEX jobs_workspace_idx ON jobs (workspace_id, id);
CREATE INDEX jobs_finished_idx ON jobs (finished_at) WHERE finished_at IS NOT NULL;
SELECT grant_to_app('jobs', 'SELECT, INSERT, UPDATE');

-- When each cron schedule fired last; the schedules themselves are in the code.
CREATE TABLE schedules (
    name text CONSTRAINT schedules_pkey PRIMARY KEY,
    last_fired_for timestamptz NOT NULL
);
