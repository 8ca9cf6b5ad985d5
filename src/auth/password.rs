//! Passwords: the rule for new ones, and Argon2id, off the async threads and a few at a time
//! (each hash takes 19 MiB and tens of milliseconds; a flood of sign-ins must not take the rest).

use argon2::{
    Argon2,
    password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash},
};
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::base::{Error, Result};

/// Long passwords are good, megabytes are an attack.
const LENGTHS: std::ops::RangeInclusive<usize> = 8..=256;
static AT_ONCE: Semaphore = Semaphore::const_new(2);

/// A place among the few that hash at once. It goes with the work onto its thread: a request that
/// is dropped meanwhile frees its place when its hash is done, not before.
#[derive(Debug)]
pub struct Turn(#[expect(dead_code, reason = "held for its drop")] SemaphorePermit<'static>);

impl Turn {
    /// Waits in line, first come, first served.
    pub async fn wait() -> Result<Self> {
        Self::among(&AT_ONCE).await
    }

    async fn among(places: &'static Semaphore) -> Result<Self> {
        Ok(Self(places.acquire().await.map_err(Error::internal)?))
    }

    async fn off_thread<T: Send + 'static>(self, work: impl FnOnce() -> T + Send + 'static) -> Result<(T, Self)> {
        tokio::task::spawn_blocking(move || (work(), self)).await.map_err(Error::internal)
    }
}

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
        let hash = move || {
            let hash = Argon2::default().hash_password(password.as_bytes());
            hash.map(|hash| hash.to_string()).map_err(|error| Error::internal(error.to_string()))
        };
        Turn::wait().await?.off_thread(hash).await?.0
    }

    /// Whether this is the password of the kept hash, and the turn given back. Without a hash it
    /// takes as long and says no, so that the time does not tell who exists.
    pub async fn matches(&self, kept: Option<&str>, turn: Turn) -> Result<(bool, Turn)> {
        const NOBODYS: &str =
            "$argon2id$v=19$m=19456,t=2,p=1$Y9RFMXNEBP1rG9mPXkKVDQ$B1dvF4X8pWUgSPoAlmmOSOfXqS/KzSrJ3jvSwjGUzWA";
        let password = self.0.clone();
        let (kept, exists) = (kept.unwrap_or(NOBODYS).to_owned(), kept.is_some());
        if password.len() > 4 * LENGTHS.end() {
            return Ok((false, turn));
        }
        let verify = move || -> Result<bool> {
            let parsed = PasswordHash::new(&kept).map_err(|error| Error::internal(error.to_string()))?;
            Ok(Argon2::default().verify_password(password.as_bytes(), &parsed).is_ok() && exists)
        };
        let (matches, turn) = turn.off_thread(verify).await?;
        Ok((matches?, turn))
    }
}

impl std::fmt::Debug for Password {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Password(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_right_password_matches_and_nobodys_never_does() {
        let password = Password::new("correct horse");
        let hash = password.hash().await.expect("hashed");
        let matches = async |password: &Password, kept| {
            let turn = Turn::wait().await.expect("a turn");
            password.matches(kept, turn).await.expect("checked").0
        };
        assert!(matches(&password, Some(hash.as_str())).await);
        assert!(!matches(&Password::new("wrong horse"), Some(hash.as_str())).await);
        assert!(!matches(&password, None).await);
        assert!(!format!("{password:?}").contains("horse"));
    }

    #[tokio::test]
    async fn whoever_leaves_frees_the_place_only_when_the_work_is_done() {
        static ONE: Semaphore = Semaphore::const_new(1);
        let (begun, has_begun) = tokio::sync::oneshot::channel();
        let (end, may_end) = std::sync::mpsc::channel::<()>();
        let turn = Turn::among(&ONE).await.expect("a turn");
        let work = tokio::spawn(turn.off_thread(move || {
            let _ = begun.send(());
            may_end.recv()
        }));
        has_begun.await.expect("begun");
        work.abort();
        assert!(work.await.expect_err("dropped").is_cancelled());
        assert_eq!(ONE.available_permits(), 0, "the work goes on");
        end.send(()).expect("still at work");
        Turn::among(&ONE).await.expect("free again");
    }
}
