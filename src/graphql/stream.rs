//! `text/event-stream`, for clients that cannot use websockets: the "distinct connections mode" of
//! graphql-sse (github.com/enisdenjo/graphql-sse, PROTOCOL.md), one operation per response.
//!
//! Results are `next` events and the end is `complete`. Results of a subscription with cursors carry
//! them as the event's id, so that a browser's `EventSource` resumes by itself: its `Last-Event-ID`
//! stands in for `after`.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::{
    body::Body,
    http::{HeaderName, header},
    response::{IntoResponse, Response},
};
use futures_util::stream;
use tokio::time::{Instant, Sleep};
use tokio_util::sync::WaitForCancellationFutureOwned;

use super::{
    errors,
    fanout::{Answer, Delivery, Pace, Subscription},
    gateway::Gateway,
    negotiate::Media,
    seats::Seat,
    standing::{Standing, Verdict},
    transport::Transport,
};
use crate::base::Error;

const COMPLETE: &str = "event: complete\ndata: \n\n";

/// The answer that carries one result of a query or mutation.
pub fn once(payload: &str) -> Response {
    respond(Body::from(format!("{}{COMPLETE}", next(payload, None))))
}

/// The answer that carries a subscription for as long as it runs.
pub fn live<G: Gateway>(
    transport: &Transport<G>,
    subscription: Subscription<G>,
    standing: Standing<G>,
    pace: Arc<Pace>,
    seat: Seat,
) -> Response {
    let ping = transport.timings.ping;
    let mut events = Events {
        gateway: transport.gateway.clone(),
        subscription,
        standing,
        pace,
        ping,
        timer: Box::pin(tokio::time::sleep(ping)),
        stopping: Box::pin(transport.stopping.clone().cancelled_owned()),
        ended: false,
        _seat: seat,
    };
    let chunks = stream::poll_fn(move |cx| events.poll(cx).map(|chunk| chunk.map(Ok::<_, Infallible>)));
    respond(Body::from_stream(chunks))
}

struct Events<G: Gateway> {
    gateway: G,
    subscription: Subscription<G>,
    standing: Standing<G>,
    pace: Arc<Pace>,
    ping: Duration,
    timer: Pin<Box<Sleep>>,
    stopping: Pin<Box<WaitForCancellationFutureOwned>>,
    ended: bool,
    _seat: Seat,
}

impl<G: Gateway> Events<G> {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<String>> {
        // without `complete`, which would tell the client not to come back
        if self.ended || self.stopping.as_mut().poll(cx).is_ready() {
            return Poll::Ready(None);
        }
        self.pace.set_stalled(false);
        if let Poll::Ready(chunk) = self.poll_next(cx) {
            return Poll::Ready(chunk);
        }
        ready!(self.timer.as_mut().poll(cx));
        self.timer.as_mut().reset(Instant::now() + self.ping);
        Poll::Ready(Some(":\n\n".to_owned()))
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<String>> {
        match ready!(self.standing.poll(cx)) {
            Verdict::Same => {}
            Verdict::Changed(caller) => self.subscription.renew(caller),
            Verdict::Gone => return self.end_with(&Error::Unauthenticated("Signed out".into())),
            Verdict::Unknown => return Poll::Ready(None),
        }
        let delivery = ready!(self.subscription.poll_next(cx));
        Poll::Ready(Some(match delivery {
            Some(Delivery::Answer(Answer::Next { payload, position })) => {
                let cursor = position.map(|position| self.gateway.cursor(position));
                next(&payload, cursor.as_deref())
            }
            Some(Delivery::Answer(Answer::Refused(errors))) => self.last(&format!("{{\"errors\":{errors}}}")),
            Some(Delivery::TooSlow(cursor)) => {
                let advice = cursor.map_or("subscribe again".to_owned(), |cursor| format!("resume after {cursor}"));
                return self.end_with(&Error::Unavailable(format!("slow consumer; {advice}").into()));
            }
            None => {
                self.ended = true;
                COMPLETE.to_owned()
            }
        }))
    }

    fn end_with(&mut self, error: &Error) -> Poll<Option<String>> {
        let errors = errors::render_errors(&[errors::refusal(error, None)]);
        Poll::Ready(Some(self.last(&format!("{{\"errors\":{errors}}}"))))
    }

    fn last(&mut self, payload: &str) -> String {
        self.ended = true;
        next(payload, None) + COMPLETE
    }
}

/// JSON has no line breaks but within strings, where they are escaped, so it is one line of data.
fn next(payload: &str, cursor: Option<&str>) -> String {
    match cursor {
        Some(cursor) => format!("event: next\nid: {cursor}\ndata: {payload}\n\n"),
        None => format!("event: next\ndata: {payload}\n\n"),
    }
}

fn respond(body: Body) -> Response {
    let headers = [
        (header::CONTENT_TYPE, Media::EventStream.content_type()),
        (header::CACHE_CONTROL, "no-store"),
        // proxies that gather answers before they pass them on would hold events back
        (HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    (headers, body).into_response()
}
