//! A child of this program that asks the driver or its libraries, and answers in JSON. A driver may
//! hang or crash, so it is never loaded anywhere else, and the child is left behind in time.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group, set_parent_process_death_signal};
use rustix::stdio::{dup2_stdout, stderr, stdout};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::error::{DRIVER, DeviceError};
use super::{driver, libraries};
use crate::cancel::Cancel;
use crate::doctor::look_at_libtorch;
use crate::log::note;
use crate::supervise::own_executable;

/// How long an answer is waited for: a machine with many cards takes its time to wake them.
const PATIENCE: Duration = Duration::from_mins(1);
/// Environment variable that sets it for the driver, in seconds.
const PATIENCE_VARIABLE: &str = "ASSAY_DRIVER_PATIENCE";
/// An answer is never longer.
const LONGEST_ANSWER: u64 = 1 << 20;
/// How often a request to stop is looked for.
const INTERVAL: Duration = Duration::from_millis(20);
/// How long a child that was killed may take to go away.
const FAREWELL: Duration = Duration::from_secs(1);

/// A question that a child is started to answer.
#[derive(Clone, Debug)]
pub enum ProbeQuestion {
    /// Which cards the driver shows.
    Driver,
    /// Which CUDA libraries the plugin in this file would use.
    Libraries(PathBuf),
    /// Which libtorch it would use, and that it loads.
    Libtorch(PathBuf),
}

/// Finds out and answers on what was standard output.
pub fn answer_probe(question: &ProbeQuestion) -> ExitCode {
    let answered = take_over().and_then(|pipe| match question {
        ProbeQuestion::Driver => send(pipe, &driver::look()),
        ProbeQuestion::Libraries(plugin) => send(pipe, &libraries::look(plugin)),
        ProbeQuestion::Libtorch(plugin) => send(pipe, &look_at_libtorch(plugin)),
    });
    match answered {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            note(&format!("cannot answer: {error}"));
            ExitCode::FAILURE
        }
    }
}

/// Keeps the pipe for the answer alone, whatever a library prints when it is loaded.
fn take_over() -> io::Result<File> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    let pipe = File::from(rustix::io::fcntl_dupfd_cloexec(stdout(), 3)?);
    dup2_stdout(stderr())?;
    Ok(pipe)
}

fn send(mut pipe: File, answer: &impl Serialize) -> io::Result<()> {
    pipe.write_all(&serde_json::to_vec(answer)?)
}

/// Has a child find out what `arguments` say, and reads its answer.
pub(crate) fn ask<T: DeserializeOwned>(
    whom: &'static str,
    arguments: &[&OsStr],
    cancel: &Cancel,
) -> Result<T, DeviceError> {
    let failed = |reason: String| DeviceError::Failed { whom, reason };
    let child = own_executable().and_then(|program| {
        Command::new(program)
            .arg0("pipeline")
            .arg("probe")
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            // Ctrl-C in a terminal goes to the whole group: the child is ended by us alone.
            .process_group(0)
            .spawn()
    });
    let mut child = child.map_err(|error| failed(format!("cannot start a process: {error}")))?;
    let patience = patience(whom);
    let answer = read(&mut child, patience, cancel);
    let ended = leave(&mut child);
    match answer {
        Ok(answer) => serde_json::from_slice(&answer).map_err(|_| failed(describe(ended))),
        Err(Unanswered::Stopped) => Err(DeviceError::Stopped),
        Err(Unanswered::Silent) => Err(DeviceError::Silent {
            whom,
            seconds: patience.as_secs(),
        }),
    }
}

fn patience(whom: &str) -> Duration {
    let seconds = std::env::var(PATIENCE_VARIABLE).ok();
    let seconds = seconds.filter(|_| whom == DRIVER);
    let seconds = seconds.and_then(|text| text.parse().ok());
    seconds.map_or(PATIENCE, Duration::from_secs)
}

/// Why there is no answer.
enum Unanswered {
    Silent,
    Stopped,
}

/// All that the child writes.
fn read(child: &mut Child, patience: Duration, cancel: &Cancel) -> Result<Vec<u8>, Unanswered> {
    let begun = Instant::now();
    let (sender, answers) = channel();
    let pipe = child.stdout.take();
    // Not joined: a process that the kernel does not let go of keeps its end open.
    thread::spawn(move || {
        let mut answer = Vec::new();
        // Where reading fails, the answer is not whole, which is noticed when it is parsed.
        let _ = pipe.map(|pipe| pipe.take(LONGEST_ANSWER).read_to_end(&mut answer));
        let _ = sender.send(answer);
    });
    loop {
        match answers.recv_timeout(INTERVAL) {
            Ok(answer) => return Ok(answer),
            Err(RecvTimeoutError::Disconnected) => return Ok(Vec::new()),
            Err(RecvTimeoutError::Timeout) if cancel.is_requested() => {
                return Err(Unanswered::Stopped);
            }
            Err(RecvTimeoutError::Timeout) if begun.elapsed() >= patience => {
                return Err(Unanswered::Silent);
            }
            Err(RecvTimeoutError::Timeout) => {}
        }
    }
}

/// Waits for the child to go away, and makes it go; one that the kernel does not let go of is left.
fn leave(child: &mut Child) -> Option<std::process::ExitStatus> {
    let begun = Instant::now();
    let mut killed = false;
    while begun.elapsed() < 2 * FAREWELL {
        if let Ok(Some(status)) = child.try_wait() {
            return Some(status);
        }
        if !killed && begun.elapsed() >= FAREWELL / 2 {
            // One that is gone already needs no signal.
            let _ = kill_process_group(Pid::from_child(child), Signal::KILL);
            killed = true;
        }
        thread::sleep(Duration::from_millis(1));
    }
    None
}

fn describe(status: Option<std::process::ExitStatus>) -> String {
    match status.and_then(|status| status.signal()) {
        Some(signal) => {
            let name = signal_hook::low_level::signal_name(signal).unwrap_or("an unknown signal");
            format!("the process that asked was ended by {name} (signal {signal})")
        }
        None => "the process that asked gave no answer".to_owned(),
    }
}
