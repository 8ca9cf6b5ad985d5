-- Tasks by the id of what they are about, whichever kind that is of: REST's related_to_id. The expression is
-- the one in src/crm/tasks.
CREATE INDEX tasks_about_idx ON tasks (workspace_id, (coalesce(lead_id, contact_id, account_id, deal_id)), id)
    WHERE deleted_at IS NULL;
