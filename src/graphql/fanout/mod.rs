//! Subscribers of one thing share one execution.
//!
//! Subscriptions whose document, operation, variables and rights are equal (`after` set aside) form
//! a [`group`](group::Group): its selection is executed once per event, written as JSON once, and
//! the same bytes go to every member. A member with `after` first replays on an execution of its
//! own and changes over once that has caught up with the group's ring, without gap or repeat,
//! because both tell positions ([`StreamPosition`] has the contract). Everything else that is
//! subscribed to runs on an execution of its own and looks the same from outside.
//!
//! The ring is the one bounded queue: a member may be `limits.socket_queue` answers behind. Further
//! back it has fallen out, and its client is sent away with the cursor to resume after. A group
//! waits, briefly, for members whose connection takes what it is sent; a connection that does not
//! holds up nobody. What all rings hold together is bounded by the [`budget`].

mod answers;
mod budget;
mod group;
mod topic;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    task::{Context, Poll, ready},
};

use async_graphql::Request;

pub use self::{answers::Answer, group::Pace};
use self::{
    answers::Answers,
    budget::Budget,
    group::{Charged, Group, Read, Seat},
    topic::Topic,
};
use super::gateway::Gateway;
pub use super::position::{Position, StreamPosition};
use crate::auth::Caller;

/// The groups of one node.
pub struct Fanout<G> {
    gateway: G,
    groups: Mutex<HashMap<Arc<str>, Arc<Group>>>,
    budget: Arc<Budget<Weak<Group>>>,
}

/// A client that subscribes.
pub struct Subscriber {
    pub caller: Option<Arc<Caller>>,
    pub request: Request,
    /// A cursor that stands in for the request's own `after`.
    pub resume_after: Option<String>,
    pub pace: Arc<Pace>,
    pub request_id: Option<Arc<str>>,
}

/// One client's running subscription.
pub struct Subscription<G: Gateway> {
    fanout: Arc<Fanout<G>>,
    topic: Arc<Topic>,
    state: State<G>,
    /// Everything up to here has been handed out.
    progress: Option<Position>,
    /// Where the client asked to begin, as it said it.
    begin: Option<String>,
    pace: Arc<Pace>,
    request_id: Option<Arc<str>>,
}

enum State<G: Gateway> {
    /// An execution of its own; with a membership it changes over to that when it has caught up.
    Own(Box<Answers<G>>, Option<Membership<G>>),
    Shared(Membership<G>),
    Ended,
}

/// A seat in a group; dropped, it is given up.
struct Membership<G: Gateway> {
    fanout: Arc<Fanout<G>>,
    group: Arc<Group>,
    seat: Seat,
}

/// What a subscription hands out.
#[derive(Debug, Clone)]
pub enum Delivery {
    Answer(Answer),
    /// The client was too slow; it may resume after this cursor, if the subscription has any.
    TooSlow(Option<String>),
}

impl<G: Gateway> Fanout<G> {
    pub fn new(gateway: G) -> Arc<Self> {
        let limits = gateway.limits();
        let budget = Arc::new(Budget::new(limits.live_bytes, limits.live_user_bytes));
        Arc::new(Self { gateway, groups: Mutex::default(), budget })
    }

    /// Starts a subscription. Whatever is wrong with it comes as its first and only answer.
    pub fn subscribe(self: &Arc<Self>, subscriber: Subscriber) -> Subscription<G> {
        let Subscriber { caller, request, resume_after, pace, request_id } = subscriber;
        let variables = serde_json::to_string(&request.variables).unwrap_or_default();
        let is_named = |word: &&str| names(&request.query, word) || names(&variables, word);
        // a text with escapes in it may spell any word; variables come without theirs
        let hides = request.query.contains("\\u");
        let is_personal = hides || self.gateway.personal_words().iter().any(is_named);
        let (topic, after) = Topic::of(request, |field| !is_personal && self.gateway.is_shared(field));
        let begin = resume_after.or(after);
        let mut subscription = Subscription {
            fanout: Arc::clone(self),
            topic: Arc::new(topic),
            state: State::Ended,
            progress: begin.as_deref().and_then(|cursor| self.gateway.position(cursor)),
            begin,
            pace,
            request_id,
        };
        subscription.start(caller);
        subscription
    }

