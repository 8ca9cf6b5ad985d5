-- Lists of contacts: chosen ones, and those that criteria choose.

-- Teams of members: lists are shared with them, records are found by them.
CREATE TABLE teams (
    workspace_id uuid NOT NULL CONSTRAINT teams_workspace_fkey REFERENCES workspaces,
    id uuid NOT NULL,
    name text NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    CONSTRAINT teams_pkey PRIMARY KEY (workspace_id, id),
    CONSTRAINT teams_name_key UNIQUE (workspace_id, name)
);
SELECT make_tenant_table('teams');
CREATE TABLE team_members (
    workspace_id uuid NOT NULL,
    team_id uuid NOT NULL,
    user_id uuid NOT NULL,
    CONSTRAINT team_members_pkey PRIMARY KEY (workspace_id, team_id, user_id),
    CONSTRAINT team_members_team_fkey FOREIGN KEY (workspace_id, team_id) REFERENCES teams ON DELETE CASCADE,
    CONSTRAINT team_members_member_fkey FOREIGN KEY (workspace_id, user_id) REFERENCES members ON DELETE CASCADE
);
CREATE INDEX team_members_user_idx ON team_members (workspace_id, user_id);
SELECT make_tenant_table('team_members');

CREATE TABLE list_folders (
    workspace_id uuid NOT NULL CONSTRAINT list_folders_workspace_fkey REFERENCES workspaces,
    id uuid NOT NULL,
    name text NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    CONSTRAINT list_folders_pkey PRIMARY KEY (workspace_id, id),
    CONSTRAINT list_folders_name_key UNIQUE (workspace_id, name)
);
SELECT make_tenant_table('list_folders');

CREATE TABLE contact_lists (
    workspace_id uuid NOT NULL CONSTRAINT contact_lists_workspace_fkey REFERENCES workspaces,
    id uuid NOT NULL,
    name text NOT NULL,
    description text,
    list_type text NOT NULL CONSTRAINT contact_lists_list_type_check CHECK (list_type IN ('static', 'dynamic')),
    -- a dynamic list's, as it was given and checked
    criteria jsonb,
    color text NOT NULL DEFAULT '#3B82F6',
    icon text,
    tags text[] NOT NULL DEFAULT '{}',
    folder_id uuid,
    -- what everybody in the workspace may do with it; further people and teams stand in list_shares
    sharing text NOT NULL DEFAULT 'private'
        CONSTRAINT contact_lists_sharing_check CHECK (sharing IN ('private', 'view', 'edit')),
    created_by uuid NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    -- deleted at once for everybody, its members are removed behind that
    deleted_at timestamptz,

    -- The membership. Exact: it moves with each change of list_members, in the same transaction.
    member_count bigint NOT NULL DEFAULT 0,
    counted_at timestamptz NOT NULL,
    -- one more with each change of the criteria; the members are those of built_version
    version integer NOT NULL DEFAULT 1,
    built_version integer NOT NULL DEFAULT 1,
    -- the job that builds version, while they differ
    build_job_id uuid,
    -- how far the members were told of time's passing; null where no criterion is relative to it
    clock_at timestamptz,
    -- why the criteria cannot be answered any more, in words; the last members stay
    broken text,
    -- when a dynamic list becomes a static one
    freeze_at timestamptz,
    CONSTRAINT contact_lists_pkey PRIMARY KEY (workspace_id, id),
    CONSTRAINT contact_lists_folder_fkey FOREIGN KEY (workspace_id, folder_id) REFERENCES list_folders
        ON DELETE SET NULL (folder_id),
    CONSTRAINT contact_lists_criteria_check CHECK ((list_type = 'dynamic') = (criteria IS NOT NULL)),
    CONSTRAINT contact_lists_count_check CHECK (member_count >= 0)
);
CREATE INDEX contact_lists_updated_idx ON contact_lists (workspace_id, updated_at, id) WHERE deleted_at IS NULL;
CREATE INDEX contact_lists_clock_idx ON contact_lists (clock_at) WHERE clock_at IS NOT NULL AND deleted_at IS NULL;
CREATE INDEX contact_lists_freeze_idx ON contact_lists (freeze_at) WHERE freeze_at IS NOT NULL AND deleted_at IS NULL;
CREATE INDEX contact_lists_deleted_idx ON contact_lists (deleted_at) WHERE deleted_at IS NOT NULL;
SELECT make_tenant_table('contact_lists');

