//! The field table: what a field is called on each face, and what may stand in it. GraphQL, REST,
//! imports, filters and the history all read it, so a rule about a field stands once.

use std::{collections::HashSet, str::FromStr};

use bigdecimal::BigDecimal;
use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{
    RecordKind,
    value::{Raw, Value},
};
use crate::base::text::{self, EmailAddress};

/// One field of a kind of record.
#[derive(Debug, Clone, Copy)]
pub struct Field {
    /// In GraphQL and criteria.
    pub name: &'static str,
    pub column: &'static str,
    /// In REST.
    pub rest: &'static str,
    pub field_type: FieldType,
}

/// What a field holds.
#[derive(Debug, Clone, Copy)]
pub enum FieldType {
    /// One line of at most 255 characters.
    Text,
    LongText,
    Email,
    Phone,
    Url,
    /// One of these words; never empty in the database, the first is the default.
    Choice(&'static [&'static str]),
    /// One of these words, or none.
    OptionalChoice(&'static [&'static str]),
    /// At least 0.
    Count,
    /// From 0 to 100.
    Percent,
    /// Money: 15 digits before the point and 4 behind.
    Decimal,
    /// A currency's three letters.
    Currency,
    Instant,
    User,
    /// A record of this kind.
    Link(RecordKind),
    /// A deal's way, and its step on it: an id, or the step's name on the way of the deal.
    Pipeline,
    Stage,
    /// The record's own.
    Id,
    Tags,
    Json,
}

/// What every record has besides its fields: to be filtered and sorted by, never to be set.
pub const FIXED: &[Field] = &[
    Field { name: "id", column: "id", rest: "id", field_type: FieldType::Id },
    Field { name: "createdAt", column: "created_at", rest: "created_at", field_type: FieldType::Instant },
    Field { name: "updatedAt", column: "updated_at", rest: "updated_at", field_type: FieldType::Instant },
];

/// Most tags of a record, and characters of a tag.
pub(in crate::crm) const MOST_TAGS: usize = 100;
const TAG_LENGTH: usize = 60;
/// Largest custom-field object, in bytes of JSON.
pub(super) const MOST_JSON: usize = 64 * 1024;

impl Field {
    /// The value that this raw input means, or what would be right.
    pub fn parse(&self, raw: Raw<'_>) -> Result<Value, String> {
        let raw = match raw {
            Raw::Null => return Ok(Value::Null),
            Raw::Text(text) if text.trim().is_empty() => return Ok(Value::Null),
            Raw::Json(serde_json::Value::Null) => return Ok(Value::Null),
            Raw::Json(serde_json::Value::String(text)) if text.trim().is_empty() => return Ok(Value::Null),
            raw => raw,
        };
        match self.field_type {
            FieldType::Tags => tags(raw),
            FieldType::Json => object(raw),
            field_type => field_type.parse_scalar(&raw.scalar()?),
        }
    }

    /// The kind of the records that this field's ids name.
    pub fn linked_kind(&self) -> Option<RecordKind> {
        match self.field_type {
            FieldType::Link(kind) => Some(kind),
            _ => None,
        }
    }

    /// The table of the records that this field's ids name.
    pub fn links_to(&self) -> Option<&'static str> {
        self.linked_kind().map(RecordKind::table)
    }

    /// The type that a bound text is cast to in SQL.
    pub fn sql_type(&self) -> &'static str {
        match self.field_type {
            FieldType::Count | FieldType::Percent => "integer",
            FieldType::Decimal => "numeric",
            FieldType::Instant => "timestamptz",
            FieldType::User | FieldType::Link(_) | FieldType::Pipeline | FieldType::Stage | FieldType::Id => "uuid",
            FieldType::Tags => "text[]",
            FieldType::Json => "jsonb",
            _ => "text",
        }
    }
}

