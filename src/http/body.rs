//! A request's body can still be read to its end after the request has been refused: a client that is
//! cut off while it sends sees a broken connection and never the answer.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::{
    body::{Body, HttpBody},
    extract::Request,
    http::{HeaderMap, header::EXPECT},
    middleware::Next,
    response::Response,
};
use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt, stream};
use hyper::body::{Frame, SizeHint};

use crate::base::{Error, Result};

/// For so long a refused body is still read and thrown away, unless it falls silent before.
const DRAINED_FOR: Duration = Duration::from_secs(30);
const DRAINED_SILENCE: Duration = Duration::from_secs(5);

/// A middleware around everything that answers. Of a request that is refused it reads what is left of
/// the body and throws it away, while the answer is already on its way: a client that listens as it
/// sends stops at once, and any other may come to its end. A connection closed over unread bytes is
/// reset, and the answer would be lost with it.
pub async fn layer(request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    if body.is_end_stream() {
        return next.run(Request::from_parts(parts, body)).await;
    }
    let asks_first = asks_first(&parts.headers);
    let shared = SharedBody::new(body);
    let response = next.run(Request::from_parts(parts, Body::new(shared.clone()))).await;
    let is_refusal = response.status().is_client_error() || response.status().is_server_error();
    // who was not told to go on has sent nothing, and what comes next is another request
    let comes = !asks_first || shared.was_read();
    if is_refusal && comes && !shared.is_end_stream() {
        tokio::spawn(drained(Body::new(shared), DRAINED_FOR));
    }
    response
}

/// Whether the client waits for the word that its body is wanted.
fn asks_first(headers: &HeaderMap) -> bool {
    headers.get(EXPECT).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue"))
}

/// A request's body that is still ours after somebody was given it to read. Clones are the same.
#[derive(Clone)]
struct SharedBody(Arc<Mutex<State>>);

struct State {
    body: Body,
    /// Whether anybody asked for any of it.
    read: bool,
    /// At its end, or broken off.
    ended: bool,
}

impl SharedBody {
    fn new(body: Body) -> Self {
        Self(Arc::new(Mutex::new(State { body, read: false, ended: false })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn was_read(&self) -> bool {
        self.state().read
    }
}

impl HttpBody for SharedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let mut state = self.state();
        if state.ended {
            return Poll::Ready(None);
        }
        state.read = true;
        let frame = ready!(Pin::new(&mut state.body).poll_frame(context));
        state.ended = !matches!(frame, Some(Ok(_)));
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        let state = self.state();
        state.ended || state.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.state().body.size_hint()
    }
}

/// A body that breaks off when nothing comes for so long.
pub fn read_within(body: Body, silence: Duration) -> impl Stream<Item = Result<Bytes, axum::Error>> + Send + 'static {
    stream::unfold(Some(body.into_data_stream()), move |body| async move {
        let mut body = body?;
        match tokio::time::timeout(silence, body.next()).await {
            Ok(chunk) => chunk.map(|chunk| (chunk, Some(body))),
            Err(late) => Some((Err(axum::Error::new(late)), None)),
        }
    })
}

async fn drained(body: Body, limit: Duration) {
    let rest = read_within(body, DRAINED_SILENCE).take_while(|chunk| std::future::ready(chunk.is_ok()));
    let _ = tokio::time::timeout(limit, rest.for_each(|_| async {})).await;
}

/// The most bytes of a body from somebody who is not signed in: enough for all that they may ask.
pub const STRANGERS_BYTES: usize = 64 * 1024;

/// A whole body of at most so many bytes.
pub async fn read_whole(body: Body, limit: usize) -> Result<Bytes> {
    let mut chunks = body.into_data_stream();
    let mut whole = BytesMut::new();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|_| Error::invalid("body", "broke off before its end"))?;
        if whole.len() + chunk.len() > limit {
            return Err(Error::TooLarge(format!("The body is larger than the limit of {limit} bytes").into()));
        }
        whole.extend_from_slice(&chunk);
    }
    Ok(whole.freeze())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunk() -> Result<Bytes, std::io::Error> {
        Ok(Bytes::from_static(b"a"))
    }

    #[tokio::test]
    async fn a_body_that_falls_silent_breaks_off() {
        let body = Body::from_stream(stream::once(async { chunk() }).chain(stream::pending()));
        let read: Vec<_> = read_within(body, Duration::ZERO).collect().await;
        assert!(matches!(&read[..], [Ok(_), Err(_)]), "{read:?}");
    }

    #[tokio::test]
    async fn draining_ends_with_the_body_or_its_time() {
        let short = SharedBody::new(Body::from_stream(stream::iter([chunk(), chunk()])));
        drained(Body::new(short.clone()), DRAINED_FOR).await;
        assert!(short.is_end_stream());
        let endless = stream::repeat_with(chunk).then(|chunk| async {
            tokio::task::yield_now().await;
            chunk
        });
        let endless = SharedBody::new(Body::from_stream(endless));
        drained(Body::new(endless.clone()), Duration::from_millis(1)).await;
        assert!(!endless.is_end_stream());
        assert!(Body::new(endless).into_data_stream().next().await.is_some());
    }

    #[tokio::test]
    async fn a_shared_body_is_the_body_that_it_shares() {
        let shared = SharedBody::new(Body::from("abc"));
        assert_eq!((shared.size_hint().exact(), shared.is_end_stream(), shared.was_read()), (Some(3), false, false));
        assert_eq!(read_whole(Body::new(shared.clone()), 3).await.expect("read"), "abc");
        assert_eq!((shared.is_end_stream(), shared.was_read()), (true, true));
        let long = SharedBody::new(Body::from_stream(stream::iter([chunk(), chunk(), chunk()])));
        assert!(matches!(read_whole(Body::new(long.clone()), 1).await, Err(Error::TooLarge(_))));
        assert!(!long.is_end_stream());
    }
}
