//! Where the bytes are: a folder, or a bucket that speaks the S3 protocol. Objects are written
//! whole, never changed, and named by keys that only this module's neighbours make.

use std::{
    error::Error as _,
    io,
    os::unix::fs::DirBuilderExt,
    path::{Path as FilePath, PathBuf},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures_util::{StreamExt, TryStreamExt, stream, stream::BoxStream};
use object_store::{
    BackoffConfig, ClientOptions, GetOptions, GetRange, ObjectStore, ObjectStoreExt, RetryConfig, aws::AmazonS3Builder,
    local::LocalFileSystem, path::Path,
};

use super::{Config, S3Config};
use crate::base::{Error, Result};

/// How long the S3 service may be silent.
const SILENCE: Duration = Duration::from_secs(60);

/// How often an object is written anew when its folder goes meanwhile.
const TRIES: usize = 20;

/// Reads and writes objects; clones share the connections.
#[derive(Clone)]
pub struct Store {
    objects: Arc<dyn ObjectStore>,
    /// The folder, where it is one.
    folder: Option<PathBuf>,
}

/// An object as a listing shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    pub key: String,
    /// By the store's own clock.
    pub written_at: DateTime<Utc>,
}

impl Store {
    /// Opens the configured store; the folder is made if it is missing. Says in plain words what
    /// is wrong with the configuration. A bucket is not asked for anything yet.
    pub fn open(config: &Config, data_dir: &FilePath) -> Result<Self> {
        match &config.s3 {
            Some(s3) => Ok(Self { objects: Arc::new(bucket(s3)?), folder: None }),
            None => {
                let folder = config.folder.clone().unwrap_or_else(|| data_dir.join("files"));
                Ok(Self { objects: Arc::new(open_folder(&folder)?), folder: Some(folder) })
            }
        }
    }

    /// Writes an object; when this returns, it is there for good.
    pub async fn put(&self, key: &str, bytes: Bytes) -> Result<()> {
        let (path, mut tries) = (path(key)?, TRIES);
        loop {
            tries -= 1;
            match self.objects.put(&path, bytes.clone().into()).await {
                Ok(_) => return Ok(()),
                Err(error) if tries > 0 && self.is_folder_gone(&error) => {}
                Err(error) => return Err(failed(error)),
            }
        }
    }

    /// Whether a folder that was made for an object went before the object was in it: whoever deletes
    /// the last file of a folder takes the folder away, too.
    fn is_folder_gone(&self, error: &object_store::Error) -> bool {
        self.folder.is_some() && is_kind(error, io::ErrorKind::NotFound)
    }

    /// The object's bytes from `from` to its end.
    pub async fn read(&self, key: &str, from: u64) -> Result<BoxStream<'static, Result<Bytes>>> {
        let options = GetOptions { range: (from > 0).then_some(GetRange::Offset(from)), ..GetOptions::default() };
        let object = self.objects.get_opts(&path(key)?, options).await.map_err(failed)?;
        Ok(object.into_stream().map_err(failed).boxed())
    }

    /// Deletes objects; those that are gone already count as deleted.
    pub async fn delete(&self, keys: Vec<String>) -> Result<()> {
        let paths: Vec<_> = keys.iter().map(|key| path(key)).collect::<Result<_>>()?;
        let paths = stream::iter(paths.into_iter().map(Ok)).boxed();
        let mut deleted = self.objects.delete_stream(paths);
        while let Some(one) = deleted.next().await {
            match one {
                Ok(_) | Err(object_store::Error::NotFound { .. }) => {}
                Err(error) => return Err(failed(error)),
            }
        }
        Ok(())
    }

    /// What the store's own clock says, by an object of this key that is written for it.
    pub async fn now(&self, key: &str) -> Result<DateTime<Utc>> {
        self.put(key, Bytes::new()).await?;
        Ok(self.objects.head(&path(key)?).await.map_err(failed)?.last_modified)
    }

    /// All objects whose keys begin with `prefix/`.
    pub fn list(&self, prefix: &str) -> Result<BoxStream<'static, Result<Listed>>> {
        let listed = |object: object_store::ObjectMeta| Listed {
            key: object.location.to_string(),
            written_at: object.last_modified,
        };
        Ok(self.objects.list(Some(&path(prefix)?)).map_ok(listed).map_err(failed).boxed())
    }

    /// Deletes what a killed server left in the folder half written. Listings hide such files. A
    /// bucket has none: there an object appears whole.
    pub async fn delete_half_written(&self, before: DateTime<Utc>) -> Result<usize> {
        let Some(folder) = self.folder.clone() else { return Ok(0) };
        let delete = move || delete_half_written(&folder, before.into());
        tokio::task::spawn_blocking(delete).await.map_err(Error::internal)?.map_err(Error::internal)
    }
}

