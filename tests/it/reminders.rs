//! Reminders of tasks: once, by mail and live, whoever works beside or dies.

use chrono::{DateTime, TimeDelta, Utc};
use kontor::{
    auth::Role,
    config::Config,
    crm::{Contact, Lead, Task, record::ops, tasks::reminders},
    worker::Worker,
};
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::support::{
    client::Client,
    eventually,
    records::make_record,
    server::{TestServer, make_user},
    sql,
};

const FOLLOW: &str = "subscription($after: String) { taskReminders(after: $after) { cursor task { id title } } }";

/// A task of this person whose reminder is due at that time.
async fn task(server: &TestServer, of: &Client, title: &str, reminder: DateTime<Utc>, more: Value) -> String {
    let mut fields = json!({ "title": title, "ownerId": of.user(), "reminder": reminder });
    for (name, value) in more.as_object().expect("an object") {
        fields[name] = value.clone();
    }
    make_record::<Task>(&server.ctx, &server.admin().await.caller(), fields).await.id.to_string()
}

async fn email_of(server: &TestServer, person: &Client) -> String {
    let query = format!("SELECT email AS value FROM users WHERE id = '{}'", person.user());
    sql::texts(&server.database.db, &query).await.remove(0)
}

async fn count(server: &TestServer, from: &str) -> i64 {
    sql::number(&server.database.db, &format!("SELECT count(*) AS value FROM {from}")).await
}

/// Gives all that is due now, as the job does.
async fn give(server: &TestServer) {
    while reminders::give_due(&server.ctx).await.expect("given") {}
}

#[tokio::test]
async fn a_reminder_is_given_when_its_time_has_come_and_says_what_it_is_about() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let rep = ada.invite_role(Role::SalesRep).await;
    let zone = "mutation { updateWorkspace(input: { timeZone: \"Europe/Berlin\" }) { workspace { id } } }";
    ada.data(zone, json!({})).await;
    let fields = json!({ "firstName": "Grace", "lastName": "Hopper" });
    let contact = make_record::<Contact>(&server.ctx, &ada.caller(), fields).await.id;
    let in_an_hour = server.clock.now() + TimeDelta::hours(1);
    let more = json!({ "contactId": contact, "dueDate": "2031-01-31T09:30:00Z" });
    let id = task(&server, &rep, "Call <Grace>", in_an_hour, more).await;
    let start = server.cursor().await;
    give(&server).await;
    assert_eq!(count(&server, "tasks WHERE reminded_at IS NOT NULL").await, 0, "it is not time yet");

    // the schedule finds it by itself
    server.advance(TimeDelta::hours(2));
    let address = email_of(&server, &rep).await;
    let mail = server.mails(&address, 0).await.remove(0);
    assert!(mail.contains("Reminder: Call <Grace>"), "{mail}");
    assert!(mail.contains("Friday, 31 January 2031, 10:30 (Europe/Berlin)"), "{mail}");
    assert!(mail.contains("Grace Hopper"), "{mail}");
    assert!(mail.contains(&format!("http://kontor.test/tasks/{id}")), "{mail}");
    assert!(mail.contains("Call &lt;Grace&gt;"), "the HTML is escaped: {mail}");

    // and tells its owner, and nobody else
    let (rep, ada) = (rep.again().await, ada.again().await);
    let mut live = rep.subscribe(FOLLOW, json!({ "after": start })).await;
    assert_eq!(live.next().await["taskReminders"]["task"], json!({ "id": id, "title": "Call <Grace>" }));
    let mut of_ada = ada.subscribe(FOLLOW, json!({ "after": start })).await;
    let own = task(&server, &ada, "Ada's", server.clock.now() - TimeDelta::minutes(1), json!({})).await;
    give(&server).await;
    assert_eq!(of_ada.next().await["taskReminders"]["task"]["id"], json!(own));
}