impl FieldType {
    pub(super) fn parse_scalar(self, text: &str) -> Result<Value, String> {
        match self {
            Self::Text => cleaned(text, text::SHORT),
            Self::LongText => cleaned(text, text::LONG),
            Self::Email => Ok(Value::Text(EmailAddress::parse(text)?.into_inner())),
            Self::Phone => phone(text),
            Self::Url => url(text),
            Self::Choice(words) | Self::OptionalChoice(words) => choice(words, text),
            Self::Count => match text.trim().parse::<i32>() {
                Ok(number) if number >= 0 => Ok(Value::Integer(number)),
                _ => Err("must be a whole number, at least 0".to_owned()),
            },
            Self::Percent => match text.trim().parse::<i32>() {
                Ok(number @ 0..=100) => Ok(Value::Integer(number)),
                _ => Err("must be a whole number from 0 to 100".to_owned()),
            },
            Self::Decimal => decimal(text),
            Self::Currency => currency(text),
            Self::Instant => instant(text),
            Self::User => id(text, "user"),
            Self::Link(kind) => id(text, kind.as_str()),
            Self::Pipeline => id(text, "pipeline"),
            Self::Stage => id(text, "stage").or_else(|_| cleaned(text, text::SHORT)),
            Self::Id => id(text, "record"),
            Self::Tags | Self::Json => Err("is not a single value".to_owned()),
        }
    }
}

fn cleaned(text: &str, max: usize) -> Result<Value, String> {
    Ok(text::clean(text, max)?.map_or(Value::Null, Value::Text))
}

fn phone(text: &str) -> Result<Value, String> {
    let cleaned = text::clean(text, 50)?;
    match cleaned {
        Some(phone) if phone.chars().any(|c| c.is_ascii_digit()) => Ok(Value::Text(phone)),
        Some(_) => Err("must have digits".to_owned()),
        None => Ok(Value::Null),
    }
}

/// Stored as typed; a link that would run a script is refused here, whoever shows it later.
fn url(text: &str) -> Result<Value, String> {
    let Some(url) = text::clean(text, 2048)? else { return Ok(Value::Null) };
    let scheme = url.split_once(':').map(|(scheme, _)| scheme.to_ascii_lowercase());
    match scheme.as_deref() {
        Some("javascript" | "data" | "vbscript" | "file" | "blob") => {
            Err("must be a web address such as https://example.com".to_owned())
        }
        _ if url.contains(char::is_whitespace) => Err("must not contain spaces".to_owned()),
        _ => Ok(Value::Text(url)),
    }
}

fn choice(words: &[&str], text: &str) -> Result<Value, String> {
    let wanted = text.trim().to_ascii_lowercase().replace([' ', '-'], "_");
    match words.iter().find(|word| **word == wanted) {
        Some(word) => Ok(Value::Text((*word).to_owned())),
        None => Err(format!("must be one of {}", words.join(", "))),
    }
}

fn decimal(text: &str) -> Result<Value, String> {
    let wrong = || "must be a number such as 1200.50, with at most 15 digits before the point and 4 behind".to_owned();
    let text = text.trim();
    // an exponent of a few characters can stand for a number of megabytes
    if text.len() > 40 || text.contains(['e', 'E']) {
        return Err(wrong());
    }
    let number = BigDecimal::from_str(text).map_err(|_| wrong())?;
    let rounded = number.with_scale(4);
    if rounded != number || number.abs() >= 1_000_000_000_000_000_i64 {
        return Err(wrong());
    }
    Ok(Value::Decimal(rounded.normalized()))
}

fn currency(text: &str) -> Result<Value, String> {
    let code = text.trim().to_ascii_uppercase();
    match code.len() == 3 && code.bytes().all(|letter| letter.is_ascii_uppercase()) {
        true => Ok(Value::Text(code)),
        false => Err("must be the three letters of a currency, such as EUR".to_owned()),
    }
}

