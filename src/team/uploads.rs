//! Announcing the files that people send; their bytes then go to `files::upload`.

use super::repeat::{self, Turn};
use crate::{
    auth::{Caller, Permission},
    base::{Result, ids::FileId},
    ctx::Ctx,
    files::upload::{self, NewUpload},
};

/// Announces an upload of the caller's.
pub async fn announce(ctx: &Ctx, caller: &Caller, new: NewUpload) -> Result<FileId> {
    caller.require(Permission::FilesWrite)?;
    let mut tx = match repeat::begin(ctx, caller).await? {
        Turn::First(tx) => tx,
        Turn::Again(file, _) => return Ok(file),
    };
    let file = upload::create(&ctx.files, &mut tx, caller, new).await?;
    tx.commit(file).await?;
    Ok(file)
}
