//! The tree as it is written: what clients send, what is stored, what comes back. Nothing here knows
//! fields; `check` turns a tree into one that can be asked.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};
use uuid::Uuid;

use crate::base::FieldErrors;

/// How deep nodes may stand in one another; the outermost is the first.
pub const DEEPEST: usize = 8;
/// Most comparisons, relations and lists in a tree.
pub const MOST_LEAVES: usize = 250;
/// Most values of one `IN`.
pub const MOST_VALUES: usize = 1_000;
/// Largest tree, in bytes of JSON.
pub const LARGEST: usize = 64 * 1024;

/// One node. In JSON an object with exactly one key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Node {
    /// Every one holds; without any: true.
    All(Vec<Node>),
    /// At least one holds; without any: false.
    Any(Vec<Node>),
    Not(Box<Node>),
    Compare(Comparison),
    Related(RelatedNode),
    /// A member of this list.
    InList(Uuid),
}

/// A field, compared.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Comparison {
    /// A name, `custom.<key>`, or a path such as `account.industry`.
    pub field: String,
    pub op: Operator,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Json>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub values: Option<Vec<Json>>,
    /// Another field in the value's place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field2: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<TimeUnit>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub case_sensitive: Option<bool>,
    /// Whether a negation holds for an empty field; it does unless this says no.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub match_empty: Option<bool>,
}

impl Comparison {
    pub fn new(field: impl Into<String>, op: Operator) -> Self {
        Self {
            field: field.into(),
            op,
            value: None,
            values: None,
            field2: None,
            unit: None,
            case_sensitive: None,
            match_empty: None,
        }
    }
}

/// Related records: how many of them satisfy all of `where`, each by itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RelatedNode {
    pub relation: Relation,
    #[serde(default)]
    pub quantifier: Quantifier,
    /// Of `AT_LEAST`, `AT_MOST` and `EXACTLY`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<i64>,
    #[serde(default, rename = "where", skip_serializing_if = "Option::is_none")]
    pub condition: Option<Box<Node>>,
}

