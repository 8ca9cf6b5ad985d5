//! Input of records: an absent field stays as it is, a null clears.

use async_graphql::{ID, InputObject, Json, MaybeUndefined};
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Map, Value, json};

use super::scalars::Decimal;
use crate::crm::{
    Account, Contact, Deal, Lead, Product, Task,
    accounts::AccountType,
    contacts::{ContactSource, ContactStatus},
    leads::LeadStatus,
    products::ProductStatus,
    record::{Field, Raw, Record, ops},
    tasks::{TaskPriority, TaskStatus},
};

/// What a client sent, by field of the table.
pub struct Given(Vec<(&'static Field, Value)>);

impl Given {
    /// As the operations take it.
    pub fn raw(&self) -> ops::Input<'_> {
        self.0.iter().map(|(field, value)| (*field, Raw::Json(value))).collect()
    }

    /// By the fields' names, to be kept and taken up later.
    pub fn into_json(self) -> Map<String, Value> {
        self.0.into_iter().map(|(field, value)| (field.name.to_owned(), value)).collect()
    }

    fn add(&mut self, fields: &'static [Field], name: &str, value: Option<Option<Value>>) {
        let field = fields.iter().find(|field| field.name == name);
        if let (Some(field), Some(value)) = (field, value) {
            self.0.push((field, value.unwrap_or(Value::Null)));
        }
    }
}

/// A typed input value as the JSON that the field table reads.
trait AsJson {
    fn as_json(&self) -> Value;
}

macro_rules! as_json {
    ($($type:ty: $this:ident => $json:expr;)+) => {$(
        impl AsJson for $type {
            fn as_json(&self) -> Value {
                let $this = self;
                $json
            }
        }
    )+};
}

as_json! {
    String: text => json!(text);
    i32: number => json!(number);
    ID: id => json!(id.as_str());
    Decimal: number => json!(number.0.to_plain_string());
    DateTime<Utc>: at => json!(at.to_rfc3339_opts(SecondsFormat::AutoSi, true));
    Vec<String>: texts => json!(texts);
    Json<Value>: value => value.0.clone();
    ContactSource: choice => json!(choice.as_str());
    ContactStatus: choice => json!(choice.as_str());
    AccountType: choice => json!(choice.as_str());
    LeadStatus: choice => json!(choice.as_str());
    ProductStatus: choice => json!(choice.as_str());
    TaskStatus: choice => json!(choice.as_str());
    TaskPriority: choice => json!(choice.as_str());
}

macro_rules! record_input {
    ($(#[$doc:meta])* $name:ident $graphql:literal of $record:ty { $($(#[$field_doc:meta])* $field:ident: $type:ty = $api:literal,)+ }) => {
        $(#[$doc])*
        #[derive(InputObject)]
        #[graphql(name = $graphql)]
        pub struct $name {
            $($(#[$field_doc])* #[graphql(name = $api)] pub $field: MaybeUndefined<$type>,)+
        }

        impl $name {
            pub fn given(&self) -> Given {
                let mut given = Given(Vec::new());
                $(given.add(<$record>::FIELDS, $api, self.$field.as_opt_ref().map(|value| value.map(AsJson::as_json)));)+
                given
            }
        }
    };
}

record_input! {
    /// A lead's fields. Some way to name or reach the person is needed.
    LeadInput "LeadInput" of Lead {
        first_name: String = "firstName",
        last_name: String = "lastName",
        /// Normalised: lower case, domain in ASCII.
        email: String = "email",
        phone: String = "phone",
        company: String = "company",
        title: String = "title",
        source: ContactSource = "source",
        status: LeadStatus = "status",
        /// From 0 to 100.
        lead_score: i32 = "leadScore",
        industry: String = "industry",
        annual_revenue: Decimal = "annualRevenue",
        employees: i32 = "employees",
        website: String = "website",
        address: String = "address",
        city: String = "city",
        state: String = "state",
        country: String = "country",
        postal_code: String = "postalCode",
        notes: String = "notes",
        converted_date: DateTime<Utc> = "convertedDate",
        last_contact_date: DateTime<Utc> = "lastContactDate",
        /// Giving a record to somebody else needs the right to assign.
        owner_id: ID = "ownerId",
        tags: Vec<String> = "tags",
        /// Each key that is given is set, one with null is removed, all others stay.
        custom_fields: Json<Value> = "customFields",
    }
}

record_input! {
    /// A contact's fields. Some way to name or reach the person is needed.
    ContactInput "ContactInput" of Contact {
        first_name: String = "firstName",
        last_name: String = "lastName",
        /// Normalised: lower case, domain in ASCII. Unique among the workspace's contacts.
        email: String = "email",
        phone: String = "phone",
        mobile: String = "mobile",
        title: String = "title",
        department: String = "department",
        account_id: ID = "accountId",
        source: ContactSource = "source",
        status: ContactStatus = "status",
        linkedin_url: String = "linkedinUrl",
        twitter_handle: String = "twitterHandle",
        address: String = "address",
        city: String = "city",
        state: String = "state",
        country: String = "country",
        postal_code: String = "postalCode",
        notes: String = "notes",
        last_contact_date: DateTime<Utc> = "lastContactDate",
        /// Giving a record to somebody else needs the right to assign.
        owner_id: ID = "ownerId",
        tags: Vec<String> = "tags",
        /// Each key that is given is set, one with null is removed, all others stay.
        custom_fields: Json<Value> = "customFields",
    }
}

record_input! {
    /// An account's fields. A name is needed.
    AccountInput "AccountInput" of Account {
        name: String = "name",
        /// Unique among the workspace's accounts.
        account_number: String = "accountNumber",
        website: String = "website",
        industry: String = "industry",
        annual_revenue: Decimal = "annualRevenue",
        employees: i32 = "employees",
        account_type: AccountType = "type",
        phone: String = "phone",
        billing_address: String = "billingAddress",
        billing_city: String = "billingCity",
        billing_state: String = "billingState",
        billing_country: String = "billingCountry",
        billing_postal_code: String = "billingPostalCode",
        shipping_address: String = "shippingAddress",
        shipping_city: String = "shippingCity",
        shipping_state: String = "shippingState",
        shipping_country: String = "shippingCountry",
        shipping_postal_code: String = "shippingPostalCode",
        description: String = "description",
        /// Giving a record to somebody else needs the right to assign.
        owner_id: ID = "ownerId",
        tags: Vec<String> = "tags",
        /// Each key that is given is set, one with null is removed, all others stay.
        custom_fields: Json<Value> = "customFields",
    }
}

record_input! {
    /// A deal's fields. A name is needed.
    DealInput "DealInput" of Deal {
        name: String = "name",
        amount: Decimal = "amount",
        /// The three letters of the amount's currency.
        currency: String = "currency",
        pipeline_id: ID = "pipelineId",
        stage_id: ID = "stageId",
        /// How likely it is, in percent; a stage brings its own.
        probability: i32 = "probability",
        expected_close_date: DateTime<Utc> = "expectedCloseDate",
        close_date: DateTime<Utc> = "closeDate",
        account_id: ID = "accountId",
        contact_id: ID = "contactId",
        lead_source: ContactSource = "leadSource",
        description: String = "description",
        next_step: String = "nextStep",
        loss_reason: String = "lossReason",
        /// Giving a record to somebody else needs the right to assign.
        owner_id: ID = "ownerId",
        tags: Vec<String> = "tags",
        /// Each key that is given is set, one with null is removed, all others stay.
        custom_fields: Json<Value> = "customFields",
    }
}

record_input! {
    /// A product's fields. A name is needed.
    ProductInput "ProductInput" of Product {
        name: String = "name",
        /// The stock-keeping unit. Unique among the workspace's products.
        sku: String = "sku",
        description: String = "description",
        category: String = "category",
        price: Decimal = "price",
        cost: Decimal = "cost",
        /// The three letters of the price's currency.
        currency: String = "currency",
        stock_quantity: i32 = "stockQuantity",
        unit: String = "unit",
        status: ProductStatus = "status",
        image_url: String = "imageUrl",
        specifications: Json<Value> = "specifications",
        /// Giving a record to somebody else needs the right to assign.
        owner_id: ID = "ownerId",
        tags: Vec<String> = "tags",
        /// Each key that is given is set, one with null is removed, all others stay.
        custom_fields: Json<Value> = "customFields",
    }
}

record_input! {
    /// A task's fields. A title is needed; it is about one record at most.
    TaskInput "TaskInput" of Task {
        title: String = "title",
        description: String = "description",
        status: TaskStatus = "status",
        priority: TaskPriority = "priority",
        due_date: DateTime<Utc> = "dueDate",
        completed_date: DateTime<Utc> = "completedDate",
        /// When its owner is reminded of it.
        reminder: DateTime<Utc> = "reminder",
        lead_id: ID = "leadId",
        contact_id: ID = "contactId",
        account_id: ID = "accountId",
        deal_id: ID = "dealId",
        notes: String = "notes",
        /// Giving a record to somebody else needs the right to assign.
        owner_id: ID = "ownerId",
        tags: Vec<String> = "tags",
        /// Each key that is given is set, one with null is removed, all others stay.
        custom_fields: Json<Value> = "customFields",
    }
}
