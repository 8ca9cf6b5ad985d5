-- Bulk changes: one job for many records. What was asked stands in bulk_changes, what is still to be
-- done in bulk_targets, and what could not be done in bulk_failures.

CREATE TABLE bulk_changes (
    workspace_id uuid NOT NULL CONSTRAINT bulk_changes_workspace_fkey REFERENCES workspaces,
    -- its job's, whose row ends first
    id uuid NOT NULL,
    action text NOT NULL
        CONSTRAINT bulk_changes_action_check CHECK (action IN ('update', 'delete', 'restore', 'reassign', 'undo')),
    kinds text[] NOT NULL,
    -- what is to be done to each record
    work jsonb NOT NULL,
    -- which records, where they are told by criteria
    criteria jsonb,
    -- how many there were when it was asked for
    matched bigint NOT NULL,
    -- how many there are to do; null until they stand in bulk_targets
    total bigint,
    succeeded bigint NOT NULL DEFAULT 0,
    failed bigint NOT NULL DEFAULT 0,
    skipped bigint NOT NULL DEFAULT 0,
    -- rows of bulk_failures
    noted bigint NOT NULL DEFAULT 0,
    -- the change that this one takes back
    undoes uuid,
    created_by uuid NOT NULL,
    -- what the token that asked for it allows; null: all that the person's role does
    scopes text[],
    created_at timestamptz NOT NULL,
    CONSTRAINT bulk_changes_pkey PRIMARY KEY (workspace_id, id)
);
CREATE INDEX bulk_changes_undoes_idx ON bulk_changes (workspace_id, undoes) WHERE undoes IS NOT NULL;
SELECT make_tenant_table('bulk_changes');

-- The records still to be done. A batch takes its own away in the transaction that changes them, so a
-- run that dies anywhere leaves out none and does none twice.
CREATE TABLE bulk_targets (
    workspace_id uuid NOT NULL,
    bulk_id uuid NOT NULL,
    kind text NOT NULL,
    record_id uuid NOT NULL,
    CONSTRAINT bulk_targets_pkey PRIMARY KEY (workspace_id, bulk_id, kind, record_id)
);
SELECT make_tenant_table('bulk_targets');

CREATE TABLE bulk_failures (
    workspace_id uuid NOT NULL,
    bulk_id uuid NOT NULL,
    -- counts from 1
    number bigint NOT NULL,
    kind text NOT NULL,
    record_id uuid NOT NULL,
    code text NOT NULL,
    field text,
    message text NOT NULL,
    CONSTRAINT bulk_failures_pkey PRIMARY KEY (workspace_id, bulk_id, number),
    CONSTRAINT bulk_failures_bulk_fkey FOREIGN KEY (workspace_id, bulk_id) REFERENCES bulk_changes ON DELETE CASCADE
);
SELECT make_tenant_table('bulk_failures');

-- The bulk change that a change was part of.
ALTER TABLE record_changes ADD COLUMN batch uuid;
CREATE INDEX record_changes_batch_idx ON record_changes (workspace_id, batch, kind, record_id) WHERE batch IS NOT NULL;
