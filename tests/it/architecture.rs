//! Holds the program to the plan of its floors (`docs/architecture.md`): which way imports run, no
//! circles, and where SQL and HTTP may be spoken.

use std::collections::{BTreeMap, BTreeSet};

use crate::support::source::{ModulePath, Source, Target};

/// Everything below the root, from the bottom to the top; each may use what stands before it.
const FLOORS: &[(&str, &[&str])] = &[
    ("base", &["base"]),
    ("tools", &["db", "auth", "events", "jobs", "files", "mail", "outbound"]),
    ("ctx", &["ctx"]),
    ("features", &["team", "crm", "lists", "inbox", "transfer", "marketplace", "sync", "upkeep"]),
    ("edge", &["http"]),
    ("faces", &["graphql", "rest", "doors", "web"]),
    ("roots", &["config", "worker", "server", "cli", "main"]),
];

/// Floors whose members never use one another, and floors that do not see features.
const STRANGERS: &[&str] = &["faces"];
const WITHOUT_FEATURES: &[&str] = &["edge"];

/// Where diesel may stand besides `db`, `queries`, `model` and `columns`, each with its reason.
const DIESEL_TOO: &[(&str, &str)] = &[
    ("src/base/ids.rs", "an id maps itself to a column, so that nobody can bind another one in its place"),
    (
        "src/events/",
        "relay and listener hold a connection of their own, for its lock and its notifications; they name its type",
    ),
    (
        "src/crm/criteria/sql/statement.rs",
        "the builder of criteria's SQL hands over statements with their values bound",
    ),
    ("src/crm/criteria/together.rs", "names the connection's type, as every query's caller does in a method"),
    ("src/crm/criteria/explain.rs", "names the connection's type, as every query's caller does in a method"),
    ("src/crm/record/", "one record type, one table: the macro makes both, and the builder of its lists is SQL"),
];

/// What may go round, each with its reason.
const CIRCLES: &[(&str, &str)] = &[("graphql::objects", "a graph of types is circular by nature")];

