DROP INDEX contacts_last_contact_idx, contacts_created_idx, record_changes_at_idx;
DROP TABLE tasks, products, deals, pipeline_stages, pipelines, leads;
DROP TRIGGER make_ready ON workspaces;
DROP FUNCTION make_workspace_ready, make_default_pipeline;
DELETE FROM record_count_deltas WHERE kind IN ('lead', 'deal', 'product', 'task');
