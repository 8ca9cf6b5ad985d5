//! The document as one page for people: no scripts, nothing from elsewhere, rendered once.

use serde_json::{Map, Value};

/// The page's style, served beside it so that the page's content policy can be strict.
pub const STYLE: &str = include_str!("page.css");

const METHODS: [&str; 4] = ["get", "post", "put", "delete"];
const JSON: &str = "application/json";

/// One route of the document.
struct Route<'a> {
    method: &'a str,
    path: &'a str,
    tag: &'a str,
    operation: &'a Value,
}

impl Route<'_> {
    fn anchor(&self) -> String {
        anchor(&format!("{}{}", self.method, self.path.replace(['{', '}'], "")))
    }
}

/// The named schemas of the document.
#[derive(Clone, Copy)]
struct Schemas<'a>(&'a Value);

impl<'a> Schemas<'a> {
    /// The schema itself, where this is a reference to it.
    fn resolve(self, schema: &'a Value) -> &'a Value {
        name_of(schema).map_or(schema, |name| &self.0[name])
    }

    /// All but the envelopes, which are shown where they stand.
    fn named(self) -> impl Iterator<Item = (&'a String, &'a Value)> {
        entries(self.0).filter(|(name, _)| !is_envelope(name))
    }
}

fn name_of(schema: &Value) -> Option<&str> {
    schema["$ref"].as_str().and_then(|reference| reference.rsplit('/').next())
}

/// The generic schemas are called so: `One_User`.
fn is_envelope(name: &str) -> bool {
    name.contains('_')
}

/// The page of an OpenAPI document.
pub fn html(document: &Value) -> String {
    let routes = routes(document);
    let schemas = Schemas(&document["components"]["schemas"]);
    let mut tags: Vec<&str> = Vec::new();
    for route in &routes {
        if !tags.contains(&route.tag) {
            tags.push(route.tag);
        }
    }
    let title = text(&document["info"]["title"]);
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>{title}</title>\n\
         <link rel=\"stylesheet\" href=\"/api/v1/docs.css\">\n<a class=\"skip\" href=\"#main\">Skip to the routes</a>\n"
    );
    page.push_str(&navigation(&title, &tags, &routes));
    page.push_str(&format!(
        "<main id=\"main\">\n<header><h1>{title}</h1>\n<p>{}</p>\n\
         <p>For programs: <a href=\"/api/v1/openapi.json\">openapi.json</a> (OpenAPI {}).</p></header>\n",
        prose(&document["info"]["description"]),
        text(&document["openapi"]),
    ));
    for tag in &tags {
        page.push_str(&format!(
            "<section aria-labelledby=\"{0}\">\n<h2 id=\"{0}\">{1}</h2>\n",
            anchor(tag),
            escape(tag)
        ));
        routes.iter().filter(|route| route.tag == *tag).for_each(|route| page.push_str(&article(schemas, route)));
        page.push_str("</section>\n");
    }
    page.push_str(&schema_section(schemas));
    page.push_str("</main>\n</html>\n");
    page
}

fn routes(document: &Value) -> Vec<Route<'_>> {
    let paths = entries(&document["paths"]);
    let mut routes: Vec<_> = paths
        .flat_map(|(path, item)| METHODS.iter().map(move |method| (path, *method, &item[*method])))
        .filter(|(_, _, operation)| operation.is_object())
        .map(|(path, method, operation)| {
            let tag = operation["tags"][0].as_str().unwrap_or("Other");
            Route { method, path, tag, operation }
        })
        .collect();
    routes.sort_by_key(|route| route.tag);
    routes
}

