//! A random workspace: some dozens of records of each kind, linked to one another, with custom fields of
//! all types, a history, lists, teams.

use std::collections::BTreeMap;

use kontor::crm::{
    RecordKind,
    fields::CustomType,
    kinds,
    record::{Field, FieldType},
};
use serde_json::{Value as Json, json};
use uuid::Uuid;

use super::{
    dice::Dice,
    words::{self, printed},
    world::{Change, Custom, Fields, Line, List, Member, Stage, World},
};

/// So that what a record links to is there before it.
const ORDER: [RecordKind; 6] = [
    RecordKind::Account,
    RecordKind::Lead,
    RecordKind::Contact,
    RecordKind::Deal,
    RecordKind::Product,
    RecordKind::Task,
];

/// What the database takes no null for.
const NEEDED: &[&str] = &["name", "title", "unit", "amount", "price"];
/// What makes a person reachable.
const REACHABLE: &[(RecordKind, &str)] = &[(RecordKind::Lead, "lastName"), (RecordKind::Contact, "lastName")];

pub fn world(dice: &mut Dice, workspace: Uuid, me: Uuid, records: usize) -> World {
    let mut world = World {
        workspace,
        records: RecordKind::ALL.iter().map(|_| BTreeMap::new()).collect(),
        users: BTreeMap::new(),
        teams: BTreeMap::new(),
        pipelines: BTreeMap::new(),
        stages: BTreeMap::new(),
        lists: BTreeMap::new(),
        members: Vec::new(),
        lines: Vec::new(),
        changes: BTreeMap::new(),
        customs: Vec::new(),
        made: 0,
    };
    for number in 0..6 {
        let id = if number == 0 { me } else { dice.id() };
        world.users.insert(id, user(dice, id, number));
    }
    for _ in 0..3 {
        let users: Vec<_> = world.users.keys().copied().collect();
        let team = users.into_iter().filter(|_| dice.chance(40)).collect();
        world.teams.insert(dice.id(), team);
    }
    for name in ["Große Deals", "renewals"] {
        let pipeline = dice.id();
        world.pipelines.insert(pipeline, name.to_owned());
        for (name, stage_type) in [("Offen", "open"), ("open", "open"), ("GEWONNEN", "won"), ("Verloren", "lost")] {
            let stage = Stage { pipeline, name: name.to_owned(), stage_type: stage_type.to_owned() };
            world.stages.insert(dice.id(), stage);
        }
    }
    custom_fields(dice, &mut world);
    for kind in ORDER {
        for _ in 0..records {
            let record = record(dice, &mut world, kind);
            world.of_mut(kind).insert(super::world::id_of(&record["id"]).expect("an id"), record);
        }
    }
    for kind in ORDER {
        for id in world.ids(kind) {
            let count = if dice.chance(60) { dice.below(4) } else { 0 };
            for _ in 0..count {
                let change = old_change(dice, &mut world, kind);
                world.changes.entry(id).or_default().push(change);
            }
        }
    }
    for number in 0..4 {
        let list = List { name: text(dice), is_deleted: number == 3 };
        let id = dice.id();
        for record in world.ids(RecordKind::Contact) {
            if dice.chance(30) {
                let member = member(dice, id, record);
                world.members.push(member);
            }
        }
        world.lists.insert(id, list);
    }
    for deal in world.ids(RecordKind::Deal) {
        for _ in 0..dice.below(4) {
            let line = line(dice, &world, deal);
            world.lines.push(line);
        }
    }
    world
}

pub fn user(dice: &mut Dice, id: Uuid, number: usize) -> Fields {
    let fields = json!({
        "id": id.to_string(),
        "email": format!("{}{number}@{}", dice.pick(words::LOCALS), dice.pick(words::DOMAINS)),
        "fullName": text(dice),
        "role": if number == 0 { "admin" } else { dice.pick(&["admin", "manager", "sales_rep", "support"]) },
        "status": if number == 0 { "active" } else { dice.pick(&["active", "active", "inactive", "suspended"]) },
    });
    fields.as_object().expect("an object").clone()
}

pub fn member(dice: &mut Dice, list: Uuid, record: Uuid) -> Member {
    Member { list, record, entered_at: words::instant(dice), is_suspended: dice.chance(15) }
}

pub fn line(dice: &mut Dice, world: &World, deal: Uuid) -> Line {
    let products = world.ids(RecordKind::Product);
    Line {
        id: dice.id(),
        deal,
        product: dice.chance(90).then(|| dice.one(&products)),
        quantity: dice.pick(&["1", "2", "7", "0.5", "10"]).to_owned(),
        unit_price: dice.pick(&["0", "7.5", "10", "10.1"]).to_owned(),
    }
}

