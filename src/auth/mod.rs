//! Who is calling, what they may do, and how they prove it.
//!
//! A face turns a cookie or an `Authorization` header into a [`Caller`] by way of [`Resolver`];
//! every operation takes `&Caller` and asks it for a [`Permission`]. The operations on users,
//! members and tokens are `team`'s; sessions and the sign-in throttle are kept here.

pub mod caller;
mod model;
pub mod password;
pub mod permission;
mod purge;
mod queries;
pub mod resolve;
pub mod secret;
pub mod session;
pub mod throttle;

pub use caller::{Actor, Caller, Origin, RepeatKey, Via};
pub use permission::{Grant, Permission, Role};
pub use purge::purge_expired;
pub use resolve::Resolver;

use chrono::TimeDelta;
use serde::Deserialize;

/// How long proofs of identity live.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// An access token of a token session, in hours.
    pub access_hours: i64,
    /// A refresh token, in hours. Each refresh starts it anew.
    pub refresh_hours: i64,
    /// A browser's session without any use, in hours.
    pub cookie_hours: i64,
    /// Whether strangers may register a workspace of their own.
    pub open_registration: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self { access_hours: 7 * 24, refresh_hours: 30 * 24, cookie_hours: 14 * 24, open_registration: false }
    }
}

impl Config {
    pub fn access(&self) -> TimeDelta {
        TimeDelta::hours(self.access_hours)
    }

    pub fn refresh(&self) -> TimeDelta {
        TimeDelta::hours(self.refresh_hours)
    }

    pub fn cookie(&self) -> TimeDelta {
        TimeDelta::hours(self.cookie_hours)
    }
}
