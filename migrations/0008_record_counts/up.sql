-- How many live records of each kind a workspace has: the sum of these rows, exact in every
-- snapshot. Each statement that changes it adds a row of its own, for a counter that all writers
-- update would make them wait for one another. A job folds the rows of a workspace into one.
CREATE TABLE record_count_deltas (
    workspace_id uuid NOT NULL,
    kind text NOT NULL,
    id bigint GENERATED ALWAYS AS IDENTITY,
    delta bigint NOT NULL,
    CONSTRAINT record_count_deltas_pkey PRIMARY KEY (workspace_id, kind, id)
)
-- rows come and go: the share of dead ones says nothing
WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);
SELECT make_tenant_table('record_count_deltas');

-- In triggers, so that whatever writes records is counted. The argument is the kind.
CREATE FUNCTION count_records() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    INSERT INTO record_count_deltas (workspace_id, kind, delta)
    SELECT workspace_id, TG_ARGV[0], CASE TG_OP WHEN 'INSERT' THEN count(*) ELSE -count(*) END
      FROM changed WHERE deleted_at IS NULL GROUP BY workspace_id;
    RETURN NULL;
END
$$;

-- A deletion or a restoration, which are updates.
CREATE FUNCTION count_deletion() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    INSERT INTO record_count_deltas (workspace_id, kind, delta)
    VALUES (NEW.workspace_id, TG_ARGV[0], CASE WHEN NEW.deleted_at IS NULL THEN 1 ELSE -1 END);
    RETURN NULL;
END
$$;

-- Makes the live records of a table counted, those that are there first.
CREATE FUNCTION make_counted_table(target regclass, kind text) RETURNS void
LANGUAGE plpgsql
AS $$
BEGIN
    EXECUTE format(
        'CREATE TRIGGER count_inserted AFTER INSERT ON %s REFERENCING NEW TABLE AS changed'
        ' FOR EACH STATEMENT EXECUTE FUNCTION count_records(%L)', target, kind);
    EXECUTE format(
        'CREATE TRIGGER count_removed AFTER DELETE ON %s REFERENCING OLD TABLE AS changed'
        ' FOR EACH STATEMENT EXECUTE FUNCTION count_records(%L)', target, kind);
    EXECUTE format(
        'CREATE TRIGGER count_deleted AFTER UPDATE OF deleted_at ON %s'
        ' FOR EACH ROW WHEN ((OLD.deleted_at IS NULL) <> (NEW.deleted_at IS NULL))'
        ' EXECUTE FUNCTION count_deletion(%L)', target, kind);
    -- the triggers' lock keeps writers out until this is committed
    EXECUTE format(
        'INSERT INTO record_count_deltas (workspace_id, kind, delta)'
        ' SELECT workspace_id, %L, count(*) FROM %s WHERE deleted_at IS NULL GROUP BY workspace_id', kind, target);
END
$$;

SELECT make_counted_table('accounts', 'account'), make_counted_table('contacts', 'contact');
