//! Files: uploads in pieces, reading, the files we make, deletion, on a folder and on S3.

use std::{
    cell::Cell,
    io,
    sync::Arc,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use chrono::TimeDelta;
use futures_util::{Stream, StreamExt, TryStreamExt, stream};
use kontor::{
    auth::{Caller, Origin, Role, caller::Via},
    base::{
        Clock, Error, Limits, Result,
        ids::{FileId, UserId, WorkspaceId},
    },
    db::Db,
    files::{
        self, Config, FileName, Files, PIECE, Signer, Store, clean, read,
        upload::{self, NewUpload, Piece, Progress},
        write::{NewFile, write_new},
    },
};
use rand::{Rng, RngExt, SeedableRng, rngs::StdRng};
use tokio::sync::{Barrier, mpsc};

use crate::support::{
    database::{TestDatabase, database},
    eventually,
    folder::Folder,
    s3, sql,
};

/// Everything that a test of files needs.
struct Lab {
    test: TestDatabase,
    files: Files,
    /// The same objects, seen from outside.
    store: Store,
    clock: Clock,
    caller: Caller,
    folder: Folder,
}

impl Lab {
    async fn new() -> Self {
        Self::with(Config::default(), Limits::default()).await
    }

    async fn with(config: Config, limits: Limits) -> Self {
        let (test, folder, clock) = (database().await, Folder::new(), Clock::default());
        let store = Store::open(&config, folder.path()).expect("the store opens");
        let files = Files::new(test.db.clone(), store.clone(), Signer::new(b"secret"), clock.clone(), &limits);
        let caller = member(new_workspace(&test.db).await, Role::SalesRep);
        Self { test, files, store, clock, caller, folder }
    }

    /// Announces an upload.
    async fn announce(&self, announced_size: Option<u64>) -> Result<FileId> {
        let new = NewUpload { name: "people.csv".to_owned(), media_type: "text/csv".to_owned(), announced_size };
        let mut tx = self.test.db.begin(&self.caller).await?;
        let file = upload::create(&self.files, &mut tx, &self.caller, new).await?;
        tx.commit().await?;
        Ok(file)
    }

    async fn send(&self, file: FileId, offset: u64, bytes: &[u8]) -> Result<Progress> {
        self.stream(file, offset, whole(bytes)).await
    }

    async fn stream<S>(&self, file: FileId, offset: u64, body: S) -> Result<Progress>
    where
        S: Stream<Item = io::Result<Bytes>> + Send + 'static,
    {
        upload::receive(&self.files, &self.caller, Piece { file, offset, total: None }, body).await
    }

    async fn status(&self, caller: &Caller, file: FileId) -> Result<Progress> {
        let mut tx = self.test.db.read(caller).await?;
        upload::status(&mut tx, caller, file).await
    }

    async fn read(&self, file: FileId, from: u64) -> Result<Vec<u8>> {
        let opened = read::open(&self.files, self.caller.workspace, file, from).await?;
        opened
            .bytes
            .try_fold(Vec::new(), |mut all, bytes| async move {
                all.extend(bytes);
                Ok(all)
            })
            .await
    }

    /// What the keys of this installation's objects begin with, once there is one.
    async fn root(&self) -> String {
        let root = "SELECT split_part(key, '/', 1) AS value FROM file_parts LIMIT 1";
        sql::texts(&self.test.db, root).await.pop().expect("a piece")
    }

    async fn expire(&self) -> usize {
        clean::expire(&self.files, self.clock.now(), || Ok::<_, Error>(())).await.expect("ran")
    }

    /// How many objects the store holds.
    async fn objects(&self) -> usize {
        self.store.list("").expect("listed").try_collect::<Vec<_>>().await.expect("listed").len()
    }
}

async fn sweep(files: &Files, clock: &Clock) -> usize {
    clean::sweep(files, clock.now(), || Ok::<_, Error>(())).await.expect("ran")
}

async fn new_workspace(db: &Db) -> WorkspaceId {
    let workspace = WorkspaceId::new();
    sql::run(db, &format!("INSERT INTO workspaces (id, name) VALUES ('{workspace}', 'w')")).await;
    workspace
}

fn member(workspace: WorkspaceId, role: Role) -> Caller {
    Caller::new(workspace, UserId::new(), role, Origin::System, Via::Rest)
}

fn whole(bytes: &[u8]) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
    // in chunks, as a network brings them
    let chunks: Vec<_> = bytes.chunks(16 * 1024).map(|chunk| Ok(Bytes::copy_from_slice(chunk))).collect();
    stream::iter(chunks)
}

