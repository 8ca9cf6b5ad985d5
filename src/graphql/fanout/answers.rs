//! From the responses of a running subscription to what is sent: completed, written as JSON once,
//! with the position each stands at.

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use async_graphql::Response;
use futures_util::stream::BoxStream;

use super::{Position, StreamPosition};
use crate::graphql::{errors, gateway::Gateway};

/// One answer of a subscription.
#[derive(Debug, Clone)]
pub enum Answer {
    /// An execution result as JSON, and where it stands if its resolver tells.
    Next { payload: Arc<str>, position: Option<Position> },
    /// The subscription ended with these errors, a JSON array.
    Refused(Arc<str>),
}

/// The answers of one execution.
pub struct Answers<G> {
    gateway: G,
    responses: BoxStream<'static, Response>,
    position: Arc<StreamPosition>,
    request_id: Option<Arc<str>>,
    /// A response without data, while it is open whether the stream ends with it.
    held: Option<(Response, Option<Position>)>,
    ended: bool,
}

impl<G: Gateway> Answers<G> {
    /// `position` is the one in the request's data. The id is left out where several share this.
    pub fn new(
        gateway: G,
        responses: BoxStream<'static, Response>,
        position: Arc<StreamPosition>,
        request_id: Option<Arc<str>>,
    ) -> Self {
        Self { gateway, responses, position, request_id, held: None, ended: false }
    }

    pub fn position(&self) -> &Arc<StreamPosition> {
        &self.position
    }

    /// The next answer. Errors without data end a subscription if its stream ends with them, and
    /// are the result of one event otherwise; hence one look ahead.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Answer>> {
        if self.ended {
            return Poll::Ready(None);
        }
        loop {
            let received = match self.responses.as_mut().poll_next(cx) {
                Poll::Pending if self.held.is_none() => return Poll::Pending,
                Poll::Pending => None,
                Poll::Ready(None) => {
                    self.ended = true;
                    return Poll::Ready(self.held.take().map(|held| self.last(held)));
                }
                Poll::Ready(Some(response)) => Some((response, self.position.item())),
            };
            match (self.held.take(), received) {
                (Some(held), received) => {
                    self.held = received;
                    return Poll::Ready(Some(self.next(held)));
                }
                (None, Some(received)) if errors::is_without_data(&received.0) => self.held = Some(received),
                (None, Some(received)) => return Poll::Ready(Some(self.next(received))),
                (None, None) => return Poll::Pending,
            }
        }
    }

    fn next(&self, (mut response, position): (Response, Option<Position>)) -> Answer {
        self.dress(&mut response);
        Answer::Next { payload: errors::render(&response).into(), position }
    }

    fn last(&self, (mut response, position): (Response, Option<Position>)) -> Answer {
        if !errors::is_without_data(&response) {
            return self.next((response, position));
        }
        self.dress(&mut response);
        Answer::Refused(errors::render_errors(&response.errors).into())
    }

    fn dress(&self, response: &mut Response) {
        errors::dress(response, self.gateway.limits(), self.request_id.as_deref());
    }
}
