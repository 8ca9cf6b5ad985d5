//! Uploads: announced first, then sent in as many requests as the network needs. Every request
//! says at which byte it begins; one that begins elsewhere than where we are is told where that is.

use std::{
    fmt::Display,
    pin::pin,
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures_util::{Stream, StreamExt};

use super::{
    FileInfo, FileName, FileStatus, Files,
    append::{Appender, End, elsewhere},
    begin::{Beginning, begin},
    get,
    intake::Place,
    quota::{self, no_room},
    remove,
};
use crate::{
    auth::{Caller, Permission},
    base::{Error, FieldErrors, Result, ids::FileId},
    db::Tx,
};

/// A body that is silent for this long is given up; what has arrived is kept.
const SILENCE: Duration = Duration::from_secs(60);

/// In as much time of waiting for it, a body must bring so many bytes, or is given up as well.
const LEAST_IN_SILENCE: u64 = 64 * 1024;

const LONGEST_MEDIA_TYPE: usize = 127;

/// What a client tells before it sends bytes.
#[derive(Debug, Clone, Default)]
pub struct NewUpload {
    /// As the client calls it; a path is cut to its last part.
    pub name: String,
    /// `application/octet-stream` where it is empty.
    pub media_type: String,
    /// Bytes, where the client knows.
    pub announced_size: Option<u64>,
}

/// The place of one request's body in its upload.
#[derive(Debug, Clone, Copy)]
pub struct Piece {
    pub file: FileId,
    /// The byte at which the body begins.
    pub offset: u64,
    /// The whole file's size, where this request is the first to know it.
    pub total: Option<u64>,
}

/// How far an upload is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Bytes that are there: where the next piece begins.
    pub received: u64,
    pub announced: Option<u64>,
    /// All is there.
    pub ready: bool,
}

impl From<&FileInfo> for Progress {
    fn from(info: &FileInfo) -> Self {
        Self { received: info.size, announced: info.announced_size, ready: info.status == FileStatus::Ready }
    }
}

/// Announces an upload. Whether the caller may upload for this purpose is the operation's to say.
/// Refuses a wrong name or media type, a size over the limit, and more than a person may keep. Their
/// other announcements wait until the transaction ends.
pub async fn create(files: &Files, tx: &mut Tx, caller: &Caller, new: NewUpload) -> Result<FileId> {
    caller.require(Permission::FilesWrite)?;
    let mut wrong = FieldErrors::new();
    let name = wrong.take("name", FileName::parse(&new.name));
    let media_type = wrong.take("mediaType", media_type(&new.media_type));
    wrong.into_result()?;
    if new.announced_size.is_some_and(|size| size > files.upload_bytes) {
        return Err(too_large(files.upload_bytes));
    }
    let (Some(name), Some(media_type)) = (name, media_type) else {
        return Err(Error::internal("a wrong name or media type was not refused"));
    };
    quota::hold(tx, caller.workspace, caller.user).await?;
    quota::admit(files, tx, caller.workspace, caller.user, new.announced_size).await?;
    let announced_size = new.announced_size;
    let beginning = Beginning { name, media_type, announced_size, created_by: caller.user };
    Ok(begin(files, tx, caller.workspace, beginning).await?.id)
}

/// How far the upload is. NotFound unless it is the caller's.
pub async fn status(tx: &mut Tx, caller: &Caller, file: FileId) -> Result<Progress> {
    Ok(Progress::from(&get(tx, caller, file).await?))
}

/// Appends a body to the upload and says how far it is then; complete as soon as all the announced
/// bytes are there. A body that breaks off is no error: the bytes that arrived are kept. What the
/// client must know is in the errors: a Conflict's details hold `received`, where to go on (another
/// request may have been faster); TooLarge means that the upload was deleted.
pub async fn receive<S, E>(files: &Files, caller: &Caller, piece: Piece, body: S) -> Result<Progress>
where
    S: Stream<Item = Result<Bytes, E>> + Send + 'static,
    E: Display + Send + 'static,
{
    let mut tx = files.db.read(caller).await?;
    let info = get(&mut tx, caller, piece.file).await?;
    let room = quota::room(files, &mut tx, caller.workspace, info.created_by).await?;
    tx.commit().await?;
    if info.status == FileStatus::Ready || info.size != piece.offset {
        return Err(elsewhere(&info));
    }
    let announced = announced(&info, piece.total)?;
    let place = files.intakes.take(caller.user)?;
    let taken = match most(files, &info, announced, room) {
        Ok(limit) => {
            let keep_until = files.clock.now() + files.keep;
            let appender = Appender::new(files, caller.workspace, &info, announced, keep_until).within_quota();
            let intake = Intake { files: files.clone(), appender, announced, limit, _place: place };
            // In a task of its own: a request that is dropped must neither lose what has arrived nor
            // leave an object that no row knows.
            tokio::spawn(intake.take(body)).await.map_err(Error::internal)?
        }
        Err(refused) => Err(refused),
    };
    if let Err(Error::TooLarge(_)) = &taken {
        remove(files, caller.workspace, piece.file).await?;
    }
    taken
}

