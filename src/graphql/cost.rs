//! What a document costs, told before any of it runs, from the schema alone: nobody can forget to
//! declare a field. It also keeps fragments that multiply away from the library, whose own checks
//! visit every spread anew.
//!
//! A field costs one and what is asked below it. One that makes a statement of its own costs
//! [`STATEMENT`], a count [`COUNT`], criteria [`CRITERIA`] and more by their size, a large value
//! [`LARGE`]; the rows of a page count as many times as the page may have.

use std::collections::HashMap;

use async_graphql::{
    Name, Positioned, Request, Value, Variables,
    parser::{
        parse_schema,
        types::{
            BaseType, ExecutableDocument, Field, FieldDefinition, OperationType, Selection, SelectionSet, TypeKind,
            TypeSystemDefinition, VariableDefinition,
        },
    },
};

use crate::{
    base::page::{DEFAULT_PAGE, MAX_PAGE},
    crm::{
        kinds,
        record::{FieldType, RecordKind},
    },
};

/// A field that asks the database for itself, whatever it is asked for.
const STATEMENT: usize = 20;
/// An exact count reads what a page would not.
const COUNT: usize = 100;
/// A field that may hold tens of kilobytes: a page of them, or one under many names, is large.
const LARGE: usize = 8;
/// A statement of criteria, and so many values within them for one more.
const CRITERIA: usize = 100;
const CRITERIA_VALUES: usize = 10;
/// The argument that criteria come in.
const WITH_CRITERIA: &str = "where";
/// Hashing a password takes 19 MiB and a good part of a second of a processor.
const HASHING: usize = 1_000;
const HASHES: [&str; 6] = ["signIn", "register", "acceptInvitation", "resetPassword", "changePassword", "createUser"];
/// What a list without a page counts as: those are short.
const LIST_ROWS: usize = 10;
/// Those that may be longer, by their type and name.
const LONG_LISTS: [(&str, &str, usize); 11] = [
    ("Team", "members", 100),
    ("User", "teams", 20),
    ("Deal", "lineItems", 30),
    ("Pipeline", "stages", 20),
    ("Query", "duplicates", 50),
    ("Query", "merges", 50),
    ("DuplicateGroup", "records", 50),
    ("Query", "criteriaFields", 150),
    // no kind has more relations, and few relations that many fields
    ("Query", "criteriaRelations", 5),
    ("CriteriaRelation", "fields", 30),
    ("CriteriaField", "operators", 15),
];
/// The types besides the roots whose every field asks the database for itself.
const ASKING: [&str; 1] = ["Viewer"];
const PAGED: [&str; 2] = ["nodes", "edges"];

/// Lists of introspection within lists: what the usual tools ask for has three levels, and each
/// further one multiplies the answer by the size of the schema.
const USUAL_LEVELS: u32 = 3;
const INTROSPECTED: [&str; 8] =
    ["types", "directives", "fields", "args", "inputFields", "interfaces", "possibleTypes", "enumValues"];

/// The costs of a schema's fields.
#[derive(Debug)]
pub struct Costs {
    types: HashMap<String, Type>,
    query: String,
    mutation: Option<String>,
    subscription: Option<String>,
}

#[derive(Debug, Default)]
struct Type {
    /// Its `nodes` and `edges` are as many as the page has rows.
    is_page: bool,
    fields: HashMap<String, Priced>,
}

#[derive(Debug)]
struct Priced {
    own: usize,
    /// The name of its type.
    of: String,
    shape: Shape,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    One,
    /// Of so many rows.
    List(usize),
    Page,
}

/// What selections cost, and what of it each row of a page costs again.
#[derive(Debug, Clone, Copy, Default)]
struct Cost {
    once: usize,
    per_row: usize,
}

