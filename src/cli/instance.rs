//! What makes this installation itself: the secret that signs its links.

use std::{
    fs::OpenOptions,
    io::{ErrorKind, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use crate::{
    base::{Error, Result, Secret},
    config::Config,
};

/// Shorter secrets can be guessed.
const SHORTEST: usize = 32;

/// The configured secret, or the one in the data folder, made there once.
pub fn secret(config: &Config) -> Result<Secret<String>> {
    let secret = match &config.secret {
        Some(secret) => secret.clone(),
        None => kept(&config.data_dir.join("secret"))?,
    };
    match secret.expose().len() {
        length if length >= SHORTEST => Ok(secret),
        _ => Err(Error::invalid("secret", "must have at least 32 characters")),
    }
}

fn kept(path: &Path) -> Result<Secret<String>> {
    let unusable = |error: std::io::Error| {
        Error::Unavailable(format!("The secret in {} cannot be used: {error}", path.display()).into())
    };
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(unusable)?;
    }
    match std::fs::read_to_string(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => make(path).map_err(unusable)?,
        Err(error) => return Err(unusable(error)),
        Ok(_) => {}
    }
    let text = std::fs::read_to_string(path).map_err(unusable)?;
    Ok(Secret::new(text.trim().to_owned()))
}

/// Puts a whole secret there, or leaves the one that another process has put there meanwhile. We
/// may be killed anywhere: half a secret would keep every later start from working. Not every file
/// system has hard links.
fn make(path: &Path) -> std::io::Result<()> {
    let mut bytes = [0_u8; 32];
    rand::fill(&mut bytes);
    let draft = path.with_extension(format!("new-{}", std::process::id()));
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
    file.write_all(URL_SAFE_NO_PAD.encode(bytes).as_bytes()).and_then(|()| file.sync_all())?;
    match std::fs::hard_link(&draft, path) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => std::fs::rename(&draft, path),
        _ => std::fs::remove_file(&draft),
    }
}
