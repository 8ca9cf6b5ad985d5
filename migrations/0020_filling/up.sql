-- The job that is writing the rows of a field which has just become indexed. Until it is through, rows
-- are missing, so nobody asks by them.
ALTER TABLE custom_fields ADD COLUMN filling_job_id uuid;
