//! Values on their way in (raw, from a face or a file), checked (a [`Value`]), and as the columns
//! of a record hold them.

use std::borrow::Cow;

use bigdecimal::BigDecimal;
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::Value as Json;
use uuid::Uuid;

use crate::base::ids::{AccountId, ContactId, DealId, LeadId, PipelineId, StageId, UserId};

/// Input for a field, as a face or a file has it.
#[derive(Debug, Clone, Copy)]
pub enum Raw<'a> {
    Null,
    Text(&'a str),
    Json(&'a Json),
}

impl<'a> Raw<'a> {
    /// The text of a single value.
    pub fn scalar(self) -> Result<Cow<'a, str>, String> {
        match self {
            Raw::Null => Ok(Cow::Borrowed("")),
            Raw::Text(text) => Ok(Cow::Borrowed(text)),
            Raw::Json(Json::String(text)) => Ok(Cow::Borrowed(text)),
            Raw::Json(Json::Number(number)) => Ok(Cow::Owned(number.to_string())),
            Raw::Json(Json::Bool(flag)) => Ok(Cow::Owned(flag.to_string())),
            Raw::Json(_) => Err("must be a single value".to_owned()),
        }
    }
}

/// A value that was checked for its field.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    Null,
    Text(String),
    Integer(i32),
    Decimal(BigDecimal),
    Time(DateTime<Utc>),
    Id(Uuid),
    Texts(Vec<String>),
    Json(Json),
}

/// SQL that makes of a time what [`Value::to_json`] does.
pub fn time_in_history(sql: &str) -> String {
    let utc = format!("{sql} AT TIME ZONE 'UTC'");
    let micros = format!("extract(microseconds FROM {sql})::int");
    format!(
        "to_jsonb(to_char({utc}, 'YYYY-MM-DD\"T\"HH24:MI:SS') || CASE WHEN {micros} % 1000000 = 0 THEN '' \
         WHEN {micros} % 1000 = 0 THEN to_char({utc}, '.MS') ELSE to_char({utc}, '.US') END || 'Z')"
    )
}

impl Value {
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// As the history and the answer to a conflict keep it: decimals are strings, times RFC 3339.
    pub fn to_json(&self) -> Json {
        match self {
            Self::Null => Json::Null,
            Self::Integer(number) => Json::from(*number),
            Self::Texts(texts) => Json::from(texts.clone()),
            Self::Json(json) => json.clone(),
            single => single.to_text().map_or(Json::Null, Json::String),
        }
    }

    /// A single value as text; `None` for null and for lists.
    pub fn to_text(&self) -> Option<String> {
        match self {
            Self::Text(text) => Some(text.clone()),
            Self::Integer(number) => Some(number.to_string()),
            Self::Decimal(number) => Some(number.to_plain_string()),
            Self::Time(at) => Some(at.to_rfc3339_opts(SecondsFormat::AutoSi, true)),
            Self::Id(id) => Some(id.to_string()),
            Self::Null | Self::Texts(_) | Self::Json(_) => None,
        }
    }
}

/// A column's Rust type, to and from a [`Value`] that was checked for it.
pub trait Stored: Sized {
    /// What a fresh record has.
    fn initial() -> Self;
    fn to_value(&self) -> Value;
    /// A value of another type becomes the initial one; checking has ruled that out.
    fn from_value(value: Value) -> Self;
}

macro_rules! stored {
    ($($type:ty: $variant:ident, $to:expr, $from:expr;)+) => {$(
        impl Stored for Option<$type> {
            fn initial() -> Self {
                None
            }

            fn to_value(&self) -> Value {
                self.as_ref().map_or(Value::Null, |inner| Value::$variant($to(inner)))
            }

            fn from_value(value: Value) -> Self {
                match value {
                    Value::$variant(inner) => Some($from(inner)),
                    _ => None,
                }
            }
        }
    )+};
}

