//! A websocket client that says just what a test tells it to.

use std::{net::SocketAddr, time::Duration};

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::{net::TcpStream, time::timeout};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{Message, client::IntoClientRequest, http::HeaderValue},
};

const PATIENCE: Duration = Duration::from_secs(20);

pub struct SocketClient {
    pub socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
}

/// What comes from the server, pings and pongs apart.
#[derive(Debug, PartialEq)]
pub enum Heard {
    Json(Value),
    Closed {
        code: u16,
        reason: String,
    },
    /// The connection ended without a close frame.
    Lost,
}

impl SocketClient {
    /// Opens a socket and says nothing yet.
    pub async fn open(address: SocketAddr, headers: &[(&'static str, &str)]) -> Self {
        let mut request = format!("ws://{address}/graphql").into_client_request().expect("a URL");
        request.headers_mut().insert("sec-websocket-protocol", HeaderValue::from_static("graphql-transport-ws"));
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().expect("a header value"));
        }
        let (socket, _) = connect_async(request).await.expect("upgraded");
        Self { socket }
    }

    /// Opens a socket as this person.
    pub async fn signed_in(address: SocketAddr, name: &str) -> Self {
        let mut client = Self::open(address, &[]).await;
        let payload = json!({ "authorization": format!("Bearer {name}") });
        client.say(json!({ "type": "connection_init", "payload": payload })).await;
        assert_eq!(client.json().await, json!({ "type": "connection_ack" }));
        client
    }

    pub async fn say(&mut self, message: Value) {
        self.say_text(&message.to_string()).await;
    }

    pub async fn say_text(&mut self, text: &str) {
        self.socket.send(Message::text(text)).await.expect("sent");
    }

    pub async fn subscribe(&mut self, id: &str, query: &str, variables: Value) {
        let payload = json!({ "query": query, "variables": variables });
        self.say(json!({ "id": id, "type": "subscribe", "payload": payload })).await;
    }

    /// The next thing from the server.
    pub async fn hear(&mut self) -> Heard {
        loop {
            let message = timeout(PATIENCE, self.socket.next()).await.expect("the server says something");
            match message {
                Some(Ok(Message::Text(text))) => return Heard::Json(serde_json::from_str(&text).expect("JSON")),
                Some(Ok(Message::Close(Some(frame)))) => {
                    return Heard::Closed { code: frame.code.into(), reason: frame.reason.to_string() };
                }
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(other)) => panic!("{other:?}"),
                Some(Err(_)) | None => return Heard::Lost,
            }
        }
    }

    /// The next message; anything else fails the test.
    pub async fn json(&mut self) -> Value {
        match self.hear().await {
            Heard::Json(message) => message,
            other => panic!("expected a message: {other:?}"),
        }
    }

    /// The close frame, after whatever else still comes.
    pub async fn closed(&mut self) -> (u16, String) {
        loop {
            match self.hear().await {
                Heard::Json(_) => {}
                Heard::Closed { code, reason } => return (code, reason),
                Heard::Lost => panic!("expected a close frame"),
            }
        }
    }
}
