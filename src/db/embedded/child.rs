//! A child of ours: started as PostgreSQL's user with nothing of our environment, so that it does not outlive
//! us, and heard of when it ends.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions};

use super::account::Account;
use super::home::NO_LINKS;
use super::{Error, leftovers};

/// What the supervisor waits for.
pub(super) enum Event {
    /// The child with this id has ended and waits to be reaped.
    Ended(u32),
    /// Stop the server, orderly for this long.
    Stop(Duration),
}

/// What happened while waiting for a child.
pub(super) enum Next {
    Ended,
    Stop(Duration),
    Nothing,
}

/// The supervisor's mailbox.
pub(super) struct Events {
    sender: Sender<Event>,
    receiver: Receiver<Event>,
}

impl Events {
    pub fn new() -> (Self, Sender<Event>) {
        let (sender, receiver) = channel();
        let events = Self { sender: sender.clone(), receiver };
        (events, sender)
    }

    /// Waits for the end of this child or a wish to stop, for at most `patience`.
    pub fn next(&self, child: &Running, patience: Duration) -> Next {
        let deadline = Instant::now() + patience;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.receiver.recv_timeout(left) {
                Ok(Event::Ended(id)) if id == child.id() => return Next::Ended,
                // News of an earlier child, already reaped.
                Ok(Event::Ended(_)) => {}
                Ok(Event::Stop(limit)) => return Next::Stop(limit),
                Err(_) => return Next::Nothing,
            }
        }
    }

    /// Lets time pass; true if a wish to stop cut it short.
    pub fn pause(&self, time: Duration) -> bool {
        let deadline = Instant::now() + time;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.receiver.recv_timeout(left) {
                Ok(Event::Ended(_)) => {}
                Ok(Event::Stop(_)) => return true,
                Err(_) => return false,
            }
        }
    }
}

/// How a program came to its end.
pub(super) enum Ended {
    Well,
    /// With these words, to follow a name: "ended with exit code 1".
    Badly(String),
    /// We ended it, having been asked to stop.
    OnRequest,
}

/// A child of ours that has not been reaped, so that its id is no one else's.
pub(super) struct Running {
    child: Child,
}

impl Running {
    /// Starts a child that gets `signal` should we die. Call it on the supervisor's thread only: Linux sends
    /// the signal when the *thread* that forked ends.
    pub fn spawn(mut command: Command, signal: Signal, account: &Account, events: &Events) -> Result<Self, Error> {
        die_with_us(&mut command, signal);
        let child = command.spawn().map_err(|error| {
            let program = Path::new(command.get_program());
            account.refusal(error).unwrap_or_else(|e| Error::io("run", program, e))
        })?;
        let mut running = Self { child };
        if let Err(error) = running.report_end(events.sender.clone()) {
            let _ = running.child.kill();
            running.reap();
            return Err(error);
        }
        Ok(running)
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn signal(&self, signal: Signal) {
        leftovers::send(Pid::from_child(&self.child), signal);
    }

    /// Waits for the end of a program that does its work and ends by itself.
    pub fn finish(mut self, events: &Events) -> Ended {
        loop {
            match events.next(&self, Duration::from_secs(3600)) {
                Next::Nothing => {}
                Next::Stop(_) => {
                    self.signal(Signal::KILL);
                    self.reap();
                    return Ended::OnRequest;
                }
                Next::Ended => {
                    return match self.child.wait() {
                        Ok(status) if status.success() => Ended::Well,
                        status => Ended::Badly(describe(status.ok())),
                    };
                }
            }
        }
    }

    /// Takes note of its end and says how it ended, in words to follow a name. Blocks until then.
    pub fn reap(&mut self) -> String {
        describe(self.child.wait().ok())
    }

    /// A thread of its own may block in waiting; it leaves the reaping to us, so that the id stays taken.
    fn report_end(&self, sender: Sender<Event>) -> Result<(), Error> {
        let pid = Pid::from_child(&self.child);
        let id = self.id();
        let wait = move || {
            let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
            while matches!(rustix::process::waitid(WaitId::Pid(pid), options), Err(Errno::INTR)) {}
            // Nobody listens any more when the supervisor has ended.
            let _ = sender.send(Event::Ended(id));
        };
        thread::Builder::new()
            .name("database-wait".to_owned())
            .spawn(wait)
            .map(drop)
            .map_err(|e| Error::io("start a thread for", Path::new("PostgreSQL"), e))
    }
}

fn describe(status: Option<ExitStatus>) -> String {
    let Some(status) = status else {
        return "ended".to_owned();
    };
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("ended with exit code {code}"),
        (None, Some(signal)) => format!("was killed by signal {signal}"),
        (None, None) => "ended".to_owned(),
    }
}

/// A command as PostgreSQL's programs want it: as their user, with nothing of our environment (which holds
/// secrets, and settings like `PGPORT`), in a group of its own so that Ctrl-C stays ours, saying what it has
/// to say into this file.
pub(super) fn command(program: &Path, account: &Account, words: &Path) -> Result<Command, Error> {
    let output = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .custom_flags(NO_LINKS)
        .open(words)
        .map_err(|e| Error::io("write", words, e))?;
    let errors = output.try_clone().map_err(|e| Error::io("write", words, e))?;
    let mut command = Command::new(program);
    command
        .env_clear()
        .envs([("LC_ALL", "C"), ("TZ", "UTC"), ("PATH", "/usr/bin:/bin")])
        .current_dir("/")
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(output)
        .stderr(errors);
    account.apply(&mut command);
    Ok(command)
}

#[cfg(target_os = "linux")]
fn die_with_us(command: &mut Command, signal: Signal) {
    let us = rustix::process::getpid();
    let arrange = move || {
        // A change of user clears this setting; it is kept here because the standard library changes the
        // user before it calls us.
        rustix::process::set_parent_process_death_signal(Some(signal))?;
        if rustix::process::getppid() == Some(us) {
            Ok(())
        } else {
            // We died before it was set.
            Err(Errno::SRCH.into())
        }
    };
    // SAFETY: between fork and exec only async-signal-safe work is allowed; these are two plain system calls,
    // and errors made from a number do not allocate.
    unsafe { command.pre_exec(arrange) };
}

/// Nothing tells a child here; an orphan is stopped at the next start.
#[cfg(not(target_os = "linux"))]
fn die_with_us(_command: &mut Command, _signal: Signal) {}
