-- Leads, deals with their pipelines, products and tasks.

CREATE TABLE leads (
    workspace_id uuid NOT NULL CONSTRAINT leads_workspace_fkey REFERENCES workspaces,
    id uuid NOT NULL,
    version integer NOT NULL DEFAULT 1,
    first_name text,
    last_name text,
    email text,
    phone text,
    company text,
    title text,
    source text NOT NULL DEFAULT 'website'
        CONSTRAINT leads_source_check CHECK (source IN
            ('website', 'referral', 'social_media', 'email_campaign', 'cold_call', 'event', 'other')),
    status text NOT NULL DEFAULT 'new'
        CONSTRAINT leads_status_check CHECK (status IN ('new', 'contacted', 'qualified', 'unqualified', 'converted')),
    lead_score integer NOT NULL DEFAULT 0 CONSTRAINT leads_lead_score_check CHECK (lead_score BETWEEN 0 AND 100),
    industry text,
    annual_revenue numeric(19,4),
    employees integer CONSTRAINT leads_employees_check CHECK (employees >= 0),
    website text,
    address text,
    city text,
    state text,
    country text,
    postal_code text,
    notes text,
    converted_date timestamptz,
    last_contact_date timestamptz,
    owner_id uuid,
    tags text[] NOT NULL DEFAULT '{}',
    custom_fields jsonb NOT NULL DEFAULT '{}',
    created_by uuid NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    deleted_at timestamptz,
    search_text text GENERATED ALWAYS AS
        (lower(coalesce(first_name, '') || ' ' || coalesce(last_name, '') || ' ' || coalesce(email, '')
            || ' ' || coalesce(company, ''))) STORED,
    CONSTRAINT leads_pkey PRIMARY KEY (workspace_id, id),
    CONSTRAINT leads_owner_fkey FOREIGN KEY (workspace_id, owner_id) REFERENCES members,
    CONSTRAINT leads_reachable_check CHECK (num_nonnulls(first_name, last_name, email, phone, company) > 0)
);
CREATE INDEX leads_email_idx ON leads (workspace_id, email, id) WHERE deleted_at IS NULL;
CREATE INDEX leads_owner_idx ON leads (workspace_id, owner_id, id) WHERE deleted_at IS NULL;
CREATE INDEX leads_status_idx ON leads (workspace_id, status, id) WHERE deleted_at IS NULL;
CREATE INDEX leads_last_name_idx ON leads (workspace_id, last_name, id) WHERE deleted_at IS NULL;
CREATE INDEX leads_score_idx ON leads (workspace_id, lead_score, id) WHERE deleted_at IS NULL;
CREATE INDEX leads_updated_idx ON leads (workspace_id, updated_at, id) WHERE deleted_at IS NULL;
CREATE INDEX leads_search_idx ON leads USING gin (search_text gin_trgm_ops);
SELECT make_tenant_table('leads');

-- The ways that deals go, and their steps.
CREATE TABLE pipelines (
    workspace_id uuid NOT NULL CONSTRAINT pipelines_workspace_fkey REFERENCES workspaces,
    id uuid NOT NULL,
    name text NOT NULL,
    -- where a deal goes that names none; every workspace has one
    is_default boolean NOT NULL DEFAULT false,
    position integer NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    CONSTRAINT pipelines_pkey PRIMARY KEY (workspace_id, id),
    CONSTRAINT pipelines_name_key UNIQUE (workspace_id, name)
);
CREATE UNIQUE INDEX pipelines_default_key ON pipelines (workspace_id) WHERE is_default;
SELECT make_tenant_table('pipelines');

CREATE TABLE pipeline_stages (
    workspace_id uuid NOT NULL,
    id uuid NOT NULL,
    pipeline_id uuid NOT NULL,
    name text NOT NULL,
    stage_type text NOT NULL CONSTRAINT pipeline_stages_stage_type_check CHECK (stage_type IN ('open', 'won', 'lost')),
    probability integer NOT NULL CONSTRAINT pipeline_stages_probability_check CHECK (probability BETWEEN 0 AND 100),
    position integer NOT NULL,
    CONSTRAINT pipeline_stages_pkey PRIMARY KEY (workspace_id, id),
    CONSTRAINT pipeline_stages_pipeline_fkey FOREIGN KEY (workspace_id, pipeline_id) REFERENCES pipelines ON DELETE CASCADE,
    -- a deal names its pipeline and its stage: they must belong together
    CONSTRAINT pipeline_stages_pipeline_key UNIQUE (workspace_id, pipeline_id, id),
    CONSTRAINT pipeline_stages_name_key UNIQUE (workspace_id, pipeline_id, name)
);
SELECT make_tenant_table('pipeline_stages');