fn instant(text: &str) -> Result<Value, String> {
    let text = text.trim();
    let date =
        || text.parse::<chrono::NaiveDate>().ok().and_then(|date| date.and_hms_opt(0, 0, 0)).map(|at| at.and_utc());
    let at: Option<DateTime<Utc>> = DateTime::parse_from_rfc3339(text).ok().map(|at| at.to_utc()).or_else(date);
    match at {
        Some(at) if (1..=9999).contains(&chrono::Datelike::year(&at)) => {
            Ok(Value::Time(chrono::SubsecRound::trunc_subsecs(at, 6)))
        }
        _ => Err("must be a date (2026-01-31) or a time with its zone (2026-01-31T09:30:00Z)".to_owned()),
    }
}

fn id(text: &str, noun: &str) -> Result<Value, String> {
    Uuid::try_parse(text.trim())
        .map(Value::Id)
        .map_err(|_| format!("must be the id of {} {noun}", if noun == "account" { "an" } else { "a" }))
}

fn tags(raw: Raw<'_>) -> Result<Value, String> {
    let wrong = || "must be a list of texts".to_owned();
    let texts: Vec<&str> = match raw {
        Raw::Json(serde_json::Value::Array(items)) => {
            items.iter().map(|item| item.as_str().ok_or_else(wrong)).collect::<Result<_, _>>()?
        }
        // as a spreadsheet's cell has them
        Raw::Text(text) => text.split([',', ';']).collect(),
        _ => return Err(wrong()),
    };
    let (mut tags, mut known) = (Vec::new(), HashSet::new());
    for text in texts {
        if let Some(tag) = text::clean(text, TAG_LENGTH)?
            && known.insert(tag.clone())
        {
            if tags.len() == MOST_TAGS {
                return Err(format!("must be at most {MOST_TAGS}"));
            }
            tags.push(tag);
        }
    }
    Ok(Value::Texts(tags))
}

fn object(raw: Raw<'_>) -> Result<Value, String> {
    match raw {
        Raw::Json(json @ serde_json::Value::Object(_)) if text::has_nul(json) => {
            Err("must not contain NUL characters".to_owned())
        }
        Raw::Json(json @ serde_json::Value::Object(_)) if json.to_string().len() <= MOST_JSON => {
            Ok(Value::Json(json.clone()))
        }
        Raw::Json(serde_json::Value::Object(_)) => Err("must be at most 64 KiB of JSON".to_owned()),
        _ => Err("must be a JSON object".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(field_type: FieldType, text: &str) -> Result<Value, String> {
        Field { name: "x", column: "x", rest: "x", field_type }.parse(Raw::Text(text))
    }

    #[test]
    fn values_are_normalised_or_refused_with_what_would_be_right() {
        assert_eq!(parse(FieldType::Email, " A@B.de "), Ok(Value::Text("a@b.de".into())));
        assert_eq!(parse(FieldType::Choice(&["cold_call"]), "Cold call"), Ok(Value::Text("cold_call".into())));
        assert_eq!(parse(FieldType::Text, "   "), Ok(Value::Null));
        assert!(parse(FieldType::Url, "javascript:alert(1)").is_err());
        assert!(parse(FieldType::Decimal, "1e999999999").is_err());
        assert!(parse(FieldType::Decimal, "1.23456").is_err());
        assert!(parse(FieldType::Instant, "31/31/2026").is_err());
        assert!(parse(FieldType::Count, "-1").is_err());
        assert_eq!(parse(FieldType::Tags, "a, b;a"), Ok(Value::Texts(vec!["a".into(), "b".into()])));
    }

    proptest! {
        #[test]
        fn what_was_parsed_once_parses_to_itself(text in any::<String>()) {
            for field_type in [FieldType::Text, FieldType::LongText, FieldType::Email, FieldType::Phone, FieldType::Url, FieldType::Decimal, FieldType::Instant] {
                if let Ok(value @ (Value::Text(_) | Value::Decimal(_) | Value::Time(_))) = parse(field_type, &text) {
                    let again = value.to_text().unwrap_or_default();
                    prop_assert_eq!(parse(field_type, &again), Ok(value));
                }
            }
        }
    }
}
