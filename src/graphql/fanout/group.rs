//! One shared execution: its newest answers in a ring, and the members who read from it, each at
//! their own place. Nothing is copied per member, so a slow one costs no memory; it falls out.

use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use futures_util::task::AtomicWaker;
use tokio::{
    sync::Notify,
    task::AbortHandle,
    time::{Instant, timeout_at},
};

use super::{
    Position, StreamPosition,
    answers::{Answer, Answers},
    budget::Budget,
    topic::Topic,
};
use crate::{
    base::{Error, ids::UserId},
    graphql::{errors, gateway::Gateway},
};

/// Bytes of answers that one ring keeps, however few they are.
const RING_BYTES: usize = 8 * 1024 * 1024;
/// How long a group waits for members who could read and merely were not scheduled yet.
const PATIENCE: Duration = Duration::from_secs(1);
/// The read place of a member who does not read from the ring (yet).
const ELSEWHERE: u64 = u64::MAX;

/// Whether a client's connection takes what it is sent. Told by the connection; a group waits for
/// members whose connection flows, and leaves those behind whose connection does not.
#[derive(Debug, Default)]
pub struct Pace {
    stalled: AtomicBool,
}

impl Pace {
    pub fn set_stalled(&self, stalled: bool) {
        self.stalled.store(stalled, Ordering::Relaxed);
    }
}

/// A shared execution and its members.
pub struct Group {
    pub key: Arc<str>,
    /// Who is charged for what the ring holds: whose subscription came first.
    user: UserId,
    budget: Arc<Budget<Weak<Group>>>,
    pub topic: Arc<Topic>,
    position: Arc<StreamPosition>,
    ring: Mutex<Ring>,
    members: Mutex<Members>,
    /// Told when a member reads the entry that the waiting pump wants read, or leaves.
    room: Notify,
    room_at: AtomicU64,
    pump: OnceLock<AbortHandle>,
}

/// Who pays for a ring, and from what.
pub struct Charged {
    pub user: UserId,
    pub budget: Arc<Budget<Weak<Group>>>,
}

struct Ring {
    entries: VecDeque<Entry>,
    /// The number of the first entry; numbers count all entries there ever were.
    first: u64,
    bytes: usize,
    /// The position of the last entry that was thrown out.
    evicted: Option<Position>,
    ended: Option<Ending>,
    most: usize,
}

#[derive(Clone)]
struct Entry {
    payload: Arc<str>,
    position: Option<Position>,
    /// In the books of the budget.
    number: u64,
}

#[derive(Clone)]
enum Ending {
    Complete,
    Refused(Arc<str>),
}

#[derive(Default)]
struct Members {
    by_number: HashMap<u64, Arc<Member>>,
    next: u64,
}

struct Member {
    waker: AtomicWaker,
    /// The number of the entry that it reads next.
    reads: AtomicU64,
    pace: Arc<Pace>,
}

/// A member's seat in a group. Tell the group when it is given up: [`Group::leave`].
pub struct Seat {
    member: Arc<Member>,
    number: u64,
}

/// What a member finds at its place in the ring.
pub enum Read {
    Answer(Answer),
    /// The place was thrown out: the member was too slow.
    TooLate,
    Complete,
}

impl Group {
    pub fn new(key: Arc<str>, topic: Arc<Topic>, position: Arc<StreamPosition>, most: usize, charged: Charged) -> Self {
        let Charged { user, budget } = charged;
        let ring = Ring { entries: VecDeque::new(), first: 0, bytes: 0, evicted: None, ended: None, most: most.max(2) };
        Self {
            key,
            user,
            budget,
            topic,
            position,
            ring: Mutex::new(ring),
            members: Mutex::default(),
            room: Notify::new(),
            room_at: AtomicU64::new(ELSEWHERE),
            pump: OnceLock::new(),
        }
    }

    /// Runs the execution in a task of its own until it ends or the last member has left.
    /// `at_end` is called in the first case.
    pub fn start<G: Gateway>(self: &Arc<Self>, answers: Answers<G>, at_end: impl FnOnce() + Send + 'static) {
        let group = Arc::clone(self);
        let task = tokio::spawn(async move {
            let ending = Closing(Some((Arc::clone(&group), at_end)));
            let refused = group.pump(answers).await;
            group.end(refused.map_or(Ending::Complete, Ending::Refused));
            drop(ending);
        });
        let _ = self.pump.set(task.abort_handle());
    }

