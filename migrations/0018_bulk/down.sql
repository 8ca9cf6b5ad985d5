DROP INDEX record_changes_batch_idx;
ALTER TABLE record_changes DROP COLUMN batch;
DROP TABLE bulk_failures, bulk_targets, bulk_changes;
