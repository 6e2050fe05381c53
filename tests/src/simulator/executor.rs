//! A deterministic executor with virtual time: one thread, no real clock, no runtime.
//!
//! Whatever happens is either a task that is ready, taken in the order it became so, or the earliest
//! timer, equals in the order they were set. So a run is a pure function of its seed. A task can be
//! cancelled, which drops its future at the await it is in: that is what a crash is. What is already
//! under way (a request on the network) is not a task but a call at a time, and outlives its caller.
//!
//! Futures must be `Send` because the traits under test ask for it; hence the locks, never contended.

use std::collections::{BinaryHeap, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Wake, Waker};

type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Runs tasks until none can go on.
#[derive(Debug)]
pub struct Executor {
    clock: Clock,
}

/// Virtual time, and the way to start and cancel tasks.
#[derive(Clone)]
pub struct Clock(Arc<Mutex<State>>);

/// Names a task; never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TaskId(usize);

struct State {
    now_ms: i64,
    timers_set: u64,
    timers: BinaryHeap<Timer>,
    tasks: Vec<Slot>,
    ready: Arc<Mutex<VecDeque<usize>>>,
    steps: u64,
}

struct Slot {
    task: Option<Task>,
    waker: Waker,
    cancelled: bool,
}

struct Timer {
    at_ms: i64,
    order: u64,
    action: Action,
}

enum Action {
    Wake(Waker),
    Call(Box<dyn FnOnce() + Send>),
}

struct TaskWaker {
    id: usize,
    ready: Arc<Mutex<VecDeque<usize>>>,
}

/// Why a run stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// Nothing is left that could happen.
    Idle,
    /// It took more steps than any sound run does: something is tried endlessly.
    Endless,
}

impl Executor {
    /// Begins at `now_ms`.
    pub fn new(now_ms: i64) -> Executor {
        Executor {
            clock: Clock(Arc::new(Mutex::new(State {
                now_ms,
                timers_set: 0,
                timers: BinaryHeap::new(),
                tasks: Vec::new(),
                ready: Arc::default(),
                steps: 0,
            }))),
        }
    }

    /// Its clock.
    pub fn clock(&self) -> Clock {
        self.clock.clone()
    }

    /// Goes on until nothing is left that could happen, at most `steps_max` polls and timers.
    pub fn run(&mut self, steps_max: u64) -> Stopped {
        let ready = Arc::clone(&self.clock.state().ready);
        loop {
            let next = lock(&ready).pop_front();
            if let Some(id) = next {
                self.poll(id);
            } else if !self.fire() {
                return Stopped::Idle;
            }
            let mut state = self.clock.state();
            state.steps += 1;
            if state.steps > steps_max {
                return Stopped::Endless;
            }
        }
    }

    /// Runs the earliest timer; `false` if there is none.
    fn fire(&mut self) -> bool {
        let action = {
            let mut state = self.clock.state();
            let Some(timer) = state.timers.pop() else { return false };
            state.now_ms = state.now_ms.max(timer.at_ms);
            timer.action
        };
        match action {
            Action::Wake(waker) => waker.wake(),
            Action::Call(call) => call(),
        }
        true
    }

    fn poll(&mut self, id: usize) {
        let (mut task, waker) = {
            let mut state = self.clock.state();
            let slot = &mut state.tasks[id];
            let Some(task) = slot.task.take() else { return };
            (task, slot.waker.clone())
        };
        let done = task.as_mut().poll(&mut Context::from_waker(&waker)).is_ready();
        let mut state = self.clock.state();
        let slot = &mut state.tasks[id];
        if !done && !slot.cancelled {
            slot.task = Some(task);
            return;
        }
        // A future's drop may come back here, so it must not find the lock taken.
        drop(state);
        drop(task);
    }
}

/// Tasks hold the clock and the clock holds the tasks: whoever ends takes them apart.
impl Drop for Executor {
    fn drop(&mut self) {
        let (tasks, timers) = {
            let mut state = self.clock.state();
            (std::mem::take(&mut state.tasks), std::mem::take(&mut state.timers))
        };
        drop((tasks, timers));
    }
}

