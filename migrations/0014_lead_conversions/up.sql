-- What leads became. A lead is converted once; several may have become one contact or account.

CREATE TABLE lead_conversions (
    workspace_id uuid NOT NULL CONSTRAINT lead_conversions_workspace_fkey REFERENCES workspaces,
    lead_id uuid NOT NULL,
    contact_id uuid,
    account_id uuid,
    deal_id uuid,
    converted_at timestamptz NOT NULL,
    converted_by uuid NOT NULL,
    CONSTRAINT lead_conversions_pkey PRIMARY KEY (workspace_id, lead_id),
    CONSTRAINT lead_conversions_lead_fkey FOREIGN KEY (workspace_id, lead_id) REFERENCES leads ON DELETE CASCADE,
    CONSTRAINT lead_conversions_contact_fkey FOREIGN KEY (workspace_id, contact_id) REFERENCES contacts
        ON DELETE SET NULL (contact_id),
    CONSTRAINT lead_conversions_account_fkey FOREIGN KEY (workspace_id, account_id) REFERENCES accounts
        ON DELETE SET NULL (account_id),
    CONSTRAINT lead_conversions_deal_fkey FOREIGN KEY (workspace_id, deal_id) REFERENCES deals
        ON DELETE SET NULL (deal_id)
);
CREATE INDEX lead_conversions_contact_idx ON lead_conversions (workspace_id, contact_id, converted_at)
    WHERE contact_id IS NOT NULL;
CREATE INDEX lead_conversions_account_idx ON lead_conversions (workspace_id, account_id, converted_at)
    WHERE account_id IS NOT NULL;
CREATE INDEX lead_conversions_deal_idx ON lead_conversions (workspace_id, deal_id, converted_at)
    WHERE deal_id IS NOT NULL;
SELECT make_tenant_table('lead_conversions');

-- An account by its name, whatever the case. In a function of its own because lower() is not
-- leak-proof: under row-level security its index would not be used.
CREATE INDEX accounts_lower_name_idx ON accounts (workspace_id, lower(name), id) WHERE deleted_at IS NULL;
CREATE FUNCTION account_of_name(wanted text) RETURNS uuid
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
    SELECT id FROM accounts
     WHERE workspace_id = current_workspace() AND lower(name) = lower(wanted) AND deleted_at IS NULL
     ORDER BY id LIMIT 1
$$;
REVOKE ALL ON FUNCTION account_of_name FROM PUBLIC;
DO $$ BEGIN
    EXECUTE format('GRANT EXECUTE ON FUNCTION account_of_name TO %I', current_setting('kontor.app_role'));
END $$;
