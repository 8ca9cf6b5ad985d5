-- Notes about records, and the timeline of each record.

CREATE TABLE notes (
    workspace_id uuid NOT NULL CONSTRAINT notes_workspace_fkey REFERENCES workspaces,
    id uuid NOT NULL,
    version integer NOT NULL DEFAULT 1,
    -- what it is about: exactly one of these
    lead_id uuid,
    contact_id uuid,
    account_id uuid,
    deal_id uuid,
    product_id uuid,
    task_id uuid,
    body text NOT NULL,
    is_pinned boolean NOT NULL DEFAULT false,
    created_by uuid NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    deleted_at timestamptz,
    CONSTRAINT notes_pkey PRIMARY KEY (workspace_id, id),
    CONSTRAINT notes_about_check CHECK
        (num_nonnulls(lead_id, contact_id, account_id, deal_id, product_id, task_id) = 1),
    CONSTRAINT notes_lead_fkey FOREIGN KEY (workspace_id, lead_id) REFERENCES leads ON DELETE CASCADE,
    CONSTRAINT notes_contact_fkey FOREIGN KEY (workspace_id, contact_id) REFERENCES contacts ON DELETE CASCADE,
    CONSTRAINT notes_account_fkey FOREIGN KEY (workspace_id, account_id) REFERENCES accounts ON DELETE CASCADE,
    CONSTRAINT notes_deal_fkey FOREIGN KEY (workspace_id, deal_id) REFERENCES deals ON DELETE CASCADE,
    CONSTRAINT notes_product_fkey FOREIGN KEY (workspace_id, product_id) REFERENCES products ON DELETE CASCADE,
    CONSTRAINT notes_task_fkey FOREIGN KEY (workspace_id, task_id) REFERENCES tasks ON DELETE CASCADE
);
-- Without a condition on deleted_at: the cascades need them, too.
CREATE INDEX notes_lead_idx ON notes (workspace_id, lead_id, is_pinned, id) WHERE lead_id IS NOT NULL;
CREATE INDEX notes_contact_idx ON notes (workspace_id, contact_id, is_pinned, id) WHERE contact_id IS NOT NULL;
CREATE INDEX notes_account_idx ON notes (workspace_id, account_id, is_pinned, id) WHERE account_id IS NOT NULL;
CREATE INDEX notes_deal_idx ON notes (workspace_id, deal_id, is_pinned, id) WHERE deal_id IS NOT NULL;
CREATE INDEX notes_product_idx ON notes (workspace_id, product_id, is_pinned, id) WHERE product_id IS NOT NULL;
CREATE INDEX notes_task_idx ON notes (workspace_id, task_id, is_pinned, id) WHERE task_id IS NOT NULL;
SELECT make_tenant_table('notes');

-- What happened to a record and stands nowhere else: changes, notes and tasks have tables of their
-- own, and a reader puts all of them together. Without foreign keys: there are millions, and the
-- purge of records removes theirs.
CREATE TABLE timeline (
    workspace_id uuid NOT NULL,
    kind text NOT NULL,
    record_id uuid NOT NULL,
    at timestamptz NOT NULL,
    id uuid NOT NULL,
    -- 'converted', 'merged', 'imported', 'list_entered', ...
    what text NOT NULL,
    actor jsonb NOT NULL,
    -- ids and numbers, and no values of other records: who sees this one may not see those
    payload jsonb NOT NULL,
    CONSTRAINT timeline_pkey PRIMARY KEY (workspace_id, kind, record_id, at, id)
);
SELECT make_tenant_table('timeline');

-- The changes of one record by their time, for its timeline.
CREATE INDEX record_changes_record_idx ON record_changes (workspace_id, kind, record_id, at, version);