/// These bytes, and then the client is gone.
fn broken(bytes: &[u8]) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
    whole(bytes).chain(stream::iter([Err(io::ErrorKind::ConnectionReset.into())]))
}

fn random(seed: u64, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    StdRng::seed_from_u64(seed).fill_bytes(&mut bytes);
    bytes
}

fn received(refused: &Error) -> u64 {
    let Error::Conflict(conflict) = refused else { panic!("{refused:?}") };
    conflict.details.as_ref().expect("details")["received"].as_u64().expect("a number")
}

#[tokio::test]
async fn any_cuts_and_breaks_give_the_same_bytes() {
    let lab = Lab::new().await;
    for seed in 0..25 {
        let mut dice = StdRng::seed_from_u64(seed);
        let content = random(seed, dice.random_range(1..200_000));
        let file = lab.announce(Some(content.len() as u64)).await.expect("announced");
        loop {
            let at = lab.status(&lab.caller, file).await.expect("known").received as usize;
            let piece = &content[at..dice.random_range(at..=content.len())];
            let progress = match dice.random_range(0..3) {
                0 => lab.stream(file, at as u64, broken(piece)).await,
                _ => lab.send(file, at as u64, piece).await,
            };
            let progress = progress.expect("taken");
            assert_eq!(progress.received as usize, at + piece.len(), "seed {seed}");
            assert_eq!(progress.ready, at + piece.len() == content.len(), "seed {seed}");
            if progress.ready {
                break;
            }
        }
        assert_eq!(lab.read(file, 0).await.expect("read"), content, "seed {seed}");
        let from = dice.random_range(0..=content.len());
        assert_eq!(lab.read(file, from as u64).await.expect("read"), content[from..], "seed {seed} from {from}");
    }
}

#[tokio::test]
async fn a_long_body_is_kept_piece_by_piece() {
    let lab = Lab::new().await;
    let content = random(1, 2 * PIECE + 12_345);
    let file = lab.announce(Some(content.len() as u64)).await.expect("announced");
    // more than a piece arrived before the client was gone: all of it is kept
    let progress = lab.stream(file, 0, broken(&content[..PIECE + 100])).await.expect("taken");
    assert_eq!(
        progress,
        Progress { received: PIECE as u64 + 100, announced: Some(content.len() as u64), ready: false }
    );
    assert!(lab.send(file, progress.received, &content[PIECE + 100..]).await.expect("taken").ready);
    assert_eq!(lab.objects().await, 4, "pieces of 8 MiB, and the rests of two bodies");
    assert!(lab.read(file, 0).await.expect("read") == content);
    for from in [PIECE - 1, PIECE, PIECE + 99, PIECE + 100, 2 * PIECE + 100, content.len() - 1, content.len()] {
        assert!(lab.read(file, from as u64).await.expect("read") == content[from..], "from {from}");
    }
    assert_eq!(lab.read(file, u64::MAX).await.expect("read"), Vec::<u8>::new());
}

#[tokio::test]
async fn a_body_that_ends_with_a_piece_is_complete() {
    let lab = Lab::new().await;
    let content = random(2, 2 * PIECE);
    let file = lab.announce(Some(content.len() as u64)).await.expect("announced");
    assert!(lab.send(file, 0, &content).await.expect("taken").ready);
    assert_eq!(lab.objects().await, 2);
    let file = lab.announce(None).await.expect("announced");
    assert_eq!(lab.send(file, 0, &content[..PIECE]).await.expect("taken").received, PIECE as u64);
    assert!(lab.send(file, PIECE as u64, b"").await.is_ok(), "an empty piece changes nothing");
    assert!(upload::finish(&lab.files, &lab.caller, file).await.expect("finished").ready);
    assert!(lab.read(file, 0).await.expect("read") == content[..PIECE]);
}

