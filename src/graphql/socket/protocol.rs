//! The messages and close codes of `graphql-transport-ws`, as the protocol's document has them
//! (github.com/enisdenjo/graphql-ws, PROTOCOL.md), and the codes that we add.

use axum::extract::ws::{CloseFrame, Utf8Bytes};
use serde_json::{Map, Value as Json};

/// The subprotocol's name.
pub const NAME: &str = "graphql-transport-ws";
/// A frame's reason has room for this many bytes (RFC 6455, section 5.5, less the code).
const LONGEST_REASON: usize = 123;

/// Why a socket is closed by us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u16)]
pub enum Code {
    /// A message larger than the limit.
    TooBig = 1009,
    /// The server stops or restarts; come back.
    Restart = 1012,
    /// We cannot serve it right now; come back later.
    TryLater = 1013,
    BadMessage = 4400,
    /// Subscribed before `connection_ack`, or signed out meanwhile.
    Unauthorized = 4401,
    /// The credentials were refused.
    Forbidden = 4403,
    NoSuchSubprotocol = 4406,
    InitTimeout = 4408,
    DuplicateId = 4409,
    /// Ours: the client is slower than what it subscribed to. The reason names a cursor to resume
    /// after; clients of the protocol reconnect on this code by themselves.
    TooSlow = 4410,
    /// A second `connection_init`; also, ours: more sockets than one user may have.
    TooMany = 4429,
}

/// A close frame whose reason fits.
pub fn close_frame(code: Code, reason: &str) -> CloseFrame {
    let reason = &reason[..reason.floor_char_boundary(LONGEST_REASON)];
    CloseFrame { code: code as u16, reason: Utf8Bytes::from(reason) }
}

/// What a client may say.
#[derive(Debug, PartialEq)]
pub enum Incoming {
    Init(Map<String, Json>),
    Ping(Option<Json>),
    Pong,
    /// The payload is an object with a string `query`; the rest is not checked yet.
    Subscribe {
        id: String,
        payload: Json,
    },
    Complete {
        id: String,
    },
}

/// Reads a message; the error continues "Invalid message: ".
pub fn parse(text: &str) -> Result<Incoming, String> {
    let json = serde_json::from_str(text).map_err(|error| format!("no JSON: {error}"))?;
    let Json::Object(mut message) = json else { return Err("not an object".to_owned()) };
    let payload = message.remove("payload").filter(|payload| !payload.is_null());
    let id = message.remove("id");
    match message.get("type").and_then(Json::as_str) {
        Some("connection_init") => match payload {
            None => Ok(Incoming::Init(Map::new())),
            Some(Json::Object(payload)) => Ok(Incoming::Init(payload)),
            Some(_) => Err("the payload of connection_init must be an object".to_owned()),
        },
        Some("ping") => match payload {
            None | Some(Json::Object(_)) => Ok(Incoming::Ping(payload)),
            Some(_) => Err("the payload of ping must be an object".to_owned()),
        },
        Some("pong") => Ok(Incoming::Pong),
        Some("subscribe") => subscribe(parse_id(id)?, payload),
        Some("complete") => Ok(Incoming::Complete { id: parse_id(id)? }),
        Some(other) => Err(format!("no such type: {other}")),
        None => Err("the type is missing".to_owned()),
    }
}

fn subscribe(id: String, payload: Option<Json>) -> Result<Incoming, String> {
    match payload {
        Some(payload) if payload.get("query").is_some_and(Json::is_string) => Ok(Incoming::Subscribe { id, payload }),
        Some(Json::Object(_)) => Err("the payload of subscribe must have a string query".to_owned()),
        _ => Err("the payload of subscribe must be an object".to_owned()),
    }
}

fn parse_id(id: Option<Json>) -> Result<String, String> {
    match id {
        Some(Json::String(id)) if !id.is_empty() => Ok(id),
        _ => Err("the id must be a string that is not empty".to_owned()),
    }
}

pub fn ack() -> Utf8Bytes {
    Utf8Bytes::from_static(r#"{"type":"connection_ack"}"#)
}

pub fn pong(payload: Option<Json>) -> Utf8Bytes {
    match payload {
        None => Utf8Bytes::from_static(r#"{"type":"pong"}"#),
        Some(payload) => format!(r#"{{"type":"pong","payload":{payload}}}"#).into(),
    }
}

/// The messages of one operation; the id is written as JSON once.
#[derive(Debug)]
pub struct Envelope(Box<str>);

impl Envelope {
    pub fn new(id: &str) -> Self {
        Self(Json::from(id).to_string().into())
    }

    /// `payload` is JSON already.
    pub fn next(&self, payload: &str) -> Utf8Bytes {
        self.around("next", payload)
    }

    /// `errors` is a JSON array.
    pub fn error(&self, errors: &str) -> Utf8Bytes {
        self.around("error", errors)
    }

    pub fn complete(&self) -> Utf8Bytes {
        format!(r#"{{"id":{},"type":"complete"}}"#, self.0).into()
    }

    fn around(&self, kind: &str, payload: &str) -> Utf8Bytes {
        // not format!: this runs once per delivery
        [r#"{"id":"#, &self.0, r#","type":""#, kind, r#"","payload":"#, payload, "}"].concat().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_fits_whatever_it_says() {
        assert_eq!(close_frame(Code::BadMessage, "short").reason.as_str(), "short");
        let cut = close_frame(Code::BadMessage, &"ü".repeat(100)).reason;
        assert_eq!(cut.as_str(), "ü".repeat(61));
    }

    #[test]
    fn ids_are_written_as_json() {
        let envelope = Envelope::new("a\"b");
        assert_eq!(envelope.next("{}").as_str(), r#"{"id":"a\"b","type":"next","payload":{}}"#);
        assert_eq!(envelope.complete().as_str(), r#"{"id":"a\"b","type":"complete"}"#);
    }
}
