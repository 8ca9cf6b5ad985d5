DROP FUNCTION records_merged_into(uuid, text, uuid);
DROP TABLE record_merge_moves, record_merge_losers, record_merges;
DROP INDEX contacts_phone_key_idx, contacts_mobile_key_idx, leads_phone_key_idx, accounts_phone_key_idx;
DROP TRIGGER addresses_inserted ON contacts;
DROP TRIGGER addresses_updated ON contacts;
DROP TABLE contact_extra_addresses;
DROP FUNCTION check_new_contact_emails(), keep_contact_addresses(), check_extra_address(), refuse_taken_address();
DROP FUNCTION phone_key(text);
