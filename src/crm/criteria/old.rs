//! REST's old form, `{field: {operator, value}}`, of which all must hold: read into a tree, and printed
//! again where the tree says no more than it can.

use std::collections::HashSet;

use serde_json::{Map, Value as Json, json};

use super::{
    fields::{name_of_rest, rest_name},
    tree::{Comparison, Node, Operator, Path},
};
use crate::{base::FieldErrors, crm::RecordKind};

/// The old words; of the first four text compares with its case.
const OPERATORS: &[(&str, Operator)] = &[
    ("equals", Operator::Eq),
    ("not_equals", Operator::Ne),
    ("in", Operator::In),
    ("not_in", Operator::NotIn),
    ("contains", Operator::Contains),
    ("not_contains", Operator::NotContains),
    ("starts_with", Operator::StartsWith),
    ("ends_with", Operator::EndsWith),
    ("is_empty", Operator::IsEmpty),
    ("is_not_empty", Operator::IsNotEmpty),
    ("greater_than", Operator::Gt),
    ("less_than", Operator::Lt),
    ("after", Operator::After),
    ("before", Operator::Before),
];

fn keeps_case(op: Operator) -> bool {
    matches!(op, Operator::Eq | Operator::Ne | Operator::In | Operator::NotIn)
}

/// Whether this is the old form: it is the new one if its single key is a node's, with a fitting value.
pub fn is_old(json: &Json) -> bool {
    let Some(entries) = json.as_object() else { return false };
    let conditions = entries.values().all(|value| value.get("operator").is_some());
    let new = match entries.iter().next() {
        Some((key, value)) if entries.len() == 1 => match key.as_str() {
            "all" | "any" => value.is_array(),
            "not" | "compare" | "related" => value.is_object() && !conditions,
            "inList" => value.is_string(),
            _ => false,
        },
        _ => false,
    };
    // what mixes both is told what is wrong with it as a tree
    !new && (conditions || !entries.keys().any(|key| Node::KEYS.contains(&key.as_str())))
}

/// Reads it; an empty object matches everything.
pub fn read(json: &Json) -> Result<Node, FieldErrors> {
    let (mut nodes, mut errors) = (Vec::new(), FieldErrors::new());
    for (field, condition) in json.as_object().into_iter().flatten() {
        match comparison(field, condition) {
            Ok(comparison) => nodes.push(Node::Compare(comparison)),
            Err((key, message)) => errors.add(Path::root().key(field).key(key).text(), message),
        }
    }
    if errors.is_empty() { Ok(Node::All(nodes)) } else { Err(errors) }
}

fn comparison(field: &str, condition: &Json) -> Result<Comparison, (&'static str, String)> {
    let word = condition.get("operator").and_then(Json::as_str);
    let Some((_, op)) = OPERATORS.iter().find(|(known, _)| Some(*known) == word) else {
        let known: Vec<_> = OPERATORS.iter().map(|(word, _)| *word).collect();
        return Err(("operator", format!("must be one of {}", known.join(", "))));
    };
    if let Some(key) = condition
        .as_object()
        .into_iter()
        .flatten()
        .map(|(key, _)| key)
        .find(|key| *key != "operator" && *key != "value")
    {
        return Err(("operator", format!("goes with value alone, not with {key}")));
    }
    let value = condition.get("value").filter(|value| !value.is_null() && **value != json!(""));
    let op = match (op, value) {
        // equal to nothing
        (Operator::Eq, None) => Operator::IsEmpty,
        (Operator::Ne, None) => Operator::IsNotEmpty,
        (op, _) => *op,
    };
    let mut comparison = Comparison::new(name_of_rest(field), op);
    if keeps_case(op) {
        comparison.case_sensitive = Some(true);
    }
    match (op, value) {
        (Operator::IsEmpty | Operator::IsNotEmpty, _) => {}
        (Operator::In | Operator::NotIn, Some(Json::Array(values))) => comparison.values = Some(values.clone()),
        (Operator::In | Operator::NotIn, _) => return Err(("value", "must be a list".to_owned())),
        (_, None) => return Err(("value", "is needed".to_owned())),
        (_, Some(value)) => comparison.value = Some(value.clone()),
    }
    Ok(comparison)
}

