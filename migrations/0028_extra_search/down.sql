DROP TRIGGER searched ON contact_extra_addresses;
DROP FUNCTION keep_extra_search(), note_extra_addresses(uuid, uuid);
ALTER TABLE contacts DROP COLUMN search_text, DROP COLUMN extra_emails, DROP COLUMN extra_phone_digits,
    ADD COLUMN search_text text GENERATED ALWAYS AS
    (lower(coalesce(first_name, '') || ' ' || coalesce(last_name, '') || ' ' || coalesce(email, ''))
        || E'\x01\x02' || coalesce(phone_digits(phone), '') || coalesce(' ' || phone_digits(mobile), '')) STORED;
CREATE INDEX contacts_search_idx ON contacts USING gin (search_text gin_trgm_ops);
