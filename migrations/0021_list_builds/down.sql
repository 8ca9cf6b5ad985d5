DROP TABLE list_builds;
