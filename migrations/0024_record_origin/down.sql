ALTER TABLE tasks DROP COLUMN import_job_id;
ALTER TABLE products DROP COLUMN import_job_id;
ALTER TABLE deals DROP COLUMN import_job_id;
ALTER TABLE accounts DROP COLUMN import_job_id;
ALTER TABLE contacts DROP COLUMN import_job_id;
ALTER TABLE leads DROP COLUMN import_job_id;