impl Costs {
    /// From a schema as its own language writes it. One that cannot be read prices every field at
    /// one.
    pub fn of_schema(sdl: &str) -> Self {
        let mut costs = Self { types: HashMap::new(), query: "Query".to_owned(), mutation: None, subscription: None };
        let definitions = parse_schema(sdl).map(|document| document.definitions).unwrap_or_default();
        for definition in &definitions {
            if let TypeSystemDefinition::Schema(schema) = definition {
                let name = |name: &Option<Positioned<Name>>| name.as_ref().map(|name| name.node.to_string());
                costs.query = name(&schema.node.query).unwrap_or(costs.query);
                costs.mutation = name(&schema.node.mutation);
                costs.subscription = name(&schema.node.subscription);
            }
        }
        for definition in definitions {
            let TypeSystemDefinition::Type(definition) = definition else { continue };
            let name = definition.node.name.node.to_string();
            let fields = match definition.node.kind {
                TypeKind::Object(object) => object.fields,
                TypeKind::Interface(interface) => interface.fields,
                _ => continue,
            };
            let asks = costs.is_root(&name) || ASKING.contains(&name.as_str());
            let is_page = is_page(&name);
            let is_mutation = costs.mutation.as_ref() == Some(&name);
            let fields =
                fields.into_iter().map(|field| priced(&name, &field.node, asks, is_mutation, is_page)).collect();
            costs.types.insert(name, Type { is_page, fields });
        }
        costs
    }

    /// What executing the request costs; where that is more than `most`, something above it. A
    /// broken document costs nothing here: it is refused when it is executed.
    pub fn of(&self, request: &mut Request, most: usize) -> usize {
        let variables = std::mem::take(&mut request.variables);
        let cost = request.parsed_query().map_or(0, |document| self.of_document(document, &variables, most));
        request.variables = variables;
        cost
    }

    /// All operations together: the library looks at each, whichever is meant.
    fn of_document(&self, document: &ExecutableDocument, variables: &Variables, most: usize) -> usize {
        let mut total = 0_usize;
        for (_, operation) in document.operations.iter() {
            let root = match operation.node.ty {
                OperationType::Query => Some(&self.query),
                OperationType::Mutation => self.mutation.as_ref(),
                OperationType::Subscription => self.subscription.as_ref(),
            };
            let parent = root.and_then(|root| self.types.get(root)).map_or(Parent::Unknown, Parent::Known);
            let declared = operation.node.variable_definitions.as_slice();
            let (fragments, sizes) = (HashMap::new(), HashMap::new());
            let mut walk = Walk { costs: self, document, variables, declared, fragments, sizes };
            let cost = walk.selections(&operation.node.selection_set.node, parent);
            total = total.saturating_add(cost.once).saturating_add(cost.per_row);
            if total > most {
                break;
            }
        }
        total
    }

    fn is_root(&self, name: &str) -> bool {
        [Some(&self.query), self.mutation.as_ref(), self.subscription.as_ref()].contains(&Some(&name.to_owned()))
    }
}

fn is_page(type_name: &str) -> bool {
    type_name.ends_with("Connection")
}

/// The names of fields that hold long texts: of records, and of their notes.
fn large_texts() -> impl Iterator<Item = &'static str> {
    let fields = RecordKind::ALL.iter().flat_map(|kind| kinds::fields_of(*kind));
    let of_records = fields.filter(|field| matches!(field.field_type, FieldType::LongText)).map(|field| field.name);
    of_records.chain(["body"])
}

fn list_rows(owner: &str, field: &str) -> usize {
    let long = LONG_LISTS.iter().find(|(of, name, _)| (*of, *name) == (owner, field));
    long.map_or(LIST_ROWS, |(.., rows)| *rows)
}

fn priced(owner: &str, field: &FieldDefinition, asks: bool, is_mutation: bool, in_page: bool) -> (String, Priced) {
    let mut base = &field.ty.node.base;
    let mut is_list = false;
    while let BaseType::List(of) = base {
        (base, is_list) = (&of.base, true);
    }
    let of = match base {
        BaseType::Named(name) => name.to_string(),
        BaseType::List(_) => String::new(),
    };
    let name = field.name.node.to_string();
    let shape = match (is_page(&of), is_list) {
        (true, _) => Shape::Page,
        (false, true) if !(in_page && PAGED.contains(&name.as_str())) => Shape::List(list_rows(owner, &name)),
        _ => Shape::One,
    };
    let own = match shape {
        _ if in_page && name == "totalCount" => COUNT,
        Shape::Page => STATEMENT,
        _ if is_mutation && HASHES.contains(&name.as_str()) => HASHING,
        _ if asks => STATEMENT,
        _ if of == "JSON" || large_texts().any(|text| text == name) => LARGE,
        _ => 1,
    };
    (name, Priced { own, of, shape })
}

