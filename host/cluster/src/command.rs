//! Commands of a queue, run with a limit on their time and on what they print. Nothing they print is trusted.

use std::io::{self, Read, Seek, Write};
use std::process::{Child, Command, ExitStatus};
use std::thread;
use std::time::{Duration, Instant};

/// A command of a busy queue takes this long at most.
const LONGEST: Duration = Duration::from_mins(1);
const INTERVAL: Duration = Duration::from_millis(5);
/// The most bytes of what a command prints: a line for each of a hundred thousand tasks.
const MOST: u64 = 64 << 20;
/// The most characters of what it says in an error.
const WORDS: usize = 400;

/// The reason that a command gave nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CommandError {
    /// It could not be run.
    #[error("cannot run `{program}`: {source}")]
    Start { program: String, source: io::Error },
    /// It did not end in time.
    #[error("`{program}` did not answer within {} s", LONGEST.as_secs())]
    Slow { program: String },
    /// It failed.
    #[error("`{program}` failed: {words}")]
    Failed { program: String, words: String },
}

/// The text that the command prints, given `input`. `stopped` is asked while it runs.
pub(crate) fn output(
    command: &mut Command,
    input: &str,
    stopped: &dyn Fn() -> bool,
) -> Result<String, CommandError> {
    let program = command.get_program().to_string_lossy().into_owned();
    let failed = |source| CommandError::Start {
        program: program.clone(),
        source,
    };
    // Files instead of pipes: whatever it prints, and whenever it reads, nobody waits for anybody.
    let mut run = || -> io::Result<_> {
        let mut given = tempfile::tempfile()?;
        given.write_all(input.as_bytes())?;
        given.rewind()?;
        let (printed, words) = (tempfile::tempfile()?, tempfile::tempfile()?);
        let child = command
            .stdin(given)
            .stdout(printed.try_clone()?)
            .stderr(words.try_clone()?)
            .spawn()?;
        Ok((child, printed, words))
    };
    let (mut child, printed, words) = run().map_err(failed)?;
    let Some(status) = wait(&mut child, stopped).map_err(failed)? else {
        return Err(CommandError::Slow { program });
    };
    let printed = text(printed).map_err(failed)?;
    if status.success() {
        return Ok(printed);
    }
    let words = text(words).map_err(failed)?;
    let words = words.split_whitespace().collect::<Vec<_>>().join(" ");
    let words = if words.is_empty() {
        status.to_string()
    } else {
        words.chars().take(WORDS).collect()
    };
    Err(CommandError::Failed { program, words })
}

/// The end of the command; nothing if it had to be killed.
fn wait(child: &mut Child, stopped: &dyn Fn() -> bool) -> io::Result<Option<ExitStatus>> {
    let started = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if started.elapsed() > LONGEST || stopped() {
            // One that has just ended needs no signal.
            let _ = child.kill();
            child.wait()?;
            return Ok(None);
        }
        thread::sleep(INTERVAL);
    }
}

fn text(mut file: std::fs::File) -> io::Result<String> {
    file.rewind()?;
    let mut bytes = Vec::new();
    file.take(MOST).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
