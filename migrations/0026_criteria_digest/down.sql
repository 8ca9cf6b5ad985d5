ALTER TABLE contact_lists DROP COLUMN criteria_digest;
DROP FUNCTION json_digest;
