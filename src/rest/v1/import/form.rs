//! The form of an import: its parts come in any order, and the file among them goes to the store as
//! it comes.

use std::pin::pin;

use axum::extract::{
    Multipart,
    multipart::{Field as Part, MultipartError},
};
use bytes::Bytes;
use futures_util::stream;
use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio::sync::mpsc;

use super::EntityType;
use crate::{
    auth::Caller,
    base::{Error, Result, ids::FileId},
    ctx::Ctx,
    files::{
        self, FileName,
        upload::{self, NewUpload},
    },
    team::uploads,
    transfer::import::{ImportOptions, NewImport},
};

/// Longest value of a form field that is no file, in bytes.
const FORM_FIELD: usize = 1024 * 1024;

/// A form has at most so many parts, and as many bytes in those that we do not know as in a field.
const PARTS: usize = 64;

/// Chunks of a body between the network and the file store.
const CHUNKS: usize = 8;

/// What the form calls the fields of the operation.
pub fn form_name(field: &str) -> String {
    match field {
        "mapping" => "fieldMapping".to_owned(),
        "kind" => "entityType".to_owned(),
        other => other.to_owned(),
    }
}

#[derive(Default, Deserialize)]
struct OptionsBody {
    skip_duplicates: Option<bool>,
    update_existing: Option<bool>,
}

/// The form as its parts come in, in any order.
#[derive(Default)]
pub struct Form {
    pub file: Option<FileId>,
    /// Its name and its bytes, to tell a repetition from another request.
    content: Sha256,
    entity_type: Option<String>,
    mapping: Option<String>,
    options: Option<String>,
}

impl Form {
    pub async fn read(&mut self, ctx: &Ctx, caller: &Caller, multipart: &mut Multipart) -> Result<()> {
        let (mut parts, mut ignored) = (0, 0);
        while let Some(mut part) = multipart.next_field().await.map_err(broken)? {
            parts += 1;
            if parts > PARTS {
                return Err(Error::TooLarge(format!("The form has more than {PARTS} parts").into()));
            }
            let name = part.name().unwrap_or_default().to_owned();
            let slot = match name.as_str() {
                "file" => {
                    self.take_file(ctx, caller, part).await?;
                    continue;
                }
                "entity_type" => &mut self.entity_type,
                "field_mapping" => &mut self.mapping,
                "import_options" => &mut self.options,
                // read all the same: what follows is behind it
                _ => {
                    while let Some(chunk) = part.chunk().await.map_err(broken)? {
                        ignored += chunk.len();
                        if ignored > FORM_FIELD {
                            let message = format!("The parts that are not known are larger than {FORM_FIELD} bytes");
                            return Err(Error::TooLarge(message.into()));
                        }
                    }
                    continue;
                }
            };
            *slot = Some(text(name, part).await?);
        }
        Ok(())
    }

    async fn take_file(&mut self, ctx: &Ctx, caller: &Caller, mut part: Part<'_>) -> Result<()> {
        let name = part.file_name().unwrap_or_default().to_owned();
        let mut first = part.chunk().await.map_err(broken)?;
        while first.as_ref().is_some_and(Bytes::is_empty) {
            first = part.chunk().await.map_err(broken)?;
        }
        if name.is_empty() && first.is_none() {
            // what a browser sends where no file was chosen
            return Ok(());
        }
        if self.file.is_some() {
            return Err(Error::invalid("file", "is given more than once"));
        }
        let name = FileName::parse(&name).map_or_else(|_| "import.csv".to_owned(), FileName::into_inner);
        let media_type = part.content_type().unwrap_or("text/csv").to_owned();
        self.content.update(format!("{name}\0"));
        // what a key repeats is the import, and not each file on the way to it
        let unkeyed = caller.clone().repeating(None);
        let new = NewUpload { name, media_type, announced_size: None };
        let file = uploads::announce(ctx, &unkeyed, new).await?;
        self.file = Some(file);
        store(ctx, caller, file, first, part, &mut self.content).await?;
        upload::finish(&ctx.files, caller, file).await?;
        Ok(())
    }

