-- What a list's criteria are known by, so that a server need not read, parse and check them again each time
-- that somebody is compared with them. See src/lists/memo.rs.

-- Databases are in UTF-8: convert_to moves nothing, and is STABLE only for others.
CREATE FUNCTION json_digest(json jsonb) RETURNS bytea
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$ SELECT sha256(convert_to(json::text, 'UTF8')) $$;
ALTER TABLE contact_lists ADD COLUMN criteria_digest bytea GENERATED ALWAYS AS (json_digest(criteria)) STORED;
