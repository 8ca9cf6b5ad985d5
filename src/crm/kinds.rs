//! The kinds of records by their names at run time: what is generic over a kind is called with the
//! kind that a request or a row names.

use super::{
    Account, Contact, Deal, Lead, Product, Task,
    record::{Field, Record, RecordKind},
};

/// Runs the expression with a type alias for the kind's struct:
/// `for_kind!(kind, R => ops::get::<R>(ctx, caller, id).await)`. All arms must have one type.
#[macro_export]
macro_rules! for_kind {
    ($kind:expr, $record:ident => $body:expr) => {
        match $kind {
            $crate::crm::RecordKind::Lead => {
                type $record = $crate::crm::Lead;
                $body
            }
            $crate::crm::RecordKind::Contact => {
                type $record = $crate::crm::Contact;
                $body
            }
            $crate::crm::RecordKind::Account => {
                type $record = $crate::crm::Account;
                $body
            }
            $crate::crm::RecordKind::Deal => {
                type $record = $crate::crm::Deal;
                $body
            }
            $crate::crm::RecordKind::Product => {
                type $record = $crate::crm::Product;
                $body
            }
            $crate::crm::RecordKind::Task => {
                type $record = $crate::crm::Task;
                $body
            }
        }
    };
}

/// The fields of a kind, besides what every record has.
pub fn fields_of(kind: RecordKind) -> &'static [Field] {
    match kind {
        RecordKind::Lead => Lead::FIELDS,
        RecordKind::Contact => Contact::FIELDS,
        RecordKind::Account => Account::FIELDS,
        RecordKind::Deal => Deal::FIELDS,
        RecordKind::Product => Product::FIELDS,
        RecordKind::Task => Task::FIELDS,
    }
}
