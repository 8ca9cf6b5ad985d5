SELECT gin_clean_pending_list('accounts_search_idx');
SELECT gin_clean_pending_list('contacts_search_idx');
ALTER INDEX accounts_search_idx SET (fastupdate = off);
ALTER INDEX contacts_search_idx SET (fastupdate = off);
