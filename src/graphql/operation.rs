//! Which operation of its document a request means.

use async_graphql::{
    Request,
    parser::types::{DocumentOperations, ExecutableDocument, OperationDefinition, OperationType},
};

/// The operation's type; `None` where the document is broken or the operation cannot be told, in
/// which case executing the request yields the error to show.
pub fn kind(request: &mut Request) -> Option<OperationType> {
    let name = request.operation_name.clone();
    let document = request.parsed_query().ok()?;
    meant(document, name.as_deref()).map(|operation| operation.ty)
}

fn meant<'a>(document: &'a ExecutableDocument, name: Option<&str>) -> Option<&'a OperationDefinition> {
    match (&document.operations, name) {
        (DocumentOperations::Single(operation), None) => Some(&operation.node),
        (DocumentOperations::Single(_), Some(_)) => None,
        (DocumentOperations::Multiple(operations), Some(name)) => operations.get(name).map(|found| &found.node),
        (DocumentOperations::Multiple(operations), None) => match operations.len() {
            1 => operations.values().next().map(|only| &only.node),
            _ => None,
        },
    }
}

/// Likewise, to change it.
pub fn meant_mut<'a>(document: &'a mut ExecutableDocument, name: Option<&str>) -> Option<&'a mut OperationDefinition> {
    match (&mut document.operations, name) {
        (DocumentOperations::Single(operation), None) => Some(&mut operation.node),
        (DocumentOperations::Single(_), Some(_)) => None,
        (DocumentOperations::Multiple(operations), Some(name)) => operations.get_mut(name).map(|found| &mut found.node),
        (DocumentOperations::Multiple(operations), None) => match operations.len() {
            1 => operations.values_mut().next().map(|only| &mut only.node),
            _ => None,
        },
    }
}
