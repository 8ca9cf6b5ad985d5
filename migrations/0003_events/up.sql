-- The event log: see src/events/mod.rs for how the three tables work together.

-- Written by operations, in their own transactions; emptied by the relay.
CREATE TABLE outbox (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT outbox_pkey PRIMARY KEY,
    workspace_id uuid NOT NULL,
    name text NOT NULL,
    -- the kind of record it is about, and which ones; empty where it is about none
    kind text,
    record_ids uuid[] NOT NULL DEFAULT '{}',
    payload jsonb NOT NULL,
    actor jsonb NOT NULL,
    at timestamptz NOT NULL
)
-- a queue: nearly all of it is dead rows, so the share of dead ones says nothing
WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);
SELECT grant_to_app('outbox', 'INSERT');

-- The log itself. Positions are gapless and in commit order; only the relay writes, and makes the
-- day's partition (events_20250131) beforehand. logged_at never decreases from one position to the next.
CREATE TABLE events (
    position bigint NOT NULL,
    logged_at timestamptz NOT NULL,
    workspace_id uuid NOT NULL,
    name text NOT NULL,
    kind text,
    record_ids uuid[] NOT NULL,
    payload jsonb NOT NULL,
    actor jsonb NOT NULL,
    at timestamptz NOT NULL,
    CONSTRAINT events_pkey PRIMARY KEY (position, logged_at)
) PARTITION BY RANGE (logged_at);
CREATE INDEX events_workspace_idx ON events (workspace_id, position);

-- One row: the last position of the partitions dropped so far. The last position given out is the
-- log's own last one and stands in no row: one that every batch updates would, while somebody holds
-- an old snapshot, leave ever more dead versions to step over.
CREATE TABLE event_log_state (
    single boolean CONSTRAINT event_log_state_pkey PRIMARY KEY DEFAULT true
        CONSTRAINT event_log_state_single_check CHECK (single),
    dropped_position bigint NOT NULL
);
INSERT INTO event_log_state (dropped_position) VALUES (0);

-- How far each reader that turns events into jobs has come.
CREATE TABLE reactors (
    name text CONSTRAINT reactors_pkey PRIMARY KEY,
    position bigint NOT NULL,
    updated_at timestamptz NOT NULL
);
