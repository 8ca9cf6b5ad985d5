-- The function does for what came before.
DROP STATISTICS contacts_lower_first_name, contacts_lower_last_name, contacts_lower_title, contacts_lower_department,
    contacts_lower_state, leads_lower_company, accounts_lower_industry;
