//! The running operations of one socket, taking turns: one that always has something ready gets one
//! turn like the others. Only those that were woken are looked at.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

use futures_util::task::AtomicWaker;

/// Things that take turns. Removing one keeps the order of the others.
pub struct Rota<T> {
    turns: Vec<Turn<T>>,
    /// Whose turn it is.
    next: usize,
    task: Arc<AtomicWaker>,
}

struct Turn<T> {
    item: T,
    call: Arc<Call>,
    waker: Waker,
}

/// One item's waker: notes that it was called, and wakes the socket's task.
struct Call {
    called: AtomicBool,
    task: Arc<AtomicWaker>,
}

impl Wake for Call {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.called.store(true, Ordering::Release);
        self.task.wake();
    }
}

impl<T> Rota<T> {
    pub fn new() -> Self {
        Self { turns: Vec::new(), next: 0, task: Arc::new(AtomicWaker::new()) }
    }

    pub fn len(&self) -> usize {
        self.turns.len()
    }

    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        // whoever changes an item may have made it ready
        self.turns.iter_mut().map(|turn| {
            turn.call.called.store(true, Ordering::Relaxed);
            &mut turn.item
        })
    }

    pub fn push(&mut self, item: T) {
        let call = Arc::new(Call { called: AtomicBool::new(true), task: Arc::clone(&self.task) });
        let waker = Waker::from(Arc::clone(&call));
        self.turns.push(Turn { item, call, waker });
    }

    pub fn position(&self, wanted: impl Fn(&T) -> bool) -> Option<usize> {
        self.turns.iter().position(|turn| wanted(&turn.item))
    }

    pub fn remove(&mut self, at: usize) -> T {
        if at < self.next {
            self.next -= 1;
        }
        self.turns.remove(at).item
    }

    /// Ready with the place and output of the next item in turn that has something.
    pub fn poll<O>(
        &mut self,
        cx: &Context<'_>,
        mut poll: impl FnMut(&mut T, &mut Context<'_>) -> Poll<O>,
    ) -> Poll<(usize, O)> {
        self.task.register(cx.waker());
        for _ in 0..self.turns.len() {
            let at = if self.next < self.turns.len() { self.next } else { 0 };
            self.next = at + 1;
            let Turn { item, call, waker } = &mut self.turns[at];
            if call.called.swap(false, Ordering::Acquire)
                && let Poll::Ready(output) = poll(item, &mut Context::from_waker(waker))
            {
                // it may have more, which it was not asked for yet
                call.called.store(true, Ordering::Relaxed);
                return Poll::Ready((at, output));
            }
        }
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_one_takes_turns_with_the_others() {
        let mut rota = Rota::new();
        for item in [1, 2, 3] {
            rota.push(item);
        }
        let cx = Context::from_waker(Waker::noop());
        let mut seen = Vec::new();
        while seen.len() < 6 {
            // the first is always ready, the others every time they are looked at
            let polled = rota.poll(&cx, |item, _| Poll::Ready(*item));
            assert!(polled.is_ready());
            let _ = polled.map(|turn| seen.push(turn));
        }
        assert_eq!(seen, [(0, 1), (1, 2), (2, 3), (0, 1), (1, 2), (2, 3)]);
        assert_eq!(rota.remove(1), 2);
        assert!(matches!(rota.poll(&cx, |item, _| Poll::Ready(*item)), Poll::Ready((1, 3) | (0, 1))));
    }

    #[test]
    fn only_the_woken_are_looked_at() {
        let mut rota = Rota::new();
        rota.push("a");
        rota.push("b");
        let cx = Context::from_waker(Waker::noop());
        let mut wakers = Vec::new();
        let waiting = rota.poll(&cx, |_, cx| {
            wakers.push(cx.waker().clone());
            Poll::<()>::Pending
        });
        assert!(waiting.is_pending() && wakers.len() == 2);
        wakers[1].wake_by_ref();
        assert!(matches!(rota.poll(&cx, |item, _| Poll::Ready(*item)), Poll::Ready((1, "b"))));
    }
}
