//! A tree whose fields are found and whose values are typed. Made by `check`; read by whatever turns
//! it into SQL, dependencies or words.

use bigdecimal::BigDecimal;
use uuid::Uuid;

use super::{
    fields::{Asked, Entity, FieldDef, Known, PathDef, fields_of, paths_of},
    phones::Country,
    relations::RelationDef,
    tree::Quantifier,
    when::{Span, Stretch},
};
use crate::crm::RecordKind;

#[derive(Debug, Clone)]
pub enum Tree {
    All(Vec<Tree>),
    Any(Vec<Tree>),
    Not(Box<Tree>),
    Leaf(Box<Leaf>),
    Related(Box<Related>),
    InList(Uuid),
}

#[derive(Debug, Clone)]
pub struct Related {
    pub relation: &'static RelationDef,
    pub quantifier: Quantifier,
    pub count: i64,
    pub condition: Option<Tree>,
}

/// One comparison: a base, which an empty field never fulfils (but for [`Base::Empty`]), or its negation.
#[derive(Debug, Clone)]
pub struct Leaf {
    pub place: Place,
    pub base: Base,
    pub negated: bool,
    /// Whether the negation holds for an empty field.
    pub match_empty: bool,
}

impl Leaf {
    /// Its answer where there is no value, or nothing that could have one.
    pub fn holds_for_nothing(&self) -> bool {
        match self.base {
            Base::Empty => !self.negated,
            _ => self.negated && self.match_empty,
        }
    }

    pub fn is_relative(&self) -> bool {
        match &self.base {
            Base::When(stretch) => stretch.is_relative(),
            Base::Anniversary(_) | Base::Changed(_) => true,
            _ => false,
        }
    }

    /// Whether it may matter where days and weeks begin; rather too often than not.
    pub fn is_of_days(&self) -> bool {
        matches!(
            &self.base,
            Base::When(_) | Base::Anniversary(_) | Base::Changed(_) | Base::Field { how: FieldHow::SameDay, .. }
        )
    }
}

/// What is asked of a value.
#[derive(Debug, Clone)]
pub enum Base {
    Empty,
    /// In NFC; of phone numbers as `phones::normal` has them.
    Text {
        how: How,
        values: Vec<String>,
        cased: bool,
    },
    Domain(Vec<String>),
    Country(Country),
    Number(Numeric),
    Flag(bool),
    /// Words of a choice, as they are stored.
    Words(Vec<String>),
    Ids(Vec<Uuid>),
    Me,
    MyTeam,
    Inactive,
    Set {
        how: SetHow,
        values: Vec<String>,
        cased: bool,
    },
    When(Stretch),
    Anniversary(u32),
    Field {
        how: FieldHow,
        other: Place,
        cased: bool,
    },
    Changed(Span),
    /// The base is about the present value, and about those before.
    WasEver(Box<Base>),
    FromTo(Box<Base>, Box<Base>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// One of the values.
    Equals,
    Contains,
    Starts,
    Ends,
    Word,
    Matches,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Numeric {
    In(Vec<BigDecimal>),
    Above(BigDecimal),
    AtLeast(BigDecimal),
    Below(BigDecimal),
    AtMost(BigDecimal),
    /// Both included.
    Between(BigDecimal, BigDecimal),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SetHow {
    Any,
    All,
    Exactly,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldHow {
    Equal,
    Above,
    AtLeast,
    Below,
    AtMost,
    /// The same calendar day.
    SameDay,
}

/// Where a value stands: a field of the record, or of what it is linked to.
#[derive(Debug, Clone)]
pub struct Place {
    pub hops: Vec<&'static PathDef>,
    /// What the field belongs to.
    pub entity: Entity,
    pub name: String,
    pub asked: Asked,
    pub source: Source,
    /// Under which name changes of it stand in the history.
    pub history: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A column, or SQL with `{}` for the alias.
    Column(&'static str),
    Custom {
        id: Uuid,
        key: String,
        is_indexed: bool,
    },
}

/// Whose fields are asked: a record's, or those of a relation's other end.
#[derive(Debug, Clone, Copy)]
pub enum Root {
    Kind(RecordKind),
    Relation(&'static RelationDef),
}

impl Root {
    pub fn entity(self) -> Entity {
        match self {
            Self::Kind(kind) => Entity::Record(kind),
            Self::Relation(relation) => relation.to,
        }
    }

    pub fn fields(self) -> Vec<FieldDef> {
        match self {
            Self::Kind(kind) => fields_of(Entity::Record(kind)),
            Self::Relation(relation) => relation.fields(),
        }
    }
}

/// Most links in a row in the path to a field.
pub const MOST_LINKS: usize = 3;

/// Finds a field by its name, `custom.<key>`, or path.
pub fn place(root: Root, name: &str, known: &Known) -> Option<Place> {
    let (mut hops, mut entity, mut rest) = (Vec::new(), root.entity(), name);
    loop {
        if let Some(key) = rest.strip_prefix("custom.") {
            let field = known.find(entity.kind()?, key)?;
            let source = Source::Custom { id: field.id, key: field.key.clone(), is_indexed: field.is_indexed };
            let history = Some(rest.to_owned());
            return Some(Place { hops, entity, name: rest.to_owned(), asked: field.asked.clone(), source, history });
        }
        let Some((first, behind)) = rest.split_once('.') else { break };
        let path = paths_of(entity).find(|path| path.name == first)?;
        hops.push(path);
        if hops.len() > MOST_LINKS {
            return None;
        }
        (entity, rest) = (path.to, behind);
    }
    let fields = if hops.is_empty() { root.fields() } else { fields_of(entity) };
    let field = fields.into_iter().find(|field| field.name == rest)?;
    let history = field.history.then(|| field.sql.to_owned());
    let mut name = rest.to_owned();
    if let Some(through) = field.through {
        let path = paths_of(entity).find(|path| path.name == through)?;
        hops.push(path);
        entity = path.to;
        name = field.sql.to_owned();
    }
    Some(Place { hops, entity, name, asked: field.asked, source: Source::Column(field.sql), history })
}
