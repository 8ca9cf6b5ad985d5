//! Passwords: the rule for new ones, and Argon2id, off the async threads and a few at a time
//! (each hash takes 19 MiB and tens of milliseconds; a flood of sign-ins must not take the rest).

use argon2::{
    Argon2,
    password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash},
};
use tokio::sync::Semaphore;

use crate::base::{Error, Result};

/// Long passwords are good, megabytes are an attack.
const LENGTHS: std::ops::RangeInclusive<usize> = 8..=256;
static AT_ONCE: Semaphore = Semaphore::const_new(2);

/// A password as typed. `Debug` hides it.
#[derive(Clone)]
pub struct Password(String);

impl Password {
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Refuses what is too short or too long for a new password; `field` names it.
    pub fn check_new(&self, field: &'static str) -> Result<()> {
        match self.0.chars().count() {
            count if LENGTHS.contains(&count) => Ok(()),
            _ => Err(Error::invalid(field, "must have between 8 and 256 characters")),
        }
    }

    /// The PHC string to keep.
    pub async fn hash(&self) -> Result<String> {
        let password = self.0.clone();
        off_thread(move || {
            let hash = Argon2::default().hash_password(password.as_bytes());
            hash.map(|hash| hash.to_string()).map_err(|error| Error::internal(error.to_string()))
        })
        .await?
    }

    /// Whether this is the password of the kept hash. Without one it takes as long and says no,
    /// so that the time does not tell who exists.
    pub async fn matches(&self, kept: Option<&str>) -> Result<bool> {
        const NOBODYS: &str =
            "$argon2id$v=19$m=19456,t=2,p=1$Y9RFMXNEBP1rG9mPXkKVDQ$B1dvF4X8pWUgSPoAlmmOSOfXqS/KzSrJ3jvSwjGUzWA";
        let password = self.0.clone();
        let (kept, exists) = (kept.unwrap_or(NOBODYS).to_owned(), kept.is_some());
        if password.len() > 4 * LENGTHS.end() {
            return Ok(false);
        }
        off_thread(move || {
            let parsed = PasswordHash::new(&kept).map_err(|error| Error::internal(error.to_string()))?;
            Ok(Argon2::default().verify_password(password.as_bytes(), &parsed).is_ok() && exists)
        })
        .await?
    }
}

impl std::fmt::Debug for Password {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Password(..)")
    }
}

async fn off_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    let _permit = AT_ONCE.acquire().await.map_err(Error::internal)?;
    tokio::task::spawn_blocking(work).await.map_err(Error::internal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_right_password_matches_and_nobodys_never_does() {
        let password = Password::new("correct horse");
        let hash = password.hash().await.expect("hashed");
        assert!(password.matches(Some(&hash)).await.expect("checked"));
        assert!(!Password::new("wrong horse").matches(Some(&hash)).await.expect("checked"));
        assert!(!password.matches(None).await.expect("checked"));
        assert!(!format!("{password:?}").contains("horse"));
    }
}
