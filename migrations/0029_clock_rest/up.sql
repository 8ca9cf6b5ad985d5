-- How long it took to tell the lists of a workspace that time has passed, and when that was tried last: they are
-- told again after some times as long, so that lists without an index behind them do not keep the database
-- busy for themselves.
ALTER TABLE list_clocks ADD COLUMN took_millis bigint NOT NULL DEFAULT 0, ADD COLUMN tried_at timestamptz;
