//! A workspace with people, a file store, and workers that import.

use std::{sync::Arc, time::Duration};

use kontor::{
    auth::{self, Caller, Origin, Resolver, Role, Via},
    base::{
        Clock, Limits, Result,
        ids::{FileId, ImportId, UserId, WorkspaceId},
        page::PageArgs,
    },
    crm::RecordKind,
    ctx::Ctx,
    db::Db,
    files::{
        self, FileName, Files, Signer, Store,
        write::{NewFile, write_new},
    },
    jobs::{Config, Registry, Runner, RunnerHandle},
    mail::{self, Mailer},
    outbound::{self, Outbound},
    transfer::import::{self, Import, ImportOptions, ImportStatus, NewImport, RowError, RunImport, SettleImports},
};
use tokio_util::sync::CancellationToken;

use crate::support::{
    database::{TestDatabase, config, database},
    eventually,
    folder::Folder,
    sql,
};

pub struct Lab {
    pub database: TestDatabase,
    pub ctx: Ctx,
    /// An admin.
    pub caller: Caller,
    _folder: Folder,
}

pub const SKIP: ImportOptions = ImportOptions { skip_duplicates: true, update_existing: false };
pub const UPDATE: ImportOptions = ImportOptions { skip_duplicates: false, update_existing: true };
pub const NEITHER: ImportOptions = ImportOptions { skip_duplicates: false, update_existing: false };

impl Lab {
    pub async fn new() -> Self {
        Self::with(Limits::default()).await
    }

    /// With batches of so many rows.
    pub async fn in_batches(rows: usize) -> Self {
        Self::with(Limits { import_batch_rows: rows, ..Limits::default() }).await
    }

    pub async fn with(limits: Limits) -> Self {
        let (database, folder, clock) = (database().await, Folder::new(), Clock::default());
        let db = database.db.clone();
        let store = Store::open(&files::Config::default(), folder.path()).expect("the store opens");
        let files = Files::new(db.clone(), store, Signer::new(b"secret"), clock.clone(), &limits);
        let mail = Mailer::new(&mail::Config::default(), folder.path(), clock.clone()).expect("a folder of mails");
        let auth = auth::Config::default();
        let resolver = Resolver::new(db.clone(), clock.clone(), auth.clone());
        let public_url = "http://kontor.test".into();
        let outbound = Outbound::new(&outbound::Config::default()).expect("the default works");
        let ctx = Ctx { db, files, mail, outbound, clock, limits: Arc::new(limits), auth, resolver, public_url };
        let caller = person(&ctx.db, workspace(&ctx.db).await, Role::Admin).await;
        Self { database, ctx, caller, _folder: folder }
    }

    /// Somebody else in the same workspace.
    pub async fn colleague(&self, role: Role) -> Caller {
        person(&self.ctx.db, self.caller.workspace, role).await
    }

    /// The admin of another workspace.
    pub async fn stranger(&self) -> Caller {
        person(&self.ctx.db, workspace(&self.ctx.db).await, Role::Admin).await
    }

    /// A worker with a pool of its own, as another process would have.
    pub fn worker(&self) -> RunnerHandle {
        let db = Db::open(&config(&self.database.url)).expect("valid");
        let ctx = Ctx { db: db.clone(), ..self.ctx.clone() };
        let registry = Registry::new().register::<RunImport>().register::<SettleImports>();
        let settings = Config { poll: Duration::from_millis(20), ..Config::default() };
        Runner::new(db, self.ctx.clock.clone(), ctx, registry, settings).start(&CancellationToken::new())
    }

    pub async fn upload(&self, caller: &Caller, bytes: &[u8]) -> FileId {
        let new = NewFile {
            name: FileName::parse("people.csv").expect("a name"),
            media_type: "text/csv",
            created_by: caller.user,
            expires_at: self.ctx.clock.now() + chrono::TimeDelta::days(1),
        };
        let mut writer = write_new(&self.ctx.files, caller.workspace, new).await.expect("a file");
        writer.write(bytes).await.expect("written");
        writer.finish().await.expect("finished").id
    }

    pub async fn create_as(&self, caller: &Caller, kind: RecordKind, text: &[u8], options: ImportOptions) -> Import {
        let file = self.upload(caller, text).await;
        let new = NewImport { kind, file, mapping: Default::default(), options };
        import::create(&self.ctx, caller, new).await.expect("created")
    }

