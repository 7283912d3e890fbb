//! Why an execution gave nothing, in words that name the plugin.

use std::borrow::Cow;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use assay_core::{Advice, Ending, Limit};
use assay_files::room_advice;
use assay_store::StoreError;

use super::CardTrouble;

/// Why an execution gave nothing.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The run was asked to stop; what was done so far is kept.
    #[error("stopped")]
    Cancelled,
    /// The worker reported an error.
    #[error("{message}")]
    Stage {
        /// The error message.
        message: String,
        /// Advice on the next step; may be empty.
        help: String,
        /// The causes, outermost first.
        chain: Vec<String>,
        /// The last lines of the worker's log.
        log: Vec<String>,
    },
    /// The worker failed because of its card.
    #[error("{card} {}", trouble.text())]
    Card {
        /// Fault of the card.
        trouble: CardTrouble,
        /// The card.
        card: String,
        /// The worker's own failure.
        failure: Box<Failure>,
    },
    /// The worker reached a limit of its stage.
    #[error("the worker reached its {limit}{}", while_running(plugin.as_deref()))]
    Limit {
        /// The limit.
        limit: Limit,
        /// The plugin that the worker may have loaded.
        plugin: Option<String>,
        /// The last lines of the worker's log.
        log: Vec<String>,
    },
    /// The worker ended without a word.
    #[error("the worker {how}{}", while_running(plugin.as_deref()))]
    Died {
        /// How it ended.
        how: String,
        /// The plugin that the worker may have loaded.
        plugin: Option<String>,
        /// The last lines of the worker's log.
        log: Vec<String>,
    },
    /// The worker's reports or files are not what they must be.
    #[error("the worker cannot be believed{}: {reason}", while_running(plugin.as_deref()))]
    Protocol {
        /// Defect of the reports or files.
        reason: String,
        /// The plugin that the worker may have loaded.
        plugin: Option<String>,
    },
    /// The stage's plugin could not say what it offers, so nothing was started.
    #[error("cannot ask the plugin `{plugin}` what it offers: {failure}")]
    Refused {
        /// The plugin.
        plugin: String,
        /// The failure when it was asked.
        failure: Arc<Failure>,
    },
    /// Something the action reads changed while it ran.
    #[error("an input changed while the action ran: {0}")]
    InputChanged(StoreError),
    /// The worker could not be started.
    #[error("cannot start a worker")]
    Start(#[source] io::Error),
    /// The worker's files could not be handled.
    #[error("cannot {what} {}", path.display())]
    File {
        /// The operation that failed, as a verb phrase.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// The underlying error.
        source: io::Error,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Advice for Failure {
    fn help(&self) -> Cow<'_, str> {
        match self {
            Self::Stage { help, .. } => help.into(),
            Self::Limit { limit, .. } => format!(
                "`limits.{}` of the stage, or of the whole file, can be raised",
                limit.key()
            )
            .into(),
            Self::Refused { failure, .. } => failure.help(),
            Self::Card { trouble, .. } => trouble.help().into(),
            Self::InputChanged(error) | Self::Store(error) => error.help(),
            Self::File { source, .. } => room_advice(source).into(),
            _ => "".into(),
        }
    }

    fn ending(&self) -> Ending {
        match self {
            Self::Cancelled => Ending::Stopped,
            _ => Ending::Failed,
        }
    }
}

impl Failure {
    /// The causes that a worker reported, outermost first.
    pub fn reported_causes(&self) -> Vec<String> {
        match self {
            Self::Stage { chain, .. } => chain.clone(),
            Self::Refused { failure, .. } => failure.reported_causes(),
            Self::Card { failure, .. } => {
                let mut causes = vec![failure.to_string()];
                causes.extend(failure.reported_causes());
                causes
            }
            _ => Vec::new(),
        }
    }

    /// Whether its card is unlikely to be of use to another stage.
    pub(crate) fn is_of_lost_card(&self) -> bool {
        matches!(
            self,
            Self::Card {
                trouble: CardTrouble::Lost | CardTrouble::Busy,
                ..
            }
        )
    }

    /// Whether it is the fault of what the worker did, not of the store or of this process.
    pub(crate) fn is_of_worker(&self) -> bool {
        matches!(
            self,
            Self::Stage { .. }
                | Self::Card { .. }
                | Self::Limit { .. }
                | Self::Died { .. }
                | Self::Protocol { .. }
        )
    }

    /// True if another machine may do better: it is the fault of the store or of this process, or there was no room
    /// for what the worker wrote.
    pub fn is_of_machine(&self) -> bool {
        let says = |words: &str| NO_ROOM.iter().any(|sign| words.contains(sign));
        let causes = self.reported_causes();
        !self.is_of_worker() || says(&self.to_string()) || causes.iter().any(|cause| says(cause))
    }

    /// The last lines of the worker's log.
    pub fn log(&self) -> &[String] {
        match self {
            Self::Stage { log, .. } | Self::Limit { log, .. } | Self::Died { log, .. } => log,
            Self::Refused { failure, .. } => failure.log(),
            Self::Card { failure, .. } => failure.log(),
            _ => &[],
        }
    }
}

/// The system's words where there is no room for a file.
const NO_ROOM: [&str; 2] = ["No space left on device", "Disk quota exceeded"];

fn while_running(plugin: Option<&str>) -> String {
    plugin
        .map(|name| format!(" while it ran the plugin `{name}`"))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stage(message: &str, cause: &str) -> Failure {
        Failure::Stage {
            message: message.to_owned(),
            help: String::new(),
            chain: vec![cause.to_owned()],
            log: Vec::new(),
        }
    }

    #[test]
    fn a_full_disk_is_the_fault_of_the_machine() {
        let full = io::Error::from_raw_os_error(28).to_string();
        assert!(stage("cannot write x", &full).is_of_machine());
        assert!(Failure::Start(io::Error::other("no processes left")).is_of_machine());
        assert!(!stage("the loss is NaN", "").is_of_machine());
    }
}
