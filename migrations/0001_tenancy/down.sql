DROP SCHEMA staging CASCADE;
DROP TABLE workspaces;
DROP TABLE instance_settings;
DROP FUNCTION grant_to_app(regclass, text);
DROP FUNCTION make_tenant_table(regclass);
DROP FUNCTION current_workspace();
