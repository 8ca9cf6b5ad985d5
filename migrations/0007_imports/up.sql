-- Imports: what was asked, how far it has come, what went wrong.

CREATE TABLE imports (
    workspace_id uuid NOT NULL CONSTRAINT imports_workspace_fkey REFERENCES workspaces,
    id uuid NOT NULL,
    kind text NOT NULL
        CONSTRAINT imports_kind_check CHECK (kind IN ('lead', 'contact', 'account', 'deal', 'product', 'task')),
    status text NOT NULL
        CONSTRAINT imports_status_check CHECK (status IN
            ('pending', 'checking', 'ready', 'processing', 'paused', 'completed', 'failed', 'cancelled',
             'expired', 'undoing', 'undone')),
    -- null once the file has expired; what is told about it stays
    file_id uuid,
    file_name text NOT NULL,
    file_size bigint NOT NULL,
    -- the job that does it; its row may be gone when the import has long ended
    job_id uuid NOT NULL,
    -- column of the file: field, by its API name
    mapping jsonb NOT NULL,
    options jsonb NOT NULL,
    -- null until they were counted; exact when completed
    total_rows bigint,
    processed_rows bigint NOT NULL DEFAULT 0,
    created_rows bigint NOT NULL DEFAULT 0,
    updated_rows bigint NOT NULL DEFAULT 0,
    -- matched a record that has all these values already
    unchanged_rows bigint NOT NULL DEFAULT 0,
    skipped_rows bigint NOT NULL DEFAULT 0,
    failed_rows bigint NOT NULL DEFAULT 0,
    -- where the next batch begins; written in each batch's own transaction
    resume_row bigint NOT NULL DEFAULT 0,
    resume_byte bigint NOT NULL DEFAULT 0,
    resume_line bigint NOT NULL DEFAULT 0,
    -- why it failed as a whole, in words for the person who started it
    message text,
    created_by uuid NOT NULL,
    -- what the token that asked for it allows; null: all that the person's role does
    scopes text[],
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    started_at timestamptz,
    completed_at timestamptz,
    CONSTRAINT imports_pkey PRIMARY KEY (workspace_id, id),
    CONSTRAINT imports_file_fkey FOREIGN KEY (workspace_id, file_id) REFERENCES files
        ON DELETE SET NULL (file_id),
    CONSTRAINT imports_rows_check CHECK
        (processed_rows = created_rows + updated_rows + unchanged_rows + skipped_rows + failed_rows)
);
CREATE INDEX imports_creator_idx ON imports (workspace_id, created_by, id);
CREATE INDEX imports_file_idx ON imports (workspace_id, file_id) WHERE file_id IS NOT NULL;
CREATE INDEX imports_unfinished_idx ON imports (job_id) WHERE status IN ('pending', 'processing');
SELECT make_tenant_table('imports');

CREATE TABLE import_errors (
    workspace_id uuid NOT NULL,
    import_id uuid NOT NULL,
    -- data rows count from 1; the header is not one
    row bigint NOT NULL,
    -- the line of the file on which the row begins
    line bigint NOT NULL,
    "column" text,
    value text,
    code text NOT NULL,
    message text NOT NULL,
    -- the row's cells as they were in the file
    cells text[] NOT NULL,
    CONSTRAINT import_errors_pkey PRIMARY KEY (workspace_id, import_id, row),
    CONSTRAINT import_errors_import_fkey FOREIGN KEY (workspace_id, import_id) REFERENCES imports ON DELETE CASCADE
);
SELECT make_tenant_table('import_errors');
