//! From bytes to requests: the parameters of the GraphQL-over-HTTP specification, each checked for
//! its type, so that a client is told what is wrong rather than that something is.

use async_graphql::{Request, Value, Variables};
use axum::{extract::Query, http::Uri};
use serde_json::Value as Json;

use crate::base::{Error, Limits, Result};

/// Brackets within brackets that a document may have. The schema's own depth limit is far lower;
/// this one is checked before the document is parsed, because the library's parser recurses without
/// a bound, and a megabyte of `{a{a{a` would end the process.
const DEEPEST_NESTING: usize = 120;

/// Letters of a name or a number outside a string. What the parser and the checks do with an unknown
/// name takes time by its length.
const LONGEST_WORD: usize = 128;

/// What one POST asks for.
#[derive(Debug)]
pub enum Asked {
    One(Box<Request>),
    Batch(Vec<Request>),
}

/// Reads the body of a POST. Errors name the place of broken JSON, or the parameter.
pub fn from_body(body: &[u8], limits: &Limits) -> Result<Asked> {
    let json: Json = serde_json::from_slice(body).map_err(|error| malformed("body", &error))?;
    let Json::Array(batch) = json else {
        return from_json(json, limits).map(|request| Asked::One(Box::new(request)));
    };
    let largest_batch = limits.graphql_batch;
    if batch.is_empty() || batch.len() > largest_batch {
        let range = format!("holds 1 to {largest_batch} requests, this one has {}", batch.len());
        return Err(Error::invalid("batch", range));
    }
    batch.into_iter().map(|json| from_json(json, limits)).collect::<Result<_>>().map(Asked::Batch)
}

/// Reads the query string of a GET; `variables` and `extensions` are JSON in it.
pub fn from_uri(uri: &Uri, limits: &Limits) -> Result<Request> {
    let Query(pairs) = Query::<Vec<(String, String)>>::try_from_uri(uri)
        .map_err(|_| Error::invalid("query string", "is not URL-encoded text"))?;
    let mut parameters = serde_json::Map::new();
    for (name, value) in pairs {
        let value = match name.as_str() {
            // a parameter that is there and empty is taken as absent
            _ if value.is_empty() => continue,
            "variables" => serde_json::from_str(&value).map_err(|error| malformed("variables", &error))?,
            "extensions" => serde_json::from_str(&value).map_err(|error| malformed("extensions", &error))?,
            _ => Json::String(value),
        };
        parameters.insert(name, value);
    }
    from_json(Json::Object(parameters), limits)
}

/// Reads one request; also the payload of a websocket's `subscribe`.
pub fn from_json(json: Json, limits: &Limits) -> Result<Request> {
    let Json::Object(mut parameters) = json else {
        return Err(Error::invalid("request", "must be an object with a query, or an array of such"));
    };
    let query = match parameters.remove("query") {
        Some(Json::String(query)) => query,
        None | Some(Json::Null) => return Err(Error::invalid("query", "is missing")),
        Some(_) => return Err(Error::invalid("query", "must be a string")),
    };
    refuse_costly_text(&query, limits.graphql_tokens)?;
    let mut request = Request::new(query);
    request.operation_name = match parameters.remove("operationName") {
        None | Some(Json::Null) => None,
        // some clients send an empty name for none
        Some(Json::String(name)) => Some(name).filter(|name| !name.is_empty()),
        Some(_) => return Err(Error::invalid("operationName", "must be a string")),
    };
    request.variables = match parameters.remove("variables") {
        None | Some(Json::Null) => Variables::default(),
        Some(variables @ Json::Object(_)) => Variables::from_value(constant("variables", variables)?),
        Some(_) => return Err(Error::invalid("variables", "must be an object")),
    };
    request.extensions.0 = match parameters.remove("extensions") {
        None | Some(Json::Null) => Default::default(),
        Some(Json::Object(map)) => {
            map.into_iter().map(|(name, value)| Ok((name, constant("extensions", value)?))).collect::<Result<_>>()?
        }
        Some(_) => return Err(Error::invalid("extensions", "must be an object")),
    };
    Ok(request)
}

fn constant(parameter: &'static str, json: Json) -> Result<Value> {
    Value::from_json(json).map_err(|error| Error::invalid(parameter, format!("cannot be used: {error}")))
}

fn malformed(what: &'static str, error: &serde_json::Error) -> Error {
    // serde_json's text ends with the line and column
    Error::invalid(what, format!("is not valid JSON: {error}"))
}

