DROP INDEX deals_stage_idx;
CREATE INDEX deals_stage_idx ON deals (workspace_id, stage_id, id) WHERE deleted_at IS NULL;
DROP TABLE deal_products;