fn navigation(title: &str, tags: &[&str], routes: &[Route<'_>]) -> String {
    let mut nav = format!("<nav aria-label=\"Routes\">\n<p class=\"brand\">{title}</p>\n");
    for tag in tags {
        nav.push_str(&format!("<p><a href=\"#{}\">{}</a></p>\n<ul>\n", anchor(tag), escape(tag)));
        for route in routes.iter().filter(|route| route.tag == *tag) {
            let short = route.path.trim_start_matches("/api/v1");
            nav.push_str(&format!(
                "<li><a href=\"#{}\">{} <code>{}</code></a>\n",
                route.anchor(),
                badge(route),
                breakable(short)
            ));
        }
        nav.push_str("</ul>\n");
    }
    nav.push_str("<p><a href=\"#schemas\">Schemas</a></p>\n</nav>\n");
    nav
}

fn article(schemas: Schemas<'_>, route: &Route<'_>) -> String {
    let operation = route.operation;
    // an empty requirement means that anybody may
    let open = operation["security"]
        .as_array()
        .is_some_and(|needs| needs.iter().all(|need| need == &Value::Object(Map::new())));
    let access = if open { "<span class=\"open\">no token needed</span>" } else { "" };
    let mut article = format!(
        "<article id=\"{}\">\n<h3>{}</h3>\n<p class=\"route\">{} <code>{}</code> {access}</p>\n",
        route.anchor(),
        text(&operation["summary"]),
        badge(route),
        breakable(route.path),
    );
    if operation["description"].is_string() {
        article.push_str(&format!("<p>{}</p>\n", prose(&operation["description"])));
    }
    article.push_str(&parameters(schemas, &operation["parameters"]));
    let body = &operation["requestBody"]["content"][JSON]["schema"];
    if body.is_object() {
        article.push_str(&format!(
            "<h4>Body: {}</h4>\n{}",
            kind(schemas, body),
            table(fields(schemas, schemas.resolve(body)))
        ));
    }
    article.push_str("<h4>Answers</h4>\n<dl>\n");
    for (status, answer) in entries(&operation["responses"]) {
        let class = if status.starts_with('2') { "good" } else { "bad" };
        let schema = &answer["content"][JSON]["schema"];
        let shape = if schema.is_object() {
            format!(" <span class=\"type\">{}</span>", kind(schemas, schema))
        } else {
            String::new()
        };
        let description = prose(&answer["description"]);
        article.push_str(&format!("<dt class=\"{class}\">{}<dd>{description}{shape}\n", escape(status)));
    }
    article.push_str("</dl>\n</article>\n");
    article
}

fn parameters(schemas: Schemas<'_>, parameters: &Value) -> String {
    let Some(parameters) = parameters.as_array().filter(|list| !list.is_empty()) else { return String::new() };
    let row = |parameter: &Value| {
        let place = parameter["in"].as_str().unwrap_or_default();
        let needed = if parameter["required"] == true { "required" } else { "" };
        row(
            &text(&parameter["name"]),
            &[place, needed],
            &kind(schemas, &parameter["schema"]),
            &prose(&parameter["description"]),
        )
    };
    // a kind of record has dozens of filters, which look all the same
    let (filters, others): (Vec<_>, Vec<_>) = parameters.iter().partition(|one| one["description"] == "Filter");
    let mut html = format!("<h4>Parameters</h4>\n{}", table(others.into_iter().map(row).collect()));
    if !filters.is_empty() {
        let count = filters.len();
        let rows = filters.into_iter().map(row).collect();
        html.push_str(&format!(
            "<details><summary>{count} filters by a field's value</summary>\n{}</details>\n",
            table(rows)
        ));
    }
    html
}

fn schema_section(schemas: Schemas<'_>) -> String {
    let mut html = "<section aria-labelledby=\"schemas\">\n<h2 id=\"schemas\">Schemas</h2>\n".to_owned();
    for (name, schema) in schemas.named() {
        html.push_str(&format!("<article id=\"schema-{0}\">\n<h3>{0}</h3>\n", escape(name)));
        if schema["description"].is_string() {
            html.push_str(&format!("<p>{}</p>\n", prose(&schema["description"])));
        }
        let rows = fields(schemas, schema);
        let shape = if rows.is_empty() { format!("<p>{}</p>\n", kind(schemas, schema)) } else { table(rows) };
        html.push_str(&shape);
        html.push_str("</article>\n");
    }
    html.push_str("</section>\n");
    html
}

/// The rows of an object's fields, those of the parts that it is made of included.
fn fields(schemas: Schemas<'_>, schema: &Value) -> Vec<String> {
    let parts = schema["allOf"].as_array().into_iter().flatten();
    let mut rows: Vec<String> = parts.flat_map(|part| fields(schemas, schemas.resolve(part))).collect();
    let required = |name: &str| schema["required"].as_array().is_some_and(|list| list.iter().any(|one| one == name));
    rows.extend(entries(&schema["properties"]).map(|(name, field)| {
        let needed = if required(name) { "required" } else { "" };
        row(&escape(name), &[needed], &kind(schemas, field), &prose(&field["description"]))
    }));
    rows
}

fn table(rows: Vec<String>) -> String {
    format!("<div class=\"scroll\"><table>\n<tbody>\n{}</tbody></table></div>\n", rows.concat())
}

fn row(name: &str, notes: &[&str], kind: &str, description: &str) -> String {
    let notes: String =
        notes.iter().filter(|note| !note.is_empty()).map(|note| format!(" <small>{note}</small>")).collect();
    format!("<tr><th scope=\"row\"><code>{name}</code>{notes}<td class=\"type\">{kind}<td>{description}\n")
}

/// What a schema allows, in a few words.
fn kind(schemas: Schemas<'_>, schema: &Value) -> String {
    if let Some(name) = name_of(schema) {
        let link = escape(name);
        return match is_envelope(name) {
            true => shape(schemas, schemas.resolve(schema)),
            false => format!("<a href=\"#schema-{link}\">{link}</a>"),
        };
    }
    for (key, joint) in [("oneOf", " or "), ("anyOf", " or "), ("allOf", " and ")] {
        if let Some(parts) = schema[key].as_array() {
            return parts.iter().map(|part| kind(schemas, part)).collect::<Vec<_>>().join(joint);
        }
    }
    if let Some(words) = schema["enum"].as_array() {
        let word = |word: &Value| format!("<code>{}</code>", word.as_str().map_or_else(|| word.to_string(), escape));
        return words.iter().map(word).collect::<Vec<_>>().join(" ");
    }
    let named = |name: &Value| match name.as_str() {
        Some("array") => format!("list of {}", kind(schemas, &schema["items"])),
        Some("object") if schema["properties"].is_object() => shape(schemas, schema),
        Some("string") if schema["format"].is_string() => text(&schema["format"]),
        Some(name) => escape(name),
        None => "anything".to_owned(),
    };
    match &schema["type"] {
        Value::Array(names) => names.iter().map(named).collect::<Vec<_>>().join(" or "),
        one => named(one),
    }
}

/// A small object in one line.
fn shape(schemas: Schemas<'_>, schema: &Value) -> String {
    let field = |(name, field): (&String, &Value)| format!("{}: {}", escape(name), kind(schemas, field));
    format!("{{ {} }}", entries(&schema["properties"]).map(field).collect::<Vec<_>>().join(", "))
}

fn badge(route: &Route<'_>) -> String {
    format!("<b class=\"{0}\">{1}</b>", route.method, route.method.to_uppercase())
}

/// A text as an element's id.
fn anchor(text: &str) -> String {
    text.to_lowercase().replace(|c: char| !c.is_ascii_alphanumeric(), "-")
}

/// A path that a narrow column may break after each slash.
fn breakable(path: &str) -> String {
    escape(path).replace('/', "/<wbr>")
}

fn entries(object: &Value) -> impl Iterator<Item = (&String, &Value)> {
    object.as_object().into_iter().flatten()
}

fn text(value: &Value) -> String {
    escape(value.as_str().unwrap_or_default())
}

/// A description: of its markdown, code in backticks and nothing else.
fn prose(value: &Value) -> String {
    let mut html = String::new();
    for (position, part) in text(value).split('`').enumerate() {
        match position % 2 {
            0 => html.push_str(part),
            _ => html.push_str(&format!("<code>{part}</code>")),
        }
    }
    html
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&#39;")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn nothing_in_the_document_becomes_markup() {
        let document = json!({
            "info": { "title": "<script>" },
            "paths": { "/a\"b": { "get": { "summary": "<img>", "description": "`<b>`", "responses": {} } } },
        });
        let page = html(&document);
        assert!(page.contains("&lt;script&gt;") && page.contains("<code>&lt;b&gt;</code>"), "{page}");
        assert!(!page.contains("<img>") && !page.contains("a\"b"), "{page}");
    }
}