impl Clock {
    /// The time now.
    pub fn now_ms(&self) -> i64 {
        self.state().now_ms
    }

    /// Starts a task.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) -> TaskId {
        let mut state = self.state();
        let id = state.tasks.len();
        let waker = Arc::new(TaskWaker { id, ready: Arc::clone(&state.ready) });
        let waker = Waker::from(waker);
        waker.wake_by_ref();
        state.tasks.push(Slot { task: Some(Box::pin(task)), waker, cancelled: false });
        TaskId(id)
    }

    /// Drops a task's future at the await it is in.
    pub fn cancel(&self, TaskId(id): TaskId) {
        let task = {
            let mut state = self.state();
            let Some(slot) = state.tasks.get_mut(id) else { return };
            slot.cancelled = true;
            slot.task.take()
        };
        drop(task);
    }

    /// Calls `call` in `in_ms`, whoever lives then.
    pub fn call_in(&self, in_ms: i64, call: impl FnOnce() + Send + 'static) {
        let mut state = self.state();
        let at_ms = state.now_ms + in_ms;
        state.set(at_ms, Action::Call(Box::new(call)));
    }

    /// Wakes `waker` at a time.
    pub fn wake_at(&self, at_ms: i64, waker: Waker) {
        self.state().set(at_ms, Action::Wake(waker));
    }

    /// Waits until a time.
    pub fn sleep_until(&self, at_ms: i64) -> Sleep {
        Sleep { clock: self.clone(), at_ms, set: false }
    }

    /// Waits.
    pub fn sleep(&self, ms: i64) -> Sleep {
        self.sleep_until(self.now_ms() + ms)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.0)
    }
}

impl State {
    fn set(&mut self, at_ms: i64, action: Action) {
        let order = self.timers_set;
        self.timers_set += 1;
        self.timers.push(Timer { at_ms, order, action });
    }
}

/// Nothing panics while it holds a lock here but a run that has failed already.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("a run that has panicked is over")
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let mut ready = lock(&self.ready);
        if !ready.contains(&self.id) {
            ready.push_back(self.id);
        }
    }
}

/// [`Clock::sleep`].
#[derive(Debug)]
pub struct Sleep {
    clock: Clock,
    at_ms: i64,
    set: bool,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.clock.now_ms() >= self.at_ms {
            return Poll::Ready(());
        }
        if !self.set {
            self.set = true;
            self.clock.wake_at(self.at_ms, context.waker().clone());
        }
        Poll::Pending
    }
}

/// What somebody waits for: given once, taken once.
#[derive(Debug)]
pub struct Reply<T>(Arc<Mutex<Given<T>>>);

#[derive(Debug)]
struct Given<T> {
    value: Option<T>,
    waiting: Option<Waker>,
}

impl<T> Reply<T> {
    /// Nothing yet.
    pub fn new() -> Reply<T> {
        Reply(Arc::new(Mutex::new(Given { value: None, waiting: None })))
    }

    /// Gives it; only the first counts.
    pub fn give(&self, value: T) {
        let mut given = lock(&self.0);
        given.value.get_or_insert(value);
        if let Some(waker) = given.waiting.take() {
            waker.wake();
        }
    }
}

impl<T> Default for Reply<T> {
    fn default() -> Reply<T> {
        Reply::new()
    }
}

impl<T> Clone for Reply<T> {
    fn clone(&self) -> Reply<T> {
        Reply(Arc::clone(&self.0))
    }
}