    /// How many groups there are.
    pub fn groups(&self) -> usize {
        self.lock().len()
    }

    /// Bytes of answers that the groups hold.
    pub fn bytes(&self) -> usize {
        self.budget.bytes()
    }

    /// A seat in the group of this topic and these rights, which is started if there is none.
    fn join(self: &Arc<Self>, topic: &Arc<Topic>, caller: Arc<Caller>, pace: Arc<Pace>) -> Membership<G> {
        let key = topic.key(&caller.rights_fingerprint());
        let mut groups = self.lock();
        let group = match groups.get(&key).filter(|group| !group.has_ended()) {
            Some(group) => Arc::clone(group),
            None => {
                let group = self.start(Arc::clone(&key), topic, caller);
                groups.insert(key, Arc::clone(&group));
                group
            }
        };
        // seated under the lock, so that a last member who leaves does not stop the group meanwhile
        let seat = group.join(pace);
        Membership { fanout: Arc::clone(self), group, seat }
    }

    fn start(self: &Arc<Self>, key: Arc<str>, topic: &Arc<Topic>, caller: Arc<Caller>) -> Arc<Group> {
        let charged = Charged { user: caller.user, budget: Arc::clone(&self.budget) };
        let answers = self.execute(topic, None, Some(caller), None);
        let position = Arc::clone(answers.position());
        let most = self.gateway.limits().socket_queue;
        let group = Arc::new(Group::new(key, Arc::clone(topic), position, most, charged));
        let (fanout, ended) = (Arc::downgrade(self), Arc::downgrade(&group));
        group.start(answers, move || {
            if let (Some(fanout), Some(group)) = (fanout.upgrade(), ended.upgrade()) {
                fanout.forget(&group);
            }
        });
        group
    }

    fn execute(
        &self,
        topic: &Topic,
        after: Option<&str>,
        caller: Option<Arc<Caller>>,
        request_id: Option<Arc<str>>,
    ) -> Answers<G> {
        let position = Arc::new(StreamPosition::default());
        let request = topic.request(after).data(Arc::clone(&position));
        let responses = self.gateway.subscribe(caller, request);
        Answers::new(self.gateway.clone(), responses, position, request_id)
    }

    fn leave(&self, group: &Arc<Group>, seat: &Seat) {
        let mut groups = self.lock();
        if group.leave(seat) {
            group.stop();
            remove(&mut groups, group);
        }
    }

