//! Every limit in one place, each with its unit and its default; all can be set in the
//! configuration under `limits`. A request past a limit gets an error that names the limit.

use serde::Deserialize;

/// How much of anything one caller may use. See `docs/configuration.md` for the list.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Largest body of an API request, in bytes (uploads have their own).
    pub body_bytes: usize,
    /// Largest uploaded file, in bytes.
    pub upload_bytes: u64,
    /// Most connections at once, per node; further ones wait. Websockets have their own limit.
    pub connections: usize,
    /// The same from one address; more are closed at once. Not looked at behind trusted proxies, nor
    /// for this machine's own; 0 switches it off.
    pub connections_per_address: usize,
    /// Longest time a connection may be open without asking for anything, in seconds.
    pub idle_seconds: u64,
    /// Bytes that the files of one person in one workspace may take.
    pub user_file_bytes: u64,
    /// Uploads of one person in one workspace that are announced and not complete.
    pub unfinished_uploads_per_user: u64,
    /// Bodies of uploads that are taken in at once, per node; each takes up to 8 MiB of memory.
    pub uploads_at_once: usize,
    /// The same of one person.
    pub uploads_per_user: usize,
    /// Longest time an API request may take, in seconds; uploads, downloads and live streams have none.
    pub request_seconds: u64,
    /// Longest time one SQL statement of a request may take, in seconds.
    pub statement_seconds: u64,
    /// Longest time one statement may take that looks for the records which criteria mean, in
    /// milliseconds.
    pub criteria_millis: u64,
    /// Deepest nesting of a GraphQL document.
    pub graphql_depth: usize,
    /// Highest cost of a GraphQL request, as `graphql::cost` counts it; of a batch as a whole.
    pub graphql_cost: usize,
    /// Longest GraphQL document, in names, numbers, strings and marks.
    pub graphql_tokens: usize,
    /// Most operations in one batched GraphQL request.
    pub graphql_batch: usize,
    /// Most websockets of one user at a time, per node.
    pub sockets_per_user: usize,
    /// Most running subscriptions of one websocket.
    pub subscriptions_per_socket: usize,
    /// Bytes of live answers that are held for slow or returning clients, per node. The oldest go.
    pub live_bytes: usize,
    /// Of that, for the subscriptions of one user.
    pub live_user_bytes: usize,
    /// Largest message of a websocket, in bytes: held before anybody knows who sends it.
    pub socket_message_bytes: usize,
    /// Messages waiting for one slow websocket before it is closed with its cursor.
    pub socket_queue: usize,
    /// Requests a minute for one token, or one address where nobody is signed in; bursts of a
    /// tenth are allowed. 0 switches the limit off.
    pub requests_per_minute: u32,
    /// Failed sign-ins for one account from one network before that has to wait; more for the
    /// network and for the account alone: see `auth::throttle`.
    pub sign_in_attempts: u32,
    /// The time in which those count, in seconds.
    pub sign_in_window_seconds: u64,
    /// Static lists of one workspace.
    pub static_lists: i64,
    /// Dynamic lists of one workspace: each is asked at every change of a contact that it reads.
    pub dynamic_lists: i64,
    /// Most contacts that one call adds to a list, removes from it, or sets as its members.
    pub list_ids: usize,
    /// Ids of members that one answer with many lists shows in all.
    pub lists_ids: usize,
    /// Most ids that one bulk change names.
    pub bulk_ids: usize,
    /// Most records of one bulk change, however they are told.
    pub bulk_records: i64,
    /// Most records that a bulk change writes in one transaction.
    pub bulk_batch_records: usize,
    /// Records of one bulk change that failed and are kept to be shown; more are only counted.
    pub bulk_failures: i64,
    /// Longest cell of an imported file, in bytes.
    pub import_cell_bytes: usize,
    /// Most columns of an imported file.
    pub import_columns: usize,
    /// Most rows of an imported file that are written in one transaction.
    pub import_batch_rows: usize,
    /// Rows of one import that failed and are kept to be shown and mended; more are only counted.
    pub import_errors: usize,
    /// Imports of one person in one workspace that have not ended.
    pub open_imports_per_user: i64,
    /// Custom fields of one kind of record, per workspace.
    pub custom_fields_per_kind: usize,
    /// Pipelines of one workspace.
    pub pipelines: usize,
    /// Stages of one pipeline.
    pub stages_per_pipeline: usize,
    /// Line items of one deal.
    pub line_items_per_deal: usize,
    /// Records that one merge makes one.
    pub records_per_merge: usize,
    /// Days that deleted records and notes are kept: until then they can be restored.
    pub deleted_records_days: i64,
    /// Days that uploads and reports are kept.
    pub file_days: i64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes: 2 * 1024 * 1024,
            upload_bytes: 2 * 1024 * 1024 * 1024,
            connections: 10_000,
            connections_per_address: 200,
            // longer than proxies keep theirs, so that it is they who close
            idle_seconds: 75,
            user_file_bytes: 20 * 1024 * 1024 * 1024,
            unfinished_uploads_per_user: 100,
            uploads_at_once: 32,
            uploads_per_user: 4,
            request_seconds: 30,
            statement_seconds: 15,
            criteria_millis: 10_000,
            graphql_depth: 15,
            graphql_cost: 30_000,
            graphql_tokens: 10_000,
            graphql_batch: 20,
            sockets_per_user: 50,
            subscriptions_per_socket: 100,
            live_bytes: 256 * 1024 * 1024,
            live_user_bytes: 32 * 1024 * 1024,
            socket_message_bytes: 256 * 1024,
            socket_queue: 256,
            requests_per_minute: 3_000,
            sign_in_attempts: 10,
            sign_in_window_seconds: 15 * 60,
            static_lists: 10_000,
            dynamic_lists: 1_000,
            list_ids: 10_000,
            lists_ids: 100_000,
            bulk_ids: 10_000,
            bulk_records: 1_000_000,
            bulk_batch_records: 2_000,
            bulk_failures: 1_000,
            import_cell_bytes: 1024 * 1024,
            import_columns: 1_000,
            import_batch_rows: 5_000,
            import_errors: 100_000,
            open_imports_per_user: 50,
            custom_fields_per_kind: 200,
            pipelines: 50,
            stages_per_pipeline: 100,
            line_items_per_deal: 500,
            records_per_merge: 50,
            deleted_records_days: 30,
            file_days: 30,
        }
    }
}
