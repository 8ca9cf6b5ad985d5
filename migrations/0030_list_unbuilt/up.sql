-- Lists that a job builds, few at any time: every few seconds those are looked for whose job was cancelled or
-- given up.
CREATE INDEX contact_lists_building ON contact_lists (build_job_id) WHERE build_job_id IS NOT NULL;
