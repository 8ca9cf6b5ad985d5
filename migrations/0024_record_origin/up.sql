-- Which import made a record, by its job, for the timeline; null where a person did. (What an import
-- changes stands in the history.) Without a foreign key: it would be checked for each of a million
-- rows, and the job's row is removed long before the record.
ALTER TABLE leads ADD COLUMN import_job_id uuid;
ALTER TABLE contacts ADD COLUMN import_job_id uuid;
ALTER TABLE accounts ADD COLUMN import_job_id uuid;
ALTER TABLE deals ADD COLUMN import_job_id uuid;
ALTER TABLE products ADD COLUMN import_job_id uuid;
ALTER TABLE tasks ADD COLUMN import_job_id uuid;
