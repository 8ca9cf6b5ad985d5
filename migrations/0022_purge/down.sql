DROP INDEX leads_deleted_idx, contacts_deleted_idx, accounts_deleted_idx, deals_deleted_idx, products_deleted_idx,
    tasks_deleted_idx, notes_deleted_idx;
DROP INDEX contacts_account_idx;
CREATE INDEX contacts_account_idx ON contacts (workspace_id, account_id, id)
    WHERE deleted_at IS NULL AND account_id IS NOT NULL;
ALTER TABLE deals DROP CONSTRAINT deals_account_fkey, DROP CONSTRAINT deals_contact_fkey,
    ADD CONSTRAINT deals_account_fkey FOREIGN KEY (workspace_id, account_id) REFERENCES accounts,
    ADD CONSTRAINT deals_contact_fkey FOREIGN KEY (workspace_id, contact_id) REFERENCES contacts;
ALTER TABLE contacts DROP CONSTRAINT contacts_account_fkey,
    ADD CONSTRAINT contacts_account_fkey FOREIGN KEY (workspace_id, account_id) REFERENCES accounts;
