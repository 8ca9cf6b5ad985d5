//! A request's body that can still be read to its end after whoever was given it has refused it: a
//! client that is cut off while it sends sees a broken connection and never the answer.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::body::{Body, BodyDataStream};
use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};

/// So much of a refused body is still read and thrown away.
const DRAINED: usize = 64 * 1024 * 1024;
const DRAINED_WITHIN: Duration = Duration::from_secs(10);

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

    /// Reads what is left of a refused body, within limits.
    pub async fn drain(self) {
        let rest = self.read().take_while({
            let mut seen = 0_usize;
            move |chunk| {
                seen = seen.saturating_add(chunk.as_ref().map_or(usize::MAX, Bytes::len));
                std::future::ready(seen <= DRAINED)
            }
        });
        let _ = tokio::time::timeout(DRAINED_WITHIN, rest.for_each(|_| async {})).await;
    }
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
    async fn draining_ends_with_the_body_and_at_its_limit() {
        let chunk = Bytes::from(vec![0; 1024 * 1024]);
        let endless = stream::repeat_with(move || Ok::<_, std::io::Error>(chunk.clone()));
        let body = SharedBody::new(Body::from_stream(endless));
        body.clone().drain().await;
        assert!(body.read().next().await.is_some());
        let short = SharedBody::new(Body::from("abc"));
        short.clone().drain().await;
        assert!(short.read().next().await.is_none());
    }
}
