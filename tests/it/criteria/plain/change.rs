//! Something happens to something: in memory and in the database, and how it is told.

use kontor::{
    crm::{RecordKind, criteria::Changed, record::FieldType},
    db::Db,
};
use serde_json::{Value as Json, json};
use uuid::Uuid;

use super::{
    dice::Dice,
    make, stored,
    words::{self, printed},
    world::{Change, Fields, World},
};
use crate::support::sql;

/// Told of these things, by the names that criteria have for them.
#[derive(Debug)]
pub struct Told {
    pub source: &'static str,
    /// None for all.
    pub fields: Option<Vec<String>>,
    pub ids: Vec<Uuid>,
}

impl Told {
    pub fn changed(&self) -> Changed<'_> {
        Changed { source: self.source, fields: self.fields.as_deref() }
    }

    fn of(source: &'static str, fields: &[&str], id: Uuid) -> Self {
        Self { source, fields: Some(fields.iter().map(|field| (*field).to_owned()).collect()), ids: vec![id] }
    }

    fn whole(source: &'static str, id: Uuid) -> Self {
        Self { source, fields: None, ids: vec![id] }
    }
}

pub async fn happens(dice: &mut Dice, db: &Db, world: &mut World) -> Vec<Told> {
    let (told, statements) = match dice.below(14) {
        0..=5 => update(dice, world),
        6 => delete_or_restore(dice, world),
        7 => create(dice, world),
        8 | 9 => move_member(dice, world),
        10 => change_user(dice, world),
        11 => change_team(dice, world),
        12 => rename(dice, world),
        _ => change_line(dice, world),
    };
    let mut tx = db.system().await.expect("a transaction");
    for statement in statements {
        sql::run_in(&mut tx, &statement).await;
    }
    tx.commit().await.expect("committed");
    told
}

type Done = (Vec<Told>, Vec<String>);

fn some(dice: &mut Dice, world: &World) -> (RecordKind, Uuid) {
    let kind = dice.one(RecordKind::ALL);
    (kind, dice.one(&world.ids(kind)))
}

/// A few fields get other values, as `record::ops` writes it: with a history and a new version.
fn update(dice: &mut Dice, world: &mut World) -> Done {
    // those that lead to others move the most
    let kinds = [RecordKind::Contact, RecordKind::Deal, RecordKind::Task];
    let kind = if dice.chance(50) { dice.one(&kinds) } else { dice.one(RecordKind::ALL) };
    // what is deleted is not updated
    let id = dice.one(&world.live_ids(kind));
    let mut record = world.of(kind)[&id].clone();
    let mut change = Change { at: words::instant(dice), before: Fields::new(), after: Fields::new() };
    let mut names = Vec::new();
    let links = kontor::crm::kinds::fields_of(kind).iter();
    let links: Vec<_> = links.filter(|field| matches!(field.field_type, FieldType::Link(_))).collect();
    for _ in 0..=dice.below(2) {
        let (key, name, value) = if !links.is_empty() && dice.chance(40) {
            let field = dice.one(&links);
            (field.column.to_owned(), field.name.to_owned(), make::value(dice, world, kind, field))
        } else {
            make::some_field(dice, world, kind)
        };
        let is_link = links.iter().any(|link| link.name == name);
        if kind == RecordKind::Task && is_link {
            // it is about one thing at most
            for other in links.iter().filter(|link| link.name != name) {
                if record[other.column].is_null() {
                    continue;
                }
                set(&mut record, &mut change, other.column, Json::Null);
                names.push(other.name.to_owned());
            }
        }
        set(&mut record, &mut change, &key, value);
        names.push(name);
    }
    if kind == RecordKind::Deal && dice.chance(40) {
        let before = record.clone();
        make::put_on_stage(dice, world, &mut record);
        for (column, name) in [("stage_id", "stageId"), ("pipeline_id", "pipelineId")] {
            if before[column] != record[column] {
                change.before.insert(column.to_owned(), before[column].clone());
                change.after.insert(column.to_owned(), record[column].clone());
                names.push(name.to_owned());
            }
        }
        if before["stage_id"] == record["stage_id"] {
            record.insert("stage_entered_at".to_owned(), before["stage_entered_at"].clone());
        }
    }
    record.insert("updated_at".to_owned(), printed(change.at).into());
    let changes = world.changes.entry(id).or_default();
    let version = changes.len() + 2;
    record.insert("version".to_owned(), version.into());
    let statements = vec![
        stored::update_record(world.workspace, kind, &record),
        stored::insert_change(world.workspace, kind, id, version, &change),
    ];
    changes.push(change);
    world.of_mut(kind).insert(id, record);
    (vec![Told { source: kind.as_str(), fields: Some(names), ids: vec![id] }], statements)
}

fn set(record: &mut Fields, change: &mut Change, key: &str, value: Json) {
    let before = match key.strip_prefix("custom.") {
        Some(key) => {
            let bag = record["custom_fields"].as_object_mut().expect("an object");
            let before = bag.remove(key).unwrap_or_default();
            if !value.is_null() {
                bag.insert(key.to_owned(), value.clone());
            }
            before
        }
        None => record.insert(key.to_owned(), value.clone()).expect("a column"),
    };
    // a field that is set twice at once was before what it was at first
    change.before.entry(key.to_owned()).or_insert(before);
    change.after.insert(key.to_owned(), value);
}

fn delete_or_restore(dice: &mut Dice, world: &mut World) -> Done {
    let (kind, id) = some(dice, world);
    let workspace = world.workspace;
    let record = world.of_mut(kind).get_mut(&id).expect("there");
    let deleted_at = if record["deleted_at"].is_null() { json!(printed(words::instant(dice))) } else { Json::Null };
    record.insert("deleted_at".to_owned(), deleted_at);
    let statement = stored::update_record(workspace, kind, record);
    (vec![Told::whole(kind.as_str(), id)], vec![statement])
}

