-- Search over phone numbers, companies and websites, and what criteria are found by.

-- The digits of a phone number: fragments of numbers are compared by them, however they are written. The
-- zero in brackets is spoken in the country only. (For why not by a regular expression see phone_key.)
CREATE FUNCTION phone_digits(phone text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
    SELECT translate(replace(phone, '(0)', ''), translate(phone, '0123456789', ''), '')
$$;

-- A search text has three parts, of which a character that no query holds ends the first two: what
-- REST's search looks into, chr(1), what else is text, chr(2), digits of phone numbers. So one LIKE tells
-- where to look: for a fragment and chr(1) behind it, for one and chr(2) behind it, or chr(2) before it.
-- One statement for each table: it is written anew by each.
ALTER TABLE contacts DROP COLUMN search_text, ADD COLUMN search_text text GENERATED ALWAYS AS
    (lower(coalesce(first_name, '') || ' ' || coalesce(last_name, '') || ' ' || coalesce(email, ''))
        || E'\x01\x02' || coalesce(phone_digits(phone), '') || coalesce(' ' || phone_digits(mobile), '')) STORED;
ALTER TABLE leads DROP COLUMN search_text, ADD COLUMN search_text text GENERATED ALWAYS AS
    (lower(coalesce(first_name, '') || ' ' || coalesce(last_name, '') || ' ' || coalesce(email, '')
            || ' ' || coalesce(company, ''))
        || E'\x01\x02' || coalesce(phone_digits(phone), '')) STORED;
-- Of a website its host counts: 'http' and 'www' would find them all.
ALTER TABLE accounts DROP COLUMN search_text, ADD COLUMN search_text text GENERATED ALWAYS AS
    (lower(name || ' ' || coalesce(industry, '')) || E'\x01'
        || coalesce(substring(lower(website) FROM '^(?:[a-z][a-z0-9+.-]*://)?(?:[^/?#@]*@)?(?:www\.)?([^/?#:]*)'), '')
        || E'\x02' || coalesce(phone_digits(phone), '')) STORED;
CREATE INDEX contacts_search_idx ON contacts USING gin (search_text gin_trgm_ops);
CREATE INDEX leads_search_idx ON leads USING gin (search_text gin_trgm_ops);
CREATE INDEX accounts_search_idx ON accounts USING gin (search_text gin_trgm_ops);

-- Fragments of digits find duplicates, too. Without these an import is as fast as it was before digits were
-- in the search text.
DROP INDEX contacts_phone_key_idx, contacts_mobile_key_idx, leads_phone_key_idx, accounts_phone_key_idx;

-- Ids of the bound workspace by the patterns of crm/record/search: over the search text, over it for digits,
-- and over the names of companies; the last two may be null. The newest first, or the oldest where they are to
-- lie above one; without a limit all of them, in no order.
-- The planner cannot tell what is common: statistics are kept from it for LIKE where there is row-level
-- security, were it only USING (true). So a page is looked for among the newest records first, and what is
-- not filled by those is rare enough for the index.
-- Companies are looked up first. Of some, each gives its contacts in order by an index, no more than are
-- wanted: that costs the same wherever these stand. Of very many, a walk through the contacts soon has
-- what is wanted, each contact's company being looked at.
CREATE FUNCTION find_record_ids(target regclass, patterns text[], below uuid, above uuid, at_most integer)
RETURNS SETOF uuid
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
DECLARE
    -- as in crm/matching/queries
    few CONSTANT integer := 1000;
    newest CONSTANT integer := 10000;
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
        EXECUTE format('SELECT array_agg(id) FROM (SELECT id FROM (SELECT id, search_text FROM %s WHERE %s'
            ' ORDER BY workspace_id %s, id %3$s LIMIT %s) AS newest WHERE %s LIMIT $5) AS found',
            target, live, way, newest, own)
        INTO ids USING current_workspace(), patterns[1], below, above, at_most, companies, patterns[3], patterns[2];
        IF cardinality(ids) = at_most THEN
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

-- REST's search, in the first part only, and that of kinds which have one part.
CREATE OR REPLACE FUNCTION search_record_ids(target regclass, pattern text, below uuid, above uuid, at_most integer)
RETURNS SETOF uuid
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
    SELECT find_record_ids(target, ARRAY[pattern ||
        CASE WHEN target IN ('leads'::regclass, 'contacts'::regclass, 'accounts'::regclass) THEN E'\x01%' ELSE '' END],
        below, above, at_most)
$$;
REVOKE ALL ON FUNCTION find_record_ids FROM PUBLIC;
DO $$ BEGIN
    EXECUTE format('GRANT EXECUTE ON FUNCTION find_record_ids TO %I', current_setting('kontor.app_role'));
END $$;

-- Criteria ignore case. Names, e-mail addresses and phone numbers are found by the search text
-- (crm/criteria/sql); cities and tags have indexes. (text_pattern_ops for beginnings. Countries are few, and
-- each index makes imports slower by some 3 %.)
CREATE INDEX contacts_lower_city_idx ON contacts (workspace_id, lower(city) text_pattern_ops, id)
    WHERE deleted_at IS NULL AND city IS NOT NULL;
-- How many live where: of indexes with a WHERE the planner takes no statistics.
CREATE STATISTICS contacts_lower_city ON (lower(city)) FROM contacts;
CREATE STATISTICS contacts_lower_country ON (lower(country)) FROM contacts;
-- Texts in lower case; chr(1) stands in none. (A query over unnest would have no plan that is kept, and take
-- three times as long.)
CREATE FUNCTION lower_all(texts text[]) RETURNS text[]
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
AS $$ BEGIN RETURN string_to_array(lower(array_to_string(texts, E'\x01')), E'\x01'); END $$;
CREATE INDEX contacts_tags_idx ON contacts USING gin (lower_all(tags)) WHERE deleted_at IS NULL AND tags <> '{}';
