DROP TABLE list_clocks, list_changes;
DROP INDEX contact_lists_dynamic_idx;
ALTER TABLE contact_lists DROP COLUMN reads;
ALTER TABLE contact_lists ADD COLUMN clock_at timestamptz;
CREATE INDEX contact_lists_clock_idx ON contact_lists (clock_at) WHERE clock_at IS NOT NULL AND deleted_at IS NULL;