fn create(dice: &mut Dice, world: &mut World) -> Done {
    let kind = dice.one(RecordKind::ALL);
    let record = make::record(dice, world, kind);
    let id = super::world::id_of(&record["id"]).expect("an id");
    let statement = stored::insert_record(world.workspace, kind, &record);
    world.of_mut(kind).insert(id, record);
    (vec![Told::whole(kind.as_str(), id)], vec![statement])
}

/// A contact enters or leaves a list.
fn move_member(dice: &mut Dice, world: &mut World) -> Done {
    let lists: Vec<_> = world.lists.keys().copied().collect();
    let (list, contact) = (dice.one(&lists), dice.one(&world.ids(RecordKind::Contact)));
    let told = Told { source: "list_member", fields: Some(vec![list.to_string()]), ids: vec![contact] };
    let workspace = world.workspace;
    let there = world.members.iter().position(|member| member.list == list && member.record == contact);
    let statement = match there {
        Some(at) => {
            world.members.remove(at);
            format!(
                "DELETE FROM list_members WHERE workspace_id = '{workspace}' AND list_id = '{list}' AND record_id = '{contact}'"
            )
        }
        None => {
            let member = make::member(dice, list, contact);
            let statement = stored::insert_member(workspace, &member);
            world.members.push(member);
            statement
        }
    };
    (vec![told], vec![statement])
}

fn change_user(dice: &mut Dice, world: &mut World) -> Done {
    let users: Vec<_> = world.users.keys().copied().collect();
    let id = dice.one(&users);
    world.made += 1;
    let new = make::user(dice, id, world.made);
    let user = world.users.get_mut(&id).expect("there");
    let mut names = Vec::new();
    for name in ["email", "fullName", "role", "status"] {
        if dice.chance(50) {
            user.insert(name.to_owned(), new[name].clone());
            names.push(name);
        }
    }
    (vec![Told::of("user", &names, id)], vec![stored::update_user(world, id)])
}

fn change_team(dice: &mut Dice, world: &mut World) -> Done {
    let (teams, users): (Vec<_>, Vec<_>) =
        (world.teams.keys().copied().collect(), world.users.keys().copied().collect());
    let (team, user) = (dice.one(&teams), dice.one(&users));
    let workspace = world.workspace;
    let members = world.teams.get_mut(&team).expect("there");
    let statement = if members.remove(&user) {
        format!(
            "DELETE FROM team_members WHERE workspace_id = '{workspace}' AND team_id = '{team}' AND user_id = '{user}'"
        )
    } else {
        members.insert(user);
        format!("INSERT INTO team_members (workspace_id, team_id, user_id) VALUES ('{workspace}', '{team}', '{user}')")
    };
    (vec![Told::whole("team", team)], vec![statement])
}

/// A stage, a pipeline or a list is called otherwise, or a list is deleted.
fn rename(dice: &mut Dice, world: &mut World) -> Done {
    let workspace = world.workspace;
    world.made += 1;
    // names of stages and pipelines are unique
    let name = format!("{} {}", make::text(dice), world.made);
    let (source, table, id) = match dice.below(3) {
        0 => {
            let stages: Vec<_> = world.stages.keys().copied().collect();
            let id = dice.one(&stages);
            world.stages.get_mut(&id).expect("there").name.clone_from(&name);
            ("stage", "pipeline_stages", id)
        }
        1 => {
            let pipelines: Vec<_> = world.pipelines.keys().copied().collect();
            let id = dice.one(&pipelines);
            world.pipelines.insert(id, name.clone());
            ("pipeline", "pipelines", id)
        }
        _ => {
            let lists: Vec<_> = world.lists.keys().copied().collect();
            let id = dice.one(&lists);
            let list = world.lists.get_mut(&id).expect("there");
            if dice.chance(40) {
                list.is_deleted = !list.is_deleted;
                let deleted_at = if list.is_deleted { "now()" } else { "NULL" };
                let of = format!("WHERE workspace_id = '{workspace}' AND id = '{id}'");
                let statement = format!("UPDATE contact_lists SET deleted_at = {deleted_at} {of}");
                return (vec![Told::whole("list", id)], vec![statement]);
            }
            list.name.clone_from(&name);
            ("list", "contact_lists", id)
        }
    };
    let name = stored::quoted_text(&name);
    let statement = format!("UPDATE {table} SET name = {name} WHERE workspace_id = '{workspace}' AND id = '{id}'");
    (vec![Told::of(source, &["name"], id)], vec![statement])
}

/// A line of a deal comes or goes: told of the deal, and of the product.
fn change_line(dice: &mut Dice, world: &mut World) -> Done {
    let workspace = world.workspace;
    let (line, statement) = if dice.chance(50) && !world.lines.is_empty() {
        let line = world.lines.remove(dice.below(world.lines.len()));
        let statement = format!("DELETE FROM deal_products WHERE workspace_id = '{workspace}' AND id = '{}'", line.id);
        (line, statement)
    } else {
        let deal = dice.one(&world.ids(RecordKind::Deal));
        let line = make::line(dice, world, deal);
        let statement = stored::insert_line(workspace, &line);
        world.lines.push(line.clone());
        (line, statement)
    };
    let mut told = vec![Told::of("deal", &["lineItems"], line.deal)];
    told.extend(line.product.map(|product| Told::of("product", &["deals"], product)));
    (told, vec![statement])
}
