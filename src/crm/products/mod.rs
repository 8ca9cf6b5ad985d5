//! Products: what is sold.

use bigdecimal::BigDecimal;
use serde_json::Value as Json;

use crate::{
    auth::Permission,
    base::FieldErrors,
    crm::record::{FieldType, Rules},
    record, stored_choice, text_enum,
};

text_enum! {
    /// Whether a product can be sold.
    #[derive(async_graphql::Enum)]
    #[graphql(name = "ProductStatus")]
    pub enum ProductStatus {
        Active = "active",
        Discontinued = "discontinued",
        OutOfStock = "out_of_stock",
    }
}

stored_choice!(ProductStatus);

const STATUSES: FieldType = FieldType::Choice(ProductStatus::WORDS);

record! {
    /// Something that is sold.
    pub struct Product in products as Product with ProductId {
        name: String = "name" "name" Text,
        sku: Option<String> = "sku" "sku" Text,
        description: Option<String> = "description" "description" LongText,
        category: Option<String> = "category" "category" Text,
        price: BigDecimal = "price" "price" Decimal,
        cost: Option<BigDecimal> = "cost" "cost" Decimal,
        currency: String = "currency" "currency" Currency,
        stock_quantity: i32 = "stockQuantity" "stock_quantity" Count,
        unit: String = "unit" "unit" Text,
        status: ProductStatus = "status" "status" STATUSES,
        image_url: Option<String> = "imageUrl" "image_url" Url,
        specifications: Json = "specifications" "specifications" Json,
    }
}

impl Rules for Product {
    type Looked = ();

    const READ: Permission = Permission::ProductsRead;
    const WRITE: Permission = Permission::ProductsWrite;
    const DELETE: Permission = Permission::ProductsDelete;
    const NOUN: &'static str = "Product";

    fn display_name(&self) -> String {
        self.name.clone()
    }

    fn check_whole(&self, fields: &mut FieldErrors) {
        if self.name.is_empty() {
            fields.add("name", "is needed");
        }
    }

    fn complete(&mut self) {
        if self.currency.is_empty() {
            "USD".clone_into(&mut self.currency);
        }
        if self.unit.is_empty() {
            "unit".clone_into(&mut self.unit);
        }
    }
}
