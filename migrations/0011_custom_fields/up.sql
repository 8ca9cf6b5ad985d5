-- Fields that people define for their workspace. The values stand in each record's custom_fields,
-- by key; those of fields that are marked indexed or unique stand in custom_values too.

CREATE TABLE custom_fields (
    workspace_id uuid NOT NULL CONSTRAINT custom_fields_workspace_fkey REFERENCES workspaces,
    id uuid NOT NULL,
    kind text NOT NULL
        CONSTRAINT custom_fields_kind_check CHECK (kind IN ('lead', 'contact', 'account', 'deal', 'product', 'task')),
    -- never changes: values, criteria and exports know the field by it
    key text NOT NULL CONSTRAINT custom_fields_key_check CHECK (key ~ '^[a-z][a-z0-9_]{0,59}$'),
    label text NOT NULL,
    description text,
    -- never changes either
    field_type text NOT NULL
        CONSTRAINT custom_fields_field_type_check CHECK (field_type IN
            ('text', 'number', 'decimal', 'date', 'time', 'boolean', 'choice', 'multi_choice', 'url', 'email',
             'phone', 'user', 'record')),
    -- of a choice: the words that may be chosen, in order
    choices text[] NOT NULL DEFAULT '{}',
    -- of a record: of which kind
    record_kind text
        CONSTRAINT custom_fields_record_kind_check CHECK (record_kind IN
            ('lead', 'contact', 'account', 'deal', 'product', 'task')),
    is_required boolean NOT NULL DEFAULT false,
    is_unique boolean NOT NULL DEFAULT false,
    is_indexed boolean NOT NULL DEFAULT false,
    position integer NOT NULL,
    created_by uuid NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    CONSTRAINT custom_fields_pkey PRIMARY KEY (workspace_id, id),
    CONSTRAINT custom_fields_key_key UNIQUE (workspace_id, kind, key)
);
SELECT make_tenant_table('custom_fields');

CREATE TABLE custom_values (
    workspace_id uuid NOT NULL,
    field_id uuid NOT NULL,
    record_id uuid NOT NULL,
    -- one of these, by the field's type; texts in lower case, for comparing
    text_value text,
    number_value numeric,
    time_value timestamptz,
    -- the value as text where no two live records may have the same
    unique_value text,
    -- no foreign key: the rows of a field that was deleted, which may be millions, go in batches
    CONSTRAINT custom_values_pkey PRIMARY KEY (workspace_id, field_id, record_id)
);
CREATE UNIQUE INDEX custom_values_unique_key ON custom_values (workspace_id, field_id, unique_value)
    WHERE unique_value IS NOT NULL;
CREATE INDEX custom_values_text_idx ON custom_values (workspace_id, field_id, text_value, record_id) WHERE text_value IS NOT NULL;
CREATE INDEX custom_values_number_idx ON custom_values (workspace_id, field_id, number_value, record_id) WHERE number_value IS NOT NULL;
CREATE INDEX custom_values_time_idx ON custom_values (workspace_id, field_id, time_value, record_id) WHERE time_value IS NOT NULL;
CREATE INDEX custom_values_record_idx ON custom_values (workspace_id, record_id);
SELECT make_tenant_table('custom_values');

