//! Data in and out in bulk: imports of files now, exports by the same pattern.

pub mod import;
