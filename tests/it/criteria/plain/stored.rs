//! Writes the random workspace into the database, at once and without the faces: the records must stand
//! there with values that the faces make elsewhere, clocks and deletions included.

use kontor::{crm::RecordKind, db::Db};
use serde_json::{Value as Json, json};
use uuid::Uuid;

use super::{
    words::{CHOICES, printed},
    world::{Change, Fields, Line, List, Member, World},
};
use crate::support::sql;

fn quoted(json: &Json) -> String {
    format!("'{}'", json.to_string().replace('\'', "''"))
}

/// Rows of a table, all with the same columns.
fn insert(table: &str, workspace: Option<Uuid>, rows: &[Fields]) -> String {
    let Some(first) = rows.first() else { return "SELECT 1".to_owned() };
    let mut columns: Vec<_> = first.keys().map(String::as_str).collect();
    let mut rows = rows.to_vec();
    if let Some(workspace) = workspace {
        columns.push("workspace_id");
        rows.iter_mut().for_each(|row| {
            row.insert("workspace_id".to_owned(), workspace.to_string().into());
        });
    }
    let columns = columns.join(", ");
    let rows = quoted(&json!(rows));
    format!("INSERT INTO {table} ({columns}) SELECT {columns} FROM jsonb_populate_recordset(NULL::{table}, {rows})")
}

fn fields(json: Json) -> Fields {
    json.as_object().expect("an object").clone()
}

pub fn insert_record(workspace: Uuid, kind: RecordKind, record: &Fields) -> String {
    insert(kind.table(), Some(workspace), std::slice::from_ref(record))
}

pub fn update_record(workspace: Uuid, kind: RecordKind, record: &Fields) -> String {
    let columns: Vec<_> = record.keys().filter(|column| *column != "id").map(String::as_str).collect();
    let columns = columns.join(", ");
    let table = kind.table();
    format!(
        "UPDATE {table} SET ({columns}) = (SELECT {columns} FROM jsonb_populate_record(NULL::{table}, {})) \
         WHERE workspace_id = '{workspace}' AND id = {}",
        quoted(&json!(record)),
        record["id"].to_string().replace('"', "'"),
    )
}

fn change_row(kind: RecordKind, record: Uuid, version: usize, change: &Change) -> Fields {
    fields(json!({
        "kind": kind.as_str(), "record_id": record, "version": version, "at": printed(change.at), "actor": {},
        "origin": "rest", "before": change.before, "after": change.after,
    }))
}

pub fn insert_change(workspace: Uuid, kind: RecordKind, record: Uuid, version: usize, change: &Change) -> String {
    insert("record_changes", Some(workspace), &[change_row(kind, record, version, change)])
}

fn member_row(member: &Member) -> Fields {
    fields(json!({
        "list_id": member.list, "record_id": member.record, "entered_at": printed(member.entered_at),
        "source": "manual", "is_suspended": member.is_suspended,
    }))
}

pub fn insert_member(workspace: Uuid, member: &Member) -> String {
    insert("list_members", Some(workspace), &[member_row(member)])
}

fn line_row(line: &Line) -> Fields {
    let at = "2026-01-01T00:00:00Z";
    fields(json!({
        "id": line.id, "deal_id": line.deal, "product_id": line.product, "name": "x", "quantity": line.quantity,
        "unit_price": line.unit_price, "discount_percent": 0, "position": 1, "created_at": at, "updated_at": at,
    }))
}

pub fn insert_line(workspace: Uuid, line: &Line) -> String {
    insert("deal_products", Some(workspace), &[line_row(line)])
}

fn list_row((id, list): (&Uuid, &List), by: &Uuid) -> Fields {
    let at = "2026-01-01T00:00:00Z";
    fields(json!({
        "id": id, "name": list.name, "list_type": "static", "color": "#3B82F6", "tags": [], "sharing": "private",
        "created_by": by, "created_at": at, "updated_at": at, "deleted_at": list.is_deleted.then_some(at),
        "member_count": 0, "counted_at": at, "version": 1, "built_version": 1,
    }))
}