/// Says that an upload of unknown size has ended. Nothing happens where it is complete already;
/// a Conflict where bytes are missing that were announced.
pub async fn finish(files: &Files, caller: &Caller, file: FileId) -> Result<Progress> {
    let mut tx = files.db.read(caller).await?;
    let info = get(&mut tx, caller, file).await?;
    tx.commit().await?;
    if info.status == FileStatus::Ready {
        return Ok(Progress::from(&info));
    }
    if info.announced_size.is_some() {
        return Err(elsewhere(&info));
    }
    let mut appender = Appender::new(files, caller.workspace, &info, None, files.clock.now() + files.keep);
    Ok(Progress::from(&appender.flush(End::Here).await?))
}

/// The size that the file may reach. `room` is what its owner's files may still grow by; what was
/// announced of this one before is not in it.
fn most(files: &Files, info: &FileInfo, announced: Option<u64>, room: u64) -> Result<u64> {
    let counted = info.counted();
    match announced {
        Some(size) if size > files.upload_bytes => Err(too_large(files.upload_bytes)),
        Some(size) if size > counted.saturating_add(room) => Err(no_room(files.user_bytes)),
        Some(size) => Ok(size),
        None => Ok(counted.saturating_add(room).min(files.upload_bytes)),
    }
}

struct Intake {
    files: Files,
    appender: Appender,
    announced: Option<u64>,
    limit: u64,
    _place: Place,
}

impl Intake {
    async fn take<S, E>(mut self, body: S) -> Result<Progress>
    where
        S: Stream<Item = Result<Bytes, E>>,
        E: Display,
    {
        let mut body = pin!(body);
        // only the waiting for the client counts, not the writing
        let (mut left, mut arrived) = (SILENCE, 0);
        loop {
            let asked_at = Instant::now();
            match tokio::time::timeout(left, body.next()).await {
                Ok(Some(Ok(bytes))) => {
                    left = left.saturating_sub(asked_at.elapsed());
                    arrived += bytes.len() as u64;
                    if arrived >= LEAST_IN_SILENCE {
                        (left, arrived) = (SILENCE, 0);
                    }
                    self.check_room(bytes.len() as u64)?;
                    self.appender.push(&bytes).await?;
                }
                Ok(None) => break,
                Ok(Some(Err(error))) => {
                    tracing::debug!(%error, received = self.appender.length(), "an upload's body broke off");
                    break;
                }
                Err(_) => {
                    tracing::debug!(received = self.appender.length(), "an upload's body fell silent or is too slow");
                    break;
                }
            }
        }
        Ok(Progress::from(&self.appender.flush(End::AsAnnounced).await?))
    }

    fn check_room(&self, more: u64) -> Result<()> {
        let length = self.appender.length() + more;
        match self.announced {
            Some(announced) if length > announced => {
                Err(Error::invalid("size", format!("was announced as {announced} bytes, and more arrived")))
            }
            None if length > self.files.upload_bytes => Err(too_large(self.files.upload_bytes)),
            None if length > self.limit => Err(no_room(self.files.user_bytes)),
            _ => Ok(()),
        }
    }
}

fn announced(info: &FileInfo, total: Option<u64>) -> Result<Option<u64>> {
    match (info.announced_size, total) {
        (Some(announced), Some(total)) if announced != total => {
            Err(Error::invalid("size", format!("was announced as {announced} bytes, not {total}")))
        }
        (None, Some(total)) if total < info.size => {
            Err(Error::invalid("size", format!("is less than the {} bytes that have arrived", info.size)))
        }
        (announced, total) => Ok(announced.or(total)),
    }
}

fn too_large(limit: u64) -> Error {
    Error::TooLarge(format!("The file is larger than an upload may be, {limit} bytes (limits.upload_bytes)").into())
}

/// `type/subtype`, perhaps with parameters, as RFC 9110 writes it.
fn media_type(text: &str) -> Result<String, &'static str> {
    const WRONG: &str = "is not a media type such as text/csv";
    let text = text.trim();
    if text.is_empty() {
        return Ok("application/octet-stream".to_owned());
    }
    let token = |part: &str| {
        !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
    };
    let essence = text.split(';').next().unwrap_or_default().trim_end();
    let shaped = essence.split_once('/').is_some_and(|(main, sub)| token(main) && token(sub));
    let printable = text.bytes().all(|b| b == b' ' || b.is_ascii_graphic());
    if shaped && printable && text.len() <= LONGEST_MEDIA_TYPE { Ok(text.to_ascii_lowercase()) } else { Err(WRONG) }
}

#[cfg(test)]
mod tests {
    use super::media_type;

    #[test]
    fn media_types_are_checked() {
        assert_eq!(media_type(" Text/CSV; charset=UTF-8"), Ok("text/csv; charset=utf-8".to_owned()));
        assert_eq!(media_type(""), Ok("application/octet-stream".to_owned()));
        for wrong in ["csv", "text/", "/csv", "text/csv\r\nX: y", "te xt/csv", "text/ü", &"a/b".repeat(60)] {
            assert!(media_type(wrong).is_err(), "{wrong}");
        }
    }
}
