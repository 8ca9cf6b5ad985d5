//! One open socket: a single small task that reads, writes, keeps time and lets its operations take
//! turns. It pulls: an operation is asked for its next message only when the connection takes it,
//! so nothing piles up here and an idle socket holds no buffer of ours.

use std::{
    collections::VecDeque,
    future::poll_fn,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use async_graphql::Request;
use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket};
use bytes::Bytes;
use futures_util::{FutureExt, Sink, SinkExt, StreamExt, future::BoxFuture};
use serde_json::{Map, Value as Json};
use tokio::time::{Instant, Sleep, timeout};
use tokio_util::sync::WaitForCancellationFutureOwned;

use super::{
    admission::{self, Admitted},
    protocol::{self, Code, Envelope, Incoming, close_frame},
    rota::Rota,
    running::{Asker, Running, Said},
};
use crate::{
    auth::Caller,
    base::Error,
    graphql::{
        errors,
        fanout::Pace,
        gateway::{Arrival, Gateway},
        parameters,
        seats::Seat,
        standing::{Standing, Verdict},
        transport::Transport,
    },
    http::client::ClientInfo,
};

/// Steps before a socket that always has something to do lets other tasks run.
const STEPS: usize = 64;
/// Replies that may wait for a client that writes without reading; then it is not read from.
const MOST_REPLIES: usize = 64;

pub struct Connection<G: Gateway> {
    transport: Transport<G>,
    socket: WebSocket,
    phase: Phase<G>,
    operations: Rota<Running<G>>,
    /// Acknowledgements, pongs and errors; they go before what operations say.
    replies: VecDeque<Utf8Bytes>,
    timer: Pin<Box<Sleep>>,
    stopping: Pin<Box<WaitForCancellationFutureOwned>>,
    pace: Arc<Pace>,
    request_id: Option<Arc<str>>,
    client: Box<ClientInfo>,
    /// Something came in since the last ping.
    alive: bool,
    /// Something was written that is not flushed.
    unflushed: bool,
}

enum Phase<G: Gateway> {
    /// For `connection_init`.
    Waiting(Box<Arrival>),
    Admitting(BoxFuture<'static, Result<Admitted<G>, CloseFrame>>),
    Open {
        standing: Standing<G>,
        _seat: Seat,
    },
}

/// How a connection ends.
enum End {
    /// We say why.
    Close(CloseFrame),
    /// Likewise, after something that cannot be read past.
    Break(CloseFrame),
    /// The other end closed, or is not there any more.
    Gone,
}

impl<G: Gateway> Connection<G> {
    pub fn new(transport: Transport<G>, socket: WebSocket, arrival: Arrival) -> Self {
        Self {
            timer: Box::pin(tokio::time::sleep(transport.timings.init)),
            stopping: Box::pin(transport.stopping.clone().cancelled_owned()),
            socket,
            request_id: arrival.request_id.clone(),
            client: Box::new(arrival.client.clone()),
            phase: Phase::Waiting(Box::new(arrival)),
            operations: Rota::new(),
            replies: VecDeque::new(),
            pace: Arc::default(),
            alive: true,
            unflushed: false,
            transport,
        }
    }

    /// Serves the socket until it is closed.
    pub async fn run(mut self) {
        let end = poll_fn(|cx| self.poll(cx)).await;
        let goodbye = self.transport.timings.goodbye;
        let Self { socket, operations, phase, .. } = self;
        // what was subscribed to ends now, and the seat is free, however long the good-bye takes
        drop((operations, phase));
        let _ = timeout(goodbye, farewell(socket, end)).await;
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        match self.work(cx) {
            Ok(()) => Poll::Pending,
            Err(end) => Poll::Ready(end),
        }
    }

    fn work(&mut self, cx: &mut Context<'_>) -> Result<(), End> {
        if self.stopping.as_mut().poll(cx).is_ready() {
            return Err(close(Code::Restart, "The server restarts"));
        }
        if self.timer.as_mut().poll(cx).is_ready() {
            self.keep_time(cx)?;
        }
        for step in 1..=STEPS {
            let admitted = self.admit(cx)?;
            let read = self.read(cx)?;
            let written = self.write(cx)?;
            if !(admitted || read || written) {
                break;
            }
            if step == STEPS {
                cx.waker().wake_by_ref();
            }
        }
        self.flush(cx)
    }

