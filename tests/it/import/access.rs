//! Who may import, see and cancel; and what is left when an import has ended badly.

use kontor::{
    auth::{Permission, Role},
    base::{Error, Limits, page::PageArgs},
    crm::RecordKind,
    team::work,
    transfer::import::{self, ImportFilter, ImportStatus, NewImport, SettleImports},
};

use super::lab::{Lab, NEITHER, UPDATE, create_mapped};
use crate::support::{eventually, sql};

#[tokio::test]
async fn only_those_who_may_write_such_records_import_them() {
    let lab = Lab::new().await;
    let support = lab.colleague(Role::Support).await;
    let refused = create_mapped(&lab, &support, "email\n", &[], NEITHER).await;
    assert!(matches!(refused, Err(Error::Forbidden(_))), "{refused:?}");
    let sales = lab.colleague(Role::SalesRep).await;
    let refused = create_mapped(&lab, &sales, "email\n", &[("o", Some("ownerId"))], NEITHER).await;
    assert!(matches!(refused, Err(Error::Forbidden(_))), "{refused:?}");
    let unknown = create_mapped(&lab, &sales, "email\n", &[("o", Some("nonsense"))], NEITHER).await;
    assert!(matches!(unknown, Err(Error::Invalid(_))), "{unknown:?}");

    let file = lab.upload(&sales, b"email\n").await;
    let new = |kind| NewImport { kind, file, mapping: Default::default(), options: NEITHER };
    let later = import::create(&lab.ctx, &sales, new(RecordKind::Deal)).await;
    assert!(matches!(later, Err(Error::Invalid(_))), "{later:?}");
    // somebody else's file is none
    let other = lab.colleague(Role::SalesRep).await;
    let stolen = import::create(&lab.ctx, &other, new(RecordKind::Contact)).await;
    assert!(matches!(stolen, Err(Error::NotFound(_))), "{stolen:?}");
    let stolen = import::create(&lab.ctx, &lab.stranger().await, new(RecordKind::Contact)).await;
    assert!(matches!(stolen, Err(Error::NotFound(_))), "{stolen:?}");
}

#[tokio::test]
async fn a_column_of_owners_is_not_matched_for_those_who_may_not_assign() {
    let lab = Lab::new().await;
    let sales = lab.colleague(Role::SalesRep).await;
    let text = format!("email,ownerId\na@x.de,{}\n", lab.caller.user);
    let import = lab.create_as(&sales, RecordKind::Contact, text.as_bytes(), UPDATE).await;
    let _worker = lab.worker();
    assert_eq!(lab.ended(import.id).await.counts.created, 1);
    assert_eq!(lab.contacts("owner_id IS NULL").await, ["true"]);
}

#[tokio::test]
async fn a_person_has_so_many_open_imports_and_no_more() {
    let lab = Lab::with(Limits { open_imports_per_user: 2, ..Limits::default() }).await;
    for _ in 0..2 {
        lab.create("email\n", NEITHER).await;
    }
    let refused = create_mapped(&lab, &lab.caller, "email\n", &[], NEITHER).await;
    assert!(matches!(&refused, Err(Error::Conflict(_))), "{refused:?}");
    let colleague = lab.colleague(Role::SalesRep).await;
    let other = create_mapped(&lab, &colleague, "email\n", &[], NEITHER).await.expect("their own allowance");
    import::cancel(&lab.ctx, &colleague, other.id).await.expect("cancelled");
    let long = "c".repeat(1_001);
    let wide = create_mapped(&lab, &colleague, "email\n", &[(&long, Some("email"))], NEITHER).await;
    assert!(matches!(&wide, Err(Error::Invalid(_))), "{wide:?}");
    let _worker = lab.worker();
    let ids = import::page(&lab.ctx, &lab.caller, &ImportFilter::default(), PageArgs::default()).await.expect("a page");
    for import in ids.rows.iter().filter(|import| import.created_by == lab.caller.user) {
        lab.ended(import.id).await;
    }
    lab.create("email\n", NEITHER).await;
}

#[tokio::test]
async fn rights_that_were_taken_away_meanwhile_are_gone_for_the_import_too() {
    let lab = Lab::new().await;
    let manager = lab.colleague(Role::Manager).await;
    let text = format!("email,o\na@x.de,{}\n", lab.caller.user);
    let columns = [("email", Some("email")), ("o", Some("ownerId"))];
    let import = create_mapped(&lab, &manager, &text, &columns, NEITHER).await.expect("created");
    let demote = format!("UPDATE members SET role = 'sales_rep' WHERE user_id = '{}'", manager.user);
    sql::run(&lab.ctx.db, &demote).await;
    let _worker = lab.worker();
    let ended = lab.ended(import.id).await;
    assert_eq!((ended.status, ended.counts.created), (ImportStatus::Failed, 0));
    assert!(ended.message.as_deref().is_some_and(|message| message.contains("owner")), "{:?}", ended.message);
}

