//! The one thread that prepares and starts PostgreSQL, starts it again when it fails, and stops it. It
//! is a thread of its own because Linux ties a child's life to the thread that forked it; it holds the lock on
//! the folder until the server has ended.

use std::path::{Path, PathBuf};
use std::sync::mpsc::Sender;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use tokio::sync::{oneshot, watch};

use super::child::{Event, Events, Next, Running};
use super::server::Server;
use super::{Config, Error, LIMIT_OF_DROP, State, leftovers, log, socket};

/// A start that takes longer is told of, again and again.
const PROGRESS: Duration = Duration::from_secs(5);
/// How often readiness is looked for.
const GLANCE: Duration = Duration::from_millis(10);
/// A server that has run for so long did not fail in a row with what was before.
const CALM: Duration = Duration::from_secs(60);
/// So many failures in a row, over a quarter of a minute, and it is not started again.
const MOST_FAILURES: u32 = 10;
const LONGEST_PAUSE: Duration = Duration::from_secs(3);
/// A longer limit for stopping means "without limit", and no clock overflows.
const LONGEST_LIMIT: Duration = Duration::from_secs(24 * 3600);
/// How often old log files are looked for.
const TIDY: Duration = Duration::from_secs(3600);

/// The thread, from outside. Dropped, it stops the server and waits for its end.
pub(super) struct Handle {
    events: Sender<Event>,
    thread: Option<JoinHandle<()>>,
    ended: oneshot::Receiver<Result<(), Error>>,
}

impl Handle {
    pub async fn stop(&mut self, limit: Duration) -> Result<(), Error> {
        // An error means that it has ended already.
        let _ = self.events.send(Event::Stop(limit.min(LONGEST_LIMIT)));
        let result = (&mut self.ended).await;
        self.join();
        result.unwrap_or(Err(Error::Interrupted))
    }

    fn join(&mut self) {
        if let Some(thread) = self.thread.take() {
            // A panic has been printed where it happened.
            let _ = thread.join();
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        let _ = self.events.send(Event::Stop(LIMIT_OF_DROP));
        self.join();
    }
}

type Ready = oneshot::Receiver<Result<PathBuf, Error>>;

/// Starts the thread. The second part tells the socket's folder once the server is ready, or why it is not.
pub(super) fn spawn(config: Config) -> Result<(Handle, Ready, watch::Receiver<State>), Error> {
    let (events, sender) = Events::new();
    let (tell_ready, ready) = oneshot::channel();
    let (tell_ended, ended) = oneshot::channel();
    // Nobody sees this first value: the receiver is handed out once the server is ready.
    let (states, seen) = watch::channel(State::Restarting);
    let run = move || {
        let result = run(&config, events, tell_ready, states);
        let _ = tell_ended.send(result);
    };
    let thread = thread::Builder::new()
        .name("database".to_owned())
        .spawn(run)
        .map_err(|e| Error::io("start a thread for", Path::new("PostgreSQL"), e))?;
    let handle = Handle { events: sender, thread: Some(thread), ended };
    Ok((handle, ready, seen))
}

fn run(
    config: &Config,
    events: Events,
    tell_ready: oneshot::Sender<Result<PathBuf, Error>>,
    states: watch::Sender<State>,
) -> Result<(), Error> {
    let started = Server::prepare(config, &events).and_then(|server| {
        let supervisor = Supervisor { server, events, states };
        supervisor.first_launch().map(|running| (supervisor, running))
    });
    match started {
        Err(error) => {
            let _ = tell_ready.send(Err(error));
            Ok(())
        }
        Ok((supervisor, running)) => {
            supervisor.states.send_replace(State::Ready);
            let _ = tell_ready.send(Ok(supervisor.server.sockets.clone()));
            supervisor.keep(running)
        }
    }
}

struct Supervisor {
    server: Server,
    events: Events,
    states: watch::Sender<State>,
}

impl Supervisor {
    /// The first start fails at once, since a person is watching; but memory of an earlier server may still be
    /// about to be let go.
    fn first_launch(&self) -> Result<Running, Error> {
        let mut attempts = 0;
        loop {
            attempts += 1;
            match self.launch() {
                Err(Error::StartFailed { reason, .. })
                    if reason.contains("pre-existing shared memory block") && attempts < 20 =>
                {
                    if self.events.pause(Duration::from_millis(500)) {
                        return Err(Error::Interrupted);
                    }
                }
                result => return result,
            }
        }
    }

    /// Starts the server and waits until it is ready, as long as it lives: after a crash it first repairs
    /// itself, and that takes the time it takes.
    fn launch(&self) -> Result<Running, Error> {
        let mut running = self.server.start(&self.events)?;
        let began = Instant::now();
        let mut told = began;
        while !self.server.is_ready(&running) {
            match self.events.next(&running, GLANCE) {
                Next::Nothing => {}
                Next::Ended => return Err(self.start_error(&running.reap())),
                Next::Stop(limit) => {
                    self.shut_down(running, limit)?;
                    return Err(Error::Interrupted);
                }
            }
            if told.elapsed() >= PROGRESS {
                told = Instant::now();
                tracing::info!(
                    "PostgreSQL is still starting after {} s; it repairs itself if it was not stopped properly",
                    began.elapsed().as_secs()
                );
            }
        }
        tracing::info!(
            "PostgreSQL {} is ready in {} after {} ms",
            self.server.binaries.major,
            self.server.cluster.display(),
            began.elapsed().as_millis()
        );
        Ok(running)
    }

