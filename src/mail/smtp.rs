//! Sending by SMTP, over a small pool of connections.

use std::{borrow::Cow, time::Duration};

use lettre::{
    AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor,
    transport::smtp::{Error as SmtpError, PoolConfig},
};

use super::message::one_line;
use crate::base::{Error, Result, Secret};

const CONNECTIONS: u32 = 4;

/// Codes of RFC 4954 that refuse us, not the mail: an administrator mends that, and the mail waits.
const SIGN_IN_REFUSED: [u16; 4] = [530, 534, 535, 538];

/// Longest part of a server's answer that is passed on, in characters.
const LONGEST_ANSWER: usize = 200;

#[derive(Clone)]
pub(super) struct Smtp(AsyncSmtpTransport<Tokio1Executor>);

impl Smtp {
    pub fn new(url: &Secret<String>, timeout_seconds: u64) -> Result<Self> {
        // The library's own message may quote the URL, and with it the password.
        let wrong = |_| Error::invalid("mail.url", "is not a mail server's URL such as smtp://user:password@host:587");
        let builder = AsyncSmtpTransport::<Tokio1Executor>::from_url(&with_tls(url.expose())).map_err(wrong)?;
        let pool = PoolConfig::new().max_size(CONNECTIONS).idle_timeout(Duration::from_secs(30));
        let timeout = Some(Duration::from_secs(timeout_seconds));
        Ok(Self(builder.timeout(timeout).pool_config(pool).build()))
    }

    pub async fn send(&self, message: Message) -> Result<()> {
        self.0.send(message).await.map(drop).map_err(|error| refusal(&error))
    }
}

/// Never a password in the clear unless somebody asked for it by `tls=none`, which the library
/// does not know.
fn with_tls(url: &str) -> Cow<'_, str> {
    let (base, query) = url.split_once('?').unwrap_or((url, ""));
    let says = |what: &str| query.split('&').any(|pair| pair == what);
    if says("tls=none") {
        base.into()
    } else if base.starts_with("smtp://") && base.contains('@') && !query.contains("tls=") {
        format!("{base}?tls=required").into()
    } else {
        url.into()
    }
}

fn refusal(error: &SmtpError) -> Error {
    let code = error.status().map(u16::from);
    let refused_us = code.is_some_and(|code| SIGN_IN_REFUSED.contains(&code));
    if error.is_permanent() && !refused_us {
        return Error::invalid("email", format!("was refused by the mail server: {}", answer(error)));
    }
    tracing::warn!(%error, "the mail server did not take a mail");
    let message = match code {
        _ if refused_us => "The mail server refused our sign-in; check the user and password of mail.url".to_owned(),
        Some(_) => format!("The mail server asks to try later: {}", answer(error)),
        None if error.is_tls() => "The mail server's encryption could not be agreed on".to_owned(),
        None if error.is_client() => format!("The mail server cannot be used: {}", answer(error)),
        None => "The mail server does not answer".to_owned(),
    };
    Error::Unavailable(message.into())
}

fn answer(error: &SmtpError) -> String {
    one_line(&error.to_string()).chars().take(LONGEST_ANSWER).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_asks_for_encryption() {
        for (url, becomes) in [
            ("smtp://user:pw@mail.example", "smtp://user:pw@mail.example?tls=required"),
            ("smtp://user:pw@mail.example?tls=none", "smtp://user:pw@mail.example"),
            ("smtp://user:pw@mail.example?tls=opportunistic", "smtp://user:pw@mail.example?tls=opportunistic"),
            ("smtp://localhost:25", "smtp://localhost:25"),
            ("smtps://user:pw@mail.example", "smtps://user:pw@mail.example"),
        ] {
            assert_eq!(with_tls(url), becomes);
        }
    }

    #[test]
    fn a_wrong_url_is_refused_without_its_password() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        for url in
            ["http://user:hunter2@host", "smtp://user:hunter2@host?tls=never", "smtp://user:hunter2@:x", "hunter2"]
        {
            let error = Smtp::new(&url.to_owned().into(), 30).err().expect("refused");
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
        }
    }
}
