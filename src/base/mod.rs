//! Floor 0: what every other floor may use and what itself uses nothing of ours.
//! Errors without a transport, typed ids, pages, the clock, the limits, secrets, text rules.

pub mod clock;
pub mod error;
pub mod ids;
pub mod limits;
pub mod page;
pub mod secret;
pub mod text;

pub use clock::Clock;
pub use error::{Error, FieldErrors, Result, panic_text};
pub use limits::Limits;
pub use secret::Secret;
