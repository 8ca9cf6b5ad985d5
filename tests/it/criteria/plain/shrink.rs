//! Smaller trees that may still show what a large one showed.

use serde_json::{Value as Json, json};

/// A step smaller, the smallest first.
pub fn smaller(node: &Json) -> Vec<Json> {
    let Some((key, inner)) = node.as_object().and_then(|entries| entries.iter().next()) else { return Vec::new() };
    match (key.as_str(), inner) {
        ("all" | "any", Json::Array(nodes)) => {
            let mut found = nodes.clone();
            for at in 0..nodes.len() {
                let mut fewer = nodes.clone();
                fewer.remove(at);
                found.push(json!({ key: fewer }));
            }
            for (at, child) in nodes.iter().enumerate() {
                for child in smaller(child) {
                    let mut other = nodes.clone();
                    other[at] = child;
                    found.push(json!({ key: other }));
                }
            }
            found
        }
        ("not", child) => {
            let mut found = vec![child.clone()];
            found.extend(smaller(child).into_iter().map(|child| json!({ "not": child })));
            found
        }
        ("related", related) if related.get("where").is_some() => {
            let with = |condition: Json| {
                let mut related = related.clone();
                related["where"] = condition;
                json!({ "related": related })
            };
            let mut found = vec![with(Json::Null)];
            found.extend(smaller(&related["where"]).into_iter().map(with));
            found
        }
        ("compare", compare) => {
            let mut found = Vec::new();
            for extra in ["caseSensitive", "matchEmpty"] {
                if compare.get(extra).is_some() {
                    let mut compare = compare.clone();
                    compare.as_object_mut().expect("an object").remove(extra);
                    found.push(json!({ "compare": compare }));
                }
            }
            let values = compare.get("values").and_then(Json::as_array).filter(|values| values.len() > 1);
            for value in values.into_iter().flatten() {
                let mut compare = compare.clone();
                compare["values"] = json!([value]);
                found.push(json!({ "compare": compare }));
            }
            found
        }
        _ => Vec::new(),
    }
}
