//! One value of a custom field: what may be sent, and the one form in which it is kept, so that
//! equal values are equal JSON.

use chrono::{Datelike, NaiveDate};
use serde_json::{Value as Json, json};

use super::{
    super::{FieldType, Raw, RecordKind},
    CustomField, CustomType,
};

/// The largest whole number that every client's numbers hold exactly.
const LARGEST: i64 = (1 << 53) - 1;
/// The longest web address, in bytes: an index takes no longer ones.
const LONGEST_URL: usize = 2_048;
/// So many choices are named to who sends something else.
const NAMED_CHOICES: usize = 20;

impl CustomField {
    /// The value in the form that is kept, or what would be right. What is empty is null, which
    /// stands for no value.
    pub fn parse(&self, raw: &Json) -> Result<Json, String> {
        match raw {
            Json::Null => return Ok(Json::Null),
            Json::String(text) if text.trim().is_empty() => return Ok(Json::Null),
            Json::Array(items) if items.is_empty() && self.field_type == CustomType::MultiChoice => {
                return Ok(Json::Null);
            }
            _ => {}
        }
        match self.field_type {
            CustomType::Text => as_field(FieldType::Text, raw),
            CustomType::Number => number(raw),
            CustomType::Decimal => as_field(FieldType::Decimal, raw),
            CustomType::Date => date(&Raw::Json(raw).scalar()?),
            CustomType::Time => as_field(FieldType::Instant, raw),
            CustomType::Boolean => boolean(&Raw::Json(raw).scalar()?),
            CustomType::Choice => Ok(json!(self.choice(&Raw::Json(raw).scalar()?)?)),
            CustomType::MultiChoice => self.several(raw),
            CustomType::Url => url(raw),
            CustomType::Email => as_field(FieldType::Email, raw),
            CustomType::Phone => as_field(FieldType::Phone, raw),
            CustomType::User => as_field(FieldType::User, raw),
            CustomType::Record => as_field(FieldType::Id, raw).map_err(|_| {
                format!("must be the id of {}", self.record_kind.map_or_else(any, RecordKind::with_article))
            }),
        }
    }

    /// The choice that is meant, as it is defined; upper and lower case are the same.
    fn choice(&self, text: &str) -> Result<&str, String> {
        let wanted = text.trim();
        let exact = self.choices.iter().find(|choice| *choice == wanted);
        let folded = || {
            let wanted = wanted.to_lowercase();
            self.choices.iter().find(|choice| choice.to_lowercase() == wanted)
        };
        exact.or_else(folded).map(String::as_str).ok_or_else(|| {
            let named: Vec<_> = self.choices.iter().take(NAMED_CHOICES).map(String::as_str).collect();
            let more = if self.choices.len() > NAMED_CHOICES { ", \u{2026}" } else { "" };
            format!("must be one of {}{more}", named.join(", "))
        })
    }

    /// Any of the choices, each once, in the order of the definition.
    fn several(&self, raw: &Json) -> Result<Json, String> {
        let wrong = || "must be a list of choices".to_owned();
        let chosen = match raw {
            Json::Array(items) => items
                .iter()
                .map(|item| item.as_str().ok_or_else(wrong).and_then(|text| self.choice(text)))
                .collect::<Result<Vec<_>, _>>()?,
            Json::String(text) => vec![self.choice(text)?],
            _ => return Err(wrong()),
        };
        Ok(self.choices.iter().filter(|choice| chosen.contains(&choice.as_str())).cloned().collect::<Vec<_>>().into())
    }
}

fn any() -> String {
    "a record".to_owned()
}

/// As a field of the table with this type would have it.
fn as_field(field_type: FieldType, raw: &Json) -> Result<Json, String> {
    Ok(field_type.parse_scalar(&Raw::Json(raw).scalar()?)?.to_json())
}

fn number(raw: &Json) -> Result<Json, String> {
    let text = Raw::Json(raw).scalar()?;
    let text = text.trim();
    // some clients write every number with a point
    let whole = text.split_once('.').filter(|(_, rest)| !rest.is_empty() && rest.bytes().all(|digit| digit == b'0'));
    match whole.map_or(text, |(whole, _)| whole).parse::<i64>() {
        Ok(number) if (-LARGEST..=LARGEST).contains(&number) => Ok(json!(number)),
        _ => Err(format!("must be a whole number, at most {LARGEST} on either side of zero")),
    }
}

fn date(text: &str) -> Result<Json, String> {
    match text.trim().parse::<NaiveDate>() {
        Ok(date) if (1..=9999).contains(&date.year()) => Ok(json!(date.format("%Y-%m-%d").to_string())),
        _ => Err("must be a date such as 2026-01-31".to_owned()),
    }
}

