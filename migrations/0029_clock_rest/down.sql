ALTER TABLE list_clocks DROP COLUMN took_millis, DROP COLUMN tried_at;