/// The job has the rights of its maker, and still no more than the token that made it.
#[tokio::test]
async fn what_a_token_may_not_its_import_may_not_either() {
    let lab = Lab::new().await;
    let scopes = [Permission::ContactsWrite, Permission::ImportsRun, Permission::JobsRead, Permission::FilesWrite];
    let token = lab.caller.clone().with_scopes(scopes.into());
    let text = |address: &str| format!("email,ownerId\n{address},{}\n", lab.caller.user);
    let import = lab.create_as(&token, RecordKind::Contact, text("a@x.de").as_bytes(), UPDATE).await;
    let _worker = lab.worker();
    assert_eq!(lab.ended(import.id).await.counts.created, 1);
    let import = lab.create(text("b@x.de"), UPDATE).await;
    assert_eq!(lab.ended(import.id).await.counts.created, 1);
    assert_eq!(lab.contacts("owner_id IS NULL").await, ["true", "false"]);
}

#[tokio::test]
async fn imports_are_their_makers_and_of_those_who_see_all_jobs() {
    let lab = Lab::new().await;
    let (sales, other) = (lab.colleague(Role::SalesRep).await, lab.colleague(Role::SalesRep).await);
    let manager = lab.colleague(Role::Manager).await;
    let first = lab.create_as(&sales, RecordKind::Contact, b"email\n", NEITHER).await;
    let second = lab.create_as(&sales, RecordKind::Account, b"name\n", NEITHER).await;
    lab.create_as(&lab.stranger().await, RecordKind::Contact, b"email\n", NEITHER).await;
    let page = async |caller, filter| {
        let page = import::page(&lab.ctx, caller, &filter, PageArgs::default()).await.expect("a page");
        let count = import::count(&lab.ctx, caller, &filter).await.expect("counted");
        assert_eq!(usize::try_from(count), Ok(page.rows.len()));
        page.rows.into_iter().map(|import| import.id).collect::<Vec<_>>()
    };
    let all = ImportFilter::default;
    assert_eq!(page(&sales, all()).await, [second.id, first.id]);
    assert_eq!(page(&manager, all()).await, [second.id, first.id]);
    assert!(page(&other, all()).await.is_empty());
    assert!(page(&other, ImportFilter { created_by: Some(sales.user), ..all() }).await.is_empty());
    assert_eq!(page(&sales, ImportFilter { kind: Some(RecordKind::Contact), ..all() }).await, [first.id]);
    let pending = ImportFilter { statuses: vec![ImportStatus::Pending], ..all() };
    assert_eq!(page(&sales, pending).await.len(), 2);
    assert!(page(&sales, ImportFilter { statuses: vec![ImportStatus::Failed], ..all() }).await.is_empty());

    for caller in [&other, &lab.stranger().await] {
        let hidden = import::get(&lab.ctx, caller, first.id).await;
        assert!(matches!(hidden, Err(Error::NotFound(_))), "{hidden:?}");
        let hidden = import::cancel(&lab.ctx, caller, first.id).await;
        assert!(matches!(hidden, Err(Error::NotFound(_))), "{hidden:?}");
        let pages = import::error_pages(&lab.ctx, caller, &[first.id], PageArgs::default()).await.expect("read");
        assert!(pages.is_empty(), "{pages:?}");
    }
    let refused = import::cancel(&lab.ctx, &manager, first.id).await;
    assert!(matches!(refused, Err(Error::Forbidden(_))), "{refused:?}");
    import::cancel(&lab.ctx, &lab.caller, first.id).await.expect("an admin may");
}

#[tokio::test]
async fn a_cancelled_import_that_waited_never_runs() {
    let lab = Lab::new().await;
    let import = lab.create("email\na@x.de\n", NEITHER).await;
    let cancelled = import::cancel(&lab.ctx, &lab.caller, import.id).await.expect("cancelled");
    assert_eq!(cancelled.status, ImportStatus::Cancelled);
    let _worker = lab.worker();
    assert_eq!(lab.ended(import.id).await.status, ImportStatus::Cancelled);
    assert!(lab.contacts("id").await.is_empty());
    let again = import::cancel(&lab.ctx, &lab.caller, import.id).await;
    assert!(matches!(again, Err(Error::Conflict(_))), "{again:?}");
}

#[tokio::test]
async fn a_running_import_stops_where_it_is() {
    let lab = Lab::in_batches(5).await;
    let rows: String = (0..5_000).map(|row| format!("u{row}@x.de\n")).collect();
    let import = lab.create(format!("email\n{rows}"), NEITHER).await;
    let _worker = lab.worker();
    eventually("some batches are in", async || lab.get(import.id).await.counts.created > 20).await;
    let cancelled = import::cancel(&lab.ctx, &lab.caller, import.id).await.expect("cancelled");
    let there = lab.contacts("id").await.len() as i64;
    let ended = lab.ended(import.id).await;
    assert_eq!((cancelled.status, ended.status), (ImportStatus::Cancelled, ImportStatus::Cancelled));
    assert_eq!(ended.counts.created, there, "no row came after the cancel");
    assert_eq!(lab.contacts("id").await.len() as i64, there);
    assert!(there < 5_000);
    eventually("nothing is left staged", async || staged(&lab).await == 0).await;
    let events = lab.texts("SELECT name AS value FROM outbox WHERE name LIKE 'import.%' ORDER BY id").await;
    assert_eq!(events, ["import.created", "import.started", "import.cancelled"]);
}