#[tokio::test]
async fn a_piece_that_begins_elsewhere_is_told_where_to_go_on() {
    let lab = Lab::new().await;
    let file = lab.announce(Some(10)).await.expect("announced");
    lab.send(file, 0, b"1234").await.expect("taken");
    for wrong in [0, 3, 5, 10] {
        let refused = lab.send(file, wrong, b"56").await.expect_err("not there");
        assert_eq!(received(&refused), 4);
    }
    let unfinished = lab.read(file, 0).await.expect_err("not complete");
    assert!(matches!(unfinished, Error::Conflict(_)), "{unfinished:?}");
    let unfinished = upload::finish(&lab.files, &lab.caller, file).await.expect_err("bytes are missing");
    assert_eq!(received(&unfinished), 4);
    assert!(lab.send(file, 4, b"567890").await.expect("taken").ready);
    let complete = lab.send(file, 10, b"x").await.expect_err("complete");
    assert_eq!(received(&complete), 10);
    assert_eq!(lab.objects().await, 2);
}

#[tokio::test]
async fn of_two_writers_at_once_one_wins_and_the_other_leaves_nothing() {
    let lab = Lab::new().await;
    for round in 0..10 {
        let file = lab.announce(Some(6)).await.expect("announced");
        let together = Arc::new(Barrier::new(2));
        let body = |bytes: &'static [u8]| {
            let together = together.clone();
            // both have begun, and both end at the same moment
            stream::once(async move {
                together.wait().await;
                Ok(Bytes::from_static(bytes))
            })
        };
        let (one, two) = tokio::join!(lab.stream(file, 0, body(b"first!")), lab.stream(file, 0, body(b"second")));
        let content: &[u8] = if one.is_ok() { b"first!" } else { b"second" };
        let (won, lost) = if one.is_ok() { (one, two) } else { (two, one) };
        assert!(won.expect("one wins").ready);
        assert_eq!(received(&lost.expect_err("one loses")), 6);
        assert_eq!(lab.read(file, 0).await.expect("read"), content);
        assert_eq!(lab.objects().await, round + 1, "the loser's object is gone");
    }
}

#[tokio::test]
async fn a_dropped_request_loses_nothing_that_arrived() {
    let lab = Lab::new().await;
    let file = lab.announce(Some(100)).await.expect("announced");
    let (sender, mut receiver) = mpsc::channel::<io::Result<Bytes>>(1);
    let body = stream::poll_fn(move |context| receiver.poll_recv(context));
    let (files, caller) = (lab.files.clone(), lab.caller.clone());
    let piece = Piece { file, offset: 0, total: None };
    let request = tokio::spawn(async move { upload::receive(&files, &caller, piece, body).await });
    for _ in 0..3 {
        sender.send(Ok(Bytes::from_static(b"ten bytes!"))).await.expect("it listens");
    }
    request.abort();
    assert!(request.await.expect_err("aborted").is_cancelled());
    drop(sender);
    eventually("the bytes are kept", async || lab.status(&lab.caller, file).await.expect("known").received == 30).await;
}

#[tokio::test]
async fn an_upload_of_unknown_size_ends_when_it_is_said() {
    let lab = Lab::new().await;
    let file = lab.announce(None).await.expect("announced");
    assert!(!lab.send(file, 0, b"some").await.expect("taken").ready);
    let progress = upload::finish(&lab.files, &lab.caller, file).await.expect("finished");
    assert_eq!(progress, Progress { received: 4, announced: Some(4), ready: true });
    assert_eq!(upload::finish(&lab.files, &lab.caller, file).await.expect("again"), progress);

    // or the last request knows it
    let file = lab.announce(None).await.expect("announced");
    lab.send(file, 0, b"some").await.expect("taken");
    let with_total = |total| Piece { file, offset: 4, total: Some(total) };
    let less = upload::receive(&lab.files, &lab.caller, with_total(3), whole(b"more")).await.expect_err("less");
    assert!(matches!(less, Error::Invalid(_)), "{less:?}");
    assert!(upload::receive(&lab.files, &lab.caller, with_total(8), whole(b"more")).await.expect("taken").ready);

    let empty = lab.announce(Some(0)).await.expect("announced");
    assert!(lab.send(empty, 0, b"").await.expect("taken").ready);
    assert_eq!(lab.read(empty, 0).await.expect("read"), b"");
}

