//! Links by which a file is downloaded without signing in, until they expire: in a mail, in an
//! `<a href>`, in another program. The link itself is the proof, so it holds nothing to look up
//! but the file, and nobody can make one without the installation's secret.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;
use uuid::Uuid;

use crate::base::{
    Error, Result,
    ids::{FileId, WorkspaceId},
};

/// Where the links lead to: this and the token.
pub const PATH: &str = "/files/";

/// Names what the key is for, so that no other use of the secret can make a link. Never changes.
const PURPOSE: &[u8] = b"kontor/files/link/1";

/// Workspace, file and second of expiry, then the proof.
const SIGNED: usize = 16 + 16 + 8;
const TOKEN: usize = SIGNED + 32;

/// Makes and checks links.
#[derive(Clone)]
pub struct Signer {
    key: [u8; 32],
}

impl Signer {
    /// From the installation's secret; links made with another one are refused.
    pub fn new(secret: &[u8]) -> Self {
        Self { key: hmac(secret, PURPOSE) }
    }

    /// The path of a link to the file, valid through `expires_at` (in whole seconds).
    pub fn sign(&self, workspace: WorkspaceId, file: FileId, expires_at: DateTime<Utc>) -> String {
        let mut token = Vec::with_capacity(TOKEN);
        token.extend_from_slice(workspace.0.as_bytes());
        token.extend_from_slice(file.0.as_bytes());
        token.extend_from_slice(&expires_at.timestamp().to_be_bytes());
        let proof = hmac(&self.key, &token);
        token.extend_from_slice(&proof);
        format!("{PATH}{}", URL_SAFE_NO_PAD.encode(token))
    }

    /// What a token (the path's last part) gives access to. NotFound for one that is not ours,
    /// Expired for one that was.
    pub fn verify(&self, token: &str, now: DateTime<Utc>) -> Result<(WorkspaceId, FileId)> {
        const WRONG: Error = Error::NotFound("file");
        let token = URL_SAFE_NO_PAD.decode(token).map_err(|_| WRONG)?;
        let (signed, proof) = token.split_at_checked(SIGNED).ok_or(WRONG)?;
        // slices of different length are unequal
        if !bool::from(hmac(&self.key, signed).ct_eq(proof)) {
            return Err(WRONG);
        }
        let (workspace, rest) = signed.split_at(16);
        let (file, expires) = rest.split_at(16);
        let expires = i64::from_be_bytes(expires.try_into().map_err(|_| WRONG)?);
        if now.timestamp() > expires {
            return Err(Error::Expired("This link has expired; ask for a new one".into()));
        }
        let id = |bytes| Uuid::from_slice(bytes).map_err(|_| WRONG);
        Ok((WorkspaceId(id(workspace)?), FileId(id(file)?)))
    }

    /// A proof of other bytes, by the same secret.
    pub fn seal(&self, purpose: &str, bytes: &[u8]) -> [u8; 32] {
        hmac(&hmac(&self.key, purpose.as_bytes()), bytes)
    }
}

fn hmac(key: &[u8], message: &[u8]) -> [u8; 32] {
    #[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("any key will do");
    mac.update(message);
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    fn now() -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000, 0).expect("a time")
    }

    fn link() -> (Signer, WorkspaceId, FileId, String) {
        let (signer, workspace, file) = (Signer::new(b"secret"), WorkspaceId::new(), FileId::new());
        let link = signer.sign(workspace, file, now() + TimeDelta::hours(1));
        let token = link.strip_prefix(PATH).expect("the path").to_owned();
        (signer, workspace, file, token)
    }

    #[test]
    fn a_link_opens_its_file_until_it_expires() {
        let (signer, workspace, file, token) = link();
        for valid in [now(), now() + TimeDelta::hours(1)] {
            assert_eq!(signer.verify(&token, valid).expect("valid"), (workspace, file));
        }
        let late = signer.verify(&token, now() + TimeDelta::seconds(3601)).expect_err("too late");
        assert!(matches!(late, Error::Expired(_)), "{late:?}");
    }

    #[test]
    fn a_link_with_any_byte_changed_is_no_link() {
        let (signer, _, _, token) = link();
        let letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_=+/%. ";
        for at in 0..token.len() {
            for letter in letters.iter().filter(|letter| **letter != token.as_bytes()[at]) {
                let mut changed = token.clone().into_bytes();
                changed[at] = *letter;
                let changed = String::from_utf8(changed).expect("ASCII");
                let refused = signer.verify(&changed, now()).expect_err("tampered with");
                assert!(matches!(refused, Error::NotFound(_)), "{at}: {refused:?}");
            }
        }
        for changed in ["", &token[1..], &token[..token.len() - 1], &format!("{token}A"), &format!("{token}AAAA")] {
            assert!(matches!(signer.verify(changed, now()), Err(Error::NotFound(_))), "{changed}");
        }
    }

    #[test]
    fn the_secret_and_the_purpose_decide() {
        let (_, workspace, file, token) = link();
        assert!(Signer::new(b"another").verify(&token, now()).is_err());
        // the secret itself is not the key
        let expires = now() + TimeDelta::hours(1);
        let raw = Signer { key: hmac(b"secret", b"something else") }.sign(workspace, file, expires);
        assert!(Signer::new(b"secret").verify(&raw[PATH.len()..], now()).is_err());
    }
}
