DROP INDEX record_changes_record_idx;
DROP TABLE timeline, notes;