CREATE FUNCTION make_default_pipeline(workspace uuid) RETURNS void
LANGUAGE plpgsql
AS $$
DECLARE
    pipeline uuid := gen_random_uuid();
BEGIN
    INSERT INTO pipelines (workspace_id, id, name, is_default, position, created_at, updated_at)
    VALUES (workspace, pipeline, 'Sales', true, 1, now(), now());
    INSERT INTO pipeline_stages (workspace_id, id, pipeline_id, name, stage_type, probability, position)
    SELECT workspace, gen_random_uuid(), pipeline, name, stage_type, probability, position
      FROM (VALUES ('Qualification', 'open', 10, 1), ('Needs Analysis', 'open', 20, 2),
                   ('Value Proposition', 'open', 40, 3), ('Identify Decision Makers', 'open', 50, 4),
                   ('Proposal/Price Quote', 'open', 65, 5), ('Negotiation/Review', 'open', 80, 6),
                   ('Closed Won', 'won', 100, 7), ('Closed Lost', 'lost', 0, 8), ('On Hold', 'open', 10, 9))
           AS stages (name, stage_type, probability, position);
END
$$;

-- In a trigger: no workspace is ever seen without it.
CREATE FUNCTION make_workspace_ready() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    PERFORM make_default_pipeline(NEW.id);
    RETURN NULL;
END
$$;
CREATE TRIGGER make_ready AFTER INSERT ON workspaces FOR EACH ROW EXECUTE FUNCTION make_workspace_ready();
SELECT make_default_pipeline(id) FROM workspaces;

CREATE TABLE deals (
    workspace_id uuid NOT NULL CONSTRAINT deals_workspace_fkey REFERENCES workspaces,
    id uuid NOT NULL,
    version integer NOT NULL DEFAULT 1,
    name text NOT NULL,
    amount numeric(19,4) NOT NULL DEFAULT 0,
    currency text NOT NULL DEFAULT 'USD' CONSTRAINT deals_currency_check CHECK (currency ~ '^[A-Z]{3}$'),
    pipeline_id uuid NOT NULL,
    stage_id uuid NOT NULL,
    -- when it came into its stage
    stage_entered_at timestamptz NOT NULL,
    probability integer NOT NULL CONSTRAINT deals_probability_check CHECK (probability BETWEEN 0 AND 100),
    expected_close_date timestamptz,
    close_date timestamptz,
    account_id uuid,
    contact_id uuid,
    lead_source text
        CONSTRAINT deals_lead_source_check CHECK (lead_source IN
            ('website', 'referral', 'social_media', 'email_campaign', 'cold_call', 'event', 'other')),
    description text,
    next_step text,
    loss_reason text,
    owner_id uuid,
    tags text[] NOT NULL DEFAULT '{}',
    custom_fields jsonb NOT NULL DEFAULT '{}',
    created_by uuid NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    deleted_at timestamptz,
    search_text text GENERATED ALWAYS AS (lower(name || ' ' || coalesce(description, ''))) STORED,
    CONSTRAINT deals_pkey PRIMARY KEY (workspace_id, id),
    CONSTRAINT deals_stage_fkey FOREIGN KEY (workspace_id, pipeline_id, stage_id)
        REFERENCES pipeline_stages (workspace_id, pipeline_id, id),
    CONSTRAINT deals_account_fkey FOREIGN KEY (workspace_id, account_id) REFERENCES accounts,
    CONSTRAINT deals_contact_fkey FOREIGN KEY (workspace_id, contact_id) REFERENCES contacts,
    CONSTRAINT deals_owner_fkey FOREIGN KEY (workspace_id, owner_id) REFERENCES members
);
CREATE INDEX deals_stage_idx ON deals (workspace_id, stage_id, id) WHERE deleted_at IS NULL;
CREATE INDEX deals_account_idx ON deals (workspace_id, account_id, id) WHERE account_id IS NOT NULL;
CREATE INDEX deals_contact_idx ON deals (workspace_id, contact_id, id) WHERE contact_id IS NOT NULL;
CREATE INDEX deals_owner_idx ON deals (workspace_id, owner_id, id) WHERE deleted_at IS NULL AND owner_id IS NOT NULL;
CREATE INDEX deals_name_idx ON deals (workspace_id, name, id) WHERE deleted_at IS NULL;
CREATE INDEX deals_amount_idx ON deals (workspace_id, amount, id) WHERE deleted_at IS NULL;
CREATE INDEX deals_expected_close_idx ON deals (workspace_id, expected_close_date, id) WHERE deleted_at IS NULL;
CREATE INDEX deals_updated_idx ON deals (workspace_id, updated_at, id) WHERE deleted_at IS NULL;
CREATE INDEX deals_search_idx ON deals USING gin (search_text gin_trgm_ops);
SELECT make_tenant_table('deals');