#[tokio::test]
async fn somebody_who_was_deactivated_imports_nothing_more() {
    let lab = Lab::new().await;
    let sales = lab.colleague(Role::SalesRep).await;
    let import = lab.create_as(&sales, RecordKind::Contact, b"email\na@x.de\n", NEITHER).await;
    let user = sales.user;
    sql::run(&lab.ctx.db, &format!("UPDATE members SET status = 'inactive' WHERE user_id = '{user}'")).await;
    let _worker = lab.worker();
    let import = lab.ended(import.id).await;
    assert_eq!(import.status, ImportStatus::Failed);
    assert!(import.message.is_some_and(|message| message.contains("not active")));
}

/// A job that is given up cannot say so in its import: that is seen at once, and noted later.
#[tokio::test]
async fn an_import_whose_job_was_given_up_has_failed() {
    let lab = Lab::new().await;
    let import = lab.create("email\na@x.de\n", NEITHER).await;
    let give_up = format!(
        "UPDATE jobs SET state = 'failed', due = false, last_error = 'It broke', finished_at = now() WHERE id = '{}'",
        import.job
    );
    sql::run(&lab.ctx.db, &give_up).await;
    sql::run(&lab.ctx.db, &format!("CREATE TABLE staging.import_{}_1_0 ()", import.id.0.simple())).await;
    let failed = lab.get(import.id).await;
    assert_eq!((failed.status, failed.message.as_deref()), (ImportStatus::Failed, Some("It broke")));
    let filter = ImportFilter { statuses: vec![ImportStatus::Failed], ..ImportFilter::default() };
    let page = import::page(&lab.ctx, &lab.caller, &filter, PageArgs::default()).await.expect("a page");
    assert_eq!(page.rows.len(), 1);

    settle(&lab).await;
    let _worker = lab.worker();
    eventually("it is noted", async || {
        lab.number("SELECT count(*) AS value FROM imports WHERE status = 'failed' AND message = 'It broke'").await == 1
    })
    .await;
    eventually("nothing is left staged", async || staged(&lab).await == 0).await;
    assert_eq!(lab.number("SELECT count(*) AS value FROM outbox WHERE name = 'import.failed'").await, 1);
}

/// Whoever cancels the job and not the import ends the import all the same.
#[tokio::test]
async fn an_import_whose_job_was_cancelled_is_cancelled() {
    let lab = Lab::new().await;
    let import = lab.create("email\na@x.de\n", NEITHER).await;
    work::cancel(&lab.ctx, &lab.caller, import.job).await.expect("cancelled");
    let cancelled = lab.get(import.id).await;
    assert_eq!((cancelled.status, cancelled.message.as_deref()), (ImportStatus::Cancelled, None));
    assert!(cancelled.completed_at.is_some());
    for (status, found) in [(ImportStatus::Cancelled, 1), (ImportStatus::Pending, 0), (ImportStatus::Failed, 0)] {
        let filter = ImportFilter { statuses: vec![status], ..ImportFilter::default() };
        let page = import::page(&lab.ctx, &lab.caller, &filter, PageArgs::default()).await.expect("a page");
        assert_eq!(page.rows.len(), found, "{status}");
    }
    let again = import::cancel(&lab.ctx, &lab.caller, import.id).await;
    assert!(matches!(again, Err(Error::Conflict(_))), "{again:?}");

    settle(&lab).await;
    let _worker = lab.worker();
    eventually("it is noted", async || {
        lab.number("SELECT count(*) AS value FROM imports WHERE status = 'cancelled' AND message IS NULL").await == 1
    })
    .await;
    assert_eq!(lab.number("SELECT count(*) AS value FROM outbox WHERE name = 'import.cancelled'").await, 1);
    assert!(lab.contacts("id").await.is_empty());
}

/// Enqueues the chore that notes how imports ended.
async fn settle(lab: &Lab) {
    let mut tx = lab.ctx.db.system().await.expect("a transaction");
    let about = kontor::jobs::Enqueued::default();
    let now = lab.ctx.clock.now();
    kontor::jobs::enqueue::<kontor::ctx::Ctx, _>(&mut tx, now, &SettleImports {}, about).await.expect("enqueued");
    tx.commit().await.expect("committed");
}

async fn staged(lab: &Lab) -> i64 {
    lab.number("SELECT count(*) AS value FROM pg_tables WHERE schemaname = 'staging'").await
}
