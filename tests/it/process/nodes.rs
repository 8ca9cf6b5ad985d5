//! Two servers and two workers on one database: jobs run once, events reach everybody in one order,
//! whoever leads may die, and what is revoked at one is refused at the other.

use std::collections::{BTreeMap, HashSet};

use kontor::{db::Db, events::Cursor};
use serde_json::{Value, json};

use super::importing;
use crate::{
    import::lab::UPDATE,
    support::{
        client::Client,
        eventually,
        live::{Live, Told},
        process::{Installation, Process, at},
        sql,
    },
};

const CHANGES: &str = "subscription($after: String) {
    recordChanged(kind: CONTACT, after: $after) { cursor action recordId record { ... on Contact { email } } }
}";

async fn follow(client: &Client) -> Live {
    Live::begin(client, CHANGES, json!({ "after": Cursor::after(0).encode() })).await
}

async fn create(client: &Client, email: &str) -> Value {
    let query = "mutation($email: String!) { createContact(input: { contact: { email: $email } }) { contact { id } } }";
    client.data(query, json!({ "email": email })).await["createContact"]["contact"]["id"].take()
}

/// The jobs of this kind that a node's log says it has completed.
fn completed(node: &Process, kind: &str) -> Vec<String> {
    let log = node.log();
    let of_kind = format!("kind=\"{kind}\"");
    let lines = log.lines().filter(|line| line.contains(&of_kind) && line.contains("outcome=\"completed\""));
    let id =
        |line: &str| line.split_once("job=").and_then(|(_, rest)| rest.split([' ', '}']).next()).map(str::to_owned);
    lines.map(|line| id(line).unwrap_or_else(|| panic!("no job in {line}"))).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jobs_run_once_and_events_reach_the_followers_of_both_servers_in_one_order() {
    const IMPORTS: usize = 24;
    let installation = Installation::external().await.set("KONTOR_LOG", "info,kontor::jobs=debug");
    let first = installation.serve_with(&["--no-work"]).await;
    let (second, one, two) =
        tokio::join!(installation.serve_with(&["--no-work"]), installation.work(), installation.work());
    let admin = installation.admin(&first).await;
    let (db, elsewhere) = (installation.db(), at(&second, &admin));
    let mut followers = [follow(&admin).await, follow(&elsewhere).await];
    let mut imports = Vec::new();
    for number in 0..IMPORTS {
        // rows without a key: done twice, they would be there twice
        let text = format!("email,lastName\nu{number}@x.de,\n,Person {number}\n");
        imports.push(importing::start([&admin, &elsewhere][number % 2], text, UPDATE).await);
        create([&elsewhere, &admin][number % 2], &format!("made{number}@x.de")).await;
    }
    eventually("all jobs are done", async || {
        sql::number(&db, "SELECT count(*) AS value FROM jobs WHERE state IN ('queued', 'running')").await == 0
    })
    .await;
    let others = "SELECT count(*) AS value FROM jobs WHERE kind = 'transfer.run_import' AND \
                   (state, attempt, failures, crashes) IS DISTINCT FROM ('completed', 1, 0, 0)";
    assert_eq!(sql::number(&db, others).await, 0, "each ran once");
    assert_eq!(sql::number(&db, "SELECT count(*) AS value FROM contacts").await, 3 * IMPORTS as i64);
    let ran: Vec<_> = [&one, &two].iter().flat_map(|node| completed(node, "transfer.run_import")).collect();
    assert_eq!((ran.len(), ran.iter().collect::<HashSet<_>>().len()), (IMPORTS, IMPORTS));
    for server in [&first, &second] {
        assert!(completed(server, "transfer.run_import").is_empty(), "it serves only");
    }

    let mut told = [Vec::new(), Vec::new()];
    for (follower, told) in followers.iter_mut().zip(&mut told) {
        while told.len() < 3 * IMPORTS {
            let mut change = follower.next().await["recordChanged"].take();
            told.push((change["cursor"].take().to_string(), change["recordId"].take().to_string()));
        }
    }
    assert_eq!(told[0], told[1]);
    assert_eq!(told[0].iter().map(|(_, id)| id).collect::<HashSet<_>>().len(), 3 * IMPORTS);
    for node in [first, second, one, two] {
        assert!(node.stop().await.status.success());
    }
}

/// Whether this node has said that it leads.
fn relays(node: &Process) -> bool {
    node.log().contains("this node relays the events now")
}

/// The nodes by whether the relay's lock is theirs, as the last of them to say so.
async fn leader(nodes: &BTreeMap<&'static str, Process>, db: &Db) -> &'static str {
    let mut leader = None;
    eventually("somebody leads", async || {
        let locked = "SELECT count(*) AS value FROM pg_locks JOIN pg_stat_activity USING (pid) \
                       WHERE locktype = 'advisory' AND granted AND application_name = 'kontor relay' \
                         AND datname = current_database()";
        let leading = nodes.iter().filter(|(_, node)| relays(node));
        let leading: Vec<_> = leading.map(|(name, _)| *name).collect();
        leader = leading.first().copied();
        leading.len() == 1 && sql::number(db, locked).await == 1
    })
    .await;
    leader.expect("found")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_node_relays_when_the_leader_is_killed() {
    let installation = Installation::external().await;
    let mut nodes = BTreeMap::new();
    nodes.insert("first", installation.serve_with(&["--no-work"]).await);
    nodes.insert("second", installation.serve_with(&["--no-work"]).await);
    nodes.insert("third", installation.serve_with(&["--no-work"]).await);
    nodes.insert("worker", installation.work().await);
    let admin = installation.admin(&nodes["first"]).await;
    let db = installation.db();
    let mut made = Vec::new();
    // one server is left, whoever leads
    for round in 0..2 {
        let leader = leader(&nodes, &db).await;
        let gone = nodes.remove(leader).expect("it is there");
        let (_, survivor) = nodes.iter().find(|(name, _)| **name != "worker").expect("a server is left");
        let client = at(survivor, &admin);
        let mut follower = follow(&client).await;
        for id in &made {
            assert_eq!(follower.next().await["recordChanged"]["recordId"], *id, "round {round}");
        }
        // some before its end, one after it
        for number in 0..10 {
            made.push(create(&client, &format!("u{round}-{number}@x.de")).await);
        }
        gone.kill().await;
        made.push(create(&client, &format!("u{round}-last@x.de")).await);
        for id in &made[made.len() - 11..] {
            assert_eq!(follower.next().await["recordChanged"]["recordId"], *id, "round {round}");
        }
        eventually("another says that it relays", async || nodes.values().any(relays)).await;
    }
    let gaps = "SELECT count(*) AS value FROM
                 (SELECT position, row_number() OVER (ORDER BY position) AS n FROM events) log WHERE position <> n";
    assert_eq!(sql::number(&db, gaps).await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_revoked_at_one_server_is_refused_at_the_other() {
    let installation = Installation::external().await;
    let (first, second) =
        tokio::join!(installation.serve_with(&["--no-work"]), installation.serve_with(&["--no-work"]));
    let admin = installation.admin(&first).await;
    let made = "mutation { createApiToken(input: { name: \"robot\" }) { secret apiToken { id } } }";
    let made = admin.data(made, json!({})).await["createApiToken"].take();
    let mut robot = at(&second, &admin);
    robot.token = made["secret"].as_str().map(str::to_owned);
    let viewer = "{ viewer { user { id } } }";
    robot.data(viewer, json!({})).await;
    let mut follower = follow(&robot).await;
    create(&admin, "before@x.de").await;
    follower.next().await;

    let revoke = "mutation($id: ID!) { revokeApiToken(input: { id: $id }) { done } }";
    admin.data(revoke, json!({ "id": made["apiToken"]["id"] })).await;
    eventually("the other server knows", async || {
        let answer = robot.graphql(viewer, json!({})).await;
        answer["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
    })
    .await;
    create(&admin, "after@x.de").await;
    // the cache forgets the token after some seconds anyway, but a socket is told by the event alone
    assert_eq!(follower.hear().await, Told::Closed(4401, "Signed out".to_owned()));
}
