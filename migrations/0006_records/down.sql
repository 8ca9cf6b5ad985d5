DROP TABLE record_changes;
DROP FUNCTION search_record_ids(regclass, text, uuid, uuid, integer);
DROP TABLE contacts;
DROP TABLE accounts;
