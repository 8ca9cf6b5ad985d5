//! Live lists: dynamic lists follow what happens to records, to what these are linked to, and the clock.
//!
//! - [`changes`]: a reactor writes down what was changed, if any list of the workspace reads it.
//! - [`follow`]: jobs take what is written down, find the lists and contacts concerned (`concern`), compare
//!   what the criteria say with who is in (`compare`), and move those that differ. What people do one by one
//!   goes before what comes by the hundred.
//! - [`clock`]: every few seconds, the contacts whose answer time alone may have moved.
//! - [`super::slow`]: lists that take too long are left behind, so that the others go on.
//! - [`audit`]: at night, lists against a fresh look.
//!
//! Whatever is found out is about the present, so late and twice are never wrong. One at a time moves
//! members of dynamic lists in a workspace, see [`super::kept`].

pub mod audit;
pub mod changes;
pub mod clock;
mod compare;
mod concern;
pub mod follow;