impl<T> Future for Reply<T> {
    type Output = T;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        let mut given = lock(&self.0);
        match given.value.take() {
            Some(value) => Poll::Ready(value),
            None => {
                given.waiting = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}

/// Waits for `reply` until a time; `None` if it did not come.
pub async fn until<T>(clock: &Clock, at_ms: i64, mut reply: Reply<T>) -> Option<T> {
    let mut sleep = clock.sleep_until(at_ms);
    std::future::poll_fn(move |context| {
        if let Poll::Ready(value) = Pin::new(&mut reply).poll(context) {
            return Poll::Ready(Some(value));
        }
        Pin::new(&mut sleep).poll(context).map(|()| None)
    })
    .await
}

/// Tells all who wait that something has changed.
#[derive(Debug, Default)]
pub struct Notice(Mutex<Vec<Waker>>);

impl Notice {
    /// Wakes everybody who waits.
    pub fn tell(&self) {
        let waiting = std::mem::take(&mut *lock(&self.0));
        waiting.into_iter().for_each(Waker::wake);
    }

    /// Waits until `holds`; it is asked again whenever something is told.
    pub async fn wait(&self, mut holds: impl FnMut() -> bool) {
        std::future::poll_fn(|context| {
            if holds() {
                return Poll::Ready(());
            }
            lock(&self.0).push(context.waker().clone());
            Poll::Pending
        })
        .await;
    }
}

impl PartialEq for Timer {
    fn eq(&self, other: &Timer) -> bool {
        self.order == other.order
    }
}

impl Eq for Timer {}

impl PartialOrd for Timer {
    fn partial_cmp(&self, other: &Timer) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// The earliest is the greatest, as the heap wants it.
impl Ord for Timer {
    fn cmp(&self, other: &Timer) -> std::cmp::Ordering {
        (other.at_ms, other.order).cmp(&(self.at_ms, self.order))
    }
}

impl std::fmt::Debug for Clock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Clock({})", self.now_ms())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noted(
        run: impl FnOnce(&Clock, Arc<Mutex<Vec<(i64, &'static str)>>>),
    ) -> Vec<(i64, &'static str)> {
        let mut executor = Executor::new(1_000);
        let notes = Arc::new(Mutex::new(Vec::new()));
        run(&executor.clock(), Arc::clone(&notes));
        assert_eq!(executor.run(1_000), Stopped::Idle);
        std::mem::take(&mut *lock(&notes))
    }

    #[test]
    fn time_goes_by_timers_and_equal_times_keep_their_order() {
        let notes = noted(|clock, notes| {
            for (name, ms) in [("late", 20), ("first", 5), ("second", 5)] {
                let (sleeper, notes) = (clock.clone(), Arc::clone(&notes));
                clock.spawn(async move {
                    sleeper.sleep(ms).await;
                    lock(&notes).push((sleeper.now_ms(), name));
                });
            }
        });
        assert_eq!(notes, [(1_005, "first"), (1_005, "second"), (1_020, "late")]);
    }

    #[test]
    fn a_cancelled_task_goes_no_further_and_what_it_sent_arrives() {
        let notes = noted(|clock, notes| {
            let (inner, sent) = (clock.clone(), Arc::clone(&notes));
            let task = clock.spawn(async move {
                let arrived = Arc::clone(&sent);
                inner.call_in(50, move || lock(&arrived).push((0, "arrived")));
                inner.sleep(10).await;
                lock(&sent).push((inner.now_ms(), "never"));
            });
            let canceller = clock.clone();
            clock.call_in(9, move || canceller.cancel(task));
        });
        assert_eq!(notes, [(0, "arrived")]);
    }

    #[test]
    fn a_reply_is_waited_for_until_a_time() {
        let notes = noted(|clock, notes| {
            for (name, ms) in [("given", 5), ("too late", 15)] {
                let (clock, notes, reply) = (clock.clone(), Arc::clone(&notes), Reply::new());
                let giver = reply.clone();
                clock.call_in(ms, move || giver.give(name));
                let waiting = clock.clone();
                clock.spawn(async move {
                    let given = until(&waiting, 1_010, reply).await.unwrap_or("nothing");
                    lock(&notes).push((waiting.now_ms(), given));
                });
            }
        });
        assert_eq!(notes, [(1_005, "given"), (1_010, "nothing")]);
    }

    #[test]
    fn what_is_tried_endlessly_is_told() {
        let mut executor = Executor::new(0);
        let clock = executor.clock();
        executor.clock().spawn(async move {
            loop {
                clock.sleep(1).await;
            }
        });
        assert_eq!(executor.run(500), Stopped::Endless);
    }
}
