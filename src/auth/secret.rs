//! Secrets that we hand out and later recognise: sessions, API tokens, one-time links. They are
//! random, shown once, and kept as SHA-256 (enough for 256 random bits; passwords get Argon2).

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};

/// What a secret is for; its text begins so, which lets scanners find leaked ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Access,
    Refresh,
    Cookie,
    ApiToken,
    Link,
}

impl Kind {
    fn prefix(self) -> &'static str {
        match self {
            Self::Access => "kontor_a_",
            Self::Refresh => "kontor_r_",
            Self::Cookie => "kontor_c_",
            Self::ApiToken => "kontor_t_",
            Self::Link => "kontor_l_",
        }
    }
}

/// The stored form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Hash(pub [u8; 32]);

/// A secret about to be handed out. Its text leaves the server once; `Debug` hides it.
pub struct Fresh {
    pub text: String,
    pub hash: Hash,
}

impl Fresh {
    pub fn new(kind: Kind) -> Self {
        let mut bytes = [0_u8; 32];
        rand::fill(&mut bytes);
        Self::of(kind, bytes)
    }

    /// Of bytes that nobody else can tell, for one that has to come out the same each time.
    pub fn of(kind: Kind, bytes: [u8; 32]) -> Self {
        let text = format!("{}{}", kind.prefix(), URL_SAFE_NO_PAD.encode(bytes));
        let hash = Hash::of(&text);
        Self { text, hash }
    }
}

impl std::fmt::Debug for Fresh {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Fresh(..)")
    }
}

impl Hash {
    pub fn of(text: &str) -> Self {
        Self(Sha256::digest(text.as_bytes()).into())
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Whether the text could be an API token and not a session's secret.
pub fn is_api_token(text: &str) -> bool {
    text.starts_with(Kind::ApiToken.prefix())
}