fn open_folder(folder: &FilePath) -> Result<LocalFileSystem> {
    let unusable = |error: &dyn std::fmt::Display| {
        Error::Unavailable(format!("The folder of files, {}, cannot be used: {error}.", folder.display()).into())
    };
    // closed to other users of the machine, and with it all that is in it
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(|error| unusable(&error))?;
    let store = LocalFileSystem::new_with_prefix(folder).map_err(|error| unusable(&error))?;
    // an acknowledged upload survives a power cut
    Ok(store.with_fsync(true).with_automatic_cleanup(true))
}

fn bucket(config: &S3Config) -> Result<object_store::aws::AmazonS3> {
    let builder = match (&config.access_key, &config.secret_key) {
        (Some(key), Some(secret)) => {
            AmazonS3Builder::new().with_access_key_id(key).with_secret_access_key(secret.expose())
        }
        (None, None) => AmazonS3Builder::from_env(),
        _ => return Err(Error::invalid("files.s3", "needs access_key and secret_key, or neither")),
    };
    // The limit on the whole request is off: a slow reader may take its time over an object.
    let client = ClientOptions::new()
        .with_allow_http(config.endpoint.as_ref().is_some_and(|endpoint| endpoint.starts_with("http://")))
        .with_timeout_disabled()
        .with_read_timeout(SILENCE)
        .with_connect_timeout(Duration::from_secs(5));
    // A person waits: a few quick tries, then they are told.
    let retry = RetryConfig {
        max_retries: 3,
        retry_timeout: Duration::from_secs(20),
        backoff: BackoffConfig { max_backoff: Duration::from_secs(2), ..BackoffConfig::default() },
    };
    let mut builder = builder
        .with_bucket_name(&config.bucket)
        .with_region(&config.region)
        .with_virtual_hosted_style_request(!config.path_style)
        .with_client_options(client)
        .with_retry(retry);
    if let Some(endpoint) = &config.endpoint {
        builder = builder.with_endpoint(endpoint_of(endpoint, config));
    }
    builder.build().map_err(|error| Error::invalid("files.s3", format!("cannot be used: {error}")))
}

/// The library wants the bucket's own host where the bucket stands in the host name.
fn endpoint_of(endpoint: &str, config: &S3Config) -> String {
    match endpoint.split_once("://") {
        Some((scheme, host)) if !config.path_style => format!("{scheme}://{}.{host}", config.bucket),
        _ => endpoint.to_owned(),
    }
}

fn path(key: &str) -> Result<Path> {
    Path::parse(key).map_err(Error::internal)
}

fn failed(error: object_store::Error) -> Error {
    if matches!(error, object_store::Error::NotFound { .. }) {
        // a row says that the object exists
        return Error::internal(error);
    }
    tracing::error!(%error, "the file store failed");
    if is_kind(&error, io::ErrorKind::StorageFull) {
        return Error::Unavailable("The disk for files is full; nothing can be uploaded until there is room".into());
    }
    Error::Unavailable("The file store does not answer; try again in a moment".into())
}

/// Whether the machine's own answer, somewhere below the library's, is of this kind.
fn is_kind(error: &object_store::Error, kind: io::ErrorKind) -> bool {
    let mut source = error.source();
    while let Some(error) = source {
        if error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == kind) {
            return true;
        }
        source = error.source();
    }
    false
}

/// The library writes to `name#number` first and then renames.
fn delete_half_written(folder: &FilePath, before: std::time::SystemTime) -> io::Result<usize> {
    let mut deleted = 0;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        // what is gone meanwhile was finished meanwhile
        let Ok(about) = entry.metadata() else { continue };
        if about.is_dir() {
            deleted += delete_half_written(&entry.path(), before).or_else(gone)?;
        } else if is_half_written(&entry.file_name().to_string_lossy()) && about.modified()? < before {
            std::fs::remove_file(entry.path()).or_else(gone)?;
            deleted += 1;
        }
    }
    Ok(deleted)
}

fn is_half_written(name: &str) -> bool {
    name.split_once('#').is_some_and(|(_, number)| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()))
}

fn gone<T: Default>(error: io::Error) -> io::Result<T> {
    if error.kind() == io::ErrorKind::NotFound { Ok(T::default()) } else { Err(error) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Folders that are emptied beside are made anew: nobody's upload is refused for them.
    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn objects_are_written_while_their_neighbours_are_deleted() {
        let folder = std::env::temp_dir().join(format!("kontor-store-{}", std::process::id()));
        let store =
            Store::open(&Config { folder: Some(folder.clone()), ..Config::default() }, &folder).expect("a store");
        let writing = (0..2).map(|writer| {
            let store = store.clone();
            tokio::spawn(async move {
                for number in 0..2000 {
                    let key = format!("root/ws/one/{writer}-{number}");
                    store.put(&key, Bytes::from_static(b"bytes")).await.expect("written");
                    store.delete(vec![key]).await.expect("deleted");
                }
            })
        });
        for written in futures_util::future::join_all(writing).await {
            written.expect("no refusal");
        }
        std::fs::remove_dir_all(folder).expect("removed");
    }
}
