//! Imports by the real doors: the file goes up, the import is asked for, and runs.

use kontor::{db::Db, transfer::import::ImportOptions};
use serde_json::{Value, json};

use crate::support::{client::Client, sql};

/// Sends the bytes to the upload door; the upload's id.
pub async fn upload(client: &Client, bytes: impl Into<Vec<u8>>) -> String {
    let bytes = bytes.into();
    let query = "mutation($size: Int!) { createUpload(input: { name: \"people.csv\", size: $size }) { uploadId url } }";
    let upload = client.data(query, json!({ "size": bytes.len() })).await["createUpload"].take();
    let url = upload["url"].as_str().expect("a link");
    let put = client.http.put(url).bearer_auth(client.token.as_deref().expect("signed in")).body(bytes);
    let answer = put.send().await.expect("answered");
    assert_eq!(answer.status(), 200, "{}", answer.text().await.unwrap_or_default());
    upload["uploadId"].as_str().expect("an id").to_owned()
}

/// An import that was asked for.
pub struct Started {
    pub id: String,
    pub job: String,
}

pub async fn start(client: &Client, file: impl Into<Vec<u8>>, options: ImportOptions) -> Started {
    let query = "mutation($input: CreateImportInput!) { createImport(input: $input) { importJob { id jobId } } }";
    let options = json!({ "skipDuplicates": options.skip_duplicates, "updateExisting": options.update_existing });
    let input = json!({ "kind": "CONTACT", "uploadId": upload(client, file).await, "options": options });
    let job = client.data(query, json!({ "input": input })).await["createImport"]["importJob"].take();
    let text = |value: &Value| value.as_str().expect("an id").to_owned();
    Started { id: text(&job["id"]), job: text(&job["jobId"]) }
}

impl Started {
    /// Rows that are dealt with, of which the database knows.
    pub async fn processed(&self, db: &Db) -> i64 {
        sql::number(db, &format!("SELECT processed_rows AS value FROM imports WHERE id = '{}'", self.id)).await
    }

    pub async fn status(&self, db: &Db) -> String {
        sql::texts(db, &format!("SELECT status AS value FROM imports WHERE id = '{}'", self.id)).await.remove(0)
    }

    /// State, attempts, failures and crashes of its job.
    pub async fn job_row(&self, db: &Db) -> (String, i64, i64, i64) {
        let query = format!(
            "SELECT concat_ws(' ', state, attempt, failures, crashes) AS value FROM jobs WHERE id = '{}'",
            self.job
        );
        let row = sql::texts(db, &query).await.remove(0);
        let words: Vec<_> = row.split(' ').collect();
        let number = |at: usize| words[at].parse().expect("a number");
        (words[0].to_owned(), number(1), number(2), number(3))
    }

    /// Ends the lease that a dead worker holds, which would take its time.
    pub async fn let_lease_run_out(&self, db: &Db) {
        let (_, attempt, ..) = self.job_row(db).await;
        let forget = format!(
            "UPDATE jobs SET lease_until = clock_timestamp() - interval '1 s' \
              WHERE id = '{}' AND attempt = {attempt} AND state = 'running'",
            self.job
        );
        sql::run(db, &forget).await;
    }
}