-- A custom value as a number or an instant; null where it is none, so that no criterion fails over
-- what somebody stored before the field was defined.
CREATE FUNCTION custom_number(value jsonb) RETURNS numeric
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
    -- a longer one fits no field, and would be too long for the index
    SELECT CASE WHEN jsonb_typeof(value) IN ('number', 'string') AND value #>> '{}' ~ '^-?[0-9]{1,30}([.][0-9]{1,30})?$'
        THEN (value #>> '{}')::numeric END
$$;
-- All within CASE, for a block that catches errors could not run in a parallel worker.
CREATE FUNCTION custom_time(value jsonb) RETURNS timestamptz
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
    SELECT CASE
        WHEN jsonb_typeof(value) <> 'string' OR value #>> '{}' !~
             '^(?!0000)[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])(T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]([.][0-9]{1,6})?Z)?$'
        THEN NULL
        -- no such day in its month
        WHEN substr(value #>> '{}', 9, 2)::integer > extract(day FROM
             make_date(substr(value #>> '{}', 1, 4)::integer, substr(value #>> '{}', 6, 2)::integer, 1)
                 + interval '1 month' - interval '1 day')
        THEN NULL
        -- a date alone is its midnight in UTC; criteria take it as a day, whatever the zone
        WHEN length(value #>> '{}') = 10 THEN (value #>> '{}' || 'T00:00:00Z')::timestamptz
        ELSE (value #>> '{}')::timestamptz
    END
$$;

-- The rows that the indexed fields among a record's values have. A text that is too long for an index
-- has none: no field takes one, and it must not keep the record from being written.
CREATE FUNCTION custom_value_rows(workspace uuid, of_kind text, record uuid, bag jsonb) RETURNS SETOF custom_values
LANGUAGE sql STABLE
AS $$
    SELECT workspace, f.id, record,
           CASE WHEN f.field_type NOT IN ('number', 'decimal', 'date', 'time') THEN folded.value END,
           CASE WHEN f.field_type IN ('number', 'decimal') THEN custom_number(bag -> f.key) END,
           CASE WHEN f.field_type IN ('date', 'time') THEN custom_time(bag -> f.key) END,
           CASE WHEN f.is_unique THEN folded.value END
      FROM custom_fields f
     CROSS JOIN LATERAL (SELECT lower(bag ->> f.key) AS value) AS folded
     WHERE f.workspace_id = workspace AND f.kind = of_kind AND (f.is_indexed OR f.is_unique)
       AND octet_length(folded.value) <= 2500
$$;

-- In triggers, so that whatever writes records keeps them. The argument is the kind.
CREATE FUNCTION keep_new_custom_values() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    INSERT INTO custom_values
    SELECT rows.* FROM changed, custom_value_rows(changed.workspace_id, TG_ARGV[0], changed.id, changed.custom_fields) AS rows
     WHERE changed.custom_fields <> '{}' AND changed.deleted_at IS NULL;
    RETURN NULL;
END
$$;
CREATE FUNCTION keep_custom_values() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    DELETE FROM custom_values WHERE workspace_id = OLD.workspace_id AND record_id = OLD.id;
    IF TG_OP = 'UPDATE' AND NEW.deleted_at IS NULL THEN
        INSERT INTO custom_values
        SELECT * FROM custom_value_rows(NEW.workspace_id, TG_ARGV[0], NEW.id, NEW.custom_fields);
    END IF;
    RETURN NULL;
END
$$;
CREATE FUNCTION make_custom_table(target regclass, kind text) RETURNS void
LANGUAGE plpgsql
AS $$
BEGIN
    EXECUTE format(
        'CREATE TRIGGER custom_inserted AFTER INSERT ON %s REFERENCING NEW TABLE AS changed'
        ' FOR EACH STATEMENT EXECUTE FUNCTION keep_new_custom_values(%L)', target, kind);
    EXECUTE format(
        'CREATE TRIGGER custom_updated AFTER UPDATE OF custom_fields, deleted_at ON %s FOR EACH ROW'
        ' WHEN (OLD.custom_fields IS DISTINCT FROM NEW.custom_fields'
        '    OR (OLD.deleted_at IS NULL) <> (NEW.deleted_at IS NULL) AND NEW.custom_fields <> ''{}'')'
        ' EXECUTE FUNCTION keep_custom_values(%L)', target, kind);
    EXECUTE format(
        'CREATE TRIGGER custom_removed AFTER DELETE ON %s FOR EACH ROW WHEN (OLD.custom_fields <> ''{}'')'
        ' EXECUTE FUNCTION keep_custom_values(%L)', target, kind);
END
$$;
SELECT make_custom_table('leads', 'lead'), make_custom_table('contacts', 'contact'),
       make_custom_table('accounts', 'account'), make_custom_table('deals', 'deal'),
       make_custom_table('products', 'product'), make_custom_table('tasks', 'task');
