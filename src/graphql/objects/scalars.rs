//! Scalars of our own.

use std::str::FromStr;

use async_graphql::{InputValueError, InputValueResult, Json, Scalar, ScalarType, Value};
use bigdecimal::BigDecimal;

/// An exact decimal number, as a string: `"1200.50"`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decimal(pub BigDecimal);

#[Scalar(name = "Decimal")]
impl ScalarType for Decimal {
    fn parse(value: Value) -> InputValueResult<Self> {
        let text = match &value {
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            _ => return Err(InputValueError::expected_type(value)),
        };
        if text.len() > 40 {
            return Err(InputValueError::custom("is too long for a number"));
        }
        BigDecimal::from_str(&text).map(Self).map_err(|_| InputValueError::custom("is not a decimal number"))
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.to_plain_string())
    }
}

/// For the library's scalar `JSON`.
pub fn json(value: &serde_json::Value) -> Json<serde_json::Value> {
    Json(value.clone())
}
