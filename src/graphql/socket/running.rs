//! One operation of a socket while it runs, and its messages.

use std::{
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use async_graphql::{Request, Response, parser::types::OperationType};
use axum::extract::ws::Utf8Bytes;
use futures_util::{FutureExt, future::BoxFuture};

use super::protocol::Envelope;
use crate::{
    auth::Caller,
    base::Error,
    graphql::{
        errors,
        fanout::{Answer, Delivery, Pace, Subscriber, Subscription},
        gateway::Gateway,
        operation,
        transport::Transport,
    },
    http::time_limit,
};

/// A running operation; the socket drops it to cancel it.
pub struct Running<G: Gateway> {
    pub id: Box<str>,
    envelope: Envelope,
    work: Work<G>,
}

enum Work<G: Gateway> {
    /// A query or mutation, or a document that is refused.
    Once(BoxFuture<'static, Response>),
    /// Its answer has been sent, `complete` is to follow.
    Answered,
    Live(Box<Subscription<G>>),
}

/// What an operation has to say.
pub enum Said {
    Message(Utf8Bytes),
    /// The operation ends with this message.
    Last(Utf8Bytes),
    /// The client reads too slowly; it may resume after the cursor.
    TooSlow(Option<String>),
}

/// Who asks, and by which connection.
pub struct Asker<'a> {
    pub caller: Option<Arc<Caller>>,
    pub pace: &'a Arc<Pace>,
    pub request_id: Option<Arc<str>>,
}

impl<G: Gateway> Running<G> {
    pub fn start(transport: &Transport<G>, id: String, mut request: Request, asker: Asker<'_>) -> Self {
        let Asker { caller, pace, request_id } = asker;
        let work = if operation::kind(&mut request) == Some(OperationType::Subscription) {
            let pace = Arc::clone(pace);
            let subscriber = Subscriber { caller, request, resume_after: None, pace, request_id };
            let subscription = transport.fanout.subscribe(subscriber);
            Work::Live(Box::new(subscription))
        } else {
            let gateway = transport.gateway.clone();
            let answer = async move {
                let limit = Duration::from_secs(gateway.limits().request_seconds);
                let executed = time_limit::in_time(limit, gateway.execute(caller, request)).await;
                let refused = |error| Response::from_errors(vec![errors::refusal(&error, None)]);
                let mut response = executed.unwrap_or_else(|error: Error| refused(error));
                errors::dress(&mut response, gateway.limits(), request_id.as_deref());
                response
            };
            Work::Once(answer.boxed())
        };
        Self { envelope: Envelope::new(&id), id: id.into(), work }
    }

    /// Goes on under changed rights. What runs only once ends as it began.
    pub fn renew(&mut self, caller: &Arc<Caller>) {
        if let Work::Live(subscription) = &mut self.work {
            subscription.renew(Arc::clone(caller));
        }
    }

    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Said> {
        match &mut self.work {
            Work::Once(answer) => {
                let response = ready!(answer.as_mut().poll(cx));
                if errors::is_request_error(&response) {
                    let message = self.envelope.error(&errors::render_errors(&response.errors));
                    return Poll::Ready(Said::Last(message));
                }
                self.work = Work::Answered;
                Poll::Ready(Said::Message(self.envelope.next(&errors::render(&response))))
            }
            Work::Answered => Poll::Ready(Said::Last(self.envelope.complete())),
            Work::Live(subscription) => Poll::Ready(match ready!(subscription.poll_next(cx)) {
                None => Said::Last(self.envelope.complete()),
                Some(Delivery::Answer(Answer::Next { payload, .. })) => Said::Message(self.envelope.next(&payload)),
                Some(Delivery::Answer(Answer::Refused(errors))) => Said::Last(self.envelope.error(&errors)),
                Some(Delivery::TooSlow(cursor)) => Said::TooSlow(cursor),
            }),
        }
    }
}