fn boolean(text: &str) -> Result<Json, String> {
    match text.trim().to_ascii_lowercase().as_str() {
        "true" | "yes" | "1" => Ok(json!(true)),
        "false" | "no" | "0" => Ok(json!(false)),
        _ => Err("must be true or false".to_owned()),
    }
}

fn url(raw: &Json) -> Result<Json, String> {
    match as_field(FieldType::Url, raw)? {
        Json::String(url) if url.len() > LONGEST_URL => Err(format!("is longer than {LONGEST_URL} bytes")),
        url => Ok(url),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::base::ids::{CustomFieldId, UserId};

    fn field(field_type: CustomType) -> CustomField {
        CustomField {
            id: CustomFieldId::new(),
            kind: RecordKind::Contact,
            key: "x".to_owned(),
            label: "X".to_owned(),
            description: None,
            field_type,
            choices: vec!["Red".to_owned(), "Green".to_owned(), "Blue".to_owned()],
            record_kind: Some(RecordKind::Account),
            is_required: false,
            is_unique: false,
            is_indexed: false,
            position: 1,
            created_by: UserId::new(),
            created_at: chrono::DateTime::UNIX_EPOCH,
            updated_at: chrono::DateTime::UNIX_EPOCH,
        }
    }

    #[test]
    fn each_type_has_one_form() {
        let id = "0190aaaa-0000-7000-8000-0000000000ab";
        for (field_type, raw, kept) in [
            (CustomType::Text, json!("  a b "), json!("a b")),
            (CustomType::Text, json!(12), json!("12")),
            (CustomType::Text, json!("  "), Json::Null),
            (CustomType::Number, json!("12"), json!(12)),
            (CustomType::Number, json!(-12.0), json!(-12)),
            (CustomType::Decimal, json!(12.50), json!("12.5")),
            (CustomType::Decimal, json!("0012.500"), json!("12.5")),
            (CustomType::Date, json!("2026-01-31"), json!("2026-01-31")),
            (CustomType::Time, json!("2026-01-31T10:30:00+01:00"), json!("2026-01-31T09:30:00Z")),
            (CustomType::Boolean, json!("Yes"), json!(true)),
            (CustomType::Boolean, json!(0), json!(false)),
            (CustomType::Choice, json!("red"), json!("Red")),
            (CustomType::MultiChoice, json!(["blue", "Red", "Blue"]), json!(["Red", "Blue"])),
            (CustomType::MultiChoice, json!("green"), json!(["Green"])),
            (CustomType::MultiChoice, json!([]), Json::Null),
            (CustomType::Url, json!("https://x.test/a"), json!("https://x.test/a")),
            (CustomType::Email, json!(" A@X.test"), json!("a@x.test")),
            (CustomType::Phone, json!("+1 2"), json!("+1 2")),
            (CustomType::User, json!(id.to_uppercase()), json!(id)),
            (CustomType::Record, json!(id), json!(id)),
        ] {
            assert_eq!(field(field_type).parse(&raw), Ok(kept), "{field_type} {raw}");
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        for (field_type, raw) in [
            (CustomType::Text, json!(["a"])),
            (CustomType::Text, json!("x".repeat(256))),
            (CustomType::Number, json!(1.5)),
            (CustomType::Number, json!(1_u64 << 53)),
            (CustomType::Number, json!("12.")),
            (CustomType::Decimal, json!("1.23456")),
            (CustomType::Date, json!("2026-02-30")),
            (CustomType::Date, json!("2026-01-31T00:00:00Z")),
            (CustomType::Time, json!("09:30")),
            (CustomType::Boolean, json!("maybe")),
            (CustomType::Boolean, json!(2)),
            (CustomType::Choice, json!("Pink")),
            (CustomType::MultiChoice, json!(["Red", 1])),
            (CustomType::MultiChoice, json!({ "Red": true })),
            (CustomType::Url, json!("javascript:alert(1)")),
            (CustomType::Url, json!(format!("https://x.test/{}", "ü".repeat(1_500)))),
            (CustomType::Email, json!("x")),
            (CustomType::Phone, json!("call me")),
            (CustomType::User, json!("ada")),
            (CustomType::Record, json!(7)),
        ] {
            assert!(field(field_type).parse(&raw).is_err(), "{field_type} {raw}");
        }
    }

    proptest! {
        #[test]
        fn what_was_kept_is_kept_as_it_is(text in "[-+0-9.,:TZ a-zA-Z@/]{0,30}") {
            for field_type in CustomType::ALL {
                if let Ok(kept) = field(*field_type).parse(&json!(text)) {
                    prop_assert_eq!(field(*field_type).parse(&kept), Ok(kept));
                }
            }
        }
    }
}
