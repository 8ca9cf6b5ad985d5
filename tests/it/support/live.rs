//! A client's websocket, and one subscription on it.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::{net::TcpStream, time::timeout};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{Message, client::IntoClientRequest, http::HeaderValue},
};

use super::client::Client;

/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(20);

/// A websocket after its `connection_ack`.
pub struct Socket {
    inner: WebSocketStream<MaybeTlsStream<TcpStream>>,
    next_id: usize,
}

/// What came on a socket.
#[derive(Debug, PartialEq)]
pub enum Heard {
    /// `data` of a `next` message.
    Data(Value),
    /// The first of the errors, of an `error` message or in a `next` one.
    Refused(Value),
    Complete,
    Closed(u16, String),
    /// The connection ended without a close frame.
    Lost,
}

impl Socket {
    pub async fn open(client: &Client) -> Self {
        let address = format!("{}/graphql", client.url.replacen("http", "ws", 1));
        let mut request = address.into_client_request().expect("a URL");
        request.headers_mut().insert("sec-websocket-protocol", HeaderValue::from_static("graphql-transport-ws"));
        if let Some(cookie) = &client.cookie {
            request.headers_mut().insert("cookie", cookie.parse().expect("a header value"));
        }
        let (inner, _) = connect_async(request).await.expect("upgraded");
        let mut socket = Self { inner, next_id: 1 };
        let authorization = client.token.as_ref().map(|token| format!("Bearer {token}"));
        socket.say(&json!({ "type": "connection_init", "payload": { "authorization": authorization } })).await;
        let ack = socket.json().await;
        assert_eq!(ack.expect("an open socket")["type"], "connection_ack");
        socket
    }

    /// Begins a subscription; from now on the socket is its.
    pub async fn subscribe(mut self, query: &str, variables: Value) -> Live {
        let id = self.next_id.to_string();
        self.next_id += 1;
        let payload = json!({ "query": query, "variables": variables });
        self.say(&json!({ "id": id, "type": "subscribe", "payload": payload })).await;
        Live { socket: self, id }
    }

    /// The close frame, after whatever else still comes.
    pub async fn closed(mut self) -> (u16, String) {
        loop {
            match self.json().await {
                Ok(_) => {}
                Err(Heard::Closed(code, reason)) => return (code, reason),
                Err(other) => panic!("expected a close frame: {other:?}"),
            }
        }
    }

    async fn say(&mut self, message: &Value) {
        self.inner.send(Message::text(message.to_string())).await.expect("sent");
    }

    async fn json(&mut self) -> Result<Value, Heard> {
        loop {
            let message = timeout(PATIENCE, self.inner.next()).await.expect("the server says something in time");
            match message {
                Some(Ok(Message::Text(text))) => return Ok(serde_json::from_str(&text).expect("JSON")),
                Some(Ok(Message::Close(Some(frame)))) => {
                    return Err(Heard::Closed(frame.code.into(), frame.reason.to_string()));
                }
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(other)) => panic!("{other:?}"),
                Some(Err(_)) | None => return Err(Heard::Lost),
            }
        }
    }
}

/// One running subscription.
pub struct Live {
    socket: Socket,
    id: String,
}

impl Live {
    /// The next thing that happens to the subscription or its socket.
    pub async fn hear(&mut self) -> Heard {
        loop {
            let message = match self.socket.json().await {
                Ok(message) => message,
                Err(ended) => return ended,
            };
            if message["type"] == "ping" {
                self.socket.say(&json!({ "type": "pong" })).await;
                continue;
            }
            assert_eq!(message["id"], self.id, "{message}");
            return match message["type"].as_str() {
                Some("next") if message["payload"]["errors"].is_array() => {
                    Heard::Refused(message["payload"]["errors"][0].clone())
                }
                Some("next") => Heard::Data(message["payload"]["data"].clone()),
                Some("error") => Heard::Refused(message["payload"][0].clone()),
                Some("complete") => Heard::Complete,
                _ => panic!("{message}"),
            };
        }
    }

    /// The next data; anything else fails the test.
    pub async fn next(&mut self) -> Value {
        match self.hear().await {
            Heard::Data(data) => data,
            other => panic!("expected data: {other:?}"),
        }
    }

    /// The code with which the subscription is refused or ended.
    pub async fn refused(&mut self) -> String {
        match self.hear().await {
            Heard::Refused(error) => error["extensions"]["code"].as_str().expect("a code").to_owned(),
            other => panic!("expected a refusal: {other:?}"),
        }
    }

    /// The close frame, after whatever else still comes.
    pub async fn closed(self) -> (u16, String) {
        self.socket.closed().await
    }
}