#[tokio::test]
async fn what_is_too_large_is_refused_by_the_limits_name() {
    let limits = Limits { upload_bytes: 100_000, ..Limits::default() };
    let lab = Lab::with(Config::default(), limits).await;
    let named = |error: Error| {
        assert!(matches!(error, Error::TooLarge(_)) && error.to_string().contains("limits.upload_bytes"), "{error:?}");
    };
    named(lab.announce(Some(100_001)).await.expect_err("announced too much"));
    let file = lab.announce(None).await.expect("announced");
    lab.send(file, 0, &random(1, 60_000)).await.expect("taken");
    let total = Piece { file, offset: 60_000, total: Some(100_001) };
    named(upload::receive(&lab.files, &lab.caller, total, whole(b"x")).await.expect_err("announced too much"));
    assert!(matches!(lab.status(&lab.caller, file).await, Err(Error::NotFound(_))), "it can never be complete");
    // an endless body is cut off, and its upload goes as well
    let file = lab.announce(None).await.expect("announced");
    lab.send(file, 0, &random(1, 60_000)).await.expect("taken");
    let endless = stream::repeat_with(|| Ok(Bytes::from_static(&[0; 1000])));
    named(lab.stream(file, 60_000, endless).await.expect_err("sent too much"));
    assert!(matches!(lab.status(&lab.caller, file).await, Err(Error::NotFound(_))));
    assert_eq!(lab.objects().await, 0);

    let file = lab.announce(Some(5)).await.expect("announced");
    let more = lab.send(file, 0, b"123456").await.expect_err("more than announced");
    assert!(matches!(more, Error::Invalid(_)), "{more:?}");
    assert!(lab.send(file, 0, b"12345").await.expect("taken").ready);
}

#[tokio::test]
async fn names_and_media_types_are_checked() {
    let lab = Lab::new().await;
    let mut tx = lab.test.db.begin(&lab.caller).await.expect("a transaction");
    let new = NewUpload { name: "..".to_owned(), media_type: "csv\r\n".to_owned(), announced_size: None };
    let refused = upload::create(&lab.files, &mut tx, &lab.caller, new).await.expect_err("wrong");
    let fields: Vec<_> = refused.fields().expect("fields").iter().map(|(field, _)| field.to_owned()).collect();
    assert_eq!(fields, ["mediaType", "name"]);
    let new = NewUpload { name: r"C:\fakepath\a.csv".to_owned(), ..NewUpload::default() };
    let file = upload::create(&lab.files, &mut tx, &lab.caller, new).await.expect("made");
    let info = files::get(&mut tx, &lab.caller, file).await.expect("there");
    assert_eq!((info.name.as_str(), info.media_type.as_str()), ("a.csv", "application/octet-stream"));
}

#[tokio::test]
async fn an_upload_is_its_makers_alone() {
    let lab = Lab::new().await;
    let file = lab.announce(Some(4)).await.expect("announced");
    let colleague = member(lab.caller.workspace, Role::Manager);
    let admin = member(lab.caller.workspace, Role::Admin);
    let stranger = member(new_workspace(&lab.test.db).await, Role::Admin);
    for other in [&colleague, &admin, &stranger] {
        let piece = Piece { file, offset: 0, total: None };
        let refusals = [
            lab.status(other, file).await.map(drop),
            upload::receive(&lab.files, other, piece, whole(b"evil")).await.map(drop),
            upload::finish(&lab.files, other, file).await.map(drop),
        ];
        for refused in refusals {
            assert!(matches!(refused, Err(Error::NotFound("file"))), "{refused:?}");
        }
    }
    assert_eq!(lab.objects().await, 0);
    lab.send(file, 0, b"good").await.expect("taken");
    let elsewhere = read::open(&lab.files, stranger.workspace, file, 0).await.err();
    assert!(matches!(elsewhere, Some(Error::NotFound("file"))), "{elsewhere:?}");
    files::remove(&lab.files, stranger.workspace, file).await.expect("there is nothing of theirs");
    assert_eq!(lab.read(file, 0).await.expect("read"), b"good");
}

