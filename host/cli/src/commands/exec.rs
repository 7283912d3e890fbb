//! `pipeline exec`: one action, as a supervised job or as a job of a cluster.

use std::borrow::Cow;
use std::path::PathBuf;
use std::process::ExitCode;

use assay_cluster::Job;
use assay_core::{ActionKey, Advice, Ending, Limits, parse_memory, parse_time};
use assay_engine::{
    Cancel, CardRequest, CardsWhenNeeded, DeviceError, EngineError, Execution, FrozenPlan,
    Obstacle, unmet,
};
use assay_store::Store;
use clap::Args;

use crate::arguments::compute::PORTABLE_HELP;
use crate::arguments::remote::{HUB_HELP, place};
use crate::arguments::search::TrustArguments;
use crate::arguments::{Places, processors};
use crate::error::CliError;
use crate::ui;
use crate::ui::words::plain;

const EXAMPLES: &str = "\
Examples:
  pipeline exec 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
  pipeline exec 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef --time 2h
  pipeline exec 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef --hub /shared/hub
  pipeline exec --plan mnist.plan.json train/bp/seed=1

The store has to have the action, and what it reads: `pipeline run` stores the action of each stage
before it executes it, and `pipeline show` prints its key. The artifact that it gave is printed.
With --hub the action and what it reads are taken from there, and its result is written there.

Exit codes: 0 done, 1 the action failed, 2 the request, the store or the hub cannot be used, 75 this
machine lacks what the action needs, 130 stopped (a training goes on from its checkpoint next time).";

#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ExecArguments {
    /// The action's key (64 hexadecimal digits), or with --plan the name of a stage
    #[arg(value_name = "KEY")]
    what: String,

    /// Execute a stage of this plan, as `pipeline plan --write` wrote it, with the limits and the data that
    /// it names
    #[arg(long, value_name = "FILE", conflicts_with = "hub")]
    plan: Option<PathBuf>,

    /// Processors for what decides nothing, such as decoding images [default: all]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    threads: Option<u32>,

    /// Memory that the action's worker may hold, such as `8 GiB`
    #[arg(long, value_name = "SIZE", value_parser = parse_memory)]
    memory: Option<u64>,

    /// How long it may take, such as `2h`
    #[arg(long, value_name = "DURATION", value_parser = parse_time)]
    time: Option<u64>,

    /// The card for an action that computes on one: cuda or cuda:N; where others compute is part of
    /// them [default: cuda]
    #[arg(long, value_name = "DEVICE", value_parser = CardRequest::single)]
    device: Option<CardRequest>,

    #[arg(long, requires = "device", help = PORTABLE_HELP)]
    portable: bool,

    #[arg(long, value_name = "PLACE", help = HUB_HELP)]
    hub: Option<String>,

    /// The name under which the hub is told how this attempt ended
    #[arg(long, value_name = "NAME", requires = "hub")]
    attempt: Option<String>,

    #[command(flatten)]
    trust: TrustArguments,

    #[command(flatten)]
    places: Places,
}

impl ExecArguments {
    /// The action that is named by its key.
    fn key(&self) -> Result<ActionKey, CliError> {
        self.what.parse().map_err(|error| {
            let what = plain(&self.what);
            CliError::Arguments(format!("`{what}` is no key of an action: {error}"))
        })
    }

    fn work(&self, store: &Store) -> Result<Work, CliError> {
        let data_dir = self.places.data_dir.clone();
        let Some(plan) = &self.plan else {
            return Ok(Work {
                key: self.key()?,
                limits: self.limits(),
                data_dir,
            });
        };
        let plan = FrozenPlan::read(plan)?;
        let (stage, key) = plan.resolve(store, &self.what)?;
        Ok(Work {
            key,
            limits: self.limits().or(stage.limits),
            data_dir: stage.data_dir.clone().or(data_dir),
        })
    }

    fn threads(&self) -> usize {
        self.threads
            .map_or_else(processors, |threads| threads as usize)
    }

    /// The job of a cluster that this process is, if it is one.
    fn job<'a>(&self, cancel: &'a Cancel) -> Result<Option<Job<'a>>, CliError> {
        let Some(hub) = &self.hub else {
            return Ok(None);
        };
        Ok(Some(Job::open(&place(hub)?, self.attempt.clone(), cancel)?))
    }

    fn limits(&self) -> Limits {
        Limits {
            memory: self.memory,
            time_ms: self.time,
        }
    }
}

/// The action needs an environment that there is not here.
#[derive(Debug, thiserror::Error)]
#[error("the action cannot be executed here: it {0}")]
struct OtherEnvironment(Obstacle);

impl Advice for OtherEnvironment {
    fn ending(&self) -> Ending {
        Ending::Elsewhere
    }

    fn help(&self) -> Cow<'_, str> {
        "use such a machine, or execute it nevertheless with `pipeline audit --rerun --anyway`"
            .into()
    }
}

pub(crate) fn exec(arguments: &ExecArguments, cancel: &Cancel) -> Result<ExitCode, CliError> {
    ui::print_containment_notice();
    let cards = CardsWhenNeeded::new(arguments.device.as_ref(), arguments.portable, cancel)?;
    let job = arguments.job(cancel)?;
    let store = match &job {
        // The store of a machine of a cluster begins empty.
        Some(_) => Store::open(&arguments.places.store.path)?,
        None => arguments.places.store.open_existing()?,
    };
    let work = arguments.work(&store)?;
    if let Some(job) = &job
        && let Some(result) = job.fetch(&store, work.key)?
    {
        ui::print(&format!("{}\n", result.artifact))?;
        return Ok(ExitCode::SUCCESS);
    }
    let place = Machine {
        store: &store,
        cards: &cards,
        cancel,
    };
    let ended = execute(arguments, &work, job.as_ref(), place);
    if let (Some(job), Err(error)) = (&job, &ended)
        && (error.advised::<OtherEnvironment>().is_some()
            || error.advised::<DeviceError>().is_some())
    {
        job.refuse(work.key, error.to_string());
    }
    ended
}

/// Store and cards of this machine.
#[derive(Clone, Copy)]
struct Machine<'a> {
    store: &'a Store,
    cards: &'a CardsWhenNeeded<'a>,
    cancel: &'a Cancel,
}

/// The action to execute, and what a plan says beside it.
struct Work {
    key: ActionKey,
    limits: Limits,
    data_dir: Option<PathBuf>,
}

fn execute(
    arguments: &ExecArguments,
    work: &Work,
    job: Option<&Job<'_>>,
    machine: Machine<'_>,
) -> Result<ExitCode, CliError> {
    let Machine {
        store,
        cards,
        cancel,
    } = machine;
    let action = store.action(work.key)?;
    if let Some(plugin) = &action.plugin {
        let trust = arguments.trust.policy()?;
        trust.admit_action(plugin).map_err(EngineError::from)?;
    }
    let mut unmet = unmet(&action);
    unmet.extend(cards.unmet(store, &action)?);
    if !unmet.is_empty() {
        return Err(OtherEnvironment(Obstacle::Environment(unmet)).into());
    }
    let card = cards.first_for(&action)?;
    let execution = Execution {
        store,
        data_dir: work.data_dir.as_deref(),
        threads: arguments.threads(),
        limits: work.limits,
        card: card.as_ref(),
        cancel,
        observe: &|_| {},
    };
    let ended = match job {
        Some(job) => job.execute(execution, work.key)?,
        None => execution.execute(work.key),
    };
    let completed = ended.map_err(CliError::Action)?;
    ui::print(&format!("{}\n", completed.result.artifact))?;
    Ok(ExitCode::SUCCESS)
}