macro_rules! words {
    ($(#[$doc:meta])* $name:ident as $graphql:literal { $($(#[$item_doc:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, async_graphql::Enum)]
        #[graphql(name = $graphql)]
        pub enum $name {
            $($(#[$item_doc])* #[serde(rename = $word)] #[graphql(name = $word)] $variant,)+
        }

        impl $name {
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// As on the wire.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }
        }
    };
}

words! {
    /// How a field is compared. Which operators a field has depends on its type.
    Operator as "CriteriaOperator" {
        /// Nothing stands in the field.
        IsEmpty = "IS_EMPTY",
        IsNotEmpty = "IS_NOT_EMPTY",
        Eq = "EQ",
        Ne = "NE",
        /// One of `values`.
        In = "IN",
        NotIn = "NOT_IN",
        Contains = "CONTAINS",
        NotContains = "NOT_CONTAINS",
        StartsWith = "STARTS_WITH",
        NotStartsWith = "NOT_STARTS_WITH",
        EndsWith = "ENDS_WITH",
        NotEndsWith = "NOT_ENDS_WITH",
        /// The words of the value stand in the text as whole words, in a row.
        ContainsWord = "CONTAINS_WORD",
        /// A pattern: `%` for any characters, `_` for one; behind a backslash either stands for itself.
        Matches = "MATCHES",
        /// The domain of an e-mail address, or the host of a URL without `www.`.
        DomainIs = "DOMAIN_IS",
        DomainIn = "DOMAIN_IN",
        /// The country (two letters) whose calling code a phone number begins with.
        CountryIs = "COUNTRY_IS",
        Gt = "GT",
        Gte = "GTE",
        Lt = "LT",
        Lte = "LTE",
        /// From the first of `values` to the second, both included.
        Between = "BETWEEN",
        NotBetween = "NOT_BETWEEN",
        IsTrue = "IS_TRUE",
        IsFalse = "IS_FALSE",
        /// The person who asks.
        IsMe = "IS_ME",
        /// Somebody who shares a team with the person who asks.
        InMyTeam = "IN_MY_TEAM",
        /// Somebody who is no active member any more.
        IsInactive = "IS_INACTIVE",
        HasAny = "HAS_ANY",
        HasNone = "HAS_NONE",
        HasAll = "HAS_ALL",
        HasExactly = "HAS_EXACTLY",
        On = "ON",
        NotOn = "NOT_ON",
        Before = "BEFORE",
        After = "AFTER",
        OnOrBefore = "ON_OR_BEFORE",
        OnOrAfter = "ON_OR_AFTER",
        Today = "TODAY",
        Yesterday = "YESTERDAY",
        Tomorrow = "TOMORROW",
        InPast = "IN_PAST",
        InFuture = "IN_FUTURE",
        /// Within the last `value` units, up to now.
        InLast = "IN_LAST",
        /// Within the next `value` units, from now on.
        InNext = "IN_NEXT",
        NotInLast = "NOT_IN_LAST",
        MoreThanAgo = "MORE_THAN_AGO",
        LessThanAgo = "LESS_THAN_AGO",
        MoreThanAhead = "MORE_THAN_AHEAD",
        /// The present calendar `unit`.
        This = "THIS",
        Last = "LAST",
        Next = "NEXT",
        /// Its day, in whatever year, is today or one of the next `value` - 1 days.
        AnniversaryInNext = "ANNIVERSARY_IN_NEXT",
        /// The field was changed within the last `value` units.
        ChangedInLast = "CHANGED_IN_LAST",
        /// The field holds the value, or did so once.
        WasEver = "WAS_EVER",
        /// The field was changed from the first of `values` to the second; null is empty.
        ChangedFromTo = "CHANGED_FROM_TO",
    }
}

words! {
    /// A span of time, or a part of the calendar.
    TimeUnit as "TimeUnit" {
        Minute = "MINUTE",
        Hour = "HOUR",
        Day = "DAY",
        Week = "WEEK",
        Month = "MONTH",
        Quarter = "QUARTER",
        Year = "YEAR",
    }
}

words! {
    /// How many related records satisfy the condition.
    Quantifier as "Quantifier" {
        Any = "ANY",
        None = "NONE",
        /// All there are; also where there is none.
        All = "ALL",
        AtLeast = "AT_LEAST",
        AtMost = "AT_MOST",
        Exactly = "EXACTLY",
    }
}

#[expect(clippy::derivable_impls, reason = "the macro that makes the enum knows no default")]
impl Default for Quantifier {
    fn default() -> Self {
        Self::Any
    }
}

words! {
    /// What a record is related to. Which relations there are depends on the kind.
    Relation as "Relation" {
        Account = "ACCOUNT",
        Contact = "CONTACT",
        Contacts = "CONTACTS",
        Deals = "DEALS",
        Products = "PRODUCTS",
        Tasks = "TASKS",
        Lists = "LISTS",
        Conversations = "CONVERSATIONS",
        Messages = "MESSAGES",
    }
}

impl Node {
    /// The keys of nodes.
    pub const KEYS: &'static [&'static str] = &["all", "any", "not", "compare", "related", "inList"];

    /// Reads the JSON form. All that is wrong is told at once, by the path to it.
    pub fn read(json: &Json) -> Result<Self, FieldErrors> {
        let mut errors = FieldErrors::new();
        match read(json, &Path::root(), 1, &mut errors) {
            Some(node) if errors.is_empty() => Ok(node),
            _ if errors.is_empty() => Err(one("where", "is not a criteria tree")),
            _ => Err(errors),
        }
    }

    /// The lists that it names by `inList`, each with the path to it.
    pub fn named_lists(&self) -> Vec<(String, Uuid)> {
        let mut found = Vec::new();
        find_lists(self, &Path::root(), &mut found);
        found
    }

    /// What clients send and what is stored.
    pub fn to_json(&self) -> Json {
        // names and values only: nothing in it fails to be JSON
        serde_json::to_value(self).unwrap_or_default()
    }
}

/// Errors by their paths within what holds the tree: its field or argument has this name.
pub fn within(errors: &FieldErrors, field: &str) -> FieldErrors {
    let mut all = FieldErrors::new();
    for (path, message) in errors.iter() {
        // the language calls the whole of it so
        let path = if path == ROOT { field.to_owned() } else { format!("{field}.{path}") };
        all.add(path, message.to_owned());
    }
    all
}

pub(super) fn one(path: &str, message: impl Into<std::borrow::Cow<'static, str>>) -> FieldErrors {
    let mut errors = FieldErrors::new();
    errors.add(path.to_owned(), message);
    errors
}

/// What the whole of a tree is called in errors.
const ROOT: &str = "where";

/// Where a node stands, as `all[2].any[0].compare`.
#[derive(Debug, Clone, Default)]
pub(super) struct Path(String);

impl Path {
    pub fn root() -> Self {
        Self::default()
    }

    pub fn key(&self, key: &str) -> Self {
        Self(if self.0.is_empty() { key.to_owned() } else { format!("{}.{key}", self.0) })
    }

    pub fn item(&self, at: usize) -> Self {
        Self(format!("{}[{at}]", self.0))
    }

    /// The tree itself is called `where`.
    pub fn text(&self) -> String {
        if self.0.is_empty() { ROOT.to_owned() } else { self.0.clone() }
    }
}

fn find_lists(node: &Node, path: &Path, found: &mut Vec<(String, Uuid)>) {
    match node {
        Node::All(nodes) | Node::Any(nodes) => {
            let at = path.key(if matches!(node, Node::All(_)) { "all" } else { "any" });
            nodes.iter().enumerate().for_each(|(item, node)| find_lists(node, &at.item(item), found));
        }
        Node::Not(node) => find_lists(node, &path.key("not"), found),
        Node::Related(RelatedNode { condition: Some(node), .. }) => {
            find_lists(node, &path.key("related").key("where"), found);
        }
        Node::Compare(_) | Node::Related(_) => {}
        Node::InList(list) => found.push((path.key("inList").text(), *list)),
    }
}

fn read(json: &Json, path: &Path, depth: usize, errors: &mut FieldErrors) -> Option<Node> {
    const WANTED: &str = "must be an object with exactly one of all, any, not, compare, related, inList";
    if depth > DEEPEST {
        errors.add(path.text(), format!("is nested deeper than {DEEPEST}"));
        return None;
    }
    let entry = json.as_object().filter(|entries| entries.len() == 1).and_then(|entries| entries.iter().next());
    let Some((key, value)) = entry else {
        errors.add(path.text(), WANTED);
        return None;
    };
    let at = path.key(key);
    match key.as_str() {
        "all" => read_all(value, &at, depth, errors).map(Node::All),
        "any" => read_all(value, &at, depth, errors).map(Node::Any),
        "not" => read(value, &at, depth + 1, errors).map(|node| Node::Not(Box::new(node))),
        "compare" => read_plain(value, &at, errors).map(Node::Compare),
        "related" => read_related(value, &at, depth, errors).map(Node::Related),
        "inList" => match value.as_str().and_then(|text| Uuid::try_parse(text).ok()) {
            Some(id) => Some(Node::InList(id)),
            None => {
                errors.add(at.text(), "must be the id of a list");
                None
            }
        },
        _ => {
            errors.add(path.text(), WANTED);
            None
        }
    }
}

fn read_all(json: &Json, path: &Path, depth: usize, errors: &mut FieldErrors) -> Option<Vec<Node>> {
    let Some(items) = json.as_array() else {
        errors.add(path.text(), "must be a list of nodes");
        return None;
    };
    let nodes: Vec<_> =
        items.iter().enumerate().map(|(at, item)| read(item, &path.item(at), depth + 1, errors)).collect();
    nodes.into_iter().collect()
}

fn read_related(json: &Json, path: &Path, depth: usize, errors: &mut FieldErrors) -> Option<RelatedNode> {
    let mut entries: Map<String, Json> = json.as_object().cloned().unwrap_or_default();
    if !json.is_object() {
        errors.add(path.text(), "must be an object");
        return None;
    }
    // nulls stand for what is left out, as in GraphQL
    let condition = entries.remove("where").filter(|condition| !condition.is_null());
    let condition = match condition {
        Some(condition) => Some(Box::new(read(&condition, &path.key("where"), depth + 1, errors)?)),
        None => None,
    };
    entries.retain(|_, value| !value.is_null());
    let related: Option<RelatedNode> = read_plain(&Json::Object(entries), path, errors);
    related.map(|related| RelatedNode { condition, ..related })
}

fn read_plain<T: serde::de::DeserializeOwned>(json: &Json, path: &Path, errors: &mut FieldErrors) -> Option<T> {
    if !json.is_object() {
        errors.add(path.text(), "must be an object");
        return None;
    }
    match serde_path_to_error::deserialize(json) {
        Ok(read) => Some(read),
        Err(error) => {
            let inner = error.path().to_string();
            let at = if inner == "." { path.clone() } else { path.key(&inner) };
            errors.add(at.text(), format!("cannot be read: {}", error.inner()));
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_tree_is_read_and_written_as_on_the_wire() {
        let json = json!({ "all": [
            { "compare": { "field": "city", "op": "EQ", "value": "Berlin", "caseSensitive": true } },
            { "not": { "related": { "relation": "DEALS", "quantifier": "AT_LEAST", "count": 2,
                "where": { "compare": { "field": "amount", "op": "BETWEEN", "values": ["1", 2] } } } } },
            { "inList": "0195d3f0-0000-7000-8000-000000000000" },
            { "any": [] },
        ] });
        let node = Node::read(&json).expect("a tree");
        assert_eq!(node.to_json(), json);
        assert_eq!(serde_json::from_value::<Node>(json).expect("serde reads it too"), node);
    }

    #[test]
    fn all_that_is_wrong_is_told_by_its_path() {
        let errors = Node::read(&json!({ "all": [
            { "any": [{ "compare": { "field": "city", "op": "LOOKS_LIKE" } }] },
            { "compare": { "field": "city", "op": "EQ", "colour": 1 } },
            { "compare": {}, "not": {} },
            { "inList": "x" },
            { "related": { "relation": "DEALS", "where": { "maybe": [] } } },
        ] }))
        .expect_err("wrong");
        let paths: Vec<_> = errors.iter().map(|(path, _)| path).collect();
        assert_eq!(
            paths,
            ["all[0].any[0].compare.op", "all[1].compare.colour", "all[2]", "all[3].inList", "all[4].related.where"]
        );
    }

    #[test]
    fn nesting_has_its_limit() {
        let mut json = json!({ "all": [] });
        for _ in 1..DEEPEST {
            json = json!({ "not": json });
        }
        assert!(Node::read(&json).is_ok());
        assert!(Node::read(&json!({ "not": json })).is_err());
    }
}
