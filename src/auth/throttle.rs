//! Slows down guessing: failed sign-ins are counted per account and per address, in the database,
//! so that every node sees them.

use std::{net::IpAddr, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use sha2::{Digest, Sha256};

use super::queries;
use crate::{
    base::{Error, Limits, Result},
    db::Tx,
};

/// One address may serve a whole office, so it may fail this many times as often as an account.
const ADDRESS_FACTOR: i32 = 5;

/// Who shares an allowance: an IPv4 address, or the neighbours in an IPv6 network of 64 bits, for a
/// single party has all of those.
pub fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6((u128::from(v6) >> 64 << 64).into()),
        v4 => v4,
    }
}

/// What a sign-in is counted under.
pub struct Attempt {
    account: Vec<u8>,
    address: Option<Vec<u8>>,
}

impl Attempt {
    /// `account` is the normalised e-mail address as typed, whether it exists or not.
    pub fn new(account: &str, address: Option<IpAddr>) -> Self {
        let subject = |text: String| Sha256::digest(text.as_bytes()).to_vec();
        Self {
            account: subject(format!("account:{account}")),
            address: address.map(|address| subject(format!("address:{}", network(address)))),
        }
    }

    /// Refuses while there were too many failures in the window.
    pub async fn check(&self, tx: &mut Tx, now: DateTime<Utc>, limits: &Limits) -> Result<()> {
        let allowed = i32::try_from(limits.sign_in_attempts).unwrap_or(i32::MAX);
        let found = queries::failures(tx.connection(), &self.subjects(), now).await?;
        let over = found.into_iter().find(|(subject, failures, _)| {
            let factor = if *subject == self.account { 1 } else { ADDRESS_FACTOR };
            *failures >= allowed.saturating_mul(factor)
        });
        match over {
            None => Ok(()),
            Some((_, _, ends_at)) => {
                let wait = (ends_at - now).to_std().unwrap_or(Duration::ZERO).max(Duration::from_secs(1));
                Err(Error::Limited { retry_after: wait })
            }
        }
    }

    pub async fn failed(&self, tx: &mut Tx, now: DateTime<Utc>, limits: &Limits) -> Result<()> {
        let window = TimeDelta::seconds(i64::try_from(limits.sign_in_window_seconds).unwrap_or(900));
        for subject in self.subjects() {
            queries::count_failure(tx.connection(), subject, now, now + window).await?;
        }
        Ok(())
    }

    /// Forgets the account's failures after a good sign-in; the address's stay.
    pub async fn succeeded(&self, tx: &mut Tx) -> Result<()> {
        queries::forget_failures(tx.connection(), &self.account).await
    }

    fn subjects(&self) -> Vec<&[u8]> {
        let mut subjects = vec![self.account.as_slice()];
        subjects.extend(self.address.as_deref());
        subjects
    }
}
