//! Websockets: the protocol `graphql-transport-ws`, whole.
//!
//! Queries, mutations and subscriptions run side by side on one socket and take turns. A socket is
//! closed with a code that says why ([`protocol::Code`] lists them); 1012, 1013 and 4410 are those on
//! which the usual clients reconnect, and 4410 says after which cursor to resume. Both ends
//! may send the protocol's `ping`; our own signs of life are websocket pings, which every client
//! answers by itself, even a browser's sleeping tab.
//!
//! An idle socket is one small task and a read buffer of 4 KiB: the library's usual buffers alone
//! would be thirty times that.

mod admission;
mod connection;
mod protocol;
mod rota;
mod running;

use axum::{
    extract::{FromRequestParts, WebSocketUpgrade},
    http::request::Parts,
    response::{IntoResponse, Response},
};

use self::{
    connection::Connection,
    protocol::{Code, close_frame},
};
use super::{
    gateway::{Arrival, Gateway},
    transport::Transport,
};

const BUFFER_BYTES: usize = 4096;

/// Answers an upgrade request, and serves the socket from then on.
pub async fn upgrade<G: Gateway>(transport: Transport<G>, mut parts: Parts) -> Response {
    let upgrade = match WebSocketUpgrade::from_request_parts(&mut parts, &()).await {
        Ok(upgrade) => upgrade,
        Err(rejection) => return rejection.into_response(),
    };
    let largest = transport.gateway.limits().socket_message_bytes;
    let upgrade = upgrade
        .read_buffer_size(BUFFER_BYTES)
        .write_buffer_size(BUFFER_BYTES)
        .max_message_size(largest)
        .max_frame_size(largest)
        .protocols([protocol::NAME]);
    let arrival = Arrival::of(&parts);
    if upgrade.selected_protocol().is_none() {
        return upgrade.on_upgrade(|mut socket| async move {
            let frame = close_frame(Code::NoSuchSubprotocol, "Speak graphql-transport-ws");
            let _ = socket.send(axum::extract::ws::Message::Close(Some(frame))).await;
        });
    }
    let sockets = transport.sockets.clone();
    let token = sockets.token();
    upgrade.on_upgrade(move |socket| {
        // boxed: the future that the server keeps for an upgrade is as large as all its states
        let connection = Box::pin(Connection::new(transport, socket, arrival).run());
        async move {
            connection.await;
            drop(token);
        }
    })
}