    fn forget(&self, group: &Arc<Group>) {
        remove(&mut self.lock(), group);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Arc<str>, Arc<Group>>> {
        self.groups.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Removes this very group; another may stand under its key by now.
fn remove(groups: &mut HashMap<Arc<str>, Arc<Group>>, group: &Arc<Group>) {
    if groups.get(&group.key).is_some_and(|present| Arc::ptr_eq(present, group)) {
        groups.remove(&group.key);
    }
}

impl<G: Gateway> Subscription<G> {
    /// Goes on under other rights, from where it stands. What it would have been sent under the old
    /// ones and was not yet, it is sent as the new ones show it.
    pub fn renew(&mut self, caller: Arc<Caller>) {
        if !matches!(self.state, State::Ended) {
            self.start(Some(caller));
        }
    }

    /// The next delivery. After [`Answer::Refused`], [`Delivery::TooSlow`] or the end come no more.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Delivery>> {
        loop {
            let answer = match &mut self.state {
                State::Ended => return Poll::Ready(None),
                State::Own(answers, membership) => {
                    let polled = answers.poll_next(cx);
                    if polled.is_pending() && caught_up(answers, membership.as_ref(), &mut self.progress, cx) {
                        self.change_over();
                        continue;
                    }
                    ready!(polled)
                }
                State::Shared(Membership { group, seat, .. }) => match ready!(group.poll_read(seat, cx)) {
                    Read::Answer(answer) => Some(answer),
                    Read::Complete => None,
                    Read::TooLate => {
                        self.note_start();
                        self.state = State::Ended;
                        return Poll::Ready(Some(Delivery::TooSlow(self.cursor())));
                    }
                },
            };
            match answer {
                Some(Answer::Next { position: Some(position), .. }) if self.progress >= Some(position) => {}
                Some(Answer::Next { payload, position }) => {
                    self.progress = position.or(self.progress);
                    return Poll::Ready(Some(Delivery::Answer(Answer::Next { payload, position })));
                }
                Some(refused) => {
                    self.state = State::Ended;
                    return Poll::Ready(Some(Delivery::Answer(refused)));
                }
                None => self.state = State::Ended,
            }
        }
    }

    /// The cursor after which nothing has been handed out.
    fn cursor(&self) -> Option<String> {
        self.progress.map(|position| self.fanout.gateway.cursor(position)).or_else(|| self.begin.clone())
    }

    fn start(&mut self, caller: Option<Arc<Caller>>) {
        self.note_start();
        // the old state goes last, so that the group is not ended between leaving and joining it
        let state = self.begun(caller);
        self.state = state;
    }

    /// Who was there before the execution had told where it begins stands there.
    fn note_start(&mut self) {
        let start = match &self.state {
            State::Own(answers, _) => answers.position().start(),
            State::Shared(membership) => membership.group.start_position(),
            State::Ended => None,
        };
        self.progress = self.progress.or(start);
    }

    fn begun(&mut self, caller: Option<Arc<Caller>>) -> State<G> {
        let after = self.cursor();
        let Some(member) = caller.as_ref().filter(|_| self.topic.is_shared) else {
            return self.own(after, caller, None);
        };
        if after.is_some() && self.progress.is_none() {
            // no cursor of ours: its own execution says so
            return self.own(after, caller, None);
        }
        let membership = self.fanout.join(&self.topic, Arc::clone(member), Arc::clone(&self.pace));
        self.topic = Arc::clone(&membership.group.topic);
        let Membership { group, seat, .. } = &membership;
        match self.progress {
            None => self.progress = group.read_from_now(seat),
            Some(progress) if group.has_come_to(progress) && group.read_after(seat, progress) => {}
            Some(_) => return self.own(after, caller, Some(membership)),
        }
        State::Shared(membership)
    }

    fn own(&self, after: Option<String>, caller: Option<Arc<Caller>>, later: Option<Membership<G>>) -> State<G> {
        let answers = self.fanout.execute(&self.topic, after.as_deref(), caller, self.request_id.clone());
        State::Own(Box::new(answers), later)
    }

    fn change_over(&mut self) {
        self.state = match std::mem::replace(&mut self.state, State::Ended) {
            State::Own(_, Some(membership)) => State::Shared(membership),
            other => other,
        };
    }
}

/// Whether the document says this name, anywhere: names have no other spelling, and one in a text or
/// a comment merely prevents sharing.
fn names(document: &str, name: &str) -> bool {
    document.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).any(|word| word == name)
}

/// Whether the group's ring goes on where this execution has come to; if so it is read from there.
fn caught_up<G: Gateway>(
    answers: &Answers<G>,
    membership: Option<&Membership<G>>,
    progress: &mut Option<Position>,
    cx: &Context<'_>,
) -> bool {
    let Some(Membership { group, seat, .. }) = membership else { return false };
    // before looking, so that nothing new goes unnoticed
    group.watch(seat, cx);
    // until it has told, where the client says it stands may be a place that the log does not have
    let Some(passed) = answers.position().passed_by() else { return false };
    let reached = progress.map_or(passed, |progress| progress.max(passed));
    let caught_up = group.read_after(seat, reached);
    if caught_up {
        *progress = Some(reached);
    }
    caught_up
}

impl<G: Gateway> Drop for Membership<G> {
    fn drop(&mut self) {
        self.fanout.leave(&self.group, &self.seat);
    }
}
