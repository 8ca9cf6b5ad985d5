//! The demo's custom fields, of most types.

use crate::{
    auth::Caller,
    base::Result,
    crm::{
        RecordKind,
        fields::{
            CustomType,
            ops::{self, NewField},
        },
    },
    ctx::Ctx,
};

/// Defines those that are not there, by their keys.
pub async fn define(ctx: &Ctx, caller: &Caller) -> Result<()> {
    for kind in [RecordKind::Contact, RecordKind::Deal] {
        let there = ops::list(ctx, caller, kind).await?;
        let new = all().into_iter().filter(|new| new.kind == kind);
        for new in new.filter(|new| !there.iter().any(|field| Some(&field.key) == new.key.as_ref())) {
            ops::create(ctx, caller, new).await?;
        }
    }
    Ok(())
}

fn all() -> Vec<NewField> {
    let (contact, deal) = (RecordKind::Contact, RecordKind::Deal);
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    vec![
        NewField { is_indexed: true, ..field(contact, "birthday", "Birthday", CustomType::Date) },
        NewField {
            choices: words(&["E-mail", "Phone", "Letter"]),
            ..field(contact, "channel", "Prefers", CustomType::Choice)
        },
        NewField {
            choices: words(&["English", "German", "Norwegian", "Polish"]),
            ..field(contact, "languages", "Languages", CustomType::MultiChoice)
        },
        field(contact, "credit_limit", "Credit limit", CustomType::Decimal),
        field(contact, "gets_samples", "Gets samples", CustomType::Boolean),
        NewField {
            choices: words(&["EXW", "FOB", "CIF", "DAP"]),
            ..field(deal, "terms", "Terms of delivery", CustomType::Choice)
        },
        NewField { is_indexed: true, ..field(deal, "crates", "Crates", CustomType::Number) },
        field(deal, "is_insured", "Insured", CustomType::Boolean),
        field(deal, "first_delivery", "First delivery", CustomType::Date),
        NewField { record_kind: Some(contact), ..field(deal, "decided_by", "Decided by", CustomType::Record) },
    ]
}

fn field(kind: RecordKind, key: &str, label: &str, field_type: CustomType) -> NewField {
    NewField {
        kind,
        key: Some(key.to_owned()),
        label: label.to_owned(),
        description: None,
        field_type,
        choices: Vec::new(),
        record_kind: None,
        is_required: false,
        is_unique: false,
        is_indexed: false,
    }
}