#[tokio::test]
async fn it_is_given_once_however_many_look() {
    let server = TestServer::start_idle().await;
    let ada = server.admin().await;
    let now = server.clock.now();
    for number in 0..20 {
        task(&server, &ada, &format!("T{number}"), now - TimeDelta::minutes(number + 1), json!({})).await;
    }
    let eve = server.other_workspace().await;
    let fields = json!({ "title": "E", "ownerId": eve.user(), "reminder": now - TimeDelta::hours(1) });
    make_record::<Task>(&server.ctx, &eve.caller(), fields).await;
    tokio::join!(give(&server), give(&server), give(&server));
    give(&server).await;
    assert_eq!(count(&server, "tasks WHERE reminded_at = reminder").await, 21);
    assert_eq!(count(&server, "jobs WHERE kind = 'crm.send_reminder'").await, 21);
    server.events_logged().await;
    let told = "SELECT coalesce(sum(cardinality(record_ids)), 0)::bigint AS value FROM events \
                 WHERE name = 'task.reminder_due'";
    assert_eq!(sql::number(&server.database.db, told).await, 21);
    // each in its own workspace
    let alien = "events e CROSS JOIN unnest(e.record_ids) AS told (id) JOIN tasks t ON t.id = told.id \
                 WHERE e.name = 'task.reminder_due' AND t.workspace_id <> e.workspace_id";
    assert_eq!(count(&server, alien).await, 0);
}

#[tokio::test]
async fn two_workers_mail_it_once() {
    let server = TestServer::start().await;
    let stop = CancellationToken::new();
    let _stop = stop.clone().drop_guard();
    let _second = Worker::start(&Config::default(), &server.ctx, &server.events, &stop);
    let ada = server.admin().await;
    let (email, in_an_hour) = (email_of(&server, &ada).await, server.clock.now() + TimeDelta::hours(1));
    for number in 0..5 {
        task(&server, &ada, &format!("T{number}"), in_an_hour, json!({})).await;
    }
    server.advance(TimeDelta::hours(2));
    tokio::join!(give(&server), give(&server));
    server.mails(&email, 4).await;
    server.jobs_done().await;
    assert_eq!(server.mails(&email, 4).await.len(), 5);
    assert_eq!(count(&server, "jobs WHERE kind = 'crm.send_reminder' AND state = 'completed'").await, 5);
}

#[tokio::test]
async fn a_reminder_that_was_moved_is_given_again() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let address = email_of(&server, &ada).await;
    let id = task(&server, &ada, "Call", server.clock.now() - TimeDelta::minutes(1), json!({})).await;
    give(&server).await;
    server.mails(&address, 0).await;
    // any other change gives nothing
    ada.put(&format!("/tasks/{id}"), json!({ "notes": "busy" })).await.data();
    give(&server).await;
    assert_eq!(count(&server, "jobs WHERE kind = 'crm.send_reminder'").await, 1);
    let later = server.clock.now() + TimeDelta::hours(1);
    ada.put(&format!("/tasks/{id}"), json!({ "reminder": later })).await.data();
    give(&server).await;
    assert_eq!(count(&server, "jobs WHERE kind = 'crm.send_reminder'").await, 1);
    server.advance(TimeDelta::hours(2));
    give(&server).await;
    assert_eq!(server.mails(&address, 1).await.len(), 2);
}

#[tokio::test]
async fn nobody_is_reminded_of_what_is_done_deleted_or_nobodys() {
    let server = TestServer::start_idle().await;
    let ada = server.admin().await;
    let due = server.clock.now() - TimeDelta::minutes(1);
    for status in ["completed", "cancelled"] {
        task(&server, &ada, status, due, json!({ "status": status })).await;
    }
    let deleted = task(&server, &ada, "deleted", due, json!({})).await;
    ada.delete(&format!("/tasks/{deleted}")).await.expect(StatusCode::OK);
    give(&server).await;
    assert_eq!(count(&server, "tasks WHERE reminded_at IS NOT NULL").await, 0);
    task(&server, &ada, "nobody's", due, json!({ "ownerId": null })).await;
    give(&server).await;
    assert_eq!(count(&server, "tasks WHERE reminded_at IS NOT NULL").await, 1);
    assert_eq!(count(&server, "jobs WHERE kind = 'crm.send_reminder'").await, 0);
}

