ALTER TABLE custom_fields DROP COLUMN filling_job_id;
