-- Searches for what a thousandth of the records have: among the newest there are too few for a page, and the
-- trigrams of it are so common that the index takes a quarter of a second. If a tenth of a page was found
-- among the newest, the walk goes on, as far as a page of such should reach and half as far again. All else
-- is as in the migration `search`.
CREATE OR REPLACE FUNCTION find_record_ids(target regclass, patterns text[], below uuid, above uuid, at_most integer)
RETURNS SETOF uuid
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
DECLARE
    -- as in crm/matching/queries
    few CONSTANT integer := 1000;
    newest CONSTANT integer := 10000;
    enough CONSTANT integer := 10;
    reach integer := newest;
    found integer;
    companies uuid[];
    ids uuid[];
    company CONSTANT text := 'workspace_id = $1 AND deleted_at IS NULL AND search_text LIKE lower($7)'
        ' AND lower(name) LIKE lower($7)';
    own text := 'search_text LIKE lower($2)';
    live text := 'workspace_id = $1 AND deleted_at IS NULL';
    way text := CASE WHEN above IS NULL THEN 'DESC' ELSE 'ASC' END;
    statement text;
BEGIN
    IF target NOT IN ('leads'::regclass, 'contacts'::regclass, 'accounts'::regclass, 'deals'::regclass,
                      'products'::regclass, 'tasks'::regclass) THEN
        RAISE EXCEPTION 'no search over %', target;
    END IF;
    IF patterns[2] IS NOT NULL THEN
        own := own || ' OR search_text LIKE $8';
    END IF;
    IF below IS NOT NULL THEN
        live := live || ' AND id < $3';
    END IF;
    IF above IS NOT NULL THEN
        live := live || ' AND id > $4';
    END IF;
    IF patterns[3] IS NOT NULL THEN
        EXECUTE format('SELECT array_agg(id) FROM (SELECT id FROM accounts WHERE %s LIMIT $2) AS a',
                       replace(company, '$7', '$3'))
        INTO companies USING current_workspace(), few + 1, patterns[3];
    END IF;

    IF at_most IS NULL THEN
        IF cardinality(companies) > few THEN
            own := own || format(' OR account_id IN (SELECT id FROM accounts WHERE %s)', company);
        ELSIF companies IS NOT NULL THEN
            own := own || ' OR account_id = ANY($6)';
        END IF;
        statement := format('SELECT id FROM %s WHERE %s AND (%s)', target, live, own);
    ELSIF cardinality(companies) > few THEN
        -- not IN, for which all of them would be gathered
        statement := format('SELECT id FROM %s WHERE %s AND (%s OR account_id IS NOT NULL AND'
            ' (SELECT %s FROM accounts a WHERE a.workspace_id = $1 AND a.id = %1$s.account_id))'
            ' ORDER BY workspace_id %5$s, id %5$s LIMIT $5', target, live, own, company, way);
    ELSE
        LOOP
            EXECUTE format('SELECT array_agg(id) FROM (SELECT id FROM (SELECT id, search_text FROM %s WHERE %s'
                ' ORDER BY workspace_id %s, id %3$s LIMIT %s) AS newest WHERE %s LIMIT $5) AS found',
                target, live, way, reach, own)
            INTO ids USING current_workspace(), patterns[1], below, above, at_most, companies, patterns[3], patterns[2];
            found := coalesce(cardinality(ids), 0);
            EXIT WHEN found = at_most OR found * enough < at_most OR reach > newest;
            reach := (newest::bigint * at_most * 3 / 2 / found)::integer;
        END LOOP;
        IF found = at_most THEN
            statement := 'SELECT id FROM unnest($9) AS found (id)';
        ELSE
            -- OFFSET keeps it from being walked in order
            statement := format('SELECT id FROM (SELECT id FROM %s WHERE %s AND (%s) OFFSET 0) AS found',
                                target, live, own);
        END IF;
        IF companies IS NOT NULL THEN
            statement := format('SELECT id FROM (%s UNION SELECT c.id FROM unnest($6) AS of (company) CROSS JOIN LATERAL'
                ' (SELECT id FROM %s WHERE %s AND account_id = of.company ORDER BY id %s LIMIT $5) AS c) AS found',
                statement, target, live, way);
        END IF;
        statement := format('%s ORDER BY id %s LIMIT $5', statement, way);
    END IF;
    RETURN QUERY EXECUTE statement
    USING current_workspace(), patterns[1], below, above, at_most, companies, patterns[3], patterns[2], ids;
END
$$;

-- Criteria compare without case. Without statistics the planner takes a two-hundredth to satisfy each of
-- these, and after two of them reads the whole table for a page that the newest would have filled.
CREATE STATISTICS contacts_lower_first_name ON (lower(first_name)) FROM contacts;
CREATE STATISTICS contacts_lower_last_name ON (lower(last_name)) FROM contacts;
CREATE STATISTICS contacts_lower_title ON (lower(title)) FROM contacts;
CREATE STATISTICS contacts_lower_department ON (lower(department)) FROM contacts;
CREATE STATISTICS contacts_lower_state ON (lower(state)) FROM contacts;
CREATE STATISTICS leads_lower_company ON (lower(company)) FROM leads;
CREATE STATISTICS accounts_lower_industry ON (lower(industry)) FROM accounts;