CREATE TABLE products (
    workspace_id uuid NOT NULL CONSTRAINT products_workspace_fkey REFERENCES workspaces,
    id uuid NOT NULL,
    version integer NOT NULL DEFAULT 1,
    name text NOT NULL,
    sku text,
    description text,
    category text,
    price numeric(19,4) NOT NULL DEFAULT 0,
    cost numeric(19,4),
    currency text NOT NULL DEFAULT 'USD' CONSTRAINT products_currency_check CHECK (currency ~ '^[A-Z]{3}$'),
    stock_quantity integer NOT NULL DEFAULT 0,
    unit text NOT NULL DEFAULT 'unit',
    status text NOT NULL DEFAULT 'active'
        CONSTRAINT products_status_check CHECK (status IN ('active', 'discontinued', 'out_of_stock')),
    image_url text,
    specifications jsonb NOT NULL DEFAULT '{}',
    owner_id uuid,
    tags text[] NOT NULL DEFAULT '{}',
    custom_fields jsonb NOT NULL DEFAULT '{}',
    created_by uuid NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    deleted_at timestamptz,
    search_text text GENERATED ALWAYS AS
        (lower(name || ' ' || coalesce(sku, '') || ' ' || coalesce(description, ''))) STORED,
    CONSTRAINT products_pkey PRIMARY KEY (workspace_id, id),
    CONSTRAINT products_owner_fkey FOREIGN KEY (workspace_id, owner_id) REFERENCES members
);
CREATE UNIQUE INDEX products_sku_key ON products (workspace_id, sku) WHERE deleted_at IS NULL;
CREATE INDEX products_owner_idx ON products (workspace_id, owner_id, id) WHERE deleted_at IS NULL AND owner_id IS NOT NULL;
CREATE INDEX products_name_idx ON products (workspace_id, name, id) WHERE deleted_at IS NULL;
CREATE INDEX products_updated_idx ON products (workspace_id, updated_at, id) WHERE deleted_at IS NULL;
CREATE INDEX products_search_idx ON products USING gin (search_text gin_trgm_ops);
SELECT make_tenant_table('products');