    /// A seat that does not read yet.
    pub fn join(&self, pace: Arc<Pace>) -> Seat {
        let member = Arc::new(Member { waker: AtomicWaker::new(), reads: AtomicU64::new(ELSEWHERE), pace });
        let mut members = self.members();
        let number = members.next;
        members.next += 1;
        members.by_number.insert(number, Arc::clone(&member));
        Seat { member, number }
    }

    /// Gives a seat up; whether it was the last one.
    pub fn leave(&self, seat: &Seat) -> bool {
        let empty = {
            let mut members = self.members();
            members.by_number.remove(&seat.number);
            members.by_number.is_empty()
        };
        self.room.notify_one();
        empty
    }

    pub fn stop(&self) {
        if let Some(pump) = self.pump.get() {
            pump.abort();
        }
    }

    /// From where on the execution is complete, once it has told.
    pub fn start_position(&self) -> Option<Position> {
        self.position.start()
    }

    pub fn has_ended(&self) -> bool {
        self.ring().ended.is_some()
    }

    /// Lets a member read from now on; gives where it stands.
    pub fn read_from_now(&self, seat: &Seat) -> Option<Position> {
        let ring = self.ring();
        seat.member.reads.store(ring.end(), Ordering::Relaxed);
        ring.entries.back().and_then(|entry| entry.position).or(ring.evicted).or(self.position.start())
    }

    /// Whether the execution has been there. What is further on may be nowhere: a client says it.
    pub fn has_come_to(&self, position: Position) -> bool {
        let newest = self.ring().entries.back().and_then(|entry| entry.position);
        newest.max(self.position.passed_by()) >= Some(position)
    }

    /// Lets a member that has everything up to `after` read on from there; whether the ring reaches
    /// back that far.
    pub fn read_after(&self, seat: &Seat, after: Position) -> bool {
        let ring = self.ring();
        let complete_after = ring.evicted.or(self.position.start());
        if ring.ended.is_some() || complete_after.is_none_or(|complete| complete > after) {
            return false;
        }
        let behind = |entry: &Entry| entry.position.is_some_and(|position| position <= after);
        let skipped = ring.entries.partition_point(behind);
        seat.member.reads.store(ring.first + skipped as u64, Ordering::Relaxed);
        true
    }

    /// Wakes this task when there is something new.
    pub fn watch(&self, seat: &Seat, cx: &Context<'_>) {
        seat.member.waker.register(cx.waker());
    }

    /// The next answer for a reading member.
    pub fn poll_read(&self, seat: &Seat, cx: &Context<'_>) -> Poll<Read> {
        self.watch(seat, cx);
        let number = seat.member.reads.load(Ordering::Relaxed);
        let entry = {
            let ring = self.ring();
            let Some(place) = number.checked_sub(ring.first) else { return Poll::Ready(Read::TooLate) };
            match (ring.entries.get(place as usize), &ring.ended) {
                (Some(entry), _) => entry.clone(),
                (None, None) => return Poll::Pending,
                (None, Some(Ending::Complete)) => return Poll::Ready(Read::Complete),
                (None, Some(Ending::Refused(errors))) => {
                    return Poll::Ready(Read::Answer(Answer::Refused(Arc::clone(errors))));
                }
            }
        };
        seat.member.reads.store(number + 1, Ordering::Relaxed);
        if number + 1 == self.room_at.load(Ordering::Relaxed) {
            self.room.notify_one();
        }
        Poll::Ready(Read::Answer(Answer::Next { payload: entry.payload, position: entry.position }))
    }

    /// Moves answers into the ring until there are no more; the errors it ended with.
    async fn pump<G: Gateway>(self: &Arc<Self>, mut answers: Answers<G>) -> Option<Arc<str>> {
        let mut announced = false;
        loop {
            let answer = std::future::poll_fn(|cx| {
                let polled = answers.poll_next(cx);
                if !announced && self.position.start().is_some() {
                    // members who are catching up can tell now whether they have
                    announced = true;
                    self.wake();
                }
                polled
            });
            match answer.await? {
                Answer::Refused(errors) => return Some(errors),
                Answer::Next { payload, position } => {
                    self.wait_for_room().await;
                    self.push(payload, position);
                    self.wake();
                }
            }
        }
    }

