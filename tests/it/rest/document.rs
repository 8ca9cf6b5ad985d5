//! The document of the routes, and its page.

use std::collections::BTreeSet;

use kontor::rest;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::server::TestServer;

/// The routes that the contract names.
const ROUTES: [&str; 59] = [
    "DELETE /api/v1/accounts/{id}",
    "DELETE /api/v1/contact-lists/{id}",
    "DELETE /api/v1/contact-lists/{id}/contacts",
    "DELETE /api/v1/contacts/{id}",
    "DELETE /api/v1/deals/{id}",
    "DELETE /api/v1/leads/{id}",
    "DELETE /api/v1/products/{id}",
    "DELETE /api/v1/tasks/{id}",
    "DELETE /api/v1/users/{id}",
    "GET /api/v1/accounts",
    "GET /api/v1/accounts/{id}",
    "GET /api/v1/auth/me",
    "GET /api/v1/contact-lists",
    "GET /api/v1/contact-lists/{id}",
    "GET /api/v1/contact-lists/{id}/contacts",
    "GET /api/v1/contacts",
    "GET /api/v1/contacts/{id}",
    "GET /api/v1/deals",
    "GET /api/v1/deals/{id}",
    "GET /api/v1/import",
    "GET /api/v1/import/{id}",
    "GET /api/v1/leads",
    "GET /api/v1/leads/stats/overview",
    "GET /api/v1/leads/{id}",
    "GET /api/v1/products",
    "GET /api/v1/products/{id}",
    "GET /api/v1/tasks",
    "GET /api/v1/tasks/{id}",
    "GET /api/v1/users",
    "GET /api/v1/users/{id}",
    "POST /api/v1/accounts",
    "POST /api/v1/auth/forgot-password",
    "POST /api/v1/auth/login",
    "POST /api/v1/auth/logout",
    "POST /api/v1/auth/refresh-token",
    "POST /api/v1/auth/register",
    "POST /api/v1/auth/reset-password/{token}",
    "POST /api/v1/contact-lists",
    "POST /api/v1/contact-lists/{id}/contacts",
    "POST /api/v1/contact-lists/{id}/refresh",
    "POST /api/v1/contacts",
    "POST /api/v1/deals",
    "POST /api/v1/import",
    "POST /api/v1/leads",
    "POST /api/v1/leads/{id}/convert",
    "POST /api/v1/products",
    "POST /api/v1/tasks",
    "POST /api/v1/users",
    "PUT /api/v1/accounts/{id}",
    "PUT /api/v1/auth/update-password",
    "PUT /api/v1/auth/update-profile",
    "PUT /api/v1/contact-lists/{id}",
    "PUT /api/v1/contacts/{id}",
    "PUT /api/v1/deals/{id}",
    "PUT /api/v1/leads/{id}",
    "PUT /api/v1/leads/{id}/assign",
    "PUT /api/v1/products/{id}",
    "PUT /api/v1/tasks/{id}",
    "PUT /api/v1/users/{id}",
];

fn operations(document: &Value) -> Vec<(String, &Value)> {
    let paths = document["paths"].as_object().expect("paths");
    let of_path = |(path, item): (&String, &'_ Value)| {
        let path = path.clone();
        item.as_object()
            .expect("an item")
            .keys()
            .map(move |method| format!("{} {path}", method.to_uppercase()))
            .collect::<Vec<_>>()
    };
    let names = paths.iter().flat_map(of_path);
    names
        .map(|name| {
            let (method, path) = name.split_once(' ').expect("method and path");
            let operation = &document["paths"][path][method.to_lowercase()];
            (name.clone(), operation)
        })
        .collect()
}

#[tokio::test]
async fn the_document_has_every_route() {
    let server = TestServer::start().await;
    let answer = server.stranger().get("/openapi.json").await;
    assert_eq!(answer.headers["content-type"], "application/json");
    let document = answer.expect(StatusCode::OK);
    assert_eq!(document["openapi"], "3.1.0");
    let mut described: Vec<_> = operations(&document).into_iter().map(|(name, _)| name).collect();
    described.sort_unstable();
    assert_eq!(described, ROUTES);
    let (_, same) = rest::routes(server.ctx.clone());
    assert_eq!(serde_json::to_value(same).expect("JSON"), document);
}

