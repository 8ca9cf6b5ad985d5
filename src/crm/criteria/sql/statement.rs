//! A statement that grows, and the values it is run with.

use bigdecimal::BigDecimal;
use chrono::{DateTime, Utc};
use diesel::{
    pg::Pg,
    query_builder::{BoxedSqlQuery, SqlQuery},
    sql_types::{Array, BigInt, Bool, Integer, Text, Timestamptz, Uuid as SqlUuid},
};
use uuid::Uuid;

use crate::base::ids::WorkspaceId;

/// A value of a statement.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Bind {
    Text(String),
    Texts(Vec<String>),
    Uuid(Uuid),
    Uuids(Vec<Uuid>),
    Time(DateTime<Utc>),
    Number(BigDecimal),
    Int(i64),
    Ints(Vec<i32>),
    Bool(bool),
}

impl Bind {
    /// Values of an array; of what is none, one.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Texts(texts) => texts.len(),
            Self::Uuids(ids) => ids.len(),
            Self::Ints(numbers) => numbers.len(),
            _ => 1,
        }
    }

    /// About how much memory it takes.
    pub(super) fn bytes(&self) -> usize {
        let text = |text: &String| text.len() + size_of::<String>();
        match self {
            Self::Text(one) => text(one),
            Self::Texts(texts) => texts.iter().map(text).sum(),
            _ => self.len() * 40,
        }
    }
}

/// A statement that grows, with its values. `$1` is the workspace from the start.
#[derive(Debug, Clone, PartialEq)]
pub struct Sql {
    text: String,
    binds: Vec<Bind>,
    aliases: usize,
    /// Whether records may be found by what is kept beside them: their search text, and the rows of their
    /// custom fields.
    pub(super) by_kept: bool,
}

impl Sql {
    pub fn new(workspace: WorkspaceId) -> Self {
        Self { text: String::new(), binds: vec![Bind::Uuid(workspace.0)], aliases: 0, by_kept: true }
    }

    /// For records that are in hand, or are put together, so that what is kept beside them is not theirs.
    pub fn of_others(workspace: WorkspaceId) -> Self {
        Self { by_kept: false, ..Self::new(workspace) }
    }

    pub fn push(&mut self, text: &str) {
        self.text.push_str(text);
    }

    /// Binds a value and writes its placeholder.
    pub fn bind(&mut self, value: Bind) {
        let placeholder = self.hold(value);
        self.text.push_str(&placeholder);
    }

    /// Binds a value; its placeholder, to be written somewhere.
    pub fn hold(&mut self, value: Bind) -> String {
        let cast = if matches!(value, Bind::Number(_)) { "::numeric" } else { "" };
        format!("{}{cast}", self.hold_bare(value))
    }

    /// The same, as it comes: a number as text.
    pub(super) fn hold_bare(&mut self, value: Bind) -> String {
        self.binds.push(value);
        format!("${}", self.binds.len())
    }

    /// A name for a table that no other has in this statement.
    pub fn alias(&mut self) -> String {
        self.aliases += 1;
        format!("k{}", self.aliases)
    }

    /// Its values but the workspace's.
    pub(super) fn into_values(mut self) -> Vec<Bind> {
        self.binds.split_off(1)
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    /// How many values it has so far; PostgreSQL takes 65,535.
    pub fn values(&self) -> usize {
        self.binds.len()
    }

    /// Ready to be run.
    pub fn query(&self) -> BoxedSqlQuery<'static, Pg, SqlQuery> {
        let mut query = diesel::sql_query(self.text.clone()).into_boxed();
        for bind in &self.binds {
            query = match bind.clone() {
                Bind::Text(text) => query.bind::<Text, _>(text),
                Bind::Texts(texts) => query.bind::<Array<Text>, _>(texts),
                Bind::Uuid(id) => query.bind::<SqlUuid, _>(id),
                Bind::Uuids(ids) => query.bind::<Array<SqlUuid>, _>(ids),
                Bind::Time(at) => query.bind::<Timestamptz, _>(at),
                Bind::Number(number) => query.bind::<Text, _>(number.to_plain_string()),
                Bind::Int(number) => query.bind::<BigInt, _>(number),
                Bind::Ints(numbers) => query.bind::<Array<Integer>, _>(numbers),
                Bind::Bool(flag) => query.bind::<Bool, _>(flag),
            };
        }
        query
    }
}
