//! Slows down guessing: attempts are counted in the database, so that every node sees them, and
//! before the password is looked at, so that a burst of them is no way around. A right password
//! takes its count back.
//!
//! Wrong passwords lock the account for the network that they came from. The account is locked for
//! everybody only after many times as many, else a stranger could keep its owner out.

use std::{net::IpAddr, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use sha2::{Digest, Sha256};

use super::queries;
use crate::{
    base::{Error, Limits, Result, ids::WorkspaceId},
    db::Tx,
};

/// One network may serve a whole office, so it may fail this many times as often as one person.
const NETWORK_FACTOR: i32 = 5;
/// So many networks must be spent to lock an account for everybody.
const ACCOUNT_FACTOR: i32 = 10;

/// A workspace may invite so many times as often as one address may be invited.
const INVITATIONS_FACTOR: i32 = 30;

/// Who shares an allowance: an IPv4 address, or the neighbours in an IPv6 network of 64 bits, for a
/// single party has all of those.
pub fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6((u128::from(v6) >> 64 << 64).into()),
        v4 => v4,
    }
}

/// What an attempt is counted under.
pub struct Attempt {
    /// Always in this order, so that two attempts cannot wait for each other's rows.
    subjects: Vec<Subject>,
}

struct Subject {
    hash: Vec<u8>,
    /// How many times the limit it may reach.
    factor: i32,
    /// A good sign-in forgets earlier failures.
    forgiven: bool,
}

impl Subject {
    fn new(text: &str, factor: i32) -> Self {
        Self { hash: Sha256::digest(text.as_bytes()).to_vec(), factor, forgiven: false }
    }
}

impl Attempt {
    /// To prove a password. `account` is the normalised e-mail address as typed, whether it exists
    /// or not.
    pub fn sign_in(account: &str, address: Option<IpAddr>) -> Self {
        let network = address.map(network);
        let from = network.map(|network| network.to_string()).unwrap_or_default();
        let pair = format!("pair:{from} {account}");
        let mut subjects = vec![
            Subject { forgiven: true, ..Subject::new(&pair, 1) },
            Subject::new(&format!("account:{account}"), ACCOUNT_FACTOR),
        ];
        subjects.extend(network.map(|network| Subject::new(&format!("address:{network}"), NETWORK_FACTOR)));
        Self { subjects }
    }

    /// To be mailed a link. Counted apart: whoever forgot a password can still sign in with
    /// another, and nobody's mailbox is flooded.
    pub fn reset(account: &str, address: Option<IpAddr>) -> Self {
        let mut subjects = vec![Subject::new(&format!("reset-account:{account}"), 1)];
        let network = address.map(network);
        subjects.extend(network.map(|network| Subject::new(&format!("reset-address:{network}"), NETWORK_FACTOR)));
        Self { subjects }
    }

    /// To invite somebody. However often an invitation is taken back and sent anew, nobody's mailbox
    /// is flooded, and no workspace mails the world.
    pub fn invitation(workspace: WorkspaceId, address: &str) -> Self {
        let address = Subject::new(&format!("invitation-to:{address}"), 1);
        Self { subjects: vec![address, Subject::new(&format!("invitations-of:{workspace}"), INVITATIONS_FACTOR)] }
    }

    /// Counts this attempt, or refuses it where there were too many in the window. Commit only in
    /// the first case: what is refused is not counted.
    pub async fn count(&self, tx: &mut Tx, now: DateTime<Utc>, limits: &Limits) -> Result<()> {
        let allowed = i32::try_from(limits.sign_in_attempts).unwrap_or(i32::MAX);
        let window = TimeDelta::seconds(i64::try_from(limits.sign_in_window_seconds).unwrap_or(900));
        for subject in &self.subjects {
            let (count, ends_at) = queries::count_attempt(tx.connection(), &subject.hash, now, now + window).await?;
            if count > allowed.saturating_mul(subject.factor) {
                let wait = (ends_at - now).to_std().unwrap_or(Duration::ZERO).max(Duration::from_secs(1));
                return Err(Error::Limited { retry_after: wait });
            }
        }
        Ok(())
    }

    /// Takes the count back after the right password.
    pub async fn succeeded(&self, tx: &mut Tx) -> Result<()> {
        for subject in &self.subjects {
            match subject.forgiven {
                true => queries::forget_attempts(tx.connection(), &subject.hash).await?,
                false => queries::uncount_attempt(tx.connection(), &subject.hash).await?,
            }
        }
        Ok(())
    }
}
