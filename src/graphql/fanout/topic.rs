//! What a subscription is about, apart from where it begins: subscribers of one topic with equal
//! rights can share an execution. The argument `after` is cut out of the document, whether it was
//! written as a variable or as a literal, and put back to begin elsewhere.

use std::sync::Arc;

use async_graphql::{
    Name, Pos, Positioned, Request, Value, Variables,
    parser::types::{ExecutableDocument, Field, OperationDefinition, OperationType, Selection},
};

use super::super::operation;

const AFTER: &str = "after";

/// A subscription without its `after`.
#[derive(Debug)]
pub struct Topic {
    text: String,
    operation_name: Option<String>,
    variables: Variables,
    document: Option<ExecutableDocument>,
    /// The document is ours to change; otherwise it stays as it was sent.
    movable: bool,
    /// The root field has the argument `after`.
    takes_after: bool,
    /// Its subscribers share an execution.
    pub is_shared: bool,
}

impl Topic {
    /// Takes a request apart into its topic and the cursor it begins after.
    pub fn of(mut request: Request, is_shared: impl Fn(&str) -> bool) -> (Self, Option<String>) {
        let document = request.parsed_query().ok().cloned();
        let Request { query: text, operation_name, variables, .. } = request;
        let mut topic =
            Self { text, operation_name, variables, document, movable: false, takes_after: false, is_shared: false };
        let after = topic.cut_after();
        if topic.movable {
            topic.is_shared = topic.root().is_some_and(|root| is_shared(root.name.node.as_str()));
            topic.takes_after |= topic.is_shared;
        }
        (topic, after)
    }

    /// What all that share an execution have in common.
    pub fn key(&self, rights: &str) -> Arc<str> {
        let variables = serde_json::to_string(&self.variables).unwrap_or_default();
        let operation = self.operation_name.as_deref().unwrap_or_default();
        [rights, operation, &variables, &self.text].join("\0").into()
    }

    /// The request that begins after the given cursor, or now. A document that is not ours to
    /// change begins where its client said.
    pub fn request(&self, after: Option<&str>) -> Request {
        let mut request = Request::new(self.text.clone()).variables(self.variables.clone());
        request.operation_name.clone_from(&self.operation_name);
        if let Some(mut document) = self.document.clone() {
            if self.movable
                && self.takes_after
                && let Some(cursor) = after
                && let Some(root) = root_mut(&mut document, self.operation_name.as_deref())
            {
                let name = Positioned::new(Name::new(AFTER), Pos::default());
                let cursor = Value::String(cursor.to_owned()).into_value();
                root.arguments.push((name, Positioned::new(cursor, Pos::default())));
            }
            request.set_parsed_query(document);
        }
        request
    }

    fn root(&mut self) -> Option<&mut Field> {
        root_mut(self.document.as_mut()?, self.operation_name.as_deref())
    }

    /// Cuts `after` out where that is possible without a trace, and says what it was.
    fn cut_after(&mut self) -> Option<String> {
        let arguments = &self.root()?.arguments;
        let Some(argument) = arguments.iter().position(|(name, _)| name.node == AFTER) else {
            self.movable = true;
            return None;
        };
        let written = arguments[argument].1.node.clone();
        self.takes_after = true;
        let Some(constant) = written.clone().into_const() else {
            return self.cut_variable(argument, written.to_string().strip_prefix('$')?);
        };
        let cursor = match constant {
            Value::Null => None,
            Value::String(cursor) => {
                // the text is part of the key, so the literal must go there, too
                let literal = format!("\"{cursor}\"");
                if self.text.matches(&literal).count() != 1 {
                    return None;
                }
                self.text = self.text.replacen(&literal, "null", 1);
                Some(cursor)
            }
            _ => return None,
        };
        self.movable = true;
        self.root()?.arguments.remove(argument);
        cursor
    }

    fn cut_variable(&mut self, argument: usize, variable: &str) -> Option<String> {
        // once where it is declared and once as the argument; used elsewhere it must stay
        if mentions(&self.text, variable) != 2 {
            return None;
        }
        let operation = operation::meant_mut(self.document.as_mut()?, self.operation_name.as_deref())?;
        let declared = operation.variable_definitions.iter().position(|one| one.node.name.node == variable)?;
        let default = operation.variable_definitions[declared].node.default_value.clone();
        let value = self.variables.get(variable).cloned().or(default.map(|default| default.node));
        let cursor = match value {
            None | Some(Value::Null) => None,
            Some(Value::String(cursor)) => Some(cursor),
            // refused when it is executed as it was sent
            Some(_) => return None,
        };
        operation.variable_definitions.remove(declared);
        self.variables.remove(variable);
        self.movable = true;
        self.root()?.arguments.remove(argument);
        cursor
    }
}