    pub async fn create(&self, text: impl AsRef<[u8]>, options: ImportOptions) -> Import {
        self.create_as(&self.caller, RecordKind::Contact, text.as_ref(), options).await
    }

    /// Imports contacts with a worker that is there for this import alone.
    pub async fn import(&self, text: impl AsRef<[u8]>, options: ImportOptions) -> Import {
        let import = self.create(text, options).await;
        let _worker = self.worker();
        self.ended(import.id).await
    }

    pub async fn get(&self, id: ImportId) -> Import {
        import::get(&self.ctx, &self.caller, id).await.expect("the import exists")
    }

    /// The import once it has ended, and its job with it.
    pub async fn ended(&self, id: ImportId) -> Import {
        eventually("the import ends", async || {
            let running = format!(
                "SELECT count(*) AS value FROM jobs JOIN imports ON imports.job_id = jobs.id \
                  WHERE imports.id = '{id}' AND jobs.state IN ('queued', 'running')"
            );
            sql::number(&self.ctx.db, &running).await == 0
        })
        .await;
        self.get(id).await
    }

    pub async fn errors(&self, id: ImportId) -> Vec<RowError> {
        let (mut errors, mut after) = (Vec::new(), None);
        loop {
            let args = PageArgs { first: Some(500), after, ..PageArgs::default() };
            let mut page = import::error_pages(&self.ctx, &self.caller, &[id], args).await.expect("read");
            let page = page.remove(&id).expect("visible");
            after = page.rows.last().map(|error| kontor::base::page::encode(&error.row));
            errors.extend(page.rows);
            if !page.has_next {
                return errors;
            }
        }
    }

    /// Row, column and code of each error.
    pub async fn codes(&self, id: ImportId) -> Vec<(i64, String, &'static str)> {
        let errors = self.errors(id).await.into_iter();
        errors.map(|error| (error.row, error.column.unwrap_or_default(), error.code.as_str())).collect()
    }

    /// An expression over each live contact of the workspace, oldest first.
    pub async fn contacts(&self, expression: &str) -> Vec<String> {
        let workspace = self.caller.workspace;
        let query = format!(
            "SELECT ({expression})::text AS value FROM contacts \
              WHERE workspace_id = '{workspace}' AND deleted_at IS NULL ORDER BY id"
        );
        sql::texts(&self.ctx.db, &query).await
    }

    pub async fn number(&self, query: &str) -> i64 {
        sql::number(&self.ctx.db, query).await
    }

    pub async fn texts(&self, query: &str) -> Vec<String> {
        sql::texts(&self.ctx.db, query).await
    }
}

/// Created, updated, unchanged, skipped, failed; the import has completed and adds up.
#[track_caller]
pub fn counts(import: &Import) -> [i64; 5] {
    assert_eq!((import.status, &import.message), (ImportStatus::Completed, &None));
    assert_eq!(import.total_rows, Some(import.counts.processed()));
    let counts = import.counts;
    [counts.created, counts.updated, counts.unchanged, counts.skipped, counts.failed]
}

async fn workspace(db: &Db) -> WorkspaceId {
    let workspace = WorkspaceId::new();
    sql::run(db, &format!("INSERT INTO workspaces (id, name) VALUES ('{workspace}', 'w')")).await;
    workspace
}

async fn person(db: &Db, workspace: WorkspaceId, role: Role) -> Caller {
    let user = UserId::new();
    let statement = format!(
        "WITH person AS (INSERT INTO users (id, email, full_name, created_at, updated_at)
                         VALUES ('{user}', '{user}@kontor.test', 'Somebody', now(), now()))
         INSERT INTO members (workspace_id, user_id, role, created_at) VALUES ('{workspace}', '{user}', '{role}', now())"
    );
    sql::run(db, &statement).await;
    Caller::new(workspace, user, role, Origin::System, Via::Rest)
}

/// Asks to create an import with this mapping.
pub async fn create_mapped(
    lab: &Lab,
    caller: &Caller,
    text: &str,
    mapping: &[(&str, Option<&str>)],
    options: ImportOptions,
) -> Result<Import> {
    let file = lab.upload(caller, text.as_bytes()).await;
    let mapping = mapping.iter().map(|(column, field)| ((*column).to_owned(), field.map(ToOwned::to_owned))).collect();
    import::create(&lab.ctx, caller, NewImport { kind: RecordKind::Contact, file, mapping, options }).await
}
