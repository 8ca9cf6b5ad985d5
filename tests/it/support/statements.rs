//! Counts the SQL statements of a workspace's transactions, by way of what diesel tells of its
//! connections.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use diesel::connection::{Instrumentation, InstrumentationEvent, set_default_instrumentation};
use kontor::base::ids::WorkspaceId;

/// The texts by workspace, of those that are watched.
static SEEN: Mutex<BTreeMap<String, Vec<String>>> = Mutex::new(BTreeMap::new());
static WATCHING: AtomicBool = AtomicBool::new(false);

/// How a transaction names its workspace, right when it begins.
const BOUND: &str = "SET LOCAL kontor.workspace = '";

/// Lets every connection opened from now on tell its statements.
pub fn listen() {
    set_default_instrumentation(|| Some(Box::new(Listener { workspace: None }))).expect("set");
}

/// The statements that this causes in transactions of the workspace, their beginnings and ends too.
/// Nothing else may work on the workspace meanwhile.
pub async fn caused_by<T>(workspace: WorkspaceId, work: impl Future<Output = T>) -> (T, Vec<String>) {
    let seen = || SEEN.lock().unwrap_or_else(PoisonError::into_inner);
    seen().insert(workspace.to_string(), Vec::new());
    WATCHING.store(true, Ordering::SeqCst);
    let done = work.await;
    (done, seen().remove(&workspace.to_string()).unwrap_or_default())
}

struct Listener {
    /// Whose transaction is open.
    workspace: Option<String>,
}

impl Instrumentation for Listener {
    fn on_connection_event(&mut self, event: InstrumentationEvent<'_>) {
        let InstrumentationEvent::StartQuery { query, .. } = event else { return };
        if !WATCHING.load(Ordering::SeqCst) {
            return;
        }
        let text = query.to_string();
        if let Some((_, rest)) = text.split_once(BOUND) {
            self.workspace = rest.split('\'').next().map(ToOwned::to_owned);
        }
        let Some(workspace) = &self.workspace else { return };
        let mut seen = SEEN.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(statements) = seen.get_mut(workspace) {
            statements.push(text.clone());
        }
        if text == "COMMIT" || text == "ROLLBACK" {
            self.workspace = None;
        }
    }
}