/// Between the reminder and its mail time may pass: what it says and to whom is looked up at the end.
#[tokio::test]
async fn what_changed_before_the_mail_was_sent_counts() {
    let server = TestServer::start_idle().await;
    let ada = server.admin().await;
    let rep = ada.invite_role(Role::SalesRep).await;
    let support = ada.invite_role(Role::Support).await;
    let due = server.clock.now() - TimeDelta::minutes(1);
    let done = task(&server, &rep, "done", due, json!({})).await;
    let given = task(&server, &rep, "given away", due, json!({})).await;
    let kept = task(&server, &rep, "renamed", due, json!({})).await;
    let lead = json!({ "lastName": "Secret", "ownerId": rep.user() });
    let lead = make_record::<Lead>(&server.ctx, &ada.caller(), lead).await.id;
    task(&server, &support, "about a lead", due, json!({ "leadId": lead })).await;
    let gone = make_user(&server.ctx, &ada.caller(), Role::Support).await;
    let fields = json!({ "title": "of who left", "ownerId": gone, "reminder": due });
    make_record::<Task>(&server.ctx, &ada.caller(), fields).await;
    give(&server).await;
    ada.put(&format!("/tasks/{done}"), json!({ "status": "completed" })).await.data();
    ada.put(&format!("/tasks/{given}"), json!({ "assigned_to": ada.user() })).await.data();
    ada.put(&format!("/tasks/{kept}"), json!({ "title": "the new name" })).await.data();
    ada.delete(&format!("/users/{gone}")).await.expect(StatusCode::OK);

    let node = TestServer::start_over(server.database, |_| ()).await;
    node.jobs_done().await;
    let of_rep = node.mails(&email_of(&node, &rep).await, 0).await;
    assert_eq!(of_rep.len(), 1, "{of_rep:?}");
    assert!(of_rep[0].contains("Reminder: the new name"), "{}", of_rep[0]);
    // what the owner may not see is not named
    let of_support = node.mails(&email_of(&node, &support).await, 0).await;
    assert!(!of_support[0].contains("Secret"), "{}", of_support[0]);
    let all = std::fs::read_dir(node.folder.path().join("mail")).expect("the folder").count();
    assert_eq!(all, 2, "none to who left, and none of what is done or somebody else's");
}

#[tokio::test]
async fn one_who_was_away_is_told_of_their_own_in_order_and_goes_on() {
    let server = TestServer::start_idle().await;
    let ada = server.admin().await;
    let rep = ada.invite_role(Role::SalesRep).await;
    let start = server.cursor().await;
    let now = server.clock.now();
    // in one event with those of others
    let mut own = Vec::new();
    for number in 0..3 {
        task(&server, &ada, "ada's", now - TimeDelta::minutes(30 - number), json!({})).await;
        own.push(task(&server, &rep, &format!("T{number}"), now - TimeDelta::minutes(20 - number), json!({})).await);
    }
    give(&server).await;
    server.events_logged().await;
    let mut live = rep.subscribe(FOLLOW, json!({ "after": start })).await;
    let mut told = Vec::new();
    for _ in 0..3 {
        told.push(live.next().await["taskReminders"].clone());
    }
    let mut ids: Vec<_> = told.iter().map(|one| one["task"]["id"].as_str().expect("an id").to_owned()).collect();
    // a cursor within the event goes on behind it
    let mut rest = rep.subscribe(FOLLOW, json!({ "after": told[0]["cursor"] })).await;
    assert_eq!(rest.next().await["taskReminders"], told[1]);
    // one that was deleted meanwhile is left out
    ops::delete::<Task>(&server.ctx, &ada.caller(), ids[1].parse().expect("an id"), None).await.expect("deleted");
    let mut rest = rep.subscribe(FOLLOW, json!({ "after": told[0]["cursor"] })).await;
    assert_eq!(rest.next().await["taskReminders"], told[2]);
    ids.sort();
    own.sort();
    assert_eq!(ids, own);
    let late = task(&server, &rep, "late", now - TimeDelta::minutes(1), json!({})).await;
    give(&server).await;
    assert_eq!(live.next().await["taskReminders"]["task"]["id"], json!(late));
    eventually("it is noted", async || count(&server, "tasks WHERE reminded_at = reminder").await == 7).await;
}