/// The whole of it into an empty workspace that has one user, who is the first.
pub async fn store(db: &Db, world: &World, me: Uuid) {
    let at = "2026-01-01T00:00:00Z";
    let of = Some(world.workspace);
    let mut statements = Vec::new();
    let others = world.users.iter().filter(|(id, _)| **id != me);
    let users = others.clone().map(|(id, user)| {
        fields(json!({
            "id": id, "email": user["email"], "full_name": user["fullName"], "preferences": {}, "created_at": at,
            "updated_at": at,
        }))
    });
    statements.push(insert("users", None, &users.collect::<Vec<_>>()));
    let members = others.map(|(id, user)| {
        fields(json!({ "user_id": id, "role": user["role"], "status": user["status"], "created_at": at }))
    });
    statements.push(insert("members", of, &members.collect::<Vec<_>>()));
    statements.push(update_user(world, me));
    let named = |name: String, id: &Uuid| fields(json!({ "id": id, "name": name, "created_at": at, "updated_at": at }));
    let teams = world.teams.keys().enumerate().map(|(number, id)| named(format!("Team {number}"), id));
    statements.push(insert("teams", of, &teams.collect::<Vec<_>>()));
    let team_members = world.teams.iter().flat_map(|(team, users)| users.iter().map(move |user| (team, user)));
    let team_members = team_members.map(|(team, user)| fields(json!({ "team_id": team, "user_id": user })));
    statements.push(insert("team_members", of, &team_members.collect::<Vec<_>>()));
    let pipelines = world.pipelines.iter().enumerate().map(|(number, (id, name))| {
        let mut row = named(name.clone(), id);
        row.extend(fields(json!({ "is_default": false, "position": number + 2 })));
        row
    });
    statements.push(insert("pipelines", of, &pipelines.collect::<Vec<_>>()));
    let stages = world.stages.iter().enumerate().map(|(number, (id, stage))| {
        fields(json!({
            "id": id, "pipeline_id": stage.pipeline, "name": stage.name, "stage_type": stage.stage_type,
            "probability": 10, "position": number + 1,
        }))
    });
    statements.push(insert("pipeline_stages", of, &stages.collect::<Vec<_>>()));
    let customs = world.customs.iter().enumerate().map(|(number, custom)| {
        let choices: &[&str] = if custom.field_type.ends_with("choice") { CHOICES } else { &[] };
        fields(json!({
            "id": custom.id, "kind": custom.kind.as_str(), "key": custom.key, "label": custom.key,
            "field_type": custom.field_type, "choices": choices, "record_kind": custom.linked.map(RecordKind::as_str),
            "is_required": false, "is_unique": false, "is_indexed": custom.is_indexed, "position": number,
            "created_by": me, "created_at": at, "updated_at": at,
        }))
    });
    statements.push(insert("custom_fields", of, &customs.collect::<Vec<_>>()));
    for kind in [
        RecordKind::Account,
        RecordKind::Lead,
        RecordKind::Contact,
        RecordKind::Deal,
        RecordKind::Product,
        RecordKind::Task,
    ] {
        statements.push(insert(kind.table(), of, &world.of(kind).values().cloned().collect::<Vec<_>>()));
        let changes = world.of(kind).keys().flat_map(|id| {
            let changes = world.changes.get(id).into_iter().flatten().enumerate();
            changes.map(move |(number, change)| change_row(kind, *id, number + 2, change))
        });
        statements.push(insert("record_changes", of, &changes.collect::<Vec<_>>()));
    }
    let lists = world.lists.iter().map(|list| list_row(list, &me));
    statements.push(insert("contact_lists", of, &lists.collect::<Vec<_>>()));
    statements.push(insert("list_members", of, &world.members.iter().map(member_row).collect::<Vec<_>>()));
    statements.push(insert("deal_products", of, &world.lines.iter().map(line_row).collect::<Vec<_>>()));
    let mut tx = db.system().await.expect("a transaction");
    for statement in statements {
        sql::run_in(&mut tx, &statement).await;
    }
    tx.commit().await.expect("committed");
    for kind in RecordKind::ALL {
        sql::run(db, &format!("ANALYZE {}", kind.table())).await;
    }
}

/// What a user is called, in both tables.
pub fn update_user(world: &World, id: Uuid) -> String {
    let user = &world.users[&id];
    let text = |name: &str| quoted_text(user[name].as_str().expect("a text"));
    format!(
        "WITH named AS (UPDATE users SET email = {}, full_name = {} WHERE id = '{id}') \
         UPDATE members SET role = {}, status = {} WHERE user_id = '{id}' AND workspace_id = '{}'",
        text("email"),
        text("fullName"),
        text("role"),
        text("status"),
        world.workspace,
    )
}

pub fn quoted_text(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
