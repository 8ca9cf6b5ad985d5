DROP FUNCTION account_of_name(text);
DROP INDEX accounts_lower_name_idx;
DROP TABLE lead_conversions;
