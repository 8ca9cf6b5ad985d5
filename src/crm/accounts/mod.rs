//! Accounts: the companies we do business with. (Who signs in is a user; see `team`.)

use bigdecimal::BigDecimal;

use crate::{
    auth::Permission,
    base::{FieldErrors, ids::AccountId},
    crm::record::{FieldType, Rules},
    record, stored_choice, text_enum,
};

text_enum! {
    /// What a company is to us.
    #[derive(async_graphql::Enum)]
    #[graphql(name = "AccountType")]
    pub enum AccountType {
        Prospect = "prospect",
        Customer = "customer",
        Partner = "partner",
        Vendor = "vendor",
    }
}

stored_choice!(AccountType);

/// Another record's account.
pub type AccountLink = Option<AccountId>;

const TYPES: FieldType = FieldType::Choice(AccountType::WORDS);

record! {
    /// A company we do business with.
    pub struct Account in accounts as Account with AccountId {
        name: String = "name" "account_name" Text,
        account_number: Option<String> = "accountNumber" "account_number" Text,
        website: Option<String> = "website" "website" Url,
        industry: Option<String> = "industry" "industry" Text,
        annual_revenue: Option<BigDecimal> = "annualRevenue" "annual_revenue" Decimal,
        employees: Option<i32> = "employees" "employees" Count,
        account_type: AccountType = "type" "type" TYPES,
        phone: Option<String> = "phone" "phone" Phone,
        billing_address: Option<String> = "billingAddress" "billing_address" LongText,
        billing_city: Option<String> = "billingCity" "billing_city" Text,
        billing_state: Option<String> = "billingState" "billing_state" Text,
        billing_country: Option<String> = "billingCountry" "billing_country" Text,
        billing_postal_code: Option<String> = "billingPostalCode" "billing_postal_code" Text,
        shipping_address: Option<String> = "shippingAddress" "shipping_address" LongText,
        shipping_city: Option<String> = "shippingCity" "shipping_city" Text,
        shipping_state: Option<String> = "shippingState" "shipping_state" Text,
        shipping_country: Option<String> = "shippingCountry" "shipping_country" Text,
        shipping_postal_code: Option<String> = "shippingPostalCode" "shipping_postal_code" Text,
        description: Option<String> = "description" "description" LongText,
    }
}

impl Rules for Account {
    type Looked = ();

    const READ: Permission = Permission::AccountsRead;
    const WRITE: Permission = Permission::AccountsWrite;
    const DELETE: Permission = Permission::AccountsDelete;
    const NOUN: &'static str = "Account";

    fn display_name(&self) -> String {
        self.name.clone()
    }

    fn check_whole(&self, fields: &mut FieldErrors) {
        if self.name.is_empty() {
            fields.add("name", "is needed");
        }
    }
}
