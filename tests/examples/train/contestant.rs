//! The things measured, each as a process that takes steps when told to.

use std::fmt;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use assay_engine::{environment, variables};

use crate::Failure;
use crate::networks::NamedNetwork;

/// The script of the `PyTorch` side, from the root of the repository.
const PYTORCH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../scripts/bench-pytorch.py");

/// One thing to be measured.
#[derive(Clone, Debug)]
pub(crate) enum Contestant {
    /// A plugin's algorithm.
    Plugin(String),
    /// Backpropagation in `PyTorch`.
    PyTorch {
        python: PathBuf,
        idiom: &'static str,
    },
    /// Products of large matrices, by the plugins' libtorch.
    Product(Instructions),
}

/// The vector instructions that a process may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Instructions {
    /// All that the processor has.
    All,
    /// Those of a worker of the host.
    OfWorker,
}

impl Contestant {
    /// Whose code it is.
    pub(crate) fn implementation(&self) -> String {
        match self {
            Self::Plugin(_) | Self::Product(_) => "assay".to_owned(),
            Self::PyTorch { idiom, .. } => format!("pytorch-{idiom}"),
        }
    }

    /// True if it is `PyTorch`'s.
    pub(crate) fn is_pytorch(&self) -> bool {
        matches!(self, Self::PyTorch { .. })
    }

    /// Name of its algorithm; `product` for the products.
    pub(crate) fn algorithm(&self) -> &str {
        match self {
            Self::Plugin(algorithm) => algorithm,
            Self::PyTorch { .. } => "bp",
            Self::Product(_) => "product",
        }
    }

    /// Starts it; it has taken a first step when this returns.
    pub(crate) fn start(&self, network: &NamedNetwork, threads: u32) -> Result<Running, Failure> {
        let count = threads.to_string();
        let mut command = match self {
            Self::Plugin(algorithm) => worker(threads, &["train", &network.name, algorithm]),
            Self::Product(instructions) => {
                let mut command = worker(threads, &["multiply"]);
                if *instructions == Instructions::All {
                    command
                        .env_remove("ATEN_CPU_CAPABILITY")
                        .env_remove("MKL_CBWR");
                }
                command
            }
            Self::PyTorch { python, idiom } => pytorch(python, network, idiom)?,
        };
        command.arg(count);
        Running::start(command)
    }
}

impl fmt::Display for Contestant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.implementation(), self.algorithm())
    }
}

/// This program again, computing as a worker of the host does.
fn worker(threads: u32, work: &[&str]) -> Command {
    let mut command = Command::new("/proc/self/exe");
    command
        .arg("worker")
        .args(work)
        .envs(variables(&environment(threads, String::new(), None), 1));
    command
}

/// `PyTorch` as it comes: only the number of threads is set.
fn pytorch(python: &Path, network: &NamedNetwork, idiom: &str) -> Result<Command, Failure> {
    let mut command = Command::new(python);
    command
        .args(["-W", "ignore", PYTORCH, &network.json()?, idiom])
        .arg(network.batch().to_string());
    Ok(command)
}

/// A process that is ready. It ends with this value.
pub(crate) struct Running {
    child: Child,
    requests: ChildStdin,
    answers: BufReader<ChildStdout>,
    /// The version of what it runs.
    pub(crate) version: String,
}

impl Running {
    fn start(mut command: Command) -> Result<Self, Failure> {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let pipes = child.stdin.take().zip(child.stdout.take());
        let (requests, answers) = pipes.ok_or("it has no pipes")?;
        let mut running = Self {
            child,
            requests,
            answers: BufReader::new(answers),
            version: String::new(),
        };
        let line = running.answer()?;
        let version = line
            .strip_prefix("ready ")
            .ok_or("it did not say `ready`")?;
        version.clone_into(&mut running.version);
        Ok(running)
    }

    /// Seconds for each of `steps` steps.
    pub(crate) fn seconds(&mut self, steps: u32) -> Result<f64, Failure> {
        writeln!(self.requests, "{steps}")?;
        let seconds: f64 = self.answer()?.parse()?;
        Ok(seconds / f64::from(steps))
    }

    /// The most main memory that it has held, in bytes.
    pub(crate) fn peak_memory(&self) -> Result<u64, Failure> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kibibytes = line.and_then(|line| line.trim().strip_suffix(" kB"));
        Ok(1024 * kibibytes.ok_or("its status has no VmHWM")?.parse::<u64>()?)
    }

    fn answer(&mut self) -> Result<String, Failure> {
        let mut line = String::new();
        if self.answers.read_line(&mut line)? == 0 {
            return Err(format!("it ended early ({})", self.child.wait()?).into());
        }
        Ok(line.trim_end().to_owned())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Nothing is lost with it, and if it has ended already there is nothing to do.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
