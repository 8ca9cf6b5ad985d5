//! What documents cost in the published schema: no field that makes much work is cheap.

use std::{collections::BTreeMap, fmt::Write};

use async_graphql::{
    Request,
    parser::{
        parse_schema,
        types::{BaseType, FieldDefinition, TypeKind, TypeSystemDefinition},
    },
};
use kontor::graphql::{cost::Costs, schema};
use serde_json::json;

use crate::support::server::TestServer;

/// The fields of each type that has some.
fn types(sdl: &str) -> BTreeMap<String, Vec<FieldDefinition>> {
    let definitions = parse_schema(sdl).expect("our own schema").definitions.into_iter();
    let types = definitions.filter_map(|definition| match definition {
        TypeSystemDefinition::Type(definition) => Some(definition.node),
        _ => None,
    });
    let with_fields = types.filter_map(|definition| {
        let fields = match definition.kind {
            TypeKind::Object(object) => object.fields,
            TypeKind::Interface(interface) => interface.fields,
            _ => return None,
        };
        Some((definition.name.node.to_string(), fields.into_iter().map(|field| field.node).collect()))
    });
    with_fields.collect()
}

fn named(field: &FieldDefinition) -> &str {
    let mut base = &field.ty.node.base;
    while let BaseType::List(of) = base {
        base = &of.base;
    }
    match base {
        BaseType::Named(name) => name.as_str(),
        BaseType::List(_) => unreachable!("unwrapped"),
    }
}

#[test]
fn every_page_costs_its_rows_wherever_it_stands() {
    let sdl = schema::sdl();
    let (types, costs) = (types(&sdl), Costs::of_schema(&sdl));
    // a way to each type, from the roots on
    let mut ways =
        vec![("Query", "query".to_owned()), ("Mutation", "mutation".into()), ("Subscription", "subscription".into())];
    let (mut at, mut pages) = (0, 0);
    while let Some((name, way)) = ways.get(at).cloned() {
        at += 1;
        for field in types.get(name).into_iter().flatten() {
            let of = named(field);
            let here = format!("{way} {{ {}", field.name.node);
            if of.ends_with("Connection") {
                pages += 1;
                assert!(field.arguments.iter().any(|argument| argument.node.name.node == "first"), "{here}");
                let document = |rows: &str| {
                    let mut text = format!("{here}(first: {rows}) {{ {rows_of} }}", rows_of = "nodes { __typename }");
                    let open = text.matches('{').count() - text.matches('}').count();
                    write!(text, "{}", " }".repeat(open)).expect("a string takes it");
                    costs.of(&mut Request::new(text), usize::MAX)
                };
                assert!(document("500") >= document("0") + 499, "{here}: {} {}", document("500"), document("0"));
                assert!(document("0") >= 20, "{here}");
            }
            if types.contains_key(of) && ways.iter().all(|(known, _)| *known != of) {
                let of = types.get_key_value(of).map(|(of, _)| of.as_str()).expect("it is there");
                ways.push((of, here));
            }
        }
    }
    assert!(pages > 7, "{pages}");
    let connections = types.keys().filter(|name| name.ends_with("Connection"));
    for connection in connections {
        let fields: Vec<_> = types[connection].iter().map(|field| field.name.node.as_str()).collect();
        assert!(fields.contains(&"nodes") && fields.contains(&"edges"), "{connection}: {fields:?}");
    }
}

const INTROSPECTION: &str = "query IntrospectionQuery { __schema {
    queryType { name } mutationType { name } subscriptionType { name } types { ...FullType }
    directives { name description locations args { ...InputValue } } } }
    fragment FullType on __Type { kind name description
      fields(includeDeprecated: true) { name description args { ...InputValue } type { ...TypeRef } isDeprecated deprecationReason }
      inputFields { ...InputValue } interfaces { ...TypeRef }
      enumValues(includeDeprecated: true) { name description isDeprecated deprecationReason } possibleTypes { ...TypeRef } }
    fragment InputValue on __InputValue { name description type { ...TypeRef } defaultValue }
    fragment TypeRef on __Type { kind name ofType { kind name ofType { kind name ofType { kind name ofType { kind name
      ofType { kind name ofType { kind name ofType { kind name } } } } } } } }";

#[tokio::test]
async fn a_dear_document_is_refused_and_a_useful_one_is_not() {
    // long documents have a limit of their own
    let server = TestServer::start_with(|ctx| {
        ctx.auth.open_registration = true;
        std::sync::Arc::make_mut(&mut ctx.limits).graphql_tokens = 100_000;
    })
    .await;
    let ada = server.admin().await;
    let aliases = |count: usize, field: &str| {
        format!("{{ {} }}", (0..count).map(|at| format!("a{at}: {field} ")).collect::<String>())
    };
    for dear in [
        "{ importJobs(first: 500) { nodes { errors(first: 500) { nodes { cells } } } } }".to_owned(),
        "{ auditLog(first: 500) { nodes { id at action actor subjectKind subjectId address requestId details a: details \
           b: details c: details d: details e: details f: details g: details h: details i: details j: details k: details \
           l: details m: details n: details o: details p: details q: details r: details s: details t: details u: details \
           v: details w: details x: details y: details z: details A: details B: details C: details D: details E: details } } }"
            .to_owned(),
        aliases(300, "contacts(first: 0, search: \"a\") { totalCount }"),
        aliases(1_200, "viewer { user { id } }"),
        "{ __schema { types { fields { type { fields { type { fields { type { fields { name } } } } } } } } } }".to_owned(),
    ] {
        let error = ada.refused(&dear, json!({}), "BAD_USER_INPUT").await;
        assert!(error["message"].as_str().expect("a message").contains("costs more than 30000"), "{error}");
    }
    let useful = "{ viewer { user { id fullName } workspace { name } permissions }
        contacts(first: 500, search: \"a\") { totalCount pageInfo { hasNextPage endCursor } nodes {
          id version firstName lastName email phone mobile title department source status address city state country
          postalCode notes lastContactDate tags customFields createdAt updatedAt owner { id fullName } account { id name } } }
        importJobs(first: 20) { nodes { id status errors(first: 10) { totalCount nodes { row column message } } } } }";
    for document in [useful, INTROSPECTION] {
        ada.data(document, json!({})).await;
    }
}

#[tokio::test]
async fn records_asked_for_by_id_come_each_to_its_place() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let create =
        "mutation($name: String!) { createContact(input: { contact: { lastName: $name } }) { contact { id } } }";
    let mut asked = String::new();
    for at in 0..20 {
        let made = ada.data(create, json!({ "name": format!("Number {at}") })).await;
        let id = made["createContact"]["contact"]["id"].as_str().expect("an id").to_owned();
        write!(asked, "a{at}: contact(id: \"{id}\") {{ lastName }} ").expect("a string takes it");
    }
    let nothing = uuid::Uuid::now_v7();
    let found = ada
        .data(
            &format!("{{ {asked} none: contact(id: \"{nothing}\") {{ id }} no: account(id: \"?\") {{ id }} }}"),
            json!({}),
        )
        .await;
    for at in 0..20 {
        assert_eq!(found[format!("a{at}")], json!({ "lastName": format!("Number {at}") }));
    }
    assert_eq!((&found["none"], &found["no"]), (&json!(null), &json!(null)));
}
