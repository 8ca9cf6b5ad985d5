//! What can be asked about a record or what it is linked to: fields, custom fields, and the paths to
//! single linked things. All of it is data; `relations` has the links to many.

use std::sync::Arc;

use uuid::Uuid;

use super::tree::Operator;
use crate::{
    auth::Role,
    crm::{
        RecordKind, kinds,
        record::{Field, FieldType},
        stage_type::StageType,
    },
    team::UserStatus,
};

/// What a field holds, as far as comparing goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    Text,
    LongText,
    Email,
    Url,
    Phone,
    /// A whole number.
    Number,
    Decimal,
    Boolean,
    Choice(Arc<[String]>),
    User,
    Link(RecordKind),
    Tags,
    MultiChoice(Arc<[String]>),
    /// A calendar day.
    Date,
    /// An instant.
    Time,
    Id,
}

/// The one mapping from the records' own types; none for what is not to be asked.
pub fn asked(field_type: FieldType) -> Option<Asked> {
    Some(match field_type {
        FieldType::Text => Asked::Text,
        FieldType::LongText => Asked::LongText,
        FieldType::Email => Asked::Email,
        FieldType::Phone => Asked::Phone,
        FieldType::Url => Asked::Url,
        FieldType::Choice(words) | FieldType::OptionalChoice(words) => choice(words),
        FieldType::Count | FieldType::Percent => Asked::Number,
        FieldType::Currency => Asked::Text,
        FieldType::Pipeline | FieldType::Stage => Asked::Id,
        FieldType::Decimal => Asked::Decimal,
        FieldType::Instant => Asked::Time,
        FieldType::User => Asked::User,
        FieldType::Link(kind) => Asked::Link(kind),
        FieldType::Id => Asked::Id,
        FieldType::Tags => Asked::Tags,
        FieldType::Json => return None,
    })
}

fn choice(words: &[&str]) -> Asked {
    Asked::Choice(words.iter().map(|word| (*word).to_owned()).collect())
}

impl Asked {
    pub fn choices(&self) -> Option<&[String]> {
        match self {
            Self::Choice(words) | Self::MultiChoice(words) => Some(words),
            _ => None,
        }
    }

    pub fn is_text(&self) -> bool {
        matches!(self, Self::Text | Self::LongText | Self::Email | Self::Url | Self::Phone)
    }

    pub fn is_number(&self) -> bool {
        matches!(self, Self::Number | Self::Decimal)
    }

    pub fn is_date(&self) -> bool {
        matches!(self, Self::Date | Self::Time)
    }

    /// What it can be asked with, but for the history.
    pub fn operators(&self) -> Vec<Operator> {
        use Operator::*;
        const TEXT: &[Operator] = &[
            Eq,
            Ne,
            In,
            NotIn,
            Contains,
            NotContains,
            StartsWith,
            NotStartsWith,
            EndsWith,
            NotEndsWith,
            ContainsWord,
            Matches,
        ];
        let mut operators = match self {
            Self::Text | Self::LongText => TEXT.to_vec(),
            Self::Email | Self::Url => [TEXT, &[DomainIs, DomainIn]].concat(),
            Self::Phone => [TEXT, &[CountryIs]].concat(),
            Self::Number | Self::Decimal => vec![Eq, Ne, Gt, Gte, Lt, Lte, Between, NotBetween, In, NotIn],
            Self::Boolean => vec![IsTrue, IsFalse],
            Self::Choice(_) | Self::Link(_) => vec![Eq, Ne, In, NotIn],
            // every record has one
            Self::Id => return vec![Eq, Ne, In, NotIn],
            Self::User => vec![Eq, Ne, In, NotIn, IsMe, InMyTeam, IsInactive],
            Self::Tags | Self::MultiChoice(_) => vec![HasAny, HasNone, HasAll, HasExactly],
            Self::Date | Self::Time => vec![
                On,
                NotOn,
                Before,
                After,
                OnOrBefore,
                OnOrAfter,
                Between,
                NotBetween,
                Today,
                Yesterday,
                Tomorrow,
                InPast,
                InFuture,
                InLast,
                InNext,
                NotInLast,
                MoreThanAgo,
                LessThanAgo,
                MoreThanAhead,
                This,
                Last,
                Next,
                AnniversaryInNext,
            ],
        };
        operators.extend([IsEmpty, IsNotEmpty]);
        operators
    }

