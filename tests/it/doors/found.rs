//! The doors that there are: fields from the schema, routes from their documents.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

pub const INTROSPECTION: &str = "{ __schema { queryType { name } mutationType { name } subscriptionType { name }
    types { name kind fields(includeDeprecated: true) { name
        type { name kind ofType { name kind ofType { name kind ofType { name kind } } } } } } } }";

/// Types that only wrap what a field answers: a payload, or the parts of a list.
const WRAPPERS: [&str; 4] = ["Payload", "Connection", "Edge", "PageInfo"];

/// The fields that need a line: those of the three roots; of every other type those that lead to
/// another object, for they may need a right of their own; and the counts of lists, for they are
/// operations of their own.
pub fn fields(schema: &Value) -> BTreeSet<String> {
    let roots = roots(schema);
    let mut found = BTreeSet::new();
    for (owner, field, kind) in all(schema) {
        let wraps = WRAPPERS.iter().any(|wrapper| owner.ends_with(wrapper));
        let leads_on = !wraps && matches!(kind, "OBJECT" | "INTERFACE" | "UNION");
        match roots.get(owner) {
            Some(root) => found.insert(format!("{root}.{field}")),
            None if leads_on || field == "totalCount" => found.insert(format!("{owner}.{field}")),
            None => false,
        };
    }
    found
}

/// All fields of all objects, for lines about those that need none.
pub fn known(schema: &Value) -> BTreeSet<String> {
    all(schema).map(|(owner, field, _)| format!("{owner}.{field}")).collect()
}

/// The names of the root types, to what we call them.
fn roots(schema: &Value) -> BTreeMap<&str, &'static str> {
    let schema = &schema["__schema"];
    let roots = [("queryType", "Query"), ("mutationType", "Mutation"), ("subscriptionType", "Subscription")];
    roots.into_iter().filter_map(|(which, ours)| Some((schema[which]["name"].as_str()?, ours))).collect()
}

/// Type, field, and the kind of the field's type without its lists.
fn all(schema: &Value) -> impl Iterator<Item = (&str, &str, &str)> {
    let types = schema["__schema"]["types"].as_array().expect("types").iter();
    let types = types.filter(|one| !one["name"].as_str().is_some_and(|name| name.starts_with("__")));
    types.flat_map(|one| {
        one["fields"].as_array().into_iter().flatten().map(move |field| {
            let mut of = &field["type"];
            while of["ofType"].is_object() {
                of = &of["ofType"];
            }
            let [owner, name, kind] = [&one["name"], &field["name"], &of["kind"]].map(|text| text.as_str());
            (owner.expect("a name"), name.expect("a name"), kind.expect("a kind"))
        })
    })
}

/// `METHOD /path/{}` of every operation in an OpenAPI document.
pub fn routes(document: &Value) -> BTreeSet<String> {
    let paths = document["paths"].as_object().expect("paths");
    let methods = ["get", "put", "post", "delete", "options", "head", "patch", "trace"];
    let of_path = |(path, item): (&String, &Value)| {
        let item = item.as_object().expect("an item");
        let operations = item.keys().filter(|key| methods.contains(&key.as_str()));
        operations.map(|method| format!("{} {}", method.to_uppercase(), plain(path))).collect::<Vec<_>>()
    };
    paths.iter().flat_map(of_path).collect()
}

/// A path without the names of its parameters, which are written `{name}` or, in the table, `$name`.
pub fn plain(path: &str) -> String {
    let part = |part: &str| if part.starts_with(['{', '$']) { "{}".to_owned() } else { part.to_owned() };
    path.split('/').map(part).collect::<Vec<_>>().join("/")
}
