-- People, their sessions and tokens, and the record of what they did.

CREATE TABLE users (
    id uuid CONSTRAINT users_pkey PRIMARY KEY,
    email text NOT NULL CONSTRAINT users_email_key UNIQUE,
    full_name text NOT NULL,
    -- null until an invited person chose one
    password_hash text,
    phone text,
    department text,
    avatar_url text,
    preferences jsonb NOT NULL DEFAULT '{}',
    last_login_at timestamptz,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);
SELECT grant_to_app('users', 'SELECT, INSERT, UPDATE');

CREATE TABLE members (
    workspace_id uuid NOT NULL CONSTRAINT members_workspace_fkey REFERENCES workspaces,
    user_id uuid NOT NULL CONSTRAINT members_user_fkey REFERENCES users,
    role text NOT NULL
        CONSTRAINT members_role_check CHECK (role IN ('admin', 'manager', 'sales_rep', 'support')),
    status text NOT NULL DEFAULT 'active'
        CONSTRAINT members_status_check CHECK (status IN ('active', 'inactive', 'suspended')),
    created_at timestamptz NOT NULL,
    CONSTRAINT members_pkey PRIMARY KEY (workspace_id, user_id)
);
CREATE INDEX members_user_idx ON members (user_id);
SELECT grant_to_app('members', 'SELECT, INSERT, UPDATE');

CREATE TABLE sessions (
    id uuid CONSTRAINT sessions_pkey PRIMARY KEY,
    workspace_id uuid NOT NULL,
    user_id uuid NOT NULL,
    -- 'cookie' for browsers, 'tokens' for clients that keep a token pair
    kind text NOT NULL CONSTRAINT sessions_kind_check CHECK (kind IN ('cookie', 'tokens')),
    user_agent text,
    address text,
    created_at timestamptz NOT NULL,
    last_used_at timestamptz NOT NULL,
    ended_at timestamptz,
    CONSTRAINT sessions_member_fkey FOREIGN KEY (workspace_id, user_id) REFERENCES members
);
CREATE INDEX sessions_user_idx ON sessions (user_id, workspace_id) WHERE ended_at IS NULL;
CREATE INDEX sessions_last_used_idx ON sessions (last_used_at);
SELECT grant_to_app('sessions', 'SELECT, INSERT, UPDATE');

-- The secrets of a session, as SHA-256: access (also a cookie's) and refresh.
CREATE TABLE session_secrets (
    hash bytea CONSTRAINT session_secrets_pkey PRIMARY KEY,
    session_id uuid NOT NULL CONSTRAINT session_secrets_session_fkey REFERENCES sessions ON DELETE CASCADE,
    kind text NOT NULL CONSTRAINT session_secrets_kind_check CHECK (kind IN ('access', 'refresh')),
    expires_at timestamptz NOT NULL,
    -- a refresh secret that was traded for new ones
    spent_at timestamptz
);
CREATE INDEX session_secrets_session_idx ON session_secrets (session_id);
CREATE INDEX session_secrets_expiry_idx ON session_secrets (expires_at);
SELECT grant_to_app('session_secrets', 'SELECT, INSERT, UPDATE, DELETE');

-- Personal API tokens. Shown once; kept as SHA-256.
CREATE TABLE tokens (
    id uuid CONSTRAINT tokens_pkey PRIMARY KEY,
    workspace_id uuid NOT NULL,
    user_id uuid NOT NULL,
    name text NOT NULL,
    hash bytea NOT NULL CONSTRAINT tokens_hash_key UNIQUE,
    -- the first characters, so that a person recognises it
    hint text NOT NULL,
    scopes text[] NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz,
    last_used_at timestamptz,
    revoked_at timestamptz,
    CONSTRAINT tokens_member_fkey FOREIGN KEY (workspace_id, user_id) REFERENCES members
);
CREATE INDEX tokens_user_idx ON tokens (workspace_id, user_id, id);
SELECT grant_to_app('tokens', 'SELECT, INSERT, UPDATE');

-- Links that work once: password resets, and the set-up of an empty installation (no user yet).
CREATE TABLE one_time_links (
    hash bytea CONSTRAINT one_time_links_pkey PRIMARY KEY,
    purpose text NOT NULL CONSTRAINT one_time_links_purpose_check CHECK (purpose IN ('password_reset', 'set_up')),
    user_id uuid CONSTRAINT one_time_links_user_fkey REFERENCES users,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    used_at timestamptz
);
CREATE INDEX one_time_links_user_idx ON one_time_links (user_id);
CREATE INDEX one_time_links_expiry_idx ON one_time_links (expires_at);

-- Attempts to sign in that have not turned out well (yet), and requests for reset links, in windows.
CREATE TABLE sign_in_failures (
    -- SHA-256 of what is counted: an account from one network, an account, a network
    subject bytea CONSTRAINT sign_in_failures_pkey PRIMARY KEY,
    failures integer NOT NULL,
    window_ends_at timestamptz NOT NULL
);
CREATE INDEX sign_in_failures_window_idx ON sign_in_failures (window_ends_at);

CREATE TABLE invitations (
    workspace_id uuid NOT NULL CONSTRAINT invitations_workspace_fkey REFERENCES workspaces,
    id uuid NOT NULL,
    email text NOT NULL,
    full_name text,
    role text NOT NULL
        CONSTRAINT invitations_role_check CHECK (role IN ('admin', 'manager', 'sales_rep', 'support')),
    -- of the link's secret; null until the mail is sent
    hash bytea CONSTRAINT invitations_hash_key UNIQUE,
    invited_by uuid NOT NULL CONSTRAINT invitations_invited_by_fkey REFERENCES users,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    accepted_at timestamptz,
    revoked_at timestamptz,
    CONSTRAINT invitations_pkey PRIMARY KEY (workspace_id, id)
);
CREATE UNIQUE INDEX invitations_open_key ON invitations (workspace_id, email)
    WHERE accepted_at IS NULL AND revoked_at IS NULL;
SELECT make_tenant_table('invitations');

-- Who did what, when, from where. Written by the operations themselves; nobody may change it.
CREATE TABLE audit_log (
    workspace_id uuid NOT NULL CONSTRAINT audit_log_workspace_fkey REFERENCES workspaces,
    id uuid NOT NULL,
    at timestamptz NOT NULL,
    actor jsonb NOT NULL,
    user_id uuid,
    action text NOT NULL,
    subject_kind text,
    subject_id uuid,
    address text,
    request_id text,
    details jsonb NOT NULL DEFAULT '{}',
    CONSTRAINT audit_log_pkey PRIMARY KEY (workspace_id, id)
);
CREATE INDEX audit_log_subject_idx ON audit_log (workspace_id, subject_id, id);
SELECT make_tenant_table('audit_log');
DO $$ BEGIN
    EXECUTE format('REVOKE UPDATE, DELETE ON audit_log FROM %I', current_setting('kontor.app_role'));
END $$;

-- The answer to a mutation that carried a key, so that its repetition answers the same.
CREATE TABLE idempotency_keys (
    workspace_id uuid NOT NULL CONSTRAINT idempotency_keys_workspace_fkey REFERENCES workspaces,
    user_id uuid NOT NULL,
    key text NOT NULL,
    -- SHA-256 of operation and input: the same key with other input is refused
    input_hash bytea NOT NULL,
    answer jsonb NOT NULL,
    created_at timestamptz NOT NULL,
    CONSTRAINT idempotency_keys_pkey PRIMARY KEY (workspace_id, user_id, key)
);
CREATE INDEX idempotency_keys_created_idx ON idempotency_keys (created_at);
SELECT make_tenant_table('idempotency_keys');