/// Where selections stand.
#[derive(Clone, Copy)]
enum Parent<'a> {
    Known(&'a Type),
    /// Within introspection, in so many lists.
    Introspection(u32),
    /// Nowhere in this schema: the document will be refused.
    Unknown,
}

/// A look at one operation.
struct Walk<'a> {
    costs: &'a Costs,
    document: &'a ExecutableDocument,
    variables: &'a Variables,
    declared: &'a [Positioned<VariableDefinition>],
    /// Each is looked at once, however often it is spread; by its name and the lists around it.
    fragments: HashMap<(&'a str, u32), Cost>,
    /// How many values are within a variable: looked at once, however often it is passed.
    sizes: HashMap<Name, usize>,
}

impl<'a> Walk<'a> {
    fn selections(&mut self, selections: &'a SelectionSet, parent: Parent<'a>) -> Cost {
        let mut total = Cost::default();
        for selection in &selections.items {
            let cost = match &selection.node {
                Selection::Field(field) => self.field(&field.node, parent),
                Selection::InlineFragment(inline) => {
                    let condition = inline.node.type_condition.as_ref().map(|condition| &condition.node.on.node);
                    let cost = self.selections(&inline.node.selection_set.node, self.narrowed(parent, condition));
                    cost.and(1)
                }
                Selection::FragmentSpread(spread) => self.fragment(&spread.node.fragment_name.node, parent).and(1),
            };
            total.once = total.once.saturating_add(cost.once);
            total.per_row = total.per_row.saturating_add(cost.per_row);
        }
        total
    }

    fn fragment(&mut self, name: &'a Name, parent: Parent<'a>) -> Cost {
        let level = if let Parent::Introspection(level) = parent { level } else { 0 };
        let key = (name.as_str(), level);
        if let Some(known) = self.fragments.get(&key) {
            return *known;
        }
        let Some(fragment) = self.document.fragments.get(name) else { return Cost::default() };
        // what spreads itself costs nothing, and is refused later
        self.fragments.insert(key, Cost::default());
        let condition = Some(&fragment.node.type_condition.node.on.node);
        let cost = self.selections(&fragment.node.selection_set.node, self.narrowed(parent, condition));
        self.fragments.insert(key, cost);
        cost
    }

    fn field(&mut self, field: &'a Field, parent: Parent<'a>) -> Cost {
        let name = field.name.node.as_str();
        let below = &field.selection_set.node;
        if name.starts_with("__") && name != "__typename" {
            let cost = self.selections(below, Parent::Introspection(0));
            return Cost { once: cost.once.saturating_add(1), per_row: 0 };
        }
        match parent {
            Parent::Known(parent) => match parent.fields.get(name) {
                Some(priced) => self.priced(field, priced, parent.is_page && PAGED.contains(&name)),
                None => self.selections(below, Parent::Unknown).and(1),
            },
            Parent::Introspection(level) => {
                let is_list = INTROSPECTED.contains(&name);
                let level = level + u32::from(is_list);
                let rows = match is_list {
                    false => 1,
                    true if level > USUAL_LEVELS => 30,
                    true if name == "types" => 10,
                    true => 3,
                };
                let each = self.selections(below, Parent::Introspection(level)).once;
                Cost { once: each.saturating_mul(rows).saturating_add(1), per_row: 0 }
            }
            Parent::Unknown => self.selections(below, Parent::Unknown).and(1),
        }
    }

    fn priced(&mut self, field: &'a Field, priced: &'a Priced, is_row: bool) -> Cost {
        let parent = self.costs.types.get(&priced.of).map_or(Parent::Unknown, Parent::Known);
        let below = self.selections(&field.selection_set.node, parent);
        let rows = match priced.shape {
            Shape::One => 1,
            Shape::List(rows) => rows,
            Shape::Page => self.rows(field),
        };
        let all = match priced.shape {
            Shape::Page => below.once.saturating_add(below.per_row.saturating_mul(rows)),
            _ => below.once.saturating_add(below.per_row).saturating_mul(rows),
        };
        let all = all.saturating_add(priced.own).saturating_add(self.criteria(field));
        if is_row { Cost { once: 0, per_row: all } } else { Cost { once: all, per_row: 0 } }
    }

