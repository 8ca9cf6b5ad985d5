DROP INDEX contact_lists_building;