    /// With what another field may stand in the value's place.
    pub fn compares_fields_by(&self, op: Operator) -> bool {
        use Operator::*;
        match self {
            Self::Tags | Self::MultiChoice(_) | Self::Boolean => false,
            Self::Number | Self::Decimal => matches!(op, Eq | Ne | Gt | Gte | Lt | Lte),
            Self::Date | Self::Time => matches!(op, On | NotOn | Before | After | OnOrBefore | OnOrAfter),
            _ => matches!(op, Eq | Ne),
        }
    }

    /// Whether values of the two can be held against one another.
    pub fn goes_with(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Choice(_), Self::Choice(_)) | (Self::User, Self::User) => true,
            (Self::Link(one), Self::Link(two)) => one == two,
            (Self::Phone, Self::Phone) => true,
            (Self::Phone, _) | (_, Self::Phone) => false,
            _ => {
                self.is_text() && other.is_text()
                    || self.is_number() && other.is_number()
                    || self.is_date() && other.is_date()
            }
        }
    }
}

/// Operators over the history of a record's own fields.
pub const HISTORY: &[Operator] = &[Operator::ChangedInLast, Operator::WasEver, Operator::ChangedFromTo];

/// What fields belong to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Entity {
    Record(RecordKind),
    User,
    Pipeline,
    Stage,
    /// Something that only a relation knows, by the name that events about it have.
    Other(&'static str),
}

impl Entity {
    /// The name under which changes of it are told.
    pub fn name(self) -> &'static str {
        match self {
            Self::Record(kind) => kind.as_str(),
            Self::User => "user",
            Self::Pipeline => "pipeline",
            Self::Stage => "stage",
            Self::Other(name) => name,
        }
    }

    pub fn kind(self) -> Option<RecordKind> {
        match self {
            Self::Record(kind) => Some(kind),
            _ => None,
        }
    }
}

/// A fixed field. Its SQL is the column, or has `{}` where the alias goes.
#[derive(Debug, Clone)]
pub struct FieldDef {
    pub name: &'static str,
    pub sql: &'static str,
    pub asked: Asked,
    /// Stands behind a link: the path's name, see [`paths_of`].
    pub through: Option<&'static str>,
    /// Changes of it stand in the history, under this column.
    pub history: bool,
}

impl FieldDef {
    const fn plain(name: &'static str, sql: &'static str, asked: Asked) -> Self {
        Self { name, sql, asked, through: None, history: true }
    }

    const fn fixed(name: &'static str, sql: &'static str, asked: Asked) -> Self {
        Self { name, sql, asked, through: None, history: false }
    }

    const fn behind(name: &'static str, through: &'static str, sql: &'static str, asked: Asked) -> Self {
        Self { name, sql, asked, through: Some(through), history: false }
    }
}

/// A link to at most one thing. In the SQL `{a}` is whose link it is, `{b}` what it leads to, and `$1`
/// the workspace.
#[derive(Debug)]
pub struct PathDef {
    pub name: &'static str,
    pub from: Entity,
    pub to: Entity,
    pub table: &'static str,
    pub join: &'static str,
    /// What else makes it count.
    pub live: &'static str,
    /// The linked thing's id.
    pub key: &'static str,
    /// The field that holds the link.
    pub link: &'static str,
}

macro_rules! paths {
    ($($from:ident: $($name:literal -> $to:ident $table:literal by $column:literal ($link:literal);)+)+) => {
        &[$($(PathDef {
            name: $name,
            from: Entity::Record(RecordKind::$from),
            to: Entity::Record(RecordKind::$to),
            table: concat!($table, " {b}"),
            join: concat!("{b}.workspace_id = $1 AND {b}.id = {a}.", $column),
            live: "{b}.deleted_at IS NULL",
            key: "{b}.id",
            link: $link,
        },)+)+]
    };
}

const RECORD_PATHS: &[PathDef] = paths! {
    Contact: "account" -> Account "accounts" by "account_id" ("accountId");
    Deal: "account" -> Account "accounts" by "account_id" ("accountId");
          "contact" -> Contact "contacts" by "contact_id" ("contactId");
    Task: "lead" -> Lead "leads" by "lead_id" ("leadId");
          "contact" -> Contact "contacts" by "contact_id" ("contactId");
          "account" -> Account "accounts" by "account_id" ("accountId");
          "deal" -> Deal "deals" by "deal_id" ("dealId");
};