    /// What the criteria of a field cost: the more there is within them, the more.
    fn criteria(&mut self, field: &Field) -> usize {
        let Some(written) = field.get_argument(WITH_CRITERIA) else { return 0 };
        let mut passed = Vec::new();
        let written = written.node.clone().into_const_with(|name| {
            passed.push(name);
            Ok::<_, ()>(Value::Null)
        });
        let written = written.as_ref().map_or(0, size_of);
        let size = passed.into_iter().fold(written, |size, name| size.saturating_add(self.size(name)));
        if size == 0 { 0 } else { CRITERIA.saturating_add(size / CRITERIA_VALUES) }
    }

    /// How many values are within a variable.
    fn size(&mut self, name: Name) -> usize {
        if let Some(known) = self.sizes.get(&name) {
            return *known;
        }
        let declared = self.declared.iter().find(|declared| declared.node.name.node == name);
        let default = declared.and_then(|declared| declared.node.default_value());
        let size = self.variables.get(&name).or(default).map_or(0, size_of);
        self.sizes.insert(name, size);
        size
    }

    /// The most rows that a page may have; an empty page is looked for, too.
    fn rows(&self, field: &Field) -> usize {
        let asked = ["first", "last"].into_iter().filter_map(|name| self.number(field, name)).max();
        asked.unwrap_or(DEFAULT_PAGE).clamp(1, MAX_PAGE)
    }

    fn number(&self, field: &Field, argument: &str) -> Option<usize> {
        let written = field.get_argument(argument)?.node.clone();
        let value = written.into_const_with(|name| {
            let default = || {
                let declared = self.declared.iter().find(|declared| declared.node.name.node == name)?;
                declared.node.default_value().cloned()
            };
            Ok::<_, ()>(self.variables.get(&name).cloned().or_else(default).unwrap_or_default())
        });
        match value {
            Ok(Value::Number(number)) => Some(number.as_u64().and_then(|number| number.try_into().ok()).unwrap_or(0)),
            _ => None,
        }
    }