#[tokio::test]
async fn every_described_route_is_there_and_guarded_as_described() {
    let server = TestServer::start().await;
    let document = server.stranger().get("/openapi.json").await.body;
    for (name, operation) in operations(&document) {
        let (method, path) = name.split_once(' ').expect("method and path");
        let path = path.trim_start_matches("/api/v1").replace("{id}", "x").replace("{token}", "x");
        let method: Method = method.parse().expect("a method");
        let answer = server.stranger().send(method, &path, |request| request.json(&json!({}))).await;
        let open = operation["security"] == json!([{}]);
        assert_eq!(answer.status.as_u16(), if open { 400 } else { 401 }, "{name}: {}", answer.body);
        assert!(answer.body["success"] == false && answer.body["message"].is_string(), "{name}: {}", answer.body);
    }
}

#[tokio::test]
async fn the_document_is_whole() {
    let server = TestServer::start().await;
    let document = server.stranger().get("/openapi.json").await.body;
    let mut references = BTreeSet::new();
    collect(&document, &mut references);
    for reference in references {
        let pointer = reference.trim_start_matches('#');
        assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
    }
    let mut ids = BTreeSet::new();
    for (name, operation) in operations(&document) {
        assert!(operation["summary"].is_string() && operation["tags"][0].is_string(), "{name}");
        assert!(
            ids.insert(operation["operationId"].as_str().expect("an id").to_owned()),
            "{name}: its id is another's"
        );
        let good = operation["responses"]
            .as_object()
            .expect("answers")
            .keys()
            .filter(|status| status.starts_with('2'))
            .count();
        assert_eq!(good, 1, "{name}");
        let in_path = name.matches('{').count();
        let parameters = operation["parameters"].as_array().into_iter().flatten();
        assert_eq!(parameters.filter(|parameter| parameter["in"] == "path").count(), in_path, "{name}");
    }
    let required = &document["components"]["schemas"]["NewContactBody"]["required"];
    assert_eq!(required, &json!(["first_name", "last_name", "email"]));
    // also what stands for other fields
    for schema in ["Task", "NewTaskBody", "TaskBody"] {
        assert!(document["components"]["schemas"][schema]["properties"]["related_to_id"].is_object(), "{schema}");
    }
}

fn collect<'a>(value: &'a Value, references: &mut BTreeSet<&'a str>) {
    match value {
        Value::Object(entries) => {
            references.extend(entries.get("$ref").and_then(Value::as_str));
            entries.values().for_each(|value| collect(value, references));
        }
        Value::Array(items) => items.iter().for_each(|value| collect(value, references)),
        _ => {}
    }
}

#[tokio::test]
async fn the_page_needs_nothing_from_elsewhere() {
    let server = TestServer::start().await;
    let answer = server.stranger().get("/docs").await;
    assert_eq!(answer.headers["content-type"], "text/html; charset=utf-8");
    let policy = answer.headers["content-security-policy"].to_str().expect("text").to_owned();
    assert!(policy.starts_with("default-src 'none'; style-src 'self'"), "{policy}");
    let page = answer.expect(StatusCode::OK);
    let page = page.as_str().expect("HTML");
    for forbidden in ["<script", "<style", "style=", "http://", "https://", "//", "onclick", "@import"] {
        assert!(!page.contains(forbidden), "{forbidden}");
    }
    for route in ROUTES {
        let path = route.split_once(' ').expect("a path").1.replace('/', "/<wbr>");
        assert!(page.contains(&path), "{route}");
    }
    let anchors: BTreeSet<_> = page.split("id=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    for link in page.split("href=\"#").skip(1).filter_map(|rest| rest.split('"').next()) {
        assert!(anchors.contains(link), "#{link} leads nowhere");
    }
    let style = server.stranger().get("/docs.css").await;
    assert_eq!(style.headers["content-type"], "text/css; charset=utf-8");
    assert!(!style.body.as_str().expect("CSS").contains("url("));
}
