//! Every door of the house is locked as decided. The GraphQL fields come from the schema, the routes
//! from their own documents, and each must have a line in [`table`]; a line that names no door of
//! the house fails as well. What a line stands for is checked in [`check`]: strangers are refused,
//! other workspaces see nothing, lesser roles get as much as [`rights`] gives them, and a token no
//! more than its scopes.

mod call;
mod check;
mod found;
mod rights;
mod table;
mod world;

use std::collections::BTreeSet;

use self::{table::Door, world::World};

/// Checks these doors, and that they are all that there are and no more.
async fn locked_as_decided(world: &World, found: BTreeSet<String>, doors: Vec<Door>) {
    let listed: BTreeSet<_> = doors.iter().map(|door| door.name.clone()).collect();
    let mut faults: Vec<_> = found.difference(&listed).map(|name| format!("{name} has no line in the table")).collect();
    let known = world.known_fields().await;
    let gone = listed.difference(&found).filter(|name| !known.contains(*name));
    faults.extend(gone.map(|name| format!("{name} stands in the table and is nowhere else")));
    for door in &doors {
        faults.extend(check::door(world, door).await);
    }
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}

#[tokio::test]
async fn every_graphql_field_is_locked_as_decided() {
    let world = World::new().await;
    let found = found::fields(&world.schema().await);
    locked_as_decided(&world, found, table::graphql()).await;
}

#[tokio::test]
async fn every_rest_route_is_locked_as_decided() {
    let world = World::new().await;
    let document = world.stranger.get("/openapi.json").await.body;
    locked_as_decided(&world, found::routes(&document), table::rest()).await;
}

#[tokio::test]
async fn every_door_for_bytes_is_locked_as_decided() {
    let world = World::new().await;
    let (_, document) = kontor::doors::routes(world.server.ctx.clone()).split_for_parts();
    let document = serde_json::to_value(document).expect("JSON");
    locked_as_decided(&world, found::routes(&document), table::bytes()).await;
}