#[tokio::test]
async fn what_we_make_is_read_as_it_was_written() {
    let lab = Lab::new().await;
    let content = random(3, PIECE + 1000);
    let new = NewFile {
        name: FileName::parse("report.csv").expect("a name"),
        media_type: "text/csv",
        created_by: lab.caller.user,
        expires_at: lab.clock.now() + TimeDelta::days(7),
    };
    let mut writer = write_new(&lab.files, lab.caller.workspace, new.clone()).await.expect("begun");
    for chunk in content.chunks(100_000) {
        writer.write(chunk).await.expect("written");
    }
    let unfinished = read::open(&lab.files, lab.caller.workspace, writer.file(), 0).await.err();
    assert!(matches!(unfinished, Some(Error::Conflict(_))), "{unfinished:?}");
    let info = writer.finish().await.expect("finished");
    assert_eq!((info.size, info.expires_at), (content.len() as u64, new.expires_at));
    let opened = read::open(&lab.files, lab.caller.workspace, info.id, 0).await.expect("opened");
    assert_eq!(opened.info, info);
    assert!(lab.read(info.id, 0).await.expect("read") == content);

    let empty =
        write_new(&lab.files, lab.caller.workspace, new).await.expect("begun").finish().await.expect("finished");
    assert_eq!(lab.read(empty.id, 0).await.expect("read"), b"");
}

#[tokio::test]
async fn files_past_their_time_lose_rows_and_bytes() {
    let lab = Lab::new().await;
    let unfinished = lab.announce(Some(10)).await.expect("announced");
    lab.send(unfinished, 0, b"12345").await.expect("taken");
    let ready = lab.announce(Some(5)).await.expect("announced");
    lab.send(ready, 0, b"12345").await.expect("taken");

    assert_eq!(lab.expire().await, 0);
    assert_eq!(lab.objects().await, 2);
    // an upload that nobody went on with goes first
    lab.clock.advance(TimeDelta::days(3));
    assert_eq!(lab.expire().await, 1);
    assert!(matches!(lab.status(&lab.caller, unfinished).await, Err(Error::NotFound(_))));
    assert_eq!(lab.read(ready, 0).await.expect("read"), b"12345");
    lab.clock.advance(TimeDelta::days(Limits::default().file_days));
    assert_eq!(lab.expire().await, 1);
    assert!(matches!(lab.read(ready, 0).await, Err(Error::NotFound(_))));
    assert_eq!(lab.objects().await, 0);
    assert_eq!(sql::number(&lab.test.db, "SELECT count(*) AS value FROM file_parts").await, 0);
}

#[tokio::test]
async fn however_many_have_expired_they_go_in_batches_between_which_it_may_stop() {
    let lab = Lab::new().await;
    let (db, old) = (&lab.test.db, lab.clock.now() - TimeDelta::days(1));
    let kept = lab.announce(Some(5)).await.expect("announced");
    lab.send(kept, 0, b"12345").await.expect("taken");
    // of two workspaces, more than a batch and less than two
    let of_each = clean::BATCH * 3 / 4;
    for workspace in [lab.caller.workspace, new_workspace(db).await] {
        sql::run(
            db,
            &format!(
                "INSERT INTO files (workspace_id, id, name, media_type, status, created_by, created_at, expires_at)
                 SELECT '{workspace}', gen_random_uuid(), 'old', 'text/csv', 'uploading', gen_random_uuid(), '{old}', '{old}'
                   FROM generate_series(1, {of_each})"
            ),
        )
        .await;
    }
    let parts = "INSERT INTO file_parts (workspace_id, file_id, \"offset\", size, key)
                 SELECT workspace_id, id, part, 1, 'gone/' || id || '/' || part
                   FROM files, generate_series(0, 1) part WHERE name = 'old'";
    sql::run(db, parts).await;

    let batches = Cell::new(0);
    let one_batch = || {
        batches.set(batches.get() + 1);
        if batches.get() > 1 { Err(Error::TimedOut) } else { Ok(()) }
    };
    let stopped = clean::expire(&lab.files, lab.clock.now(), one_batch).await;
    assert!(matches!(stopped, Err(Error::TimedOut)), "{stopped:?}");
    let left = 2 * of_each - clean::BATCH;
    let count = async |table: &str| sql::number(db, &format!("SELECT count(*) AS value FROM {table}")).await;
    assert_eq!((count("files").await, count("file_parts").await), (left as i64 + 1, 2 * left as i64 + 1));
    assert_eq!(lab.expire().await, left);
    assert_eq!((count("files").await, count("file_parts").await), (1, 1));
    assert_eq!(lab.read(kept, 0).await.expect("read"), b"12345");
}