    fn push(self: &Arc<Self>, payload: Arc<str>, position: Option<Position>) {
        let (given_up, gone) = {
            // what is in the books is in the ring, for whoever looks from another group
            let mut ring = self.ring();
            let (number, gone) = self.budget.enter(self.user, payload.len(), Arc::downgrade(self));
            (ring.push(Entry { payload, position, number }), gone)
        };
        self.budget.leave(self.user, given_up);
        for (group, number) in gone {
            if let Some(group) = group.upgrade() {
                group.ring().give_up(number);
            }
        }
    }

    /// A burst must not throw out members who only wait for their turn on the processor: where the
    /// ring is full, waits until everybody whose connection flows has read half of it.
    async fn wait_for_room(&self) {
        let wanted = {
            let ring = self.ring();
            if !ring.is_full() {
                return;
            }
            ring.first + (ring.entries.len() as u64).div_ceil(2)
        };
        self.room_at.store(wanted, Ordering::Relaxed);
        let deadline = Instant::now() + PATIENCE;
        while self.is_awaited(wanted) && Instant::now() < deadline {
            // looks again by itself, too: a connection that stalls meanwhile does not say so
            let look_again = Instant::now() + Duration::from_millis(20);
            let _ = timeout_at(look_again, self.room.notified()).await;
        }
        self.room_at.store(ELSEWHERE, Ordering::Relaxed);
        for member in self.members().by_number.values().filter(|member| member.is_before(wanted)) {
            member.pace.set_stalled(true);
        }
    }

    fn is_awaited(&self, wanted: u64) -> bool {
        self.members().by_number.values().any(|member| member.is_before(wanted))
    }

    fn end(&self, ending: Ending) {
        self.ring().ended.get_or_insert(ending);
        self.wake();
    }

    fn wake(&self) {
        for member in self.members().by_number.values() {
            member.waker.wake();
        }
    }

    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn members(&self) -> MutexGuard<'_, Members> {
        self.members.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let numbers: Vec<_> = self.ring().entries.iter().map(|entry| entry.number).collect();
        self.budget.leave(self.user, numbers);
    }
}

/// Ends the group for its members even where a resolver panicked.
struct Closing<F: FnOnce()>(Option<(Arc<Group>, F)>);

impl<F: FnOnce()> Drop for Closing<F> {
    fn drop(&mut self) {
        if let Some((group, at_end)) = self.0.take() {
            group.end(if std::thread::panicking() { Ending::broken() } else { Ending::Complete });
            at_end();
        }
    }
}

impl Ending {
    fn broken() -> Self {
        let error = Error::internal("the resolver of a shared subscription panicked");
        Self::Refused(errors::render_errors(&[errors::refusal(&error, None)]).into())
    }
}

impl Member {
    fn is_before(&self, number: u64) -> bool {
        self.reads.load(Ordering::Relaxed) < number && !self.pace.stalled.load(Ordering::Relaxed)
    }
}

impl Ring {
    /// Tells what it gave up for it.
    fn push(&mut self, entry: Entry) -> Vec<u64> {
        let mut given_up = Vec::new();
        while self.is_full() {
            let Some(oldest) = self.pop() else { break };
            given_up.push(oldest.number);
        }
        self.bytes += entry.payload.len();
        self.entries.push_back(entry);
        given_up
    }

    /// Gives up everything up to this number in the books.
    fn give_up(&mut self, number: u64) {
        while self.entries.front().is_some_and(|oldest| oldest.number <= number) {
            self.pop();
        }
    }

    fn pop(&mut self) -> Option<Entry> {
        let oldest = self.entries.pop_front()?;
        self.bytes -= oldest.payload.len();
        self.first += 1;
        self.evicted = oldest.position.or(self.evicted);
        Some(oldest)
    }

    fn is_full(&self) -> bool {
        self.entries.len() >= self.most || self.bytes >= RING_BYTES
    }

    /// The number that the next entry will have.
    fn end(&self) -> u64 {
        self.first + self.entries.len() as u64
    }
}
