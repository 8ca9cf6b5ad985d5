//! A mail, and its form on the wire: plain text with an HTML alternative. All headers are written
//! by the library from values that cannot break out of theirs.

use chrono::{DateTime, Utc};
use lettre::{
    Address, Message,
    message::{
        Mailbox, MultiPart,
        header::{Header, HeaderName, HeaderValue},
    },
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::base::{Error, Result, text::EmailAddress};

/// A mail to one person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mail {
    /// Becomes the Message-ID: every attempt at the same mail carries the same.
    pub id: Uuid,
    pub to: EmailAddress,
    /// The person's name, beside the address.
    pub to_name: Option<String>,
    pub subject: String,
    pub text: String,
    pub html: String,
}

/// The message as it is sent. Invalid where the address cannot be one of mail.
pub(super) fn build(mail: &Mail, from: &Mailbox, now: DateTime<Utc>) -> Result<Message> {
    let to: Address =
        mail.to.as_str().parse().map_err(|_| Error::invalid("email", "is not an address that mail can be sent to"))?;
    let to_name = mail.to_name.as_deref().map(one_line).filter(|name| !name.is_empty());
    Message::builder()
        .message_id(Some(format!("<{}@{}>", mail.id, from.email.domain())))
        .date(now.into())
        .from(from.clone())
        .to(Mailbox::new(to_name, to))
        .subject(one_line(&mail.subject))
        .header(AutoSubmitted)
        .multipart(MultiPart::alternative_plain_html(mail.text.clone(), mail.html.clone()))
        .map_err(Error::internal)
}

/// The text on one line: control characters and line breaks of every kind become spaces.
pub(super) fn one_line(text: &str) -> String {
    let breaks = |c: char| c.is_control() || c.is_whitespace() || matches!(c, '\u{2028}' | '\u{2029}');
    text.split(breaks).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

/// RFC 3834: no person wrote this, and no machine should answer.
#[derive(Clone)]
struct AutoSubmitted;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}