    /// Looks after a client that does not begin, and one that shows no life.
    fn keep_time(&mut self, cx: &mut Context<'_>) -> Result<(), End> {
        match self.phase {
            Phase::Waiting(_) => return Err(close(Code::InitTimeout, "Connection initialisation timeout")),
            Phase::Open { .. } if !self.alive => return Err(End::Gone),
            _ => {}
        }
        self.alive = false;
        // a connection that takes nothing takes no ping, and has until the next one to recover
        if self.poll_ready(cx)?.is_ready() {
            self.send(Message::Ping(Bytes::new()))?;
        }
        self.timer.as_mut().reset(Instant::now() + self.transport.timings.ping);
        let _ = self.timer.as_mut().poll(cx);
        Ok(())
    }

    /// Opens the socket once its caller is known.
    fn admit(&mut self, cx: &mut Context<'_>) -> Result<bool, End> {
        let Phase::Admitting(admission) = &mut self.phase else { return Ok(false) };
        let Poll::Ready(outcome) = admission.as_mut().poll(cx) else { return Ok(false) };
        let Admitted { standing, seat } = outcome.map_err(End::Close)?;
        self.phase = Phase::Open { standing, _seat: seat };
        self.replies.push_back(protocol::ack());
        self.timer.as_mut().reset(Instant::now() + self.transport.timings.ping);
        let _ = self.timer.as_mut().poll(cx);
        Ok(true)
    }

    fn read(&mut self, cx: &mut Context<'_>) -> Result<bool, End> {
        // while its caller is being looked up, what a client says next waits in the connection
        if matches!(self.phase, Phase::Admitting(_)) || self.replies.len() >= MOST_REPLIES {
            return Ok(false);
        }
        let message = match self.socket.poll_next_unpin(cx) {
            Poll::Pending => return Ok(false),
            Poll::Ready(None) => return Err(End::Gone),
            Poll::Ready(Some(Err(error))) => return Err(unreadable(&error)),
            Poll::Ready(Some(Ok(message))) => message,
        };
        self.alive = true;
        match message {
            Message::Text(text) => self.heed(&text)?,
            Message::Binary(_) => return Err(bad_message("only text messages are understood")),
            Message::Ping(_) | Message::Pong(_) => {}
            Message::Close(_) => return Err(End::Gone),
        }
        Ok(true)
    }

    fn heed(&mut self, text: &str) -> Result<(), End> {
        match protocol::parse(text).map_err(|what| bad_message(&what))? {
            Incoming::Init(payload) => self.init(payload),
            Incoming::Ping(payload) => {
                self.replies.push_back(protocol::pong(payload));
                Ok(())
            }
            Incoming::Pong => Ok(()),
            Incoming::Subscribe { id, payload } => self.subscribe(id, payload),
            Incoming::Complete { id } => {
                if let Some(at) = self.operations.position(|operation| *operation.id == *id) {
                    self.operations.remove(at);
                }
                Ok(())
            }
        }
    }

    fn init(&mut self, payload: Map<String, Json>) -> Result<(), End> {
        let Phase::Waiting(arrival) = &mut self.phase else {
            return Err(close(Code::TooMany, "Too many initialisation requests"));
        };
        let arrival = std::mem::take(&mut **arrival);
        self.phase = Phase::Admitting(admission::admit(self.transport.clone(), arrival, payload).boxed());
        Ok(())
    }

    fn subscribe(&mut self, id: String, payload: Json) -> Result<(), End> {
        let Phase::Open { standing, .. } = &self.phase else {
            return Err(close(Code::Unauthorized, "Unauthorized"));
        };
        if self.operations.position(|operation| *operation.id == *id).is_some() {
            return Err(close(Code::DuplicateId, &format!("Subscriber for {id} already exists")));
        }
        let caller = standing.caller().cloned();
        match self.room_for(caller.as_deref(), payload) {
            Ok(request) => {
                let request = request.data(ClientInfo::clone(&self.client));
                let asker = Asker { caller, pace: &self.pace, request_id: self.request_id.clone() };
                self.operations.push(Running::start(&self.transport, id, request, asker));
            }
            Err(error) => {
                let refusal = errors::refusal(&error, self.request_id.as_deref());
                self.replies.push_back(Envelope::new(&id).error(&errors::render_errors(&[refusal])));
            }
        }
        Ok(())
    }