#[tokio::test]
async fn objects_that_are_no_files_are_swept_after_a_day() {
    let lab = Lab::new().await;
    let file = lab.announce(Some(5)).await.expect("announced");
    lab.send(file, 0, b"12345").await.expect("taken");
    let orphan = format!("{}/ws/{}/{file}/5-orphan", lab.root().await, lab.caller.workspace);
    lab.store.put(&orphan, Bytes::from_static(b"lost")).await.expect("put");
    let half = lab.folder.path().join(format!("files/{orphan}#1"));
    let old = std::fs::File::create(&half).expect("made");
    old.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(1)).expect("aged");

    assert_eq!(sweep(&lab.files, &lab.clock).await, 1, "the half-written one is old");
    assert!(!half.exists());
    assert_eq!(lab.objects().await, 2, "what is younger than a day may be about to be recorded");
    lab.clock.advance(TimeDelta::days(2));
    let stopped = clean::sweep(&lab.files, lab.clock.now(), || Err(Error::TimedOut)).await;
    assert!(matches!(stopped, Err(Error::TimedOut)), "{stopped:?}");
    assert_eq!(lab.objects().await, 2, "whoever is to stop deletes nothing");
    assert_eq!(sweep(&lab.files, &lab.clock).await, 1);
    assert_eq!(lab.objects().await, 1);
    assert_eq!(lab.read(file, 0).await.expect("read"), b"12345");
}

#[tokio::test]
async fn a_server_whose_clock_is_ahead_sweeps_nothing_that_is_new() {
    let lab = Lab::new().await;
    let file = lab.announce(Some(5)).await.expect("announced");
    lab.send(file, 0, b"12345").await.expect("taken");
    lab.clock.advance(TimeDelta::days(2));
    let piece = format!("{}/ws/{}/piece", lab.root().await, lab.caller.workspace);
    lab.store.put(&piece, Bytes::from_static(b"about to be recorded")).await.expect("put");
    let store_now = clean::store_now(&lab.files).await.expect("asked");
    assert!(lab.clock.now() - store_now > TimeDelta::days(1), "{store_now}");
    let swept = clean::sweep(&lab.files, store_now, || Ok::<_, Error>(())).await;
    assert_eq!(swept.expect("ran"), 0);
}

#[tokio::test]
async fn two_installations_share_a_store_and_sweep_only_their_own() {
    let (lab, other) = (Lab::new().await, Lab::new().await);
    let neighbour = Files::new(
        other.test.db.clone(),
        lab.store.clone(),
        Signer::new(b"secret"),
        other.clock.clone(),
        &Limits::default(),
    );
    let file = lab.announce(Some(5)).await.expect("announced");
    lab.send(file, 0, b"12345").await.expect("taken");
    other.clock.advance(TimeDelta::days(2));
    assert_eq!(sweep(&neighbour, &other.clock).await, 0);
    assert_eq!(lab.read(file, 0).await.expect("read"), b"12345");
}

#[tokio::test]
async fn the_folder_of_files_is_closed_to_others() {
    let lab = Lab::new().await;
    let about = std::fs::metadata(lab.folder.path().join("files")).expect("a folder");
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&about.permissions()) & 0o777, 0o700);
}

#[tokio::test]
async fn a_persons_files_together_have_a_limit() {
    let limits = Limits { user_file_bytes: 100, upload_bytes: 90, ..Limits::default() };
    let lab = Lab::with(Config::default(), limits).await;
    let is_too_large = |refused: Error| assert!(matches!(refused, Error::TooLarge(_)), "{refused:?}");
    let announced = lab.announce(Some(60)).await.expect("room");
    is_too_large(lab.announce(Some(41)).await.expect_err("no room"));
    // of unknown size: it may take what is left, and goes away when it wants more
    let open = lab.announce(None).await.expect("nothing yet");
    assert_eq!(lab.send(open, 0, &[0; 40]).await.expect("room").received, 40);
    is_too_large(lab.send(open, 40, &[0; 1]).await.expect_err("no room"));
    assert!(matches!(lab.status(&lab.caller, open).await, Err(Error::NotFound(_))), "it was deleted");
    // the announced bytes have their room
    assert!(lab.send(announced, 0, &[0; 60]).await.expect("room").ready);
    // somebody else has room of their own, and so has everybody when files have expired
    let colleague = member(lab.caller.workspace, Role::SalesRep);
    let mut tx = lab.test.db.begin(&colleague).await.expect("a transaction");
    let new = NewUpload { name: "a".to_owned(), announced_size: Some(90), ..NewUpload::default() };
    upload::create(&lab.files, &mut tx, &colleague, new).await.expect("room");
    drop(tx);
    lab.clock.advance(TimeDelta::days(31));
    lab.announce(Some(90)).await.expect("room");
}