/// As REST prints criteria: in the old form where the tree is a flat `all` of one old operator per
/// field, in the new one otherwise.
pub fn print(kind: RecordKind, node: &Node) -> Json {
    print_old(kind, node).unwrap_or_else(|| node.to_json())
}

fn print_old(kind: RecordKind, node: &Node) -> Option<Json> {
    let Node::All(nodes) = node else { return None };
    let (mut entries, mut fields) = (Map::new(), HashSet::new());
    for node in nodes {
        let Node::Compare(comparison) = node else { return None };
        let (word, op) = OPERATORS.iter().find(|(_, op)| *op == comparison.op)?;
        let cased = comparison.case_sensitive.unwrap_or(false);
        let plain = comparison.field2.is_none()
            && comparison.unit.is_none()
            && comparison.match_empty.unwrap_or(true)
            && cased == keeps_case(*op)
            && !(comparison.value.is_some() && comparison.values.is_some());
        let rest = rest_name(kind, &comparison.field);
        let known = name_of_rest(&rest) == comparison.field && !Node::KEYS.contains(&rest.as_str());
        if !plain || !known || !fields.insert(comparison.field.clone()) {
            return None;
        }
        let mut condition = json!({ "operator": word });
        let value = comparison.value.clone().or_else(|| comparison.values.clone().map(Json::Array));
        if let Some(value) = value {
            condition["value"] = value;
        }
        entries.insert(rest, condition);
    }
    Some(Json::Object(entries))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_old_form_is_read_and_printed_again() {
        let json = json!({
            "assigned_to": { "operator": "in", "value": ["0195d3f0-0000-7000-8000-000000000000"] },
            "city": { "operator": "equals", "value": "Berlin" },
            "created_at": { "operator": "after", "value": "2026-01-01" },
            "custom.plan": { "operator": "not_equals", "value": "free" },
            "first_name": { "operator": "starts_with", "value": "a" },
            "phone": { "operator": "is_empty" },
        });
        assert!(is_old(&json));
        let node = read(&json).expect("read");
        assert_eq!(print(RecordKind::Contact, &node), json);
        let Node::All(nodes) = &node else { panic!("all") };
        assert_eq!(
            nodes[1].to_json(),
            json!({ "compare": { "field": "city", "op": "EQ", "value": "Berlin", "caseSensitive": true } })
        );
        assert_eq!(read(&json!({})), Ok(Node::All(Vec::new())));
        assert_eq!(print(RecordKind::Contact, &Node::All(Vec::new())), json!({}));
    }

    #[test]
    fn what_it_cannot_say_is_printed_in_the_new_form() {
        let city = |op: &str| json!({ "compare": { "field": "city", "op": op, "value": "x" } });
        for new in [
            json!({ "any": [city("CONTAINS")] }),
            // ignores case, which `equals` does not
            json!({ "all": [city("EQ")] }),
            json!({ "all": [city("CONTAINS"), city("STARTS_WITH")] }),
        ] {
            assert!(!is_old(&new));
            let node = Node::read(&new).expect("a tree");
            assert_eq!(print(RecordKind::Contact, &node), new);
        }
    }

    #[test]
    fn the_two_forms_are_told_apart() {
        assert!(is_old(&json!({})));
        assert!(is_old(&json!({ "city": { "operator": "nonsense" } })));
        assert!(is_old(&json!({ "city": "Berlin" })));
        assert!(!is_old(&json!({ "not": { "all": [] } })));
        assert!(!is_old(&json!({ "all": [], "any": [] })));
        assert!(!is_old(&json!([])));
        let errors = read(&json!({ "city": { "operator": "nonsense" }, "state": "x", "title": { "operator": "in" } }));
        let errors = errors.expect_err("wrong");
        let paths: Vec<_> = errors.iter().map(|(path, _)| path).collect();
        assert_eq!(paths, ["city.operator", "state.operator", "title.value"]);
    }
}