stored! {
    String: Text, String::clone, std::convert::identity;
    i32: Integer, |number: &i32| *number, std::convert::identity;
    BigDecimal: Decimal, BigDecimal::normalized, std::convert::identity;
    DateTime<Utc>: Time, |at: &DateTime<Utc>| *at, std::convert::identity;
    UserId: Id, |id: &UserId| id.0, UserId;
    LeadId: Id, |id: &LeadId| id.0, LeadId;
    ContactId: Id, |id: &ContactId| id.0, ContactId;
    AccountId: Id, |id: &AccountId| id.0, AccountId;
    DealId: Id, |id: &DealId| id.0, DealId;
}

/// Links that no record lacks: what is not known yet is nil, and the kind's rules fill it.
macro_rules! stored_always {
    ($($type:ty: $variant:ident, $initial:expr, $to:expr, $from:expr;)+) => {$(
        impl Stored for $type {
            fn initial() -> Self {
                $initial
            }

            fn to_value(&self) -> Value {
                Value::$variant($to(self))
            }

            fn from_value(value: Value) -> Self {
                match value {
                    Value::$variant(inner) => $from(inner),
                    _ => Self::initial(),
                }
            }
        }
    )+};
}

stored_always! {
    PipelineId: Id, PipelineId(Uuid::nil()), |id: &PipelineId| id.0, PipelineId;
    StageId: Id, StageId(Uuid::nil()), |id: &StageId| id.0, StageId;
    BigDecimal: Decimal, BigDecimal::default(), BigDecimal::normalized, std::convert::identity;
    i32: Integer, 0, |number: &i32| *number, std::convert::identity;
    DateTime<Utc>: Time, DateTime::UNIX_EPOCH, |at: &DateTime<Utc>| *at, std::convert::identity;
}

impl Stored for String {
    fn initial() -> Self {
        Self::new()
    }

    fn to_value(&self) -> Value {
        if self.is_empty() { Value::Null } else { Value::Text(self.clone()) }
    }

    fn from_value(value: Value) -> Self {
        match value {
            Value::Text(text) => text,
            _ => Self::new(),
        }
    }
}

impl Stored for Vec<String> {
    fn initial() -> Self {
        Self::new()
    }

    fn to_value(&self) -> Value {
        Value::Texts(self.clone())
    }

    fn from_value(value: Value) -> Self {
        match value {
            Value::Texts(texts) => texts,
            _ => Self::new(),
        }
    }
}

impl Stored for Json {
    fn initial() -> Self {
        Self::Object(serde_json::Map::new())
    }

    fn to_value(&self) -> Value {
        Value::Json(self.clone())
    }

    fn from_value(value: Value) -> Self {
        match value {
            Value::Json(json) => json,
            _ => Self::initial(),
        }
    }
}

/// A closed enum as a column: null is its default, the first word unless another is named.
#[macro_export]
macro_rules! stored_choice {
    ($type:ident default $default:ident) => {
        $crate::stored_choice!(@ $type, $type::$default);
    };
    ($($type:ty),+) => {$(
        $crate::stored_choice!(@ $type, <$type>::ALL[0]);
    )+};
    (@ $type:ty, $initial:expr) => {
        impl $crate::crm::record::value::Stored for $type {
            fn initial() -> Self {
                $initial
            }

            fn to_value(&self) -> $crate::crm::record::Value {
                $crate::crm::record::Value::Text(self.as_str().to_owned())
            }

            fn from_value(value: $crate::crm::record::Value) -> Self {
                match value {
                    $crate::crm::record::Value::Text(word) => Self::parse(&word).unwrap_or_else(|_| Self::initial()),
                    _ => Self::initial(),
                }
            }
        }

        /// One that a record may lack.
        impl $crate::crm::record::value::Stored for Option<$type> {
            fn initial() -> Self {
                None
            }

            fn to_value(&self) -> $crate::crm::record::Value {
                self.map_or($crate::crm::record::Value::Null, |word| $crate::crm::record::Value::Text(word.as_str().to_owned()))
            }

            fn from_value(value: $crate::crm::record::Value) -> Self {
                match value {
                    $crate::crm::record::Value::Text(word) => <$type>::parse(&word).ok(),
                    _ => None,
                }
            }
        }
    };
}