#[tokio::test]
async fn announcements_at_once_do_not_share_the_same_room() {
    let limits = Limits { user_file_bytes: 100, ..Limits::default() };
    let lab = Lab::with(Config::default(), limits).await;
    let mut first = lab.test.db.begin(&lab.caller).await.expect("a transaction");
    let new = NewUpload { name: "a".to_owned(), announced_size: Some(60), ..NewUpload::default() };
    upload::create(&lab.files, &mut first, &lab.caller, new).await.expect("room");
    let meanwhile = async {
        let waiting = "SELECT count(*) AS value FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
                       AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
        eventually("the second waits for the first", async || sql::number(&lab.test.db, waiting).await == 1).await;
        // others have room of their own, and wait for nobody
        let colleague = member(lab.caller.workspace, Role::SalesRep);
        let mut tx = lab.test.db.begin(&colleague).await.expect("a transaction");
        let new = NewUpload { name: "a".to_owned(), announced_size: Some(60), ..NewUpload::default() };
        upload::create(&lab.files, &mut tx, &colleague, new).await.expect("room");
        first.commit().await.expect("committed");
    };
    let (second, ()) = tokio::join!(lab.announce(Some(60)), meanwhile);
    assert!(matches!(second, Err(Error::TooLarge(_))), "{second:?}");
}

#[tokio::test]
async fn uploads_that_grow_at_once_do_not_share_the_same_room() {
    let limits = Limits { user_file_bytes: 100, ..Limits::default() };
    let lab = Lab::with(Config::default(), limits).await;
    // whether their size stays unknown or is told with their bytes
    for total in [None, Some(60)] {
        let files = [lab.announce(None).await.expect("nothing yet"), lab.announce(None).await.expect("nothing yet")];
        let together = Arc::new(Barrier::new(2));
        let send = |file| {
            let together = together.clone();
            // both were let in before either has brought a byte
            let body = stream::once(async move {
                together.wait().await;
                Ok::<_, io::Error>(Bytes::from_static(&[0; 60]))
            });
            upload::receive(&lab.files, &lab.caller, Piece { file, offset: 0, total }, body)
        };
        let (one, two) = tokio::join!(send(files[0]), send(files[1]));
        let ((Ok(progress), Err(refused)) | (Err(refused), Ok(progress))) = (one, two) else {
            panic!("one has room, and one has none");
        };
        assert_eq!(progress.received, 60);
        assert!(refused.to_string().contains("limits.user_file_bytes"), "{refused:?}");
        assert_eq!(lab.objects().await, 1, "of the other nothing stays");
        for file in files {
            files::remove(&lab.files, lab.caller.workspace, file).await.expect("removed");
        }
    }
}

#[tokio::test]
async fn a_persons_unfinished_uploads_have_a_limit() {
    let limits = Limits { unfinished_uploads_per_user: 2, ..Limits::default() };
    let lab = Lab::with(Config::default(), limits).await;
    let (empty, _) = (lab.announce(Some(0)).await.expect("the first"), lab.announce(None).await.expect("the second"));
    let refused = lab.announce(None).await.expect_err("no third");
    assert!(matches!(refused, Error::Conflict(_)), "{refused:?}");
    assert!(refused.to_string().contains("limits.unfinished_uploads_per_user"), "{refused}");
    assert!(lab.send(empty, 0, b"").await.expect("taken").ready);
    lab.announce(None).await.expect("one is complete");
    lab.announce(None).await.expect_err("and another is not");
    lab.clock.advance(TimeDelta::days(3));
    lab.announce(None).await.expect("they have expired");
}