/// The only root field of a subscription, if it is one and under no condition.
fn root_mut<'a>(document: &'a mut ExecutableDocument, operation_name: Option<&str>) -> Option<&'a mut Field> {
    let operation: &mut OperationDefinition = operation::meant_mut(document, operation_name)?;
    if operation.ty != OperationType::Subscription || !operation.directives.is_empty() {
        return None;
    }
    match operation.selection_set.node.items.as_mut_slice() {
        [Positioned { node: Selection::Field(field), .. }] if field.node.directives.is_empty() => Some(&mut field.node),
        _ => None,
    }
}

/// How often the text says `$variable`; a mention in a comment counts, and merely prevents sharing.
fn mentions(text: &str, variable: &str) -> usize {
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let whole = |rest: &&str| rest.strip_prefix(variable).is_some_and(|tail| !tail.bytes().next().is_some_and(is_name));
    // white space may stand between the dollar and the name
    text.split('$').skip(1).map(str::trim_start).filter(whole).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topic(query: &str, variables: &str) -> (Topic, Option<String>) {
        let variables = serde_json::from_str(variables).expect("JSON");
        let request = Request::new(query).variables(Variables::from_json(variables));
        Topic::of(request, |field| field == "changed")
    }

    #[test]
    fn after_is_no_part_of_the_topic() {
        let spellings = [
            ("subscription($a: String) { changed(kind: X, after: $a) { id } }", r#"{"a":"c1"}"#, Some("c1")),
            ("subscription($a: String) { changed(kind: X, after: $a) { id } }", r#"{"a":null}"#, None),
            ("subscription($a: String = \"c2\") { changed(after: $a) { id } }", "{}", Some("c2")),
            ("subscription { changed(after: \"c3\", kind: X) { id } }", "{}", Some("c3")),
            ("subscription { changed(after: null) { id } }", "{}", None),
            ("subscription { changed { id } }", "{}", None),
        ];
        for (query, variables, expected) in spellings {
            let (mut topic, after) = topic(query, variables);
            assert_eq!(after.as_deref(), expected, "{query}");
            assert!(topic.is_shared, "{query}");
            assert!(topic.variables.is_empty());
            let arguments = |root: &Field| root.arguments.iter().filter(|(name, _)| name.node == AFTER).count();
            assert_eq!(topic.root().map(|root| arguments(root)), Some(0), "{query}");
            let mut again = topic.request(Some("c9"));
            let mut document = again.parsed_query().expect("parsed").clone();
            assert_eq!(root_mut(&mut document, None).map(|root| arguments(root)), Some(1), "{query}");
        }
    }

    #[test]
    fn equal_topics_have_equal_keys_wherever_they_begin() {
        let key = |query: &str, variables: &str, rights: &str| topic(query, variables).0.key(rights);
        let query = "subscription($a: String, $k: Kind) { changed(kind: $k, after: $a) { id } }";
        assert_eq!(key(query, r#"{"a":"1","k":"X"}"#, "r"), key(query, r#"{"k":"X"}"#, "r"));
        assert_ne!(key(query, r#"{"k":"X"}"#, "r"), key(query, r#"{"k":"Y"}"#, "r"));
        assert_ne!(key(query, r#"{"k":"X"}"#, "r"), key(query, r#"{"k":"X"}"#, "other"));
        let literal =
            |cursor: &str| key(&format!("subscription {{ changed(after: \"{cursor}\") {{ id }} }}"), "{}", "r");
        assert_eq!(literal("one"), literal("another"));
    }

    #[test]
    fn what_cannot_be_cut_out_is_not_shared() {
        for (query, variables) in [
            ("subscription($a: String) { changed(after: $a, id: $a) { id } }", r#"{"a":"c"}"#),
            ("subscription { changed(after: \"c\", id: \"c\") { id } }", "{}"),
            ("subscription($a: Int) { changed(after: $a) { id } }", r#"{"a":1}"#),
            ("subscription { changed { id } other }", "{}"),
            ("subscription { changed @skip(if: false) { id } }", "{}"),
            ("subscription { other { id } }", "{}"),
            ("query { changed { id } }", "{}"),
            ("not GraphQL", "{}"),
        ] {
            assert!(!topic(query, variables).0.is_shared, "{query}");
        }
    }
}
