//! A value that must not show up in logs: passwords, keys, URLs that hold them.

use std::fmt;

use serde::Deserialize;

/// Wraps a secret of the configuration. It has neither `Display` nor `Serialize`, and its `Debug`
/// says nothing; what needs the value says so with [`expose`](Self::expose).
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
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
}
