//! Which records of a kind a caller may see, and change.

use super::{Record, Rules};
use crate::{
    auth::{Caller, Grant},
    base::{Error, Result, ids::UserId},
};

/// How far a caller sees among the records of a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sight {
    All,
    /// What is theirs or nobody's.
    Own(UserId),
}

impl Sight {
    /// Refuses who may see none.
    pub fn of<R: Rules>(caller: &Caller) -> Result<Self> {
        Ok(match caller.require(R::READ)? {
            Grant::All => Self::All,
            _ => Self::Own(caller.user),
        })
    }

    /// For who writes: a token that may only write is shown what it writes, as far as its person
    /// sees.
    pub fn of_writer<R: Rules>(caller: &Caller) -> Self {
        match R::READ.grant(caller.role) {
            Grant::Own => Self::Own(caller.user),
            _ => Self::All,
        }
    }

    pub fn reaches(self, owner: Option<UserId>) -> bool {
        match self {
            Self::All => true,
            Self::Own(user) => owner.is_none_or(|owner| owner == user),
        }
    }

    /// A further condition on rows of the kind's table. An id prints as hexadecimal digits and
    /// dashes only, so it can stand in the text.
    pub fn condition(self) -> String {
        match self {
            Self::All => String::new(),
            Self::Own(user) => format!(" AND (owner_id IS NULL OR owner_id = '{user}'::uuid)"),
        }
    }
}

/// What is seen of this record; one out of sight is as good as none.
pub fn seen<R: Record>(found: Option<R>, sight: Sight) -> Result<R> {
    found.filter(|record| sight.reaches(record.owner())).ok_or(Error::NotFound(R::NOUN))
}

/// Refuses to write a record that is somebody else's to who may write only what is theirs or
/// nobody's.
pub fn require_write<R: Record>(caller: &Caller, record: &R) -> Result<()> {
    let own = || record.owner().is_none_or(|owner| owner == caller.user);
    match caller.require(R::WRITE)? {
        Grant::All => Ok(()),
        _ if own() => Ok(()),
        _ => Err(Error::Forbidden("You may change only what is yours or nobody's".into())),
    }
}
