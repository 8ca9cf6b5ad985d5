-- Files: what was uploaded, and what we made for download. The bytes are in the file store.

CREATE TABLE files (
    workspace_id uuid NOT NULL CONSTRAINT files_workspace_fkey REFERENCES workspaces,
    id uuid NOT NULL,
    name text NOT NULL,
    media_type text NOT NULL,
    -- 'uploading' until all the bytes are there
    status text NOT NULL CONSTRAINT files_status_check CHECK (status IN ('uploading', 'ready')),
    -- bytes: what is there, and what the uploader announced (null: unknown until the end)
    size bigint NOT NULL DEFAULT 0,
    announced_size bigint,
    created_by uuid NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    CONSTRAINT files_pkey PRIMARY KEY (workspace_id, id),
    CONSTRAINT files_size_check CHECK (size >= 0 AND size <= announced_size)
);
CREATE INDEX files_expiry_idx ON files (expires_at);
CREATE INDEX files_owner_idx ON files (workspace_id, created_by);
SELECT make_tenant_table('files');

-- The pieces of a file in the order of their offsets: each is one object of the store.
CREATE TABLE file_parts (
    workspace_id uuid NOT NULL,
    file_id uuid NOT NULL,
    "offset" bigint NOT NULL,
    size bigint NOT NULL,
    key text NOT NULL,
    CONSTRAINT file_parts_pkey PRIMARY KEY (workspace_id, file_id, "offset"),
    -- an object is one piece of one file; also finds the objects that are nobody's
    CONSTRAINT file_parts_key_key UNIQUE (key),
    CONSTRAINT file_parts_file_fkey FOREIGN KEY (workspace_id, file_id) REFERENCES files ON DELETE CASCADE
);
SELECT make_tenant_table('file_parts');
