//! What the answer of a tree depends on, so that a change touches only what reads the changed.

use std::collections::BTreeSet;

use uuid::Uuid;

use super::{
    checked::{Base, Leaf, Place, Related, Tree},
    fields::{Entity, PathDef},
    relations::{Link, RelationDef},
};
use crate::crm::RecordKind;

/// One link on the way from the record.
#[derive(Debug, Clone, Copy)]
pub enum Step {
    Path(&'static PathDef),
    Relation(&'static RelationDef),
}

impl PartialEq for Step {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Path(one), Self::Path(two)) => std::ptr::eq(*one, *two),
            (Self::Relation(one), Self::Relation(two)) => std::ptr::eq(*one, *two),
            _ => false,
        }
    }
}

/// Something of one sort of things that is read, at the end of one way.
#[derive(Debug, Clone, PartialEq)]
pub struct Read {
    /// From the record; without a step: the record itself.
    pub route: Vec<Step>,
    /// Whose changes matter, by the name under which they are told: a kind, `user`, `stage`, `list_member`.
    pub source: &'static str,
    /// By their names; of `list_member` the ids of lists.
    pub fields: BTreeSet<String>,
    /// Whatever the field is.
    pub all_fields: bool,
    /// How the ids of the changed meet the end of the route.
    pub meets: Meets,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meets {
    /// They are the ids of what stands there.
    Ids,
    /// They stand in this user field's column; see [`Reads::users`].
    User,
    /// Not at all: whoever is at the end of the route may be concerned.
    Everybody,
}

/// What a change is about.
#[derive(Debug, Clone, Copy)]
pub struct Changed<'a> {
    /// As in [`Read::source`].
    pub source: &'a str,
    /// None for what is created, deleted or restored: all of it changes.
    pub fields: Option<&'a [String]>,
}

/// All that a tree reads.
#[derive(Debug, Clone, Default)]
pub struct Reads {
    pub reads: Vec<Read>,
    /// The user fields whose members' standing matters.
    pub users: Vec<(Vec<Step>, Place)>,
}

impl Reads {
    pub fn of(kind: RecordKind, tree: &Tree) -> Self {
        let mut reads = Self::default();
        // that there is such a record
        reads.note(&[], kind.as_str(), None);
        let mut visit = |route: &[Step], from: Entity, seen: Seen<'_>| match seen {
            Seen::Leaf(leaf) => reads.leaf(route, from, leaf),
            Seen::Related(related) => reads.relation(route, from, related),
            Seen::List(list) => {
                reads.note(route, "list_member", Some(list.to_string()));
            }
        };
        walk(tree, &mut Vec::new(), Entity::Record(kind), &mut visit);
        reads
    }

    /// Whether the change matters to any record.
    pub fn meets(&self, changed: &Changed<'_>) -> bool {
        self.reads.iter().any(|read| read.meets(changed))
    }

    /// Whether this field, of records of this kind, is asked.
    pub fn names(&self, kind: RecordKind, field: &str) -> bool {
        self.reads.iter().any(|read| read.source == kind.as_str() && read.fields.contains(field))
    }

    fn note(&mut self, route: &[Step], source: &'static str, field: Option<String>) -> &mut Read {
        let known = |read: &Read| read.source == source && read.route == route && read.meets == Meets::Ids;
        let at = self.reads.iter().position(known).unwrap_or_else(|| {
            self.reads.push(Read {
                route: route.to_vec(),
                source,
                fields: BTreeSet::new(),
                all_fields: false,
                meets: Meets::Ids,
            });
            self.reads.len() - 1
        });
        let read = &mut self.reads[at];
        read.fields.extend(field);
        read
    }

    fn leaf(&mut self, route: &[Step], from: Entity, leaf: &Leaf) {
        self.place(route, from, &leaf.place);
        match &leaf.base {
            Base::Field { other, .. } => self.place(route, from, other),
            Base::MyTeam => self.special(route, "team", Meets::Everybody),
            Base::Inactive => {
                self.special(route, "user", Meets::User);
                let mut route = route.to_vec();
                route.extend(leaf.place.hops.iter().map(|hop| Step::Path(hop)));
                self.users.push((route, Place { hops: Vec::new(), ..leaf.place.clone() }));
            }
            _ => {}
        }
    }

    fn special(&mut self, route: &[Step], source: &'static str, meets: Meets) {
        let read = Read { route: route.to_vec(), source, fields: BTreeSet::new(), all_fields: true, meets };
        if !self.reads.contains(&read) {
            self.reads.push(read);
        }
    }

    fn place(&mut self, route: &[Step], from: Entity, place: &Place) {
        let (mut route, mut entity) = (route.to_vec(), from);
        for hop in &place.hops {
            self.note(&route, entity.name(), Some(hop.link.to_owned()));
            route.push(Step::Path(hop));
            entity = hop.to;
        }
        let read = self.note(&route, entity.name(), Some(place.name.clone()));
        if place.name == "stageEnteredAt" {
            // told as what moves it
            read.fields.insert("stageId".to_owned());
        }
    }

    fn relation(&mut self, route: &[Step], from: Entity, related: &Related) {
        let relation = related.relation;
        let mut behind = route.to_vec();
        behind.push(Step::Relation(relation));
        match relation.link {
            Link::Own(field) => {
                self.note(route, from.name(), Some(field.to_owned()));
                self.note(&behind, relation.to.name(), None);
            }
            Link::Theirs { field, .. } => {
                self.note(&behind, relation.to.name(), Some(field.to_owned()));
            }
            Link::Between { told_of, field } => {
                let read = self.note(route, told_of, Some(field.to_owned()));
                read.all_fields |= told_of == "list_member";
                self.note(&behind, relation.to.name(), None);
            }
        }
    }
}

impl Read {
    pub fn meets(&self, changed: &Changed<'_>) -> bool {
        self.source == changed.source
            && (self.all_fields
                // any update moves it, and none names it
                || self.fields.contains("updatedAt")
                || changed.fields.is_none_or(|fields| fields.iter().any(|field| self.fields.contains(field))))
    }
}

/// What [`walk`] comes by.
pub enum Seen<'t> {
    Leaf(&'t Leaf),
    Related(&'t Related),
    List(Uuid),
}

/// Goes through a tree, with the way from the record to where each part asks, and what stands there.
pub fn walk<'t>(
    tree: &'t Tree,
    route: &mut Vec<Step>,
    entity: Entity,
    visit: &mut dyn FnMut(&[Step], Entity, Seen<'t>),
) {
    match tree {
        Tree::All(nodes) | Tree::Any(nodes) => nodes.iter().for_each(|node| walk(node, route, entity, visit)),
        Tree::Not(node) => walk(node, route, entity, visit),
        Tree::Leaf(leaf) => visit(route, entity, Seen::Leaf(leaf)),
        Tree::InList(list) => visit(route, entity, Seen::List(*list)),
        Tree::Related(related) => {
            visit(route, entity, Seen::Related(related));
            if let Some(condition) = &related.condition {
                route.push(Step::Relation(related.relation));
                walk(condition, route, related.relation.to, visit);
                route.pop();
            }
        }
    }
}
