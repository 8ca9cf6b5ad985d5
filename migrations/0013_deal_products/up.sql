-- What a deal is about: its line items.
CREATE TABLE deal_products (
    workspace_id uuid NOT NULL,
    id uuid NOT NULL,
    deal_id uuid NOT NULL,
    -- none where the product was purged, or the item never was one
    product_id uuid,
    name text NOT NULL,
    quantity numeric(19,4) NOT NULL CONSTRAINT deal_products_quantity_check CHECK (quantity > 0),
    unit_price numeric(19,4) NOT NULL,
    discount_percent numeric(5,2) NOT NULL DEFAULT 0
        CONSTRAINT deal_products_discount_check CHECK (discount_percent BETWEEN 0 AND 100),
    position integer NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    CONSTRAINT deal_products_pkey PRIMARY KEY (workspace_id, id),
    CONSTRAINT deal_products_deal_fkey FOREIGN KEY (workspace_id, deal_id) REFERENCES deals ON DELETE CASCADE,
    CONSTRAINT deal_products_product_fkey FOREIGN KEY (workspace_id, product_id)
        REFERENCES products ON DELETE SET NULL (product_id)
);
CREATE INDEX deal_products_deal_idx ON deal_products (workspace_id, deal_id, position);
CREATE INDEX deal_products_product_idx ON deal_products (workspace_id, product_id, deal_id) WHERE product_id IS NOT NULL;
SELECT make_tenant_table('deal_products');

-- Deleted deals stand on stages as well: whoever deletes a stage, and the foreign key itself, looks
-- for those, too.
DROP INDEX deals_stage_idx;
CREATE INDEX deals_stage_idx ON deals (workspace_id, stage_id, id);
