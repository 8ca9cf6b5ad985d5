-- Records that were deleted long ago are removed. See src/crm/purge.

-- What only leads to a record stays, and leads nowhere then. (The purge has seen to that before, a few
-- thousand rows at a time; these are for whatever comes in between.)
ALTER TABLE contacts DROP CONSTRAINT contacts_account_fkey,
    ADD CONSTRAINT contacts_account_fkey FOREIGN KEY (workspace_id, account_id) REFERENCES accounts
        ON DELETE SET NULL (account_id);
ALTER TABLE deals DROP CONSTRAINT deals_account_fkey, DROP CONSTRAINT deals_contact_fkey,
    ADD CONSTRAINT deals_account_fkey FOREIGN KEY (workspace_id, account_id) REFERENCES accounts
        ON DELETE SET NULL (account_id),
    ADD CONSTRAINT deals_contact_fkey FOREIGN KEY (workspace_id, contact_id) REFERENCES contacts
        ON DELETE SET NULL (contact_id);

-- Deleted contacts lead to accounts as well, and are looked for, too.
DROP INDEX contacts_account_idx;
CREATE INDEX contacts_account_idx ON contacts (workspace_id, account_id, id) WHERE account_id IS NOT NULL;

-- What was deleted, the oldest first: small, however many live ones there are.
CREATE INDEX leads_deleted_idx ON leads (workspace_id, deleted_at, id) WHERE deleted_at IS NOT NULL;
CREATE INDEX contacts_deleted_idx ON contacts (workspace_id, deleted_at, id) WHERE deleted_at IS NOT NULL;
CREATE INDEX accounts_deleted_idx ON accounts (workspace_id, deleted_at, id) WHERE deleted_at IS NOT NULL;
CREATE INDEX deals_deleted_idx ON deals (workspace_id, deleted_at, id) WHERE deleted_at IS NOT NULL;
CREATE INDEX products_deleted_idx ON products (workspace_id, deleted_at, id) WHERE deleted_at IS NOT NULL;
CREATE INDEX tasks_deleted_idx ON tasks (workspace_id, deleted_at, id) WHERE deleted_at IS NOT NULL;
CREATE INDEX notes_deleted_idx ON notes (workspace_id, deleted_at, id) WHERE deleted_at IS NOT NULL;
