DROP INDEX list_members_entered_idx;
