//! What can be typed after `pipeline gc`, `pin` and `unpin`.

use std::num::NonZeroUsize;

use assay_store::Retention;
use clap::Args;

use super::StoreArguments;

const GC_EXAMPLES: &str = "\
Examples:
  pipeline gc --dry-run
  pipeline gc
  pipeline gc --keep-last 3 --dry-run
  pipeline gc --keep-last 1 --grace 0s

Stays: every run and what it names, pins, what processes at work use, results younger than --grace
that no run names, and what plugins said of themselves whose libraries stay.
Goes: results that none of these reach, objects that nothing names, working folders of actions that
have finished or were given up, leftovers of processes that have ended.

It may run beside `pipeline run`: others wait while it removes, and lose nothing. Stopped at any
moment it has done no harm; run it again.

Exit codes: 0 done, 2 the store cannot be used.";

#[derive(Args, Debug)]
#[command(after_help = GC_EXAMPLES)]
pub(crate) struct GcArguments {
    /// Say what would go and what would stay, and remove nothing
    #[arg(long)]
    pub(crate) dry_run: bool,

    /// Keep the newest N complete runs of each pipeline, whatever began after them and what is
    /// pinned; forget older runs [default: keep all]
    #[arg(long, value_name = "N")]
    keep_last: Option<NonZeroUsize>,

    /// How long results that no run names are kept, which a killed run leaves, and the working
    /// folders of unfinished actions
    #[arg(long, value_name = "DURATION", default_value = "7days")]
    pub(crate) grace: humantime::Duration,

    /// Print one JSON document instead of tables
    #[arg(long)]
    pub(crate) json: bool,

    #[command(flatten)]
    pub(crate) store: StoreArguments,
}

impl GcArguments {
    pub(crate) fn retention(&self, now_ms: u64) -> Retention {
        Retention {
            keep_last: self.keep_last.map(NonZeroUsize::get),
            grace: *self.grace,
            now_ms,
        }
    }
}

const PIN_EXAMPLES: &str = "\
Examples:
  pipeline pin latest --as submitted
  pipeline pin quickstart:report --as table-1
  pipeline pin 0123456789ab
  pipeline pin

What is pinned stays with all that it rests on, whatever `pipeline gc` is told: of a run every stage,
of an action or an artifact also what led to it, of a file its bytes alone. Without NAME the pins are
listed.

Exit codes: 0 done, 2 nothing has that name, or the store cannot be used.";

#[derive(Args, Debug)]
#[command(after_help = PIN_EXAMPLES)]
pub(crate) struct PinArguments {
    /// A hash, the beginning of one, a pipeline's latest run by name, `latest`, or another pin;
    /// `:STAGE` and `:FILE` go deeper
    pub(crate) name: Option<String>,

    /// The pin's name [default: the first 12 digits of the hash]
    #[arg(long = "as", value_name = "LABEL", requires = "name")]
    pub(crate) label: Option<String>,

    /// Print one JSON document instead of words
    #[arg(long)]
    pub(crate) json: bool,

    #[command(flatten)]
    pub(crate) store: StoreArguments,
}

const UNPIN_EXAMPLES: &str = "\
Examples:
  pipeline unpin submitted
  pipeline unpin 0123456789ab

Nothing is removed but the pin; `pipeline gc` removes what it alone kept.

Exit codes: 0 done, 2 there is no such pin, or the store cannot be used.";

#[derive(Args, Debug)]
#[command(after_help = UNPIN_EXAMPLES)]
pub(crate) struct UnpinArguments {
    /// The pin's name, or what it pins, as `pipeline pin` takes it
    pub(crate) name: String,

    /// Print one JSON document instead of words
    #[arg(long)]
    pub(crate) json: bool,

    #[command(flatten)]
    pub(crate) store: StoreArguments,
}
