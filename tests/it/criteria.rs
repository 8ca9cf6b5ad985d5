//! The criteria language on a real database: every operator of every field is a statement that
//! PostgreSQL takes, and means what the language says.

mod meaning;
mod plain;
mod plans;
mod takes;
mod together;

use kontor::{
    base::ids::WorkspaceId,
    crm::{
        RecordKind,
        criteria::{Criteria, Known, Setting},
    },
    db::Db,
    team::Weekday,
};
use serde_json::Value;

/// Criteria that are checked against the workspace's fields.
async fn checked(db: &Db, workspace: WorkspaceId, kind: RecordKind, json: &Value) -> Criteria {
    let mut tx = db.system().await.expect("a transaction");
    let known = Known::load(tx.connection(), workspace).await.expect("loaded");
    let node = Criteria::read(json).unwrap_or_else(|errors| panic!("{json}: {errors}"));
    Criteria::check(kind, &node, &known).unwrap_or_else(|errors| panic!("{json}: {errors}"))
}

fn setting() -> Setting {
    let now = "2026-03-29T10:30:00Z".parse().expect("a time");
    Setting::new(now, chrono_tz::Europe::Berlin, Weekday::Monday)
}
