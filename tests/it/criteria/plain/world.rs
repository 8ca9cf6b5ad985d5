//! A workspace as the plain evaluator knows it: the same values that were written into the database,
//! as JSON by column.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use kontor::crm::{
    RecordKind,
    criteria::{Asked, FieldDescription, Known, RelationDescription, criteria_fields, criteria_relations},
    kinds,
};
use serde_json::{Map, Value as Json};
use uuid::Uuid;

pub type Fields = Map<String, Json>;

#[derive(Clone)]
pub struct World {
    pub workspace: Uuid,
    /// By kind, as the kinds stand in `RecordKind::ALL`.
    pub records: Vec<BTreeMap<Uuid, Fields>>,
    /// By the names that criteria have for them.
    pub users: BTreeMap<Uuid, Fields>,
    pub teams: BTreeMap<Uuid, BTreeSet<Uuid>>,
    pub pipelines: BTreeMap<Uuid, String>,
    pub stages: BTreeMap<Uuid, Stage>,
    pub lists: BTreeMap<Uuid, List>,
    pub members: Vec<Member>,
    pub lines: Vec<Line>,
    pub changes: BTreeMap<Uuid, Vec<Change>>,
    pub customs: Vec<Custom>,
    /// For values that no two may share.
    pub made: usize,
}

#[derive(Clone)]
pub struct Stage {
    pub pipeline: Uuid,
    pub name: String,
    pub stage_type: String,
}

#[derive(Clone)]
pub struct List {
    pub name: String,
    pub is_deleted: bool,
}

#[derive(Clone)]
pub struct Member {
    pub list: Uuid,
    pub record: Uuid,
    pub entered_at: DateTime<Utc>,
    pub is_suspended: bool,
}

#[derive(Clone)]
pub struct Line {
    pub id: Uuid,
    pub deal: Uuid,
    pub product: Option<Uuid>,
    pub quantity: String,
    pub unit_price: String,
}

#[derive(Clone)]
pub struct Change {
    pub at: DateTime<Utc>,
    pub before: Fields,
    pub after: Fields,
}

#[derive(Clone)]
pub struct Custom {
    pub id: Uuid,
    pub kind: RecordKind,
    pub key: String,
    pub field_type: &'static str,
    pub linked: Option<RecordKind>,
    pub is_indexed: bool,
}

impl World {
    pub fn of(&self, kind: RecordKind) -> &BTreeMap<Uuid, Fields> {
        &self.records[kind as usize]
    }

    pub fn of_mut(&mut self, kind: RecordKind) -> &mut BTreeMap<Uuid, Fields> {
        &mut self.records[kind as usize]
    }

    pub fn ids(&self, kind: RecordKind) -> Vec<Uuid> {
        self.of(kind).keys().copied().collect()
    }

    pub fn live(&self, kind: RecordKind, id: Uuid) -> Option<&Fields> {
        self.of(kind).get(&id).filter(|record| record["deleted_at"].is_null())
    }

    pub fn live_ids(&self, kind: RecordKind) -> Vec<Uuid> {
        self.of(kind).keys().copied().filter(|id| self.live(kind, *id).is_some()).collect()
    }
}

pub fn id_of(json: &Json) -> Option<Uuid> {
    json.as_str().and_then(|text| Uuid::try_parse(text).ok())
}

/// What the fields are called, and what they hold.
pub struct Catalog {
    pub known: Known,
    own: Vec<Vec<FieldDescription>>,
    pub users: Vec<FieldDescription>,
    pub relations: Vec<Vec<RelationDescription>>,
}

/// Whose fields are asked.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Sort {
    Kind(RecordKind),
    User,
    /// A product on a line of a deal.
    Line,
    /// A list that a contact is in.
    List,
}

impl Catalog {
    pub fn new(known: Known) -> Self {
        let is_own = |field: &FieldDescription| !field.name.contains('.') || field.name.starts_with("custom.");
        let own = |kind: &RecordKind| criteria_fields(*kind, &known, 1).into_iter().filter(is_own).collect();
        let users = criteria_fields(RecordKind::Lead, &known, 1).into_iter();
        let users = users.filter_map(|field| {
            let name = field.name.strip_prefix("owner.")?.to_owned();
            Some(FieldDescription { name, ..field })
        });
        Self {
            own: RecordKind::ALL.iter().map(own).collect(),
            users: users.collect(),
            relations: RecordKind::ALL.iter().map(|kind| criteria_relations(*kind, &known)).collect(),
            known,
        }
    }

    pub fn fields(&self, sort: Sort) -> &[FieldDescription] {
        let of_relation = |kind: RecordKind, name: &str| {
            let relations = self.relations[kind as usize].iter();
            let mut found = relations.filter(|relation| relation.name.as_str() == name);
            found.next().map_or(&[] as &[FieldDescription], |relation| &relation.fields)
        };
        match sort {
            Sort::Kind(kind) => &self.own[kind as usize],
            Sort::User => &self.users,
            Sort::Line => of_relation(RecordKind::Deal, "PRODUCTS"),
            Sort::List => of_relation(RecordKind::Contact, "LISTS"),
        }
    }

    /// The type of a field, by its path.
    pub fn asked(&self, sort: Sort, name: &str) -> Asked {
        if let Some((path, behind)) = name.split_once('.').filter(|(path, _)| *path != "custom") {
            return self.asked(target(sort, path).expect("a path"), behind);
        }
        let field = self.fields(sort).iter().find(|field| field.name == name);
        field.unwrap_or_else(|| panic!("{name} of {sort:?}")).asked.clone()
    }
}

/// Where a path leads.
pub fn target(sort: Sort, path: &str) -> Option<Sort> {
    let kind = match sort {
        Sort::Kind(kind) => kind,
        Sort::Line => RecordKind::Product,
        Sort::User | Sort::List => return None,
    };
    paths(kind).iter().find(|(name, _)| *name == path).map(|(_, target)| *target)
}

/// The links of a kind to single others.
pub fn paths(kind: RecordKind) -> &'static [(&'static str, Sort)] {
    const OWNER: (&str, Sort) = ("owner", Sort::User);
    const LEAD: (&str, Sort) = ("lead", Sort::Kind(RecordKind::Lead));
    const CONTACT: (&str, Sort) = ("contact", Sort::Kind(RecordKind::Contact));
    const ACCOUNT: (&str, Sort) = ("account", Sort::Kind(RecordKind::Account));
    const DEAL: (&str, Sort) = ("deal", Sort::Kind(RecordKind::Deal));
    match kind {
        RecordKind::Contact => &[OWNER, ACCOUNT],
        RecordKind::Deal => &[OWNER, ACCOUNT, CONTACT],
        RecordKind::Task => &[OWNER, LEAD, CONTACT, ACCOUNT, DEAL],
        RecordKind::Lead | RecordKind::Account | RecordKind::Product => &[OWNER],
    }
}

/// The column of a record's own field.
pub fn column(kind: RecordKind, name: &str) -> &'static str {
    match name {
        "id" => "id",
        "createdAt" => "created_at",
        "updatedAt" => "updated_at",
        "createdBy" => "created_by",
        "stageEnteredAt" => "stage_entered_at",
        _ => kinds::fields_of(kind).iter().find(|field| field.name == name).expect("a field").column,
    }
}
