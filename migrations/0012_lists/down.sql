DROP TABLE list_sizes, list_log, list_members, list_favorites, list_shares, contact_lists, list_folders, team_members, teams;