macro_rules! owners {
    ($($from:ident)+) => {
        &[$(PathDef {
            name: "owner",
            from: Entity::Record(RecordKind::$from),
            to: Entity::User,
            table: "members {b} JOIN users {b}u ON {b}u.id = {b}.user_id",
            join: "{b}.workspace_id = $1 AND {b}.user_id = {a}.owner_id",
            live: "TRUE",
            key: "{b}.user_id",
            link: "ownerId",
        },)+]
    };
}

const OWNER_PATHS: &[PathDef] = owners! { Lead Contact Account Deal Product Task };

const DEAL_PATHS: &[PathDef] = &[
    PathDef {
        name: "stage",
        from: Entity::Record(RecordKind::Deal),
        to: Entity::Stage,
        table: "pipeline_stages {b}",
        join: "{b}.workspace_id = $1 AND {b}.id = {a}.stage_id",
        live: "TRUE",
        key: "{b}.id",
        link: "stageId",
    },
    PathDef {
        name: "pipeline",
        from: Entity::Record(RecordKind::Deal),
        to: Entity::Pipeline,
        table: "pipelines {b}",
        join: "{b}.workspace_id = $1 AND {b}.id = {a}.pipeline_id",
        live: "TRUE",
        key: "{b}.id",
        link: "pipelineId",
    },
];

/// The links of a thing to single others.
pub fn paths_of(entity: Entity) -> impl Iterator<Item = &'static PathDef> {
    [RECORD_PATHS, OWNER_PATHS, DEAL_PATHS].into_iter().flatten().filter(move |path| path.from == entity)
}

/// The fixed fields of a thing.
pub fn fields_of(entity: Entity) -> Vec<FieldDef> {
    let mut fields = match entity {
        Entity::Record(kind) => record_fields(kind),
        Entity::User => vec![
            FieldDef::fixed("id", "{}.user_id", Asked::Id),
            FieldDef::fixed("email", "{}u.email", Asked::Email),
            FieldDef::fixed("fullName", "{}u.full_name", Asked::Text),
            FieldDef::fixed("role", "{}.role", choice(Role::WORDS)),
            FieldDef::fixed("status", "{}.status", choice(UserStatus::WORDS)),
        ],
        Entity::Stage | Entity::Pipeline | Entity::Other(_) => Vec::new(),
    };
    if let Entity::Record(kind) = entity {
        if kind == RecordKind::Deal {
            fields.push(FieldDef::behind("stage", "stage", "name", Asked::Text));
            fields.push(FieldDef::behind("stageType", "stage", "stage_type", choice(StageType::WORDS)));
            fields.push(FieldDef::behind("pipeline", "pipeline", "name", Asked::Text));
        }
        fields.extend([
            FieldDef::fixed("id", "id", Asked::Id),
            FieldDef::fixed("createdAt", "created_at", Asked::Time),
            FieldDef::fixed("updatedAt", "updated_at", Asked::Time),
            FieldDef::fixed("createdBy", "created_by", Asked::User),
        ]);
    }
    fields
}

/// REST's name of a field, and back: the same word in snake_case but for a few.
pub fn rest_name(kind: RecordKind, name: &str) -> String {
    if let Some(key) = name.strip_prefix("custom.") {
        return format!("custom.{key}");
    }
    // REST's stage is a name; criteria know it as `stage`
    if name == "stageId" {
        return "stage_id".to_owned();
    }
    if let Some(field) = kinds::fields_of(kind).iter().find(|field| field.name == name) {
        return field.rest.to_owned();
    }
    match name {
        "ownerId" => "assigned_to".to_owned(),
        "name" if kind == RecordKind::Deal => "deal_name".to_owned(),
        _ => snake(name),
    }
}

/// The name in criteria of what REST calls so, whatever the kind.
pub fn name_of_rest(rest: &str) -> String {
    match rest {
        "assigned_to" => "ownerId".to_owned(),
        "account_name" | "deal_name" => "name".to_owned(),
        _ if rest.starts_with("custom.") => rest.to_owned(),
        _ => rest.strip_prefix("custom_fields.").map_or_else(|| camel(rest), |key| format!("custom.{key}")),
    }
}