#[test]
fn imports_run_downwards_and_leftwards() {
    let source = Source::read();
    let mut wrong = BTreeSet::new();
    for (path, module) in &source.modules {
        let Some(from) = path.first() else { continue };
        for target in ours(&source, path) {
            let Some(to) = target.first().filter(|to| *to != from) else { continue };
            if let Err(why) = may_use(from, to) {
                wrong.insert(format!("{} uses {}: {why}", module.file, target.join("::")));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", lines(&wrong));
}

fn may_use(from: &str, to: &str) -> Result<(), String> {
    let place = |name: &str| {
        let floor = FLOORS.iter().position(|(_, members)| members.contains(&name))?;
        Some((floor, FLOORS[floor].1.iter().position(|member| *member == name)))
    };
    let (Some(user), Some(used)) = (place(from), place(to)) else {
        return Err("one of them stands on no floor; add it to FLOORS".to_owned());
    };
    let name = |place: (usize, _)| FLOORS[place.0].0;
    if used.0 == user.0 && STRANGERS.contains(&name(user)) {
        return Err(format!("{} never use one another", name(user)));
    }
    if name(used) == "features" && WITHOUT_FEATURES.contains(&name(user)) {
        return Err(format!("the {} knows no feature", name(user)));
    }
    if used < user { Ok(()) } else { Err("imports run downwards, and leftwards on a floor".to_owned()) }
}

#[test]
fn no_modules_go_round_in_a_circle() {
    let source = Source::read();
    // By the parent: which of its parts use which others. A parent and its parts are one thing.
    let mut families: BTreeMap<ModulePath, BTreeMap<String, BTreeSet<String>>> = BTreeMap::new();
    for path in source.modules.keys() {
        for target in ours(&source, path) {
            let shared = path.iter().zip(&target).take_while(|(one, other)| one == other).count();
            if let (Some(from), Some(to)) = (path.get(shared), target.get(shared)) {
                families
                    .entry(path[..shared].to_vec())
                    .or_default()
                    .entry(from.clone())
                    .or_default()
                    .insert(to.clone());
            }
        }
    }
    let mut wrong = BTreeSet::new();
    for (family, uses) in &families {
        let name = family.join("::");
        if !CIRCLES.iter().any(|(allowed, _)| *allowed == name) {
            wrong.extend(circle(uses).map(|circle| format!("in {name}: {}", circle.join(" -> "))));
        }
    }
    assert!(wrong.is_empty(), "{}", lines(&wrong));
}

/// One circle, if there is any.
fn circle(uses: &BTreeMap<String, BTreeSet<String>>) -> Option<Vec<String>> {
    fn walk(
        uses: &BTreeMap<String, BTreeSet<String>>,
        at: &str,
        way: &mut Vec<String>,
        done: &mut BTreeSet<String>,
    ) -> Option<Vec<String>> {
        if let Some(begin) = way.iter().position(|step| step == at) {
            return Some(way[begin..].iter().cloned().chain([at.to_owned()]).collect());
        }
        if !done.insert(at.to_owned()) {
            return None;
        }
        way.push(at.to_owned());
        let found = uses.get(at).into_iter().flatten().find_map(|next| walk(uses, next, way, done));
        way.pop();
        found
    }
    let mut done = BTreeSet::new();
    uses.keys().find_map(|start| walk(uses, start, &mut Vec::new(), &mut done))
}

#[test]
fn diesel_stands_where_sql_is() {
    let source = Source::read();
    let speaks_sql = |path: &ModulePath, file: &str| {
        path.first().is_some_and(|unit| unit == "db")
            || path.iter().any(|part| ["queries", "model", "columns"].contains(&part.as_str()))
            || DIESEL_TOO.iter().any(|(allowed, _)| file.starts_with(allowed))
    };
    let wrong = foreign_users(&source, &["diesel", "diesel_async"], speaks_sql);
    assert!(wrong.is_empty(), "{}", lines(&wrong));
}

#[test]
fn axum_stands_where_http_is() {
    let source = Source::read();
    let speaks_http = |path: &ModulePath, _: &str| {
        let floor = path.first().and_then(|unit| FLOORS.iter().find(|(_, members)| members.contains(&unit.as_str())));
        floor.is_some_and(|(floor, _)| ["edge", "faces", "roots"].contains(floor))
    };
    let wrong = foreign_users(&source, &["axum", "tower_http", "hyper", "hyper_util"], speaks_http);
    assert!(wrong.is_empty(), "{}", lines(&wrong));
}

#[test]
fn graphql_outside_its_face_is_the_name_of_an_enum() {
    let source = Source::read();
    let mut wrong = BTreeSet::new();
    for (path, module) in &source.modules {
        if path.first().is_some_and(|unit| unit == "graphql") {
            continue;
        }
        for target in source.targets(path) {
            if let Target::Foreign(named) = target
                && named[0] == "async_graphql"
                && named != ["async_graphql", "Enum"]
            {
                wrong.insert(format!("{} uses {}", module.file, named.join("::")));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", lines(&wrong));
}

#[test]
fn nobody_reaches_another_modules_queries() {
    let source = Source::read();
    let mut wrong = BTreeSet::new();
    for (path, module) in &source.modules {
        if module.children.get("queries") == Some(&true) {
            wrong.insert(format!("{} opens its queries to everybody", module.file));
        }
        for target in ours(&source, path) {
            let Some(at) = target.iter().position(|part| part == "queries") else { continue };
            if !path.starts_with(&target[..at]) {
                wrong.insert(format!("{} uses {}", module.file, target.join("::")));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", lines(&wrong));
}

#[test]
fn no_module_is_a_drawer_for_odds_and_ends() {
    const DRAWERS: &[&str] = &["util", "utils", "helper", "helpers", "common", "misc", "types", "manager", "service"];
    let source = Source::read();
    let named = |path: &ModulePath| path.last().is_some_and(|name| DRAWERS.contains(&name.as_str()));
    let wrong: BTreeSet<_> = source.modules.keys().filter(|path| named(path)).map(|path| path.join("::")).collect();
    assert!(wrong.is_empty(), "{}", lines(&wrong));
}

#[test]
fn the_reader_of_sources_sees_what_is_there() {
    let source = Source::read();
    let uses = |from: &str, to: &str| {
        let path = |text: &str| text.split("::").map(ToOwned::to_owned).collect::<ModulePath>();
        ours(&source, &path(from)).contains(&path(to))
    };
    assert!(source.modules.len() > 100, "{}", source.modules.len());
    assert!(uses("team::users", "team::queries"), "a neighbour");
    assert!(uses("team::users", "base::error"), "through a re-export");
    assert!(uses("team::model", "db::columns"), "a macro");
    assert!(uses("team::users", "db::tx"), "a path written out in code");
    assert!(!uses("team::users", "crm"));
    assert_eq!(may_use("team", "crm"), Err("imports run downwards, and leftwards on a floor".to_owned()));
    assert!(may_use("rest", "graphql").is_err() && may_use("http", "team").is_err() && may_use("base", "db").is_err());
    let uses = BTreeMap::from([
        ("a".to_owned(), BTreeSet::from(["b".to_owned()])),
        ("b".to_owned(), BTreeSet::from(["a".to_owned()])),
    ]);
    assert_eq!(circle(&uses).expect("a circle"), ["a", "b", "a"]);
}

fn ours(source: &Source, path: &ModulePath) -> BTreeSet<ModulePath> {
    let ours = |target| match target {
        Target::Ours(path) => Some(path),
        Target::Foreign(_) => None,
    };
    source.targets(path).into_iter().filter_map(ours).collect()
}

fn foreign_users(source: &Source, crates: &[&str], allowed: impl Fn(&ModulePath, &str) -> bool) -> BTreeSet<String> {
    let mut wrong = BTreeSet::new();
    for (path, module) in &source.modules {
        for target in source.targets(path) {
            if let Target::Foreign(named) = target
                && crates.contains(&named[0].as_str())
                && !allowed(path, &module.file)
            {
                wrong.insert(format!("{} uses {}", module.file, named.join("::")));
            }
        }
    }
    wrong
}

fn lines(wrong: &BTreeSet<String>) -> String {
    wrong.iter().map(|line| format!("\n  {line}")).collect()
}
