//! A value that must not show up in logs: passwords, keys, URLs that hold them.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{self, Visitor},
};

/// Wraps a secret of the configuration. It has neither `Display` nor `Serialize`, and its `Debug`
/// says nothing; what needs the value says so with [`expose`](Self::expose).
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret<T>(T);

impl<T> Secret<T> {
    pub fn new(value: T) -> Self {
        Self(value)
    }

    pub fn expose(&self) -> &T {
        &self.0
    }
}

impl<T> From<T> for Secret<T> {
    fn from(value: T) -> Self {
        Self(value)
    }
}

impl<T> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

/// A password may look like a number or a word of the format. And no error quotes what it is given.
impl<'de> Deserialize<'de> for Secret<String> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Scalar;

        impl Visitor<'_> for Scalar {
            type Value = String;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<String, E> {
                Ok(text.to_owned())
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<String, E> {
                Ok(number.to_string())
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<String, E> {
                Ok(number.to_string())
            }

            fn visit_u128<E: de::Error>(self, number: u128) -> Result<String, E> {
                Ok(number.to_string())
            }

            fn visit_i128<E: de::Error>(self, number: i128) -> Result<String, E> {
                Ok(number.to_string())
            }

            // the text of these may not be what was written
            fn visit_f64<E: de::Error>(self, _: f64) -> Result<String, E> {
                Err(E::custom("put the secret into quotation marks"))
            }

            fn visit_bool<E: de::Error>(self, _: bool) -> Result<String, E> {
                Err(E::custom("put the secret into quotation marks"))
            }
        }

        from.deserialize_any(Scalar).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_read_but_never_shown() {
        #[derive(Debug, Deserialize)]
        struct Config {
            password: Secret<String>,
        }
        let config: Config = serde_json::from_str(r#"{ "password": "hunter2" }"#).expect("valid");
        assert_eq!(config.password.expose(), "hunter2");
        assert!(!format!("{config:?} {config:#?}").contains("hunter2"));
    }

    #[test]
    fn a_secret_of_digits_is_one_and_no_error_quotes_it() {
        let read = |text: &str| serde_json::from_str::<Secret<String>>(text);
        assert_eq!(read("12345678").expect("a secret").expose(), "12345678");
        assert_eq!(read("-12345678").expect("a secret").expose(), "-12345678");
        for wrong in ["12345678.25", "true", "[12345678]", r#"{ "12345678": 12345678 }"#] {
            let error = read(wrong).expect_err("refused").to_string();
            assert!(!error.contains("12345678") && !error.contains("true"), "{error}");
        }
    }
}
