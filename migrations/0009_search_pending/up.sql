-- New rows wait in a list before they go into the search index, many at a time: written one by one,
-- the 40 or so fragments of a row cost more than all its other indexes together (measured: an import
-- of 100,000 rows is five times as fast with the list). A search reads the list, too; how long it
-- may get is set where connections are made (db/pool.rs) and for imports.
ALTER INDEX accounts_search_idx SET (fastupdate = on);
ALTER INDEX contacts_search_idx SET (fastupdate = on);