fn snake(name: &str) -> String {
    let mut text = String::with_capacity(name.len() + 4);
    for c in name.chars() {
        if c.is_ascii_uppercase() {
            text.push('_');
        }
        text.push(c.to_ascii_lowercase());
    }
    text
}

fn camel(name: &str) -> String {
    let (mut text, mut upper) = (String::with_capacity(name.len()), false);
    for c in name.chars() {
        match c {
            '_' => upper = true,
            _ if upper => {
                text.push(c.to_ascii_uppercase());
                upper = false;
            }
            _ => text.push(c),
        }
    }
    text
}

fn record_fields(kind: RecordKind) -> Vec<FieldDef> {
    let plain = |field: &Field| Some(FieldDef::plain(field.name, field.column, asked(field.field_type)?));
    let mut fields: Vec<_> = kinds::fields_of(kind).iter().filter_map(plain).collect();
    if kind == RecordKind::Deal {
        fields.push(FieldDef::fixed("stageEnteredAt", "stage_entered_at", Asked::Time));
    }
    fields
}

/// A custom field's definition, as far as criteria need it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CustomField {
    pub id: Uuid,
    pub kind: RecordKind,
    pub key: String,
    pub label: String,
    pub asked: Asked,
    /// Stands in `custom_values` too.
    pub is_indexed: bool,
}

impl CustomField {
    /// By the words of the table `custom_fields`; none for a type that nobody knows.
    pub fn asked(field_type: &str, choices: Vec<String>, linked: Option<RecordKind>) -> Option<Asked> {
        Some(match field_type {
            "text" => Asked::Text,
            "number" => Asked::Number,
            "decimal" => Asked::Decimal,
            "date" => Asked::Date,
            "time" => Asked::Time,
            "boolean" => Asked::Boolean,
            "choice" => Asked::Choice(choices.into()),
            "multi_choice" => Asked::MultiChoice(choices.into()),
            "url" => Asked::Url,
            "email" => Asked::Email,
            "phone" => Asked::Phone,
            "user" => Asked::User,
            "record" => Asked::Link(linked?),
            _ => return None,
        })
    }
}

/// The custom fields of all kinds of a workspace. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Known(Arc<Vec<CustomField>>);

impl Known {
    pub fn new(fields: Vec<CustomField>) -> Self {
        Self(Arc::new(fields))
    }

    /// The same fields with other choices for one of them.
    pub fn with_choices(&self, field: Uuid, choices: &[String]) -> Self {
        let of = |known: &CustomField| match &known.asked {
            Asked::Choice(_) if known.id == field => {
                CustomField { asked: Asked::Choice(choices.into()), ..known.clone() }
            }
            Asked::MultiChoice(_) if known.id == field => {
                CustomField { asked: Asked::MultiChoice(choices.into()), ..known.clone() }
            }
            _ => known.clone(),
        };
        Self::new(self.0.iter().map(of).collect())
    }

    /// The same fields as if none were indexed: for records that are not those of the tables, and that
    /// the index over custom values does not have.
    pub fn unindexed(&self) -> Self {
        let bare = |field: &CustomField| CustomField { is_indexed: false, ..field.clone() };
        Self::new(self.0.iter().map(bare).collect())
    }

    pub fn find(&self, kind: RecordKind, key: &str) -> Option<&CustomField> {
        self.of(kind).find(|field| field.key == key)
    }

    pub fn of(&self, kind: RecordKind) -> impl Iterator<Item = &CustomField> {
        self.0.iter().filter(move |field| field.kind == kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_rests_turned_mechanically() {
        for kind in RecordKind::ALL {
            for field in fields_of(Entity::Record(*kind)) {
                assert_eq!(name_of_rest(&rest_name(*kind, field.name)), field.name);
            }
        }
        assert_eq!(rest_name(RecordKind::Account, "name"), "account_name");
        assert_eq!(rest_name(RecordKind::Deal, "expectedCloseDate"), "expected_close_date");
        assert_eq!(name_of_rest("assigned_to"), "ownerId");
    }

    #[test]
    fn every_path_leads_from_a_field() {
        for path in [RECORD_PATHS, OWNER_PATHS, DEAL_PATHS].into_iter().flatten() {
            assert!(fields_of(path.from).iter().any(|field| field.name == path.link), "{}", path.name);
        }
    }
}
