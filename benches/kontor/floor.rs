//! The floor: the same answers from a bare axum handler with hand-written SQL, without accounts,
//! rights, GraphQL or an event log. What a server on this machine could cost at best.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use axum::{
    Json, Router,
    extract::{Query, State, WebSocketUpgrade, ws::Message},
    response::Response,
    routing::get,
};
use serde::{Deserialize, Serialize};
use tokio::sync::broadcast;
use tokio_postgres::{Client, Statement};
use uuid::Uuid;

use crate::{Result, server::connect};

const CONNECTIONS: usize = 8;

const FIELDS: &str = "id, first_name, last_name, email, phone, title, city, country, status, created_at";

#[derive(Serialize)]
struct Contact {
    id: Uuid,
    first_name: Option<String>,
    last_name: Option<String>,
    email: Option<String>,
    phone: Option<String>,
    title: Option<String>,
    city: Option<String>,
    country: Option<String>,
    status: String,
    created_at: chrono::DateTime<chrono::Utc>,
}

struct Floor {
    workspace: Uuid,
    user: Uuid,
    connections: Vec<Prepared>,
    next: AtomicUsize,
    changes: broadcast::Sender<axum::extract::ws::Utf8Bytes>,
}

struct Prepared {
    client: Client,
    page: Statement,
    by_country: Statement,
    one: Statement,
    insert: Statement,
}

/// Serves until it is killed.
#[expect(clippy::print_stdout, reason = "the parent process reads it")]
pub async fn serve(database: &str, workspace: &str) -> Result<()> {
    let workspace: Uuid = workspace.parse()?;
    let mut connections = Vec::new();
    for _ in 0..CONNECTIONS {
        connections.push(Prepared::new(connect(database).await?).await?);
    }
    let member = "SELECT user_id FROM members WHERE workspace_id = $1";
    let user = connections[0].client.query_one(member, &[&workspace]).await?.get(0);
    let changes = broadcast::channel(1024).0;
    let floor = Arc::new(Floor { workspace, user, connections, next: AtomicUsize::new(0), changes });
    let app = Router::new()
        .route("/contacts", get(page).post(create))
        .route("/contact", get(one))
        .route("/live", get(live))
        .with_state(floor);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    println!("floor: ready on http://{}", listener.local_addr()?);
    Ok(axum::serve(listener, app).await?)
}

impl Prepared {
    async fn new(client: Client) -> Result<Self> {
        let live = format!("SELECT {FIELDS} FROM contacts WHERE workspace_id = $1 AND deleted_at IS NULL");
        let page = format!("{live} AND id < $2 ORDER BY workspace_id DESC, id DESC LIMIT 51");
        let by_country = format!("{live} AND country = $2 ORDER BY id DESC LIMIT 50");
        let one = format!("{live} AND id = $2");
        let insert = "INSERT INTO contacts (workspace_id, id, first_name, last_name, email, created_by, created_at, \
                      updated_at) VALUES ($1, $2, $3, $4, $5, $6, now(), now())";
        Ok(Self {
            page: client.prepare(&page).await?,
            by_country: client.prepare(&by_country).await?,
            one: client.prepare(&one).await?,
            insert: client.prepare(insert).await?,
            client,
        })
    }
}

impl Floor {
    fn prepared(&self) -> &Prepared {
        &self.connections[self.next.fetch_add(1, Ordering::Relaxed) % CONNECTIONS]
    }
}

#[derive(Deserialize)]
struct Asked {
    id: Option<Uuid>,
    country: Option<String>,
}

async fn page(State(floor): State<Arc<Floor>>, Query(asked): Query<Asked>) -> Json<Vec<Contact>> {
    let at = floor.prepared();
    let rows = match &asked.country {
        Some(country) => at.client.query(&at.by_country, &[&floor.workspace, country]).await,
        None => at.client.query(&at.page, &[&floor.workspace, &asked.id.unwrap_or(Uuid::max())]).await,
    };
    Json(rows.unwrap_or_default().iter().map(contact).collect())
}

async fn one(State(floor): State<Arc<Floor>>, Query(asked): Query<Asked>) -> Json<Option<Contact>> {
    let at = floor.prepared();
    let row = at.client.query_opt(&at.one, &[&floor.workspace, &asked.id.unwrap_or_default()]).await;
    Json(row.ok().flatten().as_ref().map(contact))
}

#[derive(Deserialize)]
struct New {
    first_name: String,
    last_name: String,
    email: String,
}

async fn create(State(floor): State<Arc<Floor>>, Json(new): Json<New>) -> Json<Uuid> {
    let (at, id) = (floor.prepared(), Uuid::now_v7());
    let values: [&(dyn tokio_postgres::types::ToSql + Sync); 6] =
        [&floor.workspace, &id, &new.first_name, &new.last_name, &new.email, &floor.user];
    if at.client.execute(&at.insert, &values).await.is_ok() {
        // nobody listening is no failure
        let _ = floor.changes.send(serde_json::json!({ "lastName": new.last_name }).to_string().into());
    }
    Json(id)
}

async fn live(State(floor): State<Arc<Floor>>, upgrade: WebSocketUpgrade) -> Response {
    let mut changes = floor.changes.subscribe();
    upgrade.read_buffer_size(4096).write_buffer_size(4096).on_upgrade(async move |mut socket| {
        while let Ok(change) = changes.recv().await {
            if socket.send(Message::Text(change)).await.is_err() {
                return;
            }
        }
    })
}

fn contact(row: &tokio_postgres::Row) -> Contact {
    Contact {
        id: row.get(0),
        first_name: row.get(1),
        last_name: row.get(2),
        email: row.get(3),
        phone: row.get(4),
        title: row.get(5),
        city: row.get(6),
        country: row.get(7),
        status: row.get(8),
        created_at: row.get(9),
    }
}
