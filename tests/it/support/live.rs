//! One subscription of a client, on a websocket of its own.

use serde_json::{Value, json};

use super::{
    client::Client,
    socket_client::{Heard, SocketClient},
};

/// A running subscription.
pub struct Live {
    socket: SocketClient,
}

/// What a subscription tells.
#[derive(Debug, PartialEq)]
pub enum Told {
    Data(Value),
    /// The first of the errors.
    Refused(Value),
    Complete,
    Closed(u16, String),
    /// The connection ended without a close frame.
    Lost,
}

/// An open websocket on which this client has said who it is.
pub async fn open(client: &Client) -> SocketClient {
    try_open(client).await.unwrap_or_else(|refused| panic!("{refused:?}"))
}

/// The same, or how the server closed it.
pub async fn try_open(client: &Client) -> Result<SocketClient, Heard> {
    let address = client.url.trim_start_matches("http://").parse().expect("an address");
    let cookie = client.cookie.as_deref().map(|cookie| ("cookie", cookie));
    let mut socket = SocketClient::open(address, cookie.as_slice()).await;
    let authorization = client.token.as_ref().map(|token| format!("Bearer {token}"));
    socket.say(json!({ "type": "connection_init", "payload": { "authorization": authorization } })).await;
    match socket.hear().await {
        Heard::Json(message) if message["type"] == "connection_ack" => Ok(socket),
        refused => Err(refused),
    }
}

impl Live {
    pub async fn begin(client: &Client, query: &str, variables: Value) -> Self {
        Self::on(open(client).await, query, variables).await
    }

    /// On a websocket that is open already.
    pub async fn on(mut socket: SocketClient, query: &str, variables: Value) -> Self {
        socket.subscribe("1", query, variables).await;
        Self { socket }
    }

    /// The next thing that happens to the subscription or its socket.
    pub async fn hear(&mut self) -> Told {
        loop {
            let message = match self.socket.hear().await {
                Heard::Json(message) => message,
                Heard::Closed { code, reason } => return Told::Closed(code, reason),
                Heard::Lost => return Told::Lost,
            };
            return match message["type"].as_str() {
                Some("ping") => {
                    self.socket.say(json!({ "type": "pong" })).await;
                    continue;
                }
                Some("next") if message["payload"]["errors"].is_array() => {
                    Told::Refused(message["payload"]["errors"][0].clone())
                }
                Some("next") => Told::Data(message["payload"]["data"].clone()),
                Some("error") => Told::Refused(message["payload"][0].clone()),
                Some("complete") => Told::Complete,
                _ => panic!("{message}"),
            };
        }
    }

    /// The next data; anything else fails the test.
    pub async fn next(&mut self) -> Value {
        match self.hear().await {
            Told::Data(data) => data,
            other => panic!("expected data: {other:?}"),
        }
    }

    /// The code with which the subscription is refused or ended.
    pub async fn refused(&mut self) -> String {
        match self.hear().await {
            Told::Refused(error) => error["extensions"]["code"].as_str().expect("a code").to_owned(),
            other => panic!("expected a refusal: {other:?}"),
        }
    }
}