    /// The request, if this socket may run one more.
    fn room_for(&self, caller: Option<&Caller>, payload: Json) -> Result<Request, Error> {
        self.transport.gateway.admit(caller, self.client.address)?;
        let limits = self.transport.gateway.limits();
        let most = limits.subscriptions_per_socket;
        if self.operations.len() >= most {
            let message = format!("No more than {most} operations at a time on one socket; complete one first");
            return Err(Error::TooLarge(message.into()));
        }
        let mut request = parameters::from_json(payload, limits)?;
        self.transport.gateway.refuse_costly(std::slice::from_mut(&mut request))?;
        Ok(request)
    }

    /// Hands the connection one message, if it takes one and there is one.
    fn write(&mut self, cx: &mut Context<'_>) -> Result<bool, End> {
        let ready = self.poll_ready(cx)?.is_ready();
        self.pace.set_stalled(!ready);
        if !ready {
            return Ok(false);
        }
        let message = match self.replies.pop_front() {
            Some(reply) => reply,
            None => match self.next_of_operations(cx)? {
                Some(message) => message,
                None => return Ok(false),
            },
        };
        self.send(Message::Text(message))?;
        Ok(true)
    }

    fn next_of_operations(&mut self, cx: &mut Context<'_>) -> Result<Option<Utf8Bytes>, End> {
        let Phase::Open { standing, .. } = &mut self.phase else { return Ok(None) };
        match standing.poll(cx) {
            Poll::Pending => return Ok(None),
            Poll::Ready(Verdict::Same) => {}
            Poll::Ready(Verdict::Changed(caller)) => {
                self.operations.iter_mut().for_each(|operation| operation.renew(&caller));
            }
            Poll::Ready(Verdict::Gone) => return Err(close(Code::Unauthorized, "Signed out")),
            Poll::Ready(Verdict::Unknown) => return Err(close(Code::TryLater, "Your rights cannot be looked up")),
        }
        let Poll::Ready((at, said)) = self.operations.poll(cx, Running::poll) else { return Ok(None) };
        match said {
            Said::Message(message) => Ok(Some(message)),
            Said::Last(message) => {
                self.operations.remove(at);
                Ok(Some(message))
            }
            Said::TooSlow(cursor) => {
                let advice = cursor.map_or("subscribe again".to_owned(), |cursor| format!("resume after {cursor}"));
                Err(close(Code::TooSlow, &format!("slow consumer; {advice}")))
            }
        }
    }

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Result<Poll<()>, End> {
        match Pin::new(&mut self.socket).poll_ready(cx) {
            Poll::Pending => Ok(Poll::Pending),
            Poll::Ready(Ok(())) => Ok(Poll::Ready(())),
            Poll::Ready(Err(_)) => Err(End::Gone),
        }
    }

    fn send(&mut self, message: Message) -> Result<(), End> {
        self.unflushed = true;
        Pin::new(&mut self.socket).start_send(message).map_err(|_| End::Gone)
    }

    fn flush(&mut self, cx: &mut Context<'_>) -> Result<(), End> {
        if self.unflushed
            && let Poll::Ready(flushed) = Pin::new(&mut self.socket).poll_flush(cx)
        {
            flushed.map_err(|_| End::Gone)?;
            self.unflushed = false;
        }
        Ok(())
    }
}

fn close(code: Code, reason: &str) -> End {
    End::Close(close_frame(code, reason))
}

fn bad_message(what: &str) -> End {
    close(Code::BadMessage, &format!("Invalid message: {what}"))
}

/// The websocket library keeps its error to itself but for the text.
fn unreadable(error: &axum::Error) -> End {
    if error.to_string().starts_with("Space limit exceeded") {
        End::Break(close_frame(Code::TooBig, "The message is larger than the limit"))
    } else {
        End::Gone
    }
}

/// Says good-bye and waits until the other end has heard it: to drop a connection with something
/// unread in it would take back what was sent last.
async fn farewell(mut socket: WebSocket, end: End) {
    match end {
        End::Close(frame) => {
            if socket.send(Message::Close(Some(frame))).await.is_ok() {
                while let Some(Ok(_)) = socket.next().await {}
            }
        }
        End::Break(frame) => {
            let _ = socket.send(Message::Close(Some(frame))).await;
            std::future::pending().await
        }
        End::Gone => {
            let _ = socket.close().await;
        }
    }
}