fn custom_fields(dice: &mut Dice, world: &mut World) {
    for kind in RecordKind::ALL {
        for field_type in CustomType::ALL {
            for is_indexed in [false, true] {
                if is_indexed && *field_type == CustomType::MultiChoice {
                    continue;
                }
                world.customs.push(Custom {
                    id: dice.id(),
                    kind: *kind,
                    key: format!("{}_{}", if is_indexed { "i" } else { "p" }, field_type.as_str()),
                    field_type: field_type.as_str(),
                    linked: (*field_type == CustomType::Record)
                        .then(|| dice.one(&[RecordKind::Account, RecordKind::Contact])),
                    is_indexed,
                });
            }
        }
    }
}

pub fn text(dice: &mut Dice) -> String {
    dice.pick(words::TEXTS).to_owned()
}

fn mail(dice: &mut Dice, world: &mut World) -> String {
    world.made += 1;
    format!("{}{}@{}", dice.pick(words::LOCALS), world.made, dice.pick(words::DOMAINS))
}

fn tags(dice: &mut Dice) -> Json {
    let chosen: Vec<_> = words::TAGS.iter().filter(|_| dice.chance(20)).collect();
    json!(chosen)
}

/// A whole record, by column.
pub fn record(dice: &mut Dice, world: &mut World, kind: RecordKind) -> Fields {
    let mut record = Fields::new();
    record.insert("id".to_owned(), dice.id().to_string().into());
    record.insert("version".to_owned(), 1.into());
    let users: Vec<_> = world.users.keys().copied().collect();
    record.insert("created_by".to_owned(), dice.one(&users).to_string().into());
    for column in ["created_at", "updated_at"] {
        record.insert(column.to_owned(), printed(words::instant(dice)).into());
    }
    let deleted = dice.chance(12).then(|| printed(words::instant(dice)));
    record.insert("deleted_at".to_owned(), deleted.into());
    for field in kinds::fields_of(kind) {
        let value = value(dice, world, kind, field);
        record.insert(field.column.to_owned(), value);
    }
    match kind {
        RecordKind::Deal => {
            put_on_stage(dice, world, &mut record);
        }
        RecordKind::Task => {
            let about = ["lead_id", "contact_id", "account_id", "deal_id"];
            let kept = dice.pick(&about);
            about.iter().filter(|column| **column != kept).for_each(|column| {
                record.insert((*column).to_owned(), Json::Null);
            });
        }
        _ => {}
    }
    record
}

pub fn put_on_stage(dice: &mut Dice, world: &World, record: &mut Fields) {
    let stages: Vec<_> = world.stages.keys().copied().collect();
    let stage = dice.one(&stages);
    record.insert("stage_id".to_owned(), stage.to_string().into());
    record.insert("pipeline_id".to_owned(), world.stages[&stage].pipeline.to_string().into());
    record.insert("stage_entered_at".to_owned(), printed(words::instant(dice)).into());
}

/// A value for a field of a kind: nothing where nothing can stand, now and then.
pub fn value(dice: &mut Dice, world: &mut World, kind: RecordKind, field: &Field) -> Json {
    let is_needed = NEEDED.contains(&field.name) && !(field.name == "title" && kind != RecordKind::Task)
        || REACHABLE.contains(&(kind, field.name));
    // of those even the empty text is one
    let is_unique = ["sku", "accountNumber"].contains(&field.name);
    let filled = is_needed || dice.chance(65);
    match field.field_type {
        FieldType::Choice(words) => dice.pick(words).into(),
        FieldType::Currency => dice.pick(&["USD", "EUR", "CHF"]).into(),
        FieldType::Percent => dice.one(&[0, 7, 10, 100]).into(),
        FieldType::Count if field.name == "stockQuantity" => dice.one(words::NUMBERS).into(),
        FieldType::Tags => tags(dice),
        FieldType::Json if field.column == "custom_fields" => bag(dice, world, kind),
        FieldType::Json => json!({}),
        // they are set together, and where there are stages
        FieldType::Stage | FieldType::Pipeline | FieldType::Id => Json::Null,
        FieldType::Text | FieldType::LongText if !filled && !is_unique && dice.chance(30) => "".into(),
        _ if !filled => Json::Null,
        FieldType::Text if is_unique => {
            world.made += 1;
            format!("{} {}", text(dice), world.made).into()
        }
        FieldType::Text | FieldType::LongText => text(dice).into(),
        FieldType::Email => mail(dice, world).into(),
        FieldType::Phone => dice.pick(words::PHONES).into(),
        FieldType::Url => dice.pick(words::URLS).into(),
        FieldType::OptionalChoice(words) => dice.pick(words).into(),
        FieldType::Count => dice.one(words::NUMBERS).into(),
        FieldType::Decimal => dice.pick(words::DECIMALS).into(),
        FieldType::Instant => printed(words::instant(dice)).into(),
        FieldType::User => {
            let users: Vec<_> = world.users.keys().copied().collect();
            dice.one(&users).to_string().into()
        }
        FieldType::Link(kind) => some_record(dice, world, kind),
    }
}

