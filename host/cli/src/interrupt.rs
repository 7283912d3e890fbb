//! Signals. Ctrl-C, SIGTERM and a closed terminal ask every verb to stop.
//!
//! The first asks gently: workers finish the step they are in and leave their checkpoints, a
//! result that is being stored is stored, and the verb says what became of it. A verb that has
//! nothing such to keep ends within a second, whatever it is at: if it has not ended by itself
//! after [`GRACE`], the process is ended from here, even in the middle of a write that nobody
//! takes. That harms no store, which is whole at every moment (`store`). The second ends at once.

use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use assay_engine::Cancel;
use rustix::stdio::stderr;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGXFSZ};
use signal_hook::iterator::Signals;

use crate::error::{CliError, STOPPED};
use crate::ui::{error, terminal};

/// The time that a verb may take to end by itself, once no work is left that is worth waiting for.
const GRACE: Duration = Duration::from_millis(400);
/// The same after the second signal, which is enough to record a run.
const SHORT_GRACE: Duration = Duration::from_millis(200);
const INTERVAL: Duration = Duration::from_millis(10);
/// The time that a last message may take.
const LAST_MESSAGE: Duration = Duration::from_millis(50);

const STOPPING: &str = "stopping: what runs ends its step and is kept; once more stops at once";

/// Listens for signals from now on; what is given back is asked to stop by them.
///
/// # Errors
/// The system does not let us listen.
pub(crate) fn listen() -> Result<&'static Cancel, CliError> {
    let cancel: &Cancel = Box::leak(Box::default());
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP]).map_err(CliError::Signals)?;
    thread::spawn(move || {
        let mut signals = signals.forever();
        if signals.next().is_some() {
            cancel.request();
            thread::spawn(|| end_when_idle(cancel));
        }
        if signals.next().is_some() {
            cancel.request();
            thread::sleep(SHORT_GRACE);
            end();
        }
    });
    Ok(cancel)
}

/// Listens for nothing: for a child that its parent stops.
pub(crate) fn leave_to_parent() -> &'static Cancel {
    Box::leak(Box::default())
}

/// Lets writes beyond the limit on the size of files (`ulimit -f`) fail as any other write does,
/// instead of ending the process without a word.
pub(crate) fn outlive_file_limits() {
    // Without it the system ends the process, which harms nothing but the words.
    let _ = signal_hook::flag::register(SIGXFSZ, Arc::default());
}

/// Ends the process once no work has gone on for [`GRACE`].
fn end_when_idle(cancel: &Cancel) {
    if cancel.is_working() {
        say_soon(|| terminal::say(STOPPING));
    }
    let mut idle_since = Instant::now();
    while idle_since.elapsed() < GRACE {
        thread::sleep(INTERVAL);
        if cancel.is_working() {
            idle_since = Instant::now();
        }
    }
    end();
}

/// Ends the process in the middle of whatever it is at.
fn end() -> ! {
    say_soon(terminal::clear_bars);
    // Past the lock of the standard library's stream, which may be held for good.
    say_soon(|| {
        let _ = rustix::io::write(stderr(), format!("{}\n", error::STOPPED).as_bytes());
    });
    // Nothing is flushed and nobody is waited for: the main thread may hold any lock.
    signal_hook::low_level::exit(STOPPED.into())
}

/// Says something on standard error, if it takes it soon: its lock may be held by a thread whose write
/// nobody takes.
fn say_soon(say: impl FnOnce() + Send + 'static) {
    let (done, said) = channel();
    thread::spawn(move || {
        say();
        let _ = done.send(());
    });
    let _ = said.recv_timeout(LAST_MESSAGE);
}
