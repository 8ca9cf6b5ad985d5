//! What makes this installation itself: the secret that signs its links.

use std::{
    fs::OpenOptions,
    io::{ErrorKind, Read, Write},
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
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(mut file) => {
            let mut bytes = [0_u8; 32];
            rand::fill(&mut bytes);
            let text = URL_SAFE_NO_PAD.encode(bytes);
            file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(unusable)?;
            Ok(Secret::new(text))
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            let mut text = String::new();
            std::fs::File::open(path).and_then(|mut file| file.read_to_string(&mut text)).map_err(unusable)?;
            Ok(Secret::new(text.trim().to_owned()))
        }
        Err(error) => Err(unusable(error)),
    }
}