    fn narrowed(&self, parent: Parent<'a>, condition: Option<&Name>) -> Parent<'a> {
        condition.and_then(|name| self.costs.types.get(name.as_str())).map_or(parent, Parent::Known)
    }
}

fn size_of(value: &Value) -> usize {
    match value {
        Value::List(items) => items.iter().map(|item| size_of(item) + 1).sum(),
        Value::Object(entries) => entries.values().map(|entry| size_of(entry) + 1).sum(),
        _ => 0,
    }
}

impl Cost {
    fn and(self, more: usize) -> Self {
        Self { once: self.once.saturating_add(more), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCHEMA: &str = "schema { query: Query } \
        type Query { one: Thing team: Team things(first: Int, last: Int): ThingConnection! node: Node viewer: Viewer } \
        interface Node { things(first: Int): ThingConnection! } \
        type Viewer { me: Thing } \
        type Team { members: [Thing!]! } \
        type Thing implements Node { name: String tags: [String!]! parts: [Thing!]! things(first: Int): ThingConnection! } \
        type ThingConnection { nodes: [Thing!]! edges: [ThingEdge!]! totalCount: Int! } \
        type ThingEdge { cursor: String! node: Thing! }";

    fn cost_with(query: &str, variables: &str) -> usize {
        let variables = Variables::from_json(serde_json::from_str(variables).expect("JSON"));
        Costs::of_schema(SCHEMA).of(&mut Request::new(query).variables(variables), usize::MAX)
    }

    fn cost(query: &str) -> usize {
        cost_with(query, "{}")
    }

    #[test]
    fn criteria_cost_by_what_is_within_them() {
        let plain = cost("{ things(first: 1) { nodes { name } } }");
        assert_eq!(cost("{ things(first: 1, where: { all: [] }) { nodes { name } } }"), plain + CRITERIA);
        let wide = format!(r#"{{"w":{{"all":[{}{{}}]}}}}"#, "{},".repeat(999));
        let query = "query($w: W) { a: things(first: 1, where: $w) { nodes { name } } b: things(first: 1, where: $w) { nodes { name } } }";
        assert_eq!(cost_with(query, &wide), 2 * (plain + CRITERIA + 1_001 / CRITERIA_VALUES));
    }

    #[test]
    fn rows_count_as_often_as_the_page_may_have_them() {
        assert_eq!(cost("{ one { name tags } }"), STATEMENT + 2);
        assert_eq!(cost("{ things(first: 7) { nodes { name } } }"), STATEMENT + 7 * 2);
        assert_eq!(cost("{ things(last: 7) { edges { cursor node { name } } } }"), STATEMENT + 7 * 4);
        assert_eq!(cost("{ things { nodes { name } } }"), STATEMENT + DEFAULT_PAGE * 2);
        assert_eq!(cost("{ things(first: 9999) { nodes { name } } }"), STATEMENT + MAX_PAGE * 2);
        let variable = "query($rows: Int = 9) { things(first: $rows) { nodes { name } } }";
        assert_eq!(cost_with(variable, r#"{"rows":3}"#), STATEMENT + 3 * 2);
        assert_eq!(cost(variable), STATEMENT + 9 * 2);
        assert_eq!(cost("{ one { parts { name } } }"), STATEMENT + 1 + LIST_ROWS);
        assert_eq!(cost("{ team { members { name } } }"), STATEMENT + 1 + 100);
    }

    #[test]
    fn an_empty_page_and_its_count_are_not_free() {
        assert_eq!(cost("{ things(first: 0) { totalCount } }"), STATEMENT + COUNT);
        assert_eq!(cost("{ things(first: 0) { nodes { name } } }"), STATEMENT + 2);
        assert_eq!(cost("{ things(first: 500) { totalCount } }"), STATEMENT + COUNT, "it is counted once");
        assert_eq!(cost("{ viewer { me { name } } }"), 2 * STATEMENT + 1);
    }

    #[test]
    fn pages_within_pages_multiply_whatever_they_stand_on() {
        let inner = STATEMENT + 4 * 2;
        let nested = "things(first: 4) { nodes { name } }";
        assert_eq!(cost(&format!("{{ things(first: 5) {{ nodes {{ {nested} }} }} }}")), STATEMENT + 5 * (1 + inner));
        assert_eq!(cost(&format!("{{ node {{ {nested} }} }}")), STATEMENT + inner, "on an interface");
        let spread =
            format!("{{ things(first: 5) {{ ...Page }} }} fragment Page on ThingConnection {{ nodes {{ {nested} }} }}");
        assert_eq!(cost(&spread), STATEMENT + 1 + 5 * (1 + inner), "in a fragment");
        let inline = format!("{{ node {{ ... on Thing {{ {nested} }} }} }}");
        assert_eq!(cost(&inline), STATEMENT + 1 + inner);
    }

    #[test]
    fn fragments_that_multiply_are_looked_at_once_each() {
        let mut bomb = "{ one { ...F0 } } fragment F99 on Thing { name }".to_owned();
        for at in 0..99 {
            bomb.push_str(&format!(" fragment F{at} on Thing {{ ...F{0} ...F{0} }}", at + 1));
        }
        assert_eq!(cost(&bomb), usize::MAX);
        assert!(cost("{ one { ...A } } fragment A on Thing { ...A name }") < 100, "a circle ends");
    }

    #[test]
    fn introspection_of_introspection_is_dear() {
        let deep = |levels: usize| {
            let fields = format!("{}name{}", "fields { type { ".repeat(levels), "} } ".repeat(levels));
            cost(&format!("{{ __schema {{ types {{ {fields} }} }} }}"))
        };
        assert!(deep(2) < 1_000, "{}", deep(2));
        assert!(deep(5) > 1_000_000, "{}", deep(5));
    }

    #[test]
    fn every_operation_counts_and_a_broken_document_does_not() {
        let both = cost("query A { one { name } } query B { one { name } }");
        assert_eq!(both, 2 * (STATEMENT + 1));
        assert_eq!(cost("{ one {"), 0);
    }
}