/// Counts open brackets and tokens, outside strings and comments. Tokens, because a parsed document
/// takes a hundred times the memory of its text.
fn refuse_costly_text(query: &str, most_tokens: usize) -> Result<()> {
    let (mut depth, mut tokens) = (0_usize, 0_usize);
    let mut rest = query.as_bytes();
    while let [first, tail @ ..] = rest {
        tokens += usize::from(!matches!(first, b' ' | b'\t' | b'\r' | b'\n' | b',' | b'#'));
        if tokens > most_tokens {
            return Err(Error::invalid(
                "query",
                format!("is longer than {most_tokens} tokens; pass data as variables"),
            ));
        }
        rest = match first {
            b'{' | b'[' | b'(' => {
                depth += 1;
                if depth > DEEPEST_NESTING {
                    let most = format!("is nested deeper than {DEEPEST_NESTING} brackets");
                    return Err(Error::invalid("query", most));
                }
                tail
            }
            b'}' | b']' | b')' => {
                depth = depth.saturating_sub(1);
                tail
            }
            b'#' => tail.split_at(tail.iter().position(|byte| matches!(byte, b'\n' | b'\r')).unwrap_or(tail.len())).1,
            b'"' => after_string(rest),
            // a name, a number, or what is neither
            first if is_of_word(first) => {
                let (word, tail) = rest.split_at(rest.iter().position(|byte| !is_of_word(byte)).unwrap_or(rest.len()));
                if word.len() > LONGEST_WORD {
                    return Err(Error::invalid("query", format!("has a word of more than {LONGEST_WORD} letters")));
                }
                tail
            }
            _ => tail,
        };
    }
    Ok(())
}

fn is_of_word(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || *byte == b'_' || *byte >= 0x80
}

/// What follows the string that the text begins with.
fn after_string(text: &[u8]) -> &[u8] {
    let (delimiter, escape): (&[u8], &[u8]) =
        if text.starts_with(b"\"\"\"") { (b"\"\"\"", b"\\\"\"\"") } else { (b"\"", b"\\") };
    let mut rest = &text[delimiter.len()..];
    while !rest.is_empty() {
        if rest.starts_with(delimiter) {
            return &rest[delimiter.len()..];
        }
        // an escape covers itself and, in a plain string, the byte after it
        let step = if rest.starts_with(escape) { escape.len().max(2) } else { 1 };
        rest = &rest[step.min(rest.len())..];
    }
    rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broken_json_is_told_with_its_place() {
        let error = from_body(b"{\n  \"query\": nonsense }", &Limits::default()).expect_err("refused").to_string();
        assert!(error.contains("line 2 column"), "{error}");
    }

    #[test]
    fn brackets_in_strings_and_comments_do_not_nest() {
        let quoted = format!("{{ a(b: \"{}\", c: \"\"\"{}\\\"\"\" \"\"\") }}", "{".repeat(500), "[".repeat(500));
        let commented = format!("# {}\n{{ a }}", "(".repeat(500));
        for query in [quoted, commented, "{ a }".repeat(500)] {
            refuse_costly_text(&query, 10_000).expect("shallow");
        }
        for bracket in ["{", "[", "("] {
            refuse_costly_text(&format!("\"\\\"\" {}", bracket.repeat(500)), 10_000).expect_err("deep");
        }
    }

    #[test]
    fn tokens_are_counted_as_the_specification_has_them() {
        for (query, tokens) in [
            ("{ a }", 3),
            ("{a(b:\"c d e\",f:12){g,h}}", 15),
            ("# a comment of many words\n{ name_1 }", 3),
            ("query Q($a: [Int!]! = [1, 2]) { a }", 20),
            ("", 0),
        ] {
            refuse_costly_text(query, tokens).expect("so many");
            if let Some(fewer) = tokens.checked_sub(1) {
                refuse_costly_text(query, fewer).expect_err("not fewer");
            }
        }
    }

    #[test]
    fn words_have_an_end() {
        let query = |length: usize| format!("{{ {} (a: \"{}\") }}", "x".repeat(length), "y".repeat(1_000));
        refuse_costly_text(&query(LONGEST_WORD), 10_000).expect("long enough");
        refuse_costly_text(&query(LONGEST_WORD + 1), 10_000).expect_err("too long");
    }

    #[test]
    fn a_batch_is_bounded() {
        let limits = Limits { graphql_batch: 3, ..Limits::default() };
        let batch = |size: usize| format!("[{}]", vec![r#"{"query":"{a}"}"#; size].join(","));
        assert!(matches!(from_body(batch(3).as_bytes(), &limits), Ok(Asked::Batch(requests)) if requests.len() == 3));
        from_body(batch(4).as_bytes(), &limits).expect_err("too many");
        from_body(b"[]", &limits).expect_err("empty");
    }
}