#[tokio::test]
async fn so_many_bodies_at_once_and_no_more() {
    let limits = Limits { uploads_per_user: 1, ..Limits::default() };
    let lab = Lab::with(Config::default(), limits).await;
    let (first, second) =
        (lab.announce(Some(5)).await.expect("announced"), lab.announce(Some(5)).await.expect("announced"));
    let (more, body) = mpsc::channel::<io::Result<Bytes>>(1);
    let body = stream::unfold(body, async |mut body| body.recv().await.map(|chunk| (chunk, body)));
    let mut slow = std::pin::pin!(lab.stream(first, 0, body));
    let refused = tokio::select! {
        ended = &mut slow => panic!("it waits for bytes: {ended:?}"),
        refused = async {
            more.send(Ok(Bytes::from_static(b"1"))).await.expect("taken");
            // its body was asked for more, so it has its place
            more.send(Ok(Bytes::from_static(b"2"))).await.expect("taken");
            more.reserve().await.map(drop).expect("open");
            lab.send(second, 0, b"12345").await
        } => refused,
    };
    assert!(matches!(refused, Err(Error::Limited { .. })), "{refused:?}");
    drop(more);
    assert_eq!(slow.await.expect("kept").received, 2);
    assert!(lab.send(second, 0, b"12345").await.expect("a place is free").ready);
}

#[tokio::test]
async fn a_bucket_serves_as_well_as_a_folder() {
    let Some(s3) = s3::start().await else { return };
    let config = Config { s3: Some(s3.config.clone()), folder: None };
    let lab = Lab::with(config, Limits::default()).await;
    let content = random(5, PIECE + 5000);
    let file = lab.announce(Some(content.len() as u64)).await.expect("announced");
    let progress = lab.stream(file, 0, broken(&content[..3000])).await.expect("taken");
    assert_eq!(progress.received, 3000);
    assert!(lab.send(file, 3000, &content[3000..]).await.expect("taken").ready);
    assert_eq!(lab.objects().await, 3);
    for from in [0, 2999, 3000, PIECE + 2999, PIECE + 3000, content.len()] {
        assert!(lab.read(file, from as u64).await.expect("read") == content[from..], "from {from}");
    }
    let orphan = format!("{}/ws/nobody/orphan", lab.root().await);
    lab.store.put(&orphan, Bytes::from_static(b"lost")).await.expect("put");
    assert_eq!(sweep(&lab.files, &lab.clock).await, 0);
    lab.clock.advance(TimeDelta::days(2));
    assert_eq!(sweep(&lab.files, &lab.clock).await, 1);
    let store_now = clean::store_now(&lab.files).await.expect("asked");
    assert!(lab.clock.now() - store_now > TimeDelta::days(1), "{store_now}");
    lab.clock.advance(TimeDelta::days(2));
    assert_eq!(sweep(&lab.files, &lab.clock).await, 1, "what told the time");
    assert!(lab.read(file, 0).await.expect("read") == content);
    files::remove(&lab.files, lab.caller.workspace, file).await.expect("removed");
    assert_eq!(lab.objects().await, 0);
    // deleted twice is deleted
    lab.store.delete(vec![orphan]).await.expect("deleted");
    assert!(std::fs::read_dir(lab.folder.path()).expect("a folder").next().is_none(), "nothing stays on this machine");
}

#[tokio::test]
async fn a_bucket_that_does_not_answer_is_unavailable_and_its_secret_unseen() {
    let unused = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("bound").port();
    let config = files::S3Config {
        bucket: "b".to_owned(),
        region: "us-east-1".to_owned(),
        endpoint: Some(format!("http://127.0.0.1:{unused}")),
        access_key: Some("key".to_owned()),
        secret_key: Some("hunter2".to_owned().into()),
        path_style: true,
    };
    assert!(!format!("{config:?}").contains("hunter2"));
    let lab = Lab::with(Config { s3: Some(config), folder: None }, Limits::default()).await;
    let file = lab.announce(Some(4)).await.expect("announced");
    let refused = lab.send(file, 0, b"some").await.expect_err("nobody there");
    assert!(matches!(refused, Error::Unavailable(_)), "{refused:?}");
    assert_eq!(lab.status(&lab.caller, file).await.expect("known").received, 0);
}
