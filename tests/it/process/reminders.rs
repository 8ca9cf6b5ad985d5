//! kill -9 of the worker that has taken up a reminder and has not got rid of the mail: the next one mails it,
//! once, and it is told once.

use std::time::Duration;

use kontor::{db::Db, events::Cursor};
use serde_json::json;

use crate::support::{client::Client, eventually, eventually_within, process::Installation, smtp::SmtpServer, sql};

/// Reminders are looked for every ten seconds, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

const MAIL_SERVER: &str = "KONTOR_MAIL__URL";
const FOLLOW: &str = "subscription($after: String) { taskReminders(after: $after) { task { id } } }";

fn url(server: &SmtpServer) -> String {
    format!("smtp://127.0.0.1:{}?tls=none", server.port)
}

/// A task of this person of which it is time to remind.
async fn task(client: &Client, title: &str) -> String {
    let viewer = client.data("{ viewer { user { id } } }", json!({})).await["viewer"]["user"]["id"].take();
    let task = json!({ "title": title, "ownerId": viewer, "reminder": "2026-01-31T09:30:00Z" });
    let create = "mutation($task: TaskInput!) { createTask(input: { task: $task }) { task { id } } }";
    let made = client.data(create, json!({ "task": task })).await;
    made["createTask"]["task"]["id"].as_str().expect("an id").to_owned()
}

async fn let_lease_run_out(db: &Db) {
    let forget = "UPDATE jobs SET lease_until = clock_timestamp() - interval '1 s' \
                   WHERE kind = 'crm.send_reminder' AND state = 'running'";
    sql::run(db, forget).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reminder_whose_worker_dies_before_the_mail_is_out_is_mailed_once_and_told_once() {
    // the one says nothing at all, the other when it is to take the message
    let silent = [SmtpServer::start(&[("EHLO", "")]).await, SmtpServer::start(&[("DATA", "")]).await];
    let smtp = SmtpServer::start(&[]).await;
    let mut installation = Installation::external().await.set(MAIL_SERVER, url(&smtp));
    let server = installation.serve_with(&["--no-work"]).await;
    let ada = installation.admin(&server).await;
    let db = installation.db();
    let first = task(&ada, "Call Grace").await;
    for mail_server in &silent {
        installation.change(MAIL_SERVER, url(mail_server));
        let worker = installation.work().await;
        let_lease_run_out(&db).await;
        eventually_within(PATIENCE, "the mail is on its way", async || mail_server.waiting() == 1).await;
        worker.kill().await;
    }
    let running = "SELECT count(*) AS value FROM jobs WHERE kind = 'crm.send_reminder' AND state = 'running'";
    let given = "SELECT count(*) AS value FROM tasks WHERE reminded_at = reminder";
    assert_eq!((sql::number(&db, running).await, sql::number(&db, given).await), (1, 1), "handed over, not done");

    installation.change(MAIL_SERVER, url(&smtp));
    let worker = installation.work().await;
    let_lease_run_out(&db).await;
    eventually_within(PATIENCE, "the mail is out", async || smtp.deliveries().len() == 1).await;
    // what is given later comes behind all that is told or mailed of the first
    let second = task(&ada, "Call Ada").await;
    let done = "SELECT count(*) AS value FROM jobs WHERE kind = 'crm.send_reminder' AND state = 'completed'";
    eventually_within(PATIENCE, "both are done", async || sql::number(&db, done).await == 2).await;
    assert!(worker.stop().await.status.success());
    let mails = smtp.deliveries();
    assert_eq!(mails.len(), 2);
    for (mail, title) in mails.iter().zip(["Call Grace", "Call Ada"]) {
        assert!(mail.commands.contains(&"RCPT TO:<ada@kontor.test>".to_owned()), "{mail:?}");
        assert!(mail.message.contains(&format!("Subject: Reminder: {title}\r\n")), "{mail:?}");
    }
    assert!(silent.iter().all(|mail_server| mail_server.deliveries().is_empty()));
    let jobs = "SELECT count(*) AS value FROM jobs WHERE kind = 'crm.send_reminder'";
    let failures = "SELECT coalesce(sum(failures), 0)::bigint AS value FROM jobs WHERE kind = 'crm.send_reminder'";
    let counted = (sql::number(&db, jobs).await, sql::number(&db, failures).await);
    assert_eq!(counted, (2, 0), "a death is no failure of the job");

    eventually("all is told", async || sql::number(&db, "SELECT count(*) AS value FROM outbox").await == 0).await;
    let told =
        "SELECT unnest(record_ids)::text AS value FROM events WHERE name = 'task.reminder_due' ORDER BY position";
    assert_eq!(sql::texts(&db, told).await, [first.clone(), second.clone()]);
    let mut live = ada.subscribe(FOLLOW, json!({ "after": Cursor::after(0).encode() })).await;
    for task in [first, second] {
        assert_eq!(live.next().await["taskReminders"]["task"]["id"], json!(task));
    }
}
