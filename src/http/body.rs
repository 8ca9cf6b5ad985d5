//! A request's body that can still be read to its end after whoever was given it has refused it: a
//! client that is cut off while it sends sees a broken connection and never the answer.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::body::{Body, BodyDataStream};
use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt, stream};

use crate::base::{Error, Result};

/// For so long a refused body is still read and thrown away, unless it falls silent before.
const DRAINED_FOR: Duration = Duration::from_secs(30);
const DRAINED_SILENCE: Duration = Duration::from_secs(5);

/// A request's body that is still ours after somebody was given it to read.
#[derive(Clone)]
pub struct SharedBody(Arc<Mutex<BodyDataStream>>);

impl SharedBody {
    pub fn new(body: Body) -> Self {
        Self(Arc::new(Mutex::new(body.into_data_stream())))
    }

    pub fn read(self) -> impl Stream<Item = Result<Bytes, axum::Error>> + Send + 'static {
        stream::poll_fn(move |context| self.0.lock().unwrap_or_else(PoisonError::into_inner).poll_next_unpin(context))
    }

    /// The same, which breaks off when nothing comes for so long.
    pub fn read_within(self, silence: Duration) -> impl Stream<Item = Result<Bytes, axum::Error>> + Send + 'static {
        stream::unfold(Some(Box::pin(self.read())), move |body| async move {
            let mut body = body?;
            match tokio::time::timeout(silence, body.next()).await {
                Ok(chunk) => chunk.map(|chunk| (chunk, Some(body))),
                Err(late) => Some((Err(axum::Error::new(late)), None)),
            }
        })
    }

    /// Reads what is left of a refused body and throws it away, while the answer is already on its
    /// way: a client that listens as it sends stops at once, and any other may come to its end. A
    /// connection closed over unread bytes is reset, and the answer would be lost with it.
    pub fn drain(self) {
        tokio::spawn(self.drained(DRAINED_FOR));
    }

    async fn drained(self, limit: Duration) {
        let rest = self.read_within(DRAINED_SILENCE).take_while(|chunk| std::future::ready(chunk.is_ok()));
        let _ = tokio::time::timeout(limit, rest.for_each(|_| async {})).await;
    }
}

/// The most bytes of a body from somebody who is not signed in: enough for all that they may ask.
pub const STRANGERS_BYTES: usize = 64 * 1024;

/// A whole body of at most so many bytes. What comes beyond is read behind the refusal.
pub async fn read_whole(body: Body, limit: usize) -> Result<Bytes> {
    let body = SharedBody::new(body);
    let mut chunks = body.clone().read();
    let mut whole = BytesMut::new();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|_| Error::invalid("body", "broke off before its end"))?;
        if whole.len() + chunk.len() > limit {
            body.drain();
            return Err(Error::TooLarge(format!("The body is larger than the limit of {limit} bytes").into()));
        }
        whole.extend_from_slice(&chunk);
    }
    Ok(whole.freeze())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_body_that_falls_silent_breaks_off() {
        let first = stream::once(async { Ok::<_, std::io::Error>(Bytes::from_static(b"a")) });
        let body = SharedBody::new(Body::from_stream(first.chain(stream::pending())));
        let read: Vec<_> = body.read_within(Duration::ZERO).collect().await;
        assert!(matches!(&read[..], [Ok(_), Err(_)]), "{read:?}");
    }

    #[tokio::test]
    async fn draining_ends_with_the_body_or_its_time() {
        let chunk = || Ok::<_, std::io::Error>(Bytes::from_static(b"a"));
        let short = SharedBody::new(Body::from_stream(stream::iter([chunk(), chunk()])));
        short.clone().drained(DRAINED_FOR).await;
        assert!(short.read().next().await.is_none());
        let endless = stream::repeat_with(chunk).then(|chunk| async {
            tokio::task::yield_now().await;
            chunk
        });
        let endless = SharedBody::new(Body::from_stream(endless));
        endless.clone().drained(Duration::from_millis(1)).await;
        assert!(endless.read().next().await.is_some());
    }
}
