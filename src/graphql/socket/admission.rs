//! Who may open a socket: credentials in `connection_init`, or those of the upgrade request, and a
//! seat among those that one user may have.

use axum::{
    extract::ws::CloseFrame,
    http::{HeaderValue, header},
};
use serde_json::{Map, Value as Json};

use super::protocol::{Code, close_frame};
use crate::{
    base::Error,
    graphql::{
        gateway::{Arrival, Gateway},
        seats::Seat,
        standing::Standing,
        transport::Transport,
    },
    http::origin::same_origin,
};

/// What an admitted socket holds.
pub struct Admitted<G> {
    pub standing: Standing<G>,
    pub seat: Seat,
}

/// Resolves the caller of a socket from the payload of its `connection_init` (`authorization`, as
/// the header would be) or from its upgrade request. The refusal is the frame to close it with.
pub async fn admit<G: Gateway>(
    transport: Transport<G>,
    mut arrival: Arrival,
    payload: Map<String, Json>,
) -> Result<Admitted<G>, CloseFrame> {
    let foreign = choose_credentials(&mut arrival, &payload)?;
    let epoch = transport.gateway.rights_epoch();
    let caller = transport.gateway.resolve(&arrival).await.map_err(|error| refuse(&error))?;
    if caller.is_none() && foreign {
        return Err(close_frame(Code::Forbidden, "Cookies are not accepted from pages of another origin"));
    }
    let most = transport.gateway.limits().sockets_per_user;
    let Some(seat) = transport.seats.take(caller.as_deref(), arrival.peer, most) else {
        return Err(close_frame(Code::TooMany, &format!("No more than {most} sockets at a time; close one")));
    };
    let standing = Standing::new(transport.gateway.clone(), caller, epoch);
    Ok(Admitted { standing, seat })
}

/// Leaves in the headers what is to be believed. Browsers send the cookie along whichever page
/// opens the socket, so it counts only for pages of our own origin; whether it did not is told.
fn choose_credentials(arrival: &mut Arrival, payload: &Map<String, Json>) -> Result<bool, CloseFrame> {
    let given = payload.get("authorization").or_else(|| payload.get("Authorization"));
    match given {
        None | Some(Json::Null) => {
            let foreign = !same_origin(&arrival.headers);
            Ok(foreign && arrival.headers.remove(header::COOKIE).is_some())
        }
        Some(Json::String(authorization)) => {
            let value = HeaderValue::from_str(authorization)
                .map_err(|_| close_frame(Code::Forbidden, "The authorization holds characters that none can"))?;
            arrival.headers.insert(header::AUTHORIZATION, value);
            arrival.headers.remove(header::COOKIE);
            Ok(false)
        }
        Some(_) => Err(close_frame(Code::BadMessage, "Invalid message: authorization must be a string")),
    }
}

fn refuse(error: &Error) -> CloseFrame {
    match error {
        Error::Unavailable(_) | Error::TimedOut | Error::Limited { .. } => {
            close_frame(Code::TryLater, &error.to_string())
        }
        Error::Internal(source) => {
            tracing::error!(error = ?source, "the caller of a socket cannot be looked up");
            close_frame(Code::TryLater, &error.to_string())
        }
        _ => close_frame(Code::Forbidden, &error.to_string()),
    }
}
