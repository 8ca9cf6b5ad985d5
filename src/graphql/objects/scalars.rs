//! Scalars of our own.

use std::str::FromStr;

use async_graphql::{InputValueError, InputValueResult, Json, Scalar, ScalarType, Value};
use bigdecimal::BigDecimal;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decimal(pub BigDecimal);

/// An exact decimal number, as a string: `"1200.50"`.
#[Scalar(name = "Decimal")]
impl ScalarType for Decimal {
    fn parse(value: Value) -> InputValueResult<Self> {
        let text = match &value {
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            _ => return Err(InputValueError::expected_type(value)),
        };
        // an exponent of a few characters can stand for a number of gigabytes
        let number = Some(&text).filter(|text| text.len() <= 40 && !text.contains(['e', 'E']));
        let number = number.and_then(|text| BigDecimal::from_str(text).ok());
        number.map(Self).ok_or_else(|| InputValueError::custom("is not a decimal number such as 1200.50"))
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.to_plain_string())
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ByteCount(pub u64);

/// The largest whole number that every client's numbers hold exactly, 2^53 - 1.
const LARGEST: u64 = (1 << 53) - 1;

/// A number of bytes. A whole number like an `Int`, but larger: up to 2^53 - 1.
#[Scalar(name = "ByteCount")]
impl ScalarType for ByteCount {
    fn parse(value: Value) -> InputValueResult<Self> {
        let Value::Number(number) = &value else { return Err(InputValueError::expected_type(value)) };
        let bytes = number.as_u64().filter(|bytes| *bytes <= LARGEST);
        bytes.map(Self).ok_or_else(|| InputValueError::custom("is not a whole number of bytes"))
    }

    fn to_value(&self) -> Value {
        self.0.into()
    }
}

/// For the library's scalar `JSON`.
pub fn json(value: &serde_json::Value) -> Json<serde_json::Value> {
    Json(value.clone())
}