    /// All that the form says, as bytes.
    pub fn asked(&self) -> Vec<u8> {
        let Self { content, entity_type, mapping, options, .. } = self;
        let mut asked = format!("POST /import {entity_type:?} {mapping:?} {options:?} ").into_bytes();
        asked.extend_from_slice(&content.clone().finalize());
        asked
    }

    pub fn to_import(&self) -> Result<NewImport> {
        let file = self.file.ok_or_else(|| Error::invalid("file", "is needed"))?;
        let word = self.entity_type.as_deref().map(str::trim).filter(|word| !word.is_empty());
        let word = word.ok_or_else(|| Error::invalid("entityType", "is needed"))?;
        let kind = EntityType::parse(word).map_err(|message| Error::invalid("entityType", message))?.kind();
        let options: Option<OptionsBody> = json("importOptions", self.options.as_deref())?;
        let options = options.unwrap_or_default();
        Ok(NewImport {
            kind,
            file,
            mapping: json("fieldMapping", self.mapping.as_deref())?.unwrap_or_default(),
            options: ImportOptions {
                skip_duplicates: options.skip_duplicates.unwrap_or_default(),
                update_existing: options.update_existing.unwrap_or_default(),
            },
        })
    }

    /// Without an import nobody needs the file.
    pub async fn drop_file(&self, ctx: &Ctx, caller: &Caller) {
        let Some(file) = self.file else { return };
        if let Err(error) = files::remove(&ctx.files, caller.workspace, file).await {
            tracing::info!(%error, %file, "an upload without an import stays until it expires");
        }
    }
}

/// Passes a file on to the store chunk by chunk, as fast as the store takes it.
async fn store(
    ctx: &Ctx,
    caller: &Caller,
    file: FileId,
    first: Option<Bytes>,
    mut part: Part<'_>,
    content: &mut Sha256,
) -> Result<()> {
    let (send, receive) = mpsc::channel::<Result<Bytes, std::convert::Infallible>>(CHUNKS);
    let body = stream::unfold(receive, async |mut receive| receive.recv().await.map(|chunk| (chunk, receive)));
    let place = upload::Piece { file, offset: 0, total: None };
    let mut received = pin!(upload::receive(&ctx.files, caller, place, body));
    let mut passed_on = pin!(async move {
        let mut next = first;
        while let Some(chunk) = next {
            content.update(&chunk);
            if send.send(Ok(chunk)).await.is_err() {
                break;
            }
            next = part.chunk().await.map_err(broken)?;
        }
        Ok::<_, Error>(())
    });
    tokio::select! {
        biased;
        whole = &mut passed_on => whole?,
        early = &mut received => {
            early?;
            return Err(Error::invalid("file", "broke off before its end"));
        }
    }
    received.await?;
    Ok(())
}

async fn text(name: String, mut part: Part<'_>) -> Result<String> {
    let mut bytes = Vec::new();
    while let Some(chunk) = part.chunk().await.map_err(broken)? {
        if bytes.len() + chunk.len() > FORM_FIELD {
            return Err(Error::TooLarge(format!("{name} is larger than {FORM_FIELD} bytes").into()));
        }
        bytes.extend_from_slice(&chunk);
    }
    String::from_utf8(bytes).map_err(|_| Error::invalid(name, "must be text in UTF-8"))
}

fn broken(error: MultipartError) -> Error {
    tracing::debug!(%error, "a form could not be read");
    Error::invalid("file", "broke off before its end, or the form is not well-formed multipart/form-data")
}

/// A form field that holds JSON; empty and `null` are as good as absent.
fn json<T: serde::de::DeserializeOwned>(name: &'static str, text: Option<&str>) -> Result<Option<T>> {
    let Some(text) = text.map(str::trim).filter(|text| !text.is_empty()) else { return Ok(None) };
    let value: Value =
        serde_json::from_str(text).map_err(|error| Error::invalid(name, format!("is not valid JSON: {error}")))?;
    if !value.is_object() && !value.is_null() {
        return Err(Error::invalid(name, "must be a JSON object"));
    }
    serde_json::from_value(value).map_err(|error| Error::invalid(name, format!("is not as it should be: {error}")))
}