    fn start_error(&self, end: &str) -> Error {
        let words = self.server.words();
        let folder = self.server.home.folder.clone();
        if words.tell_of_full_disk() {
            return Error::DiskFull { folder };
        }
        Error::StartFailed { folder, reason: words.reason().unwrap_or_else(|| format!("it {end}")) }
    }

    /// Runs the server until it is to stop or cannot be kept running.
    fn keep(&self, mut running: Running) -> Result<(), Error> {
        let mut failures = 0;
        let mut since = Instant::now();
        loop {
            match self.events.next(&running, TIDY) {
                Next::Nothing => {
                    log::prune(&self.server.cluster);
                    continue;
                }
                Next::Stop(limit) => return self.shut_down(running, limit),
                Next::Ended => {}
            }
            let end = running.reap();
            self.states.send_replace(State::Restarting);
            if since.elapsed() >= CALM {
                failures = 0;
            }
            match self.restart(&mut failures, format!("it {end}")) {
                Some(again) => running = again,
                None => return Ok(()),
            }
            since = Instant::now();
            self.states.send_replace(State::Ready);
        }
    }

    /// A new server for one that has failed; none once it is to stop or has failed too often, which the state
    /// then tells.
    fn restart(&self, failures: &mut u32, mut problem: String) -> Option<Running> {
        loop {
            *failures += 1;
            tracing::warn!("PostgreSQL failed ({problem}); starting it again");
            if *failures > MOST_FAILURES {
                self.give_up(*failures, &problem);
                return None;
            }
            if self.events.pause(pause_after(*failures)) {
                self.tell_stopped();
                return None;
            }
            match self.launch() {
                Ok(running) => return Some(running),
                Err(Error::Interrupted) => return None,
                Err(error) => problem = error.to_string(),
            }
        }
    }

    fn give_up(&self, failures: u32, problem: &str) {
        let mut reason = format!("PostgreSQL failed {failures} times in a row and is not started again: {problem}");
        if let Some(words) = self.server.words().reason().filter(|words| !problem.contains(words.as_str())) {
            reason = format!("{reason}; the last it wrote is: {words}");
        }
        tracing::error!("{reason}");
        self.states.send_replace(State::Stopped(reason));
    }

    fn tell_stopped(&self) {
        self.states.send_replace(State::Stopped("PostgreSQL was stopped on request".to_owned()));
    }

    /// Ends the server: orderly, then without writing out its memory, then by force. Whatever it takes, nothing
    /// acknowledged is lost; the next start recovers it.
    fn shut_down(&self, mut running: Running, limit: Duration) -> Result<(), Error> {
        for (signal, patience) in
            [(Signal::INT, limit), (Signal::QUIT, Duration::from_secs(10)), (Signal::KILL, Duration::from_secs(5))]
        {
            if signal != Signal::INT {
                tracing::warn!("PostgreSQL takes long to stop; stopping it hard, and the next start will recover");
            }
            running.signal(signal);
            if self.ends_within(&running, patience) {
                let end = running.reap();
                tracing::debug!("PostgreSQL {end}");
                leftovers::end_all(&self.server.cluster)?;
                socket::remove_if_elsewhere(&self.server.sockets, &self.server.home.folder);
                self.tell_stopped();
                return Ok(());
            }
        }
        Err(Error::Stuck { folder: self.server.cluster.clone(), pid: running.id() })
    }

    fn ends_within(&self, running: &Running, patience: Duration) -> bool {
        let mut deadline = Instant::now() + patience;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.events.next(running, left) {
                Next::Ended => return true,
                Next::Nothing => return false,
                // Somebody has less patience now.
                Next::Stop(limit) => deadline = deadline.min(Instant::now() + limit),
            }
        }
    }
}

/// At once after the first failure, then doubling from a tenth of a second.
fn pause_after(failures: u32) -> Duration {
    if failures <= 1 {
        return Duration::ZERO;
    }
    let doubled = Duration::from_millis(100).saturating_mul(1 << (failures - 2).min(16));
    doubled.min(LONGEST_PAUSE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_limit_and_giving_up_takes_a_quarter_of_a_minute() {
        assert_eq!(pause_after(1), Duration::ZERO);
        assert_eq!(pause_after(3), Duration::from_millis(200));
        assert_eq!(pause_after(u32::MAX), LONGEST_PAUSE);
        let whole: Duration = (1..=MOST_FAILURES).map(pause_after).sum();
        assert!((10..20).contains(&whole.as_secs()), "{whole:?}");
    }
}
