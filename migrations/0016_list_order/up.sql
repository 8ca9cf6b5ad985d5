-- The members of a list in the order in which they entered.
CREATE INDEX list_members_entered_idx ON list_members (workspace_id, list_id, entered_at, record_id)
    WHERE NOT is_suspended;
