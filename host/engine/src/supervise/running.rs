//! A worker's process: started, handed its actions, watched, and waited for.

use std::fs::File;
use std::io::{self, PipeReader, PipeWriter};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus};
use std::sync::OnceLock;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use assay_core::Limit;
use rustix::process::Pid;

use super::outputs::Log;
use super::reports::{Reports, listen};
use super::watch::Watched;
use super::{Begun, Execution, Failure, nonsense};
use crate::cancel::{Cancel, Manner};
use crate::event::{News, Report};
use crate::handover::{send, sockets};
use crate::stages::Kind;

/// An action that a worker is to execute.
pub(super) struct Job<'a> {
    pub(super) begun: &'a Begun,
    /// Its lock, which the worker holds too: killing the supervisor alone must not free it.
    pub(super) lock: File,
    pub(super) observe: &'a (dyn Fn(News) + Sync),
}

/// The end of an action in a worker.
pub(super) struct Ending {
    pub(super) reports: Reports,
    /// That of its process; absent of one that goes on with other actions.
    pub(super) status: Option<ExitStatus>,
    /// The limit that it was ended for.
    pub(super) limit: Option<Limit>,
}

impl Ending {
    /// True unless its process has ended with a failure.
    pub(super) fn has_ended_well(&self) -> bool {
        self.status.is_none_or(|status| status.success())
    }

    /// True if its process goes on and nobody has ended the action.
    pub(super) fn is_of_its_own(&self) -> bool {
        self.status.is_none() && !matches!(self.reports.last, Some(Report::Cancelled))
    }
}

/// A process, for those who listen to its actions.
struct Process<'a> {
    pid: Pid,
    cancel: &'a Cancel,
    /// Its exit status, or why that is not known.
    status: OnceLock<Result<ExitStatus, String>>,
    /// The limit that it reached.
    limit: OnceLock<Limit>,
}

impl Process<'_> {
    /// Follows an action to its end: that of its reports where the process `goes_on` with others, else that of the
    /// process.
    fn follow(&self, followed: Followed<'_>, goes_on: bool) -> Result<Ending, Failure> {
        let Followed {
            begun,
            observe,
            pipe,
        } = followed;
        let reports = listen(pipe, observe);
        if reports.is_err() {
            // It talks nonsense, so it cannot be trusted to end by itself.
            self.cancel.stop(self.pid, Manner::AtOnce);
        }
        let status = match &reports {
            Ok(reports) if goes_on && reports.has_ended() => None,
            _ => Some(self.status.wait().clone()),
        };
        let status = status.transpose();
        let limit = self.limit.get().copied();
        Ok(Ending {
            // A worker that is killed may be cut off in the middle of a line.
            reports: match reports {
                Err(_) if limit.is_some() => Reports::default(),
                reports => reports.map_err(|reason| nonsense(&begun.action, reason.to_owned()))?,
            },
            status: status.map_err(|error| Failure::Start(io::Error::other(error)))?,
            limit,
        })
    }
}

/// Starts a worker that prints to `output`, hands it the actions, and gives what `ended` makes of the end of each,
/// which it is told with the place of the action as soon as it is known.
///
/// # Errors
/// The worker cannot be started.
pub(super) fn run_worker<T: Send>(
    execution: &Execution<'_>,
    mut command: Command,
    output: &Log,
    jobs: Vec<Job<'_>>,
    ended: impl Fn(usize, Result<Ending, Failure>) -> T + Sync,
) -> Result<Vec<T>, Failure> {
    let (ours, theirs) = sockets().map_err(Failure::Start)?;
    command
        .stdin(theirs)
        .stdout(output.writer()?)
        .stderr(output.writer()?)
        // Ctrl-C in a terminal goes to the whole group: the worker is asked by us alone.
        .process_group(0);
    let handed = jobs.iter().map(Handed::new);
    let handed: Vec<_> = handed.collect::<Result<_, _>>()?;
    let mut child = command.spawn().map_err(Failure::Start)?;
    // With it goes this process's copy of the worker's end of the socket.
    drop(command);
    let process = Process {
        pid: Pid::from_child(&child),
        cancel: execution.cancel,
        status: OnceLock::new(),
        limit: OnceLock::new(),
    };
    execution.cancel.watch(process.pid, manner(&jobs));
    let handed = jobs.into_iter().zip(handed);
    let followed: Vec<_> = handed
        .map(|(job, handed)| handed.send(&ours, job))
        .collect();
    // The worker waits for the end of the messages.
    drop(ours);
    let (ends, over) = channel();
    let count = followed.len();
    Ok(thread::scope(|scope| {
        let (process, ended) = (&process, &ended);
        if !execution.limits.is_empty() {
            let watched = Watched {
                worker: process.pid,
                limits: execution.limits,
                actions: count,
                cancel: process.cancel,
                reached: &process.limit,
            };
            scope.spawn(move || watched.watch(&over));
        }
        let followers = followed.into_iter().enumerate();
        let followers = followers.map(|(at, followed)| {
            scope.spawn(move || ended(at, process.follow(followed, count > 1)))
        });
        let followers: Vec<_> = followers.collect();
        let status = wait(&mut child, process.pid, process.cancel);
        // Nobody else sets it.
        let _ = process
            .status
            .set(status.map_err(|error| error.to_string()));
        drop(ends);
        let ended = followers.into_iter().map(|follower| {
            let ended = follower.join();
            ended.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        });
        ended.collect()
    }))
}

/// Descriptors that a worker gets for an action, and the end of the pipe of its reports.
struct Handed {
    log: File,
    reader: PipeReader,
    writer: PipeWriter,
}

impl Handed {
    fn new(job: &Job<'_>) -> Result<Self, Failure> {
        let (reader, writer) = io::pipe().map_err(Failure::Start)?;
        Ok(Self {
            log: job.begun.log.writer()?,
            reader,
            writer,
        })
    }

    /// Hands the action over; all but the end of the pipe is then the worker's alone.
    fn send<'a>(self, socket: &OwnedFd, job: Job<'a>) -> Followed<'a> {
        let Job {
            begun,
            lock,
            observe,
        } = job;
        let descriptors = [lock.as_fd(), self.writer.as_fd(), self.log.as_fd()];
        // A worker that does not take it has died, which is told by how it ended.
        let _ = send(socket, &begun.assignment, descriptors);
        Followed {
            begun,
            observe,
            pipe: self.reader,
        }
    }
}

/// An action that a worker executes, with the pipe that its reports come from.
struct Followed<'a> {
    begun: &'a Begun,
    observe: &'a (dyn Fn(News) + Sync),
    pipe: PipeReader,
}

fn manner(jobs: &[Job<'_>]) -> Manner {
    let keeps_progress = |job: &Job<'_>| Kind::of(job.begun.action.kind).keeps_progress;
    if jobs.iter().all(keeps_progress) {
        Manner::Gently
    } else {
        Manner::AtOnce
    }
}

/// Waits for the worker, outside the cancel registry's lock until it is there to be reaped.
fn wait(child: &mut Child, pid: Pid, cancel: &Cancel) -> io::Result<ExitStatus> {
    loop {
        if let Some(status) = cancel.reap_if_ended(pid, || child.try_wait())? {
            return Ok(status);
        }
        thread::sleep(Duration::from_millis(1));
    }
}