CREATE TABLE list_shares (
    workspace_id uuid NOT NULL,
    id uuid NOT NULL,
    list_id uuid NOT NULL,
    -- with one person or one team
    user_id uuid,
    team_id uuid,
    can_edit boolean NOT NULL,
    CONSTRAINT list_shares_pkey PRIMARY KEY (workspace_id, id),
    CONSTRAINT list_shares_with_check CHECK (num_nonnulls(user_id, team_id) = 1),
    CONSTRAINT list_shares_key UNIQUE NULLS NOT DISTINCT (workspace_id, list_id, user_id, team_id),
    CONSTRAINT list_shares_list_fkey FOREIGN KEY (workspace_id, list_id) REFERENCES contact_lists ON DELETE CASCADE,
    CONSTRAINT list_shares_user_fkey FOREIGN KEY (workspace_id, user_id) REFERENCES members ON DELETE CASCADE,
    CONSTRAINT list_shares_team_fkey FOREIGN KEY (workspace_id, team_id) REFERENCES teams ON DELETE CASCADE
);
SELECT make_tenant_table('list_shares');

CREATE TABLE list_favorites (
    workspace_id uuid NOT NULL,
    user_id uuid NOT NULL,
    list_id uuid NOT NULL,
    CONSTRAINT list_favorites_pkey PRIMARY KEY (workspace_id, user_id, list_id),
    CONSTRAINT list_favorites_list_fkey FOREIGN KEY (workspace_id, list_id) REFERENCES contact_lists ON DELETE CASCADE,
    CONSTRAINT list_favorites_user_fkey FOREIGN KEY (workspace_id, user_id) REFERENCES members ON DELETE CASCADE
);
SELECT make_tenant_table('list_favorites');

-- Without foreign keys: there are millions, and the purge of records removes theirs.
CREATE TABLE list_members (
    workspace_id uuid NOT NULL,
    list_id uuid NOT NULL,
    record_id uuid NOT NULL,
    entered_at timestamptz NOT NULL,
    -- how it came in: 'manual', 'criteria', 'list', 'import', 'criteria_match' (a dynamic list's), 'merge'
    source text NOT NULL,
    -- a deleted contact that was chosen: no member, until it is restored
    is_suspended boolean NOT NULL DEFAULT false,
    CONSTRAINT list_members_pkey PRIMARY KEY (workspace_id, list_id, record_id)
);
CREATE INDEX list_members_record_idx ON list_members (workspace_id, record_id, list_id);
SELECT make_tenant_table('list_members');

-- Who entered and left, in order.
CREATE TABLE list_log (
    workspace_id uuid NOT NULL,
    list_id uuid NOT NULL,
    id bigint GENERATED ALWAYS AS IDENTITY,
    record_id uuid NOT NULL,
    at timestamptz NOT NULL,
    entered boolean NOT NULL,
    source text NOT NULL,
    CONSTRAINT list_log_pkey PRIMARY KEY (workspace_id, list_id, id)
);
CREATE INDEX list_log_record_idx ON list_log (workspace_id, record_id, id);
SELECT make_tenant_table('list_log');

-- The size at the end of each hour in which it changed.
CREATE TABLE list_sizes (
    workspace_id uuid NOT NULL,
    list_id uuid NOT NULL,
    hour timestamptz NOT NULL,
    size bigint NOT NULL,
    CONSTRAINT list_sizes_pkey PRIMARY KEY (workspace_id, list_id, hour),
    CONSTRAINT list_sizes_list_fkey FOREIGN KEY (workspace_id, list_id) REFERENCES contact_lists ON DELETE CASCADE
);
SELECT make_tenant_table('list_sizes');