fn some_record(dice: &mut Dice, world: &World, kind: RecordKind) -> Json {
    let ids = world.ids(kind);
    // few, so that some have several linked to them
    if ids.is_empty() { Json::Null } else { ids[dice.below(ids.len().min(25))].to_string().into() }
}

fn bag(dice: &mut Dice, world: &mut World, kind: RecordKind) -> Json {
    let customs: Vec<_> = world.customs.iter().filter(|custom| custom.kind == kind).cloned().collect();
    let mut bag = Fields::new();
    for custom in customs {
        if dice.chance(40) {
            bag.insert(custom.key.clone(), custom_value(dice, world, &custom));
        }
    }
    bag.into()
}

pub fn custom_value(dice: &mut Dice, world: &mut World, custom: &Custom) -> Json {
    match CustomType::parse(custom.field_type).expect("a type") {
        // what stood there before somebody defined the field
        CustomType::Text if dice.chance(8) => "".into(),
        CustomType::Text => text(dice).into(),
        CustomType::Number => dice.one(words::NUMBERS).into(),
        CustomType::Decimal => dice.pick(words::DECIMALS).into(),
        CustomType::Date => words::day(dice).to_string().into(),
        CustomType::Time => printed(words::instant(dice)).into(),
        CustomType::Boolean => dice.chance(50).into(),
        CustomType::Choice => dice.pick(words::CHOICES).into(),
        CustomType::MultiChoice => {
            let chosen: Vec<_> = words::CHOICES.iter().filter(|_| dice.chance(40)).collect();
            json!(chosen)
        }
        CustomType::Url => dice.pick(words::URLS).into(),
        CustomType::Email => mail(dice, world).into(),
        CustomType::Phone => dice.pick(words::PHONES).into(),
        CustomType::User => {
            let users: Vec<_> = world.users.keys().copied().collect();
            dice.one(&users).to_string().into()
        }
        CustomType::Record => some_record(dice, world, custom.linked.expect("a kind")),
    }
}

/// The fields whose changes stand in the history: the key there, the API name, a new value.
pub fn some_field(dice: &mut Dice, world: &mut World, kind: RecordKind) -> (String, String, Json) {
    if dice.chance(40) {
        let customs: Vec<_> = world.customs.iter().filter(|custom| custom.kind == kind).cloned().collect();
        let custom = dice.one(&customs);
        let value = if dice.chance(20) { Json::Null } else { custom_value(dice, world, &custom) };
        let name = format!("custom.{}", custom.key);
        return (name.clone(), name, value);
    }
    let is_plain = |field: &&Field| {
        !matches!(field.field_type, FieldType::Json | FieldType::Stage | FieldType::Pipeline | FieldType::Id)
    };
    let fields: Vec<_> = kinds::fields_of(kind).iter().filter(is_plain).collect();
    let field = dice.one(&fields);
    (field.column.to_owned(), field.name.to_owned(), value(dice, world, kind, field))
}

fn old_change(dice: &mut Dice, world: &mut World, kind: RecordKind) -> Change {
    let mut change = Change { at: words::instant(dice), before: Fields::new(), after: Fields::new() };
    for _ in 0..=dice.below(2) {
        let (key, name, after) = some_field(dice, world, kind);
        let before = match name.strip_prefix("custom.") {
            Some(key) => {
                let custom = world.customs.iter().find(|custom| custom.kind == kind && custom.key == key);
                let custom = custom.expect("a field").clone();
                if dice.chance(30) { Json::Null } else { custom_value(dice, world, &custom) }
            }
            None => {
                let field = kinds::fields_of(kind).iter().find(|field| field.name == name).expect("a field");
                value(dice, world, kind, field)
            }
        };
        change.before.insert(key.clone(), before);
        change.after.insert(key, after);
    }
    change
}