CREATE TABLE tasks (
    workspace_id uuid NOT NULL CONSTRAINT tasks_workspace_fkey REFERENCES workspaces,
    id uuid NOT NULL,
    version integer NOT NULL DEFAULT 1,
    title text NOT NULL,
    description text,
    status text NOT NULL DEFAULT 'pending'
        CONSTRAINT tasks_status_check CHECK (status IN ('pending', 'in_progress', 'completed', 'cancelled')),
    priority text NOT NULL DEFAULT 'medium'
        CONSTRAINT tasks_priority_check CHECK (priority IN ('low', 'medium', 'high', 'urgent')),
    due_date timestamptz,
    completed_date timestamptz,
    reminder timestamptz,
    -- the reminder that was given last: one that was moved is given again
    reminded_at timestamptz,
    -- what it is about: at most one of these
    lead_id uuid,
    contact_id uuid,
    account_id uuid,
    deal_id uuid,
    notes text,
    owner_id uuid,
    tags text[] NOT NULL DEFAULT '{}',
    custom_fields jsonb NOT NULL DEFAULT '{}',
    created_by uuid NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    deleted_at timestamptz,
    search_text text GENERATED ALWAYS AS (lower(title || ' ' || coalesce(description, ''))) STORED,
    CONSTRAINT tasks_pkey PRIMARY KEY (workspace_id, id),
    CONSTRAINT tasks_related_check CHECK (num_nonnulls(lead_id, contact_id, account_id, deal_id) <= 1),
    CONSTRAINT tasks_lead_fkey FOREIGN KEY (workspace_id, lead_id) REFERENCES leads ON DELETE SET NULL (lead_id),
    CONSTRAINT tasks_contact_fkey FOREIGN KEY (workspace_id, contact_id) REFERENCES contacts ON DELETE SET NULL (contact_id),
    CONSTRAINT tasks_account_fkey FOREIGN KEY (workspace_id, account_id) REFERENCES accounts ON DELETE SET NULL (account_id),
    CONSTRAINT tasks_deal_fkey FOREIGN KEY (workspace_id, deal_id) REFERENCES deals ON DELETE SET NULL (deal_id),
    CONSTRAINT tasks_owner_fkey FOREIGN KEY (workspace_id, owner_id) REFERENCES members
);
CREATE INDEX tasks_lead_idx ON tasks (workspace_id, lead_id, id) WHERE lead_id IS NOT NULL;
CREATE INDEX tasks_contact_idx ON tasks (workspace_id, contact_id, id) WHERE contact_id IS NOT NULL;
CREATE INDEX tasks_account_idx ON tasks (workspace_id, account_id, id) WHERE account_id IS NOT NULL;
CREATE INDEX tasks_deal_idx ON tasks (workspace_id, deal_id, id) WHERE deal_id IS NOT NULL;
CREATE INDEX tasks_owner_idx ON tasks (workspace_id, owner_id, id) WHERE deleted_at IS NULL AND owner_id IS NOT NULL;
CREATE INDEX tasks_due_idx ON tasks (workspace_id, due_date, id) WHERE deleted_at IS NULL;
CREATE INDEX tasks_updated_idx ON tasks (workspace_id, updated_at, id) WHERE deleted_at IS NULL;
-- which reminders are to be given, over all workspaces
CREATE INDEX tasks_reminder_idx ON tasks (reminder)
    WHERE reminder IS NOT NULL AND deleted_at IS NULL AND status IN ('pending', 'in_progress')
      AND reminder IS DISTINCT FROM reminded_at;
CREATE INDEX tasks_search_idx ON tasks USING gin (search_text gin_trgm_ops);
SELECT make_tenant_table('tasks');

SELECT make_counted_table('leads', 'lead'), make_counted_table('deals', 'deal'),
       make_counted_table('products', 'product'), make_counted_table('tasks', 'task');

CREATE OR REPLACE FUNCTION search_record_ids(target regclass, pattern text, below uuid, above uuid, at_most integer)
RETURNS SETOF uuid
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
BEGIN
    IF target NOT IN ('leads'::regclass, 'contacts'::regclass, 'accounts'::regclass, 'deals'::regclass,
                      'products'::regclass, 'tasks'::regclass) THEN
        RAISE EXCEPTION 'no search over %', target;
    END IF;
    RETURN QUERY EXECUTE format(
        'SELECT id FROM %s WHERE workspace_id = $1 AND deleted_at IS NULL AND search_text LIKE lower($2)%s%s'
        ' ORDER BY workspace_id %s, id %s LIMIT $5',
        target,
        CASE WHEN below IS NULL THEN '' ELSE ' AND id < $3' END,
        CASE WHEN above IS NULL THEN '' ELSE ' AND id > $4' END,
        CASE WHEN above IS NULL THEN 'DESC' ELSE 'ASC' END,
        CASE WHEN above IS NULL THEN 'DESC' ELSE 'ASC' END)
    USING current_workspace(), pattern, below, above, at_most;
END
$$;

-- What happened to records of one kind at a time, for criteria over the history.
CREATE INDEX record_changes_at_idx ON record_changes (workspace_id, kind, at);

-- Relative dates in lists: who crosses a limit as time goes by is found by these.
CREATE INDEX contacts_created_idx ON contacts (workspace_id, created_at, id) WHERE deleted_at IS NULL;
CREATE INDEX contacts_last_contact_idx ON contacts (workspace_id, last_contact_date, id)
    WHERE deleted_at IS NULL AND last_contact_date IS NOT NULL;
