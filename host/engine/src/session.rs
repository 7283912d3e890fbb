//! A session: one pipeline file, read, planned and frozen, ready to be previewed or run.

use std::mem;
use std::path::{Path, PathBuf};
use std::time::Instant;

use assay_core::{Complaints, Run, Source, SourceError, StageOutcome};
use assay_store::{Store, StoreError};

use crate::cancel::Cancel;
use crate::elsewhere::Elsewhere;
use crate::environment::Settings;
use crate::error::EngineError;
use crate::freeze::{Freezer, FrozenStage, prepare_schema_check};
use crate::lock::{LockMode, LockWatch};
use crate::notice::{FirstUse, Notice};
use crate::plan::{Completion, Plan};
use crate::plugin::{Origin, SearchFolder, SearchPath};
use crate::run::{RunOutcome, RunReport, Runner, StageReport};
use crate::source_file::PlanFile;
use crate::stream::{Announcer, Event, EventFile, Observer, StageOutline};
use crate::supervise::{host_name, now_ms};
use crate::trust::TrustPolicy;

/// One pipeline file, ready to be run.
pub struct Session {
    pub(crate) store: Store,
    settings: Settings,
    pub(crate) name: String,
    pub(crate) base: PathBuf,
    /// The texts that places point into.
    pub(crate) sources: Vec<Source>,
    file: String,
    /// The text of the file of networks that the pipeline file names.
    networks: Option<String>,
    overrides: Vec<String>,
    pub(crate) stages: Vec<FrozenStage>,
    /// Whether the plan is another than that of the file as it is.
    is_part: bool,
    lock: LockWatch,
    first_uses: Vec<FirstUse>,
}

/// Arguments with which a session is opened.
#[derive(Clone, Debug)]
pub struct Request<'a> {
    /// The pipeline file.
    pub file: &'a Path,
    /// The profile of the file whose overrides come first.
    pub profile: Option<&'a str>,
    /// The `--set` overrides, in order.
    pub overrides: &'a [String],
    /// The `--only` stages; none means all.
    pub only: &'a [String],
    /// Where plugins are looked for, after the file's own folders.
    pub search: SearchPath,
    /// Whom the user trusts.
    pub trust: &'a TrustPolicy,
    /// Treatment of the pipeline file's lock in the run.
    pub lock: LockMode,
}

/// The folders of plugins that a pipeline file in `base` names.
fn plugin_dirs(plan: &Plan, base: &Path) -> impl Iterator<Item = SearchFolder> {
    plan.plugin_dirs.iter().map(|folder| SearchFolder {
        path: base.join(folder),
        origin: Origin::Pipeline,
    })
}

/// The folders of plugins that the pipeline file at `path` names.
///
/// # Errors
/// The file cannot be read, or is no pipeline file.
pub fn pipeline_plugin_dirs(path: &Path) -> Result<Vec<SearchFolder>, EngineError> {
    let PlanFile { plan, base, .. } = PlanFile::read(path, None, &[], &[])?;
    Ok(plugin_dirs(&plan, &base).collect())
}

impl Session {
    /// Reads, plans and freezes a pipeline file. Plugins that this store has not seen are asked
    /// what they offer, each in a worker.
    ///
    /// # Errors
    /// Anything wrong with the file, its plugins or the store.
    pub fn open(
        store: Store,
        settings: Settings,
        request: Request<'_>,
        cancel: &Cancel,
    ) -> Result<Self, EngineError> {
        prepare_schema_check();
        let file = PlanFile::read(
            request.file,
            request.profile,
            request.overrides,
            request.only,
        )?;
        let PlanFile {
            mut plan,
            base,
            text,
            overrides,
        } = file;
        let networks = plan.networks_file.and_then(|at| plan.sources.get(at));
        let networks = networks.map(|source| source.text.clone());
        let mut lock = LockWatch::open(request.file, request.lock)?;
        let mut search = request.search;
        search.extend(plugin_dirs(&plan, &base));
        let mut complaints = Complaints::default();
        let mut sources = store.source_hashes();
        cancel.check()?;
        let mut completion = Completion {
            base: &base,
            data_dir: settings.data_dir.as_deref(),
            hashes: &mut sources,
            lock: Some(&mut lock),
        };
        plan.complete(&mut completion, &mut complaints);
        // Whatever comes of the rest, these files need not be read again.
        sources.save();
        let mut freezer = Freezer {
            store: &store,
            sources: &mut sources,
            search: &search,
            trust: request.trust,
            settings: &settings,
            cancel,
            base: &base,
            lock: Some(&mut lock),
            notices: Vec::new(),
            limits: plan.limits,
        };
        let stages = freezer.freeze(plan.stages, &mut complaints)?;
        let first_uses = freezer.notices;
        if !complaints.is_empty() {
            return Err(SourceError::new(plan.sources, complaints).into());
        }
        sources.save();
        Ok(Self {
            store,
            settings,
            name: plan.name,
            base,
            sources: plan.sources,
            file: text,
            networks,
            is_part: !(overrides.is_empty() && request.only.is_empty()),
            overrides,
            stages,
            lock,
            first_uses,
        })
    }

    /// Ends the session, and leaves the memory of its stages to the end of the process: to free
    /// thousands of stages one by one takes as long as to plan them.
    pub fn leave(self) {
        mem::forget(self.stages);
    }

    /// Notices to the user before anything runs.
    pub fn notices(&self) -> Vec<Notice> {
        let remarks = self.lock.remarks().iter().cloned().map(Notice::Lock);
        let first_uses = self.first_uses.iter().cloned().map(Notice::FirstUse);
        remarks.chain(first_uses).collect()
    }

    /// Writes the lock of the pipeline file and says where. With `--set` or `--only` the plan is
    /// not the whole file's, and what it does not use stays locked as it was.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write_lock(&self) -> Result<&Path, EngineError> {
        Ok(self.lock.write(self.is_part)?)
    }

    /// The pipeline's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The store that results come from and go to.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The names of the stages, in the plan's order.
    pub fn stage_names(&self) -> impl Iterator<Item = &str> {
        self.stages.iter().map(|stage| stage.planned.name.as_str())
    }

    /// Runs the pipeline and records the run, however it ends. What happens is announced to the
    /// observers and to the store, where other processes find it. Results and workers may come from elsewhere.
    ///
    /// # Errors
    /// The store failed. Stages that fail are part of the report.
    pub fn run(
        &self,
        cancel: &Cancel,
        observers: &[&dyn Observer],
        elsewhere: Elsewhere<'_>,
    ) -> Result<RunReport, EngineError> {
        let started_ms = now_ms();
        let log = self.store.begin_run_log(started_ms)?;
        // Nobody but those who watch misses what cannot be written there.
        let log_file = EventFile::new(log.try_clone_file()?);
        let mut told: Vec<&dyn Observer> = vec![&log_file];
        told.extend(observers);
        let announcer = Announcer::new(log.id(), told);
        let stages = self.stages.iter();
        announcer.announce(Event::RunStarted {
            pipeline: self.name.clone(),
            host: host_name(),
            pid: std::process::id(),
            assay: env!("CARGO_PKG_VERSION").to_owned(),
            stages: stages
                .map(|stage| StageOutline::of(&stage.planned))
                .collect(),
        });
        let ended = self.run_announced(cancel, started_ms, &announcer, elsewhere);
        let report = ended.as_ref().ok();
        announcer.announce(Event::RunFinished {
            outcome: report.map_or(RunOutcome::Failed, |report| report.outcome),
            run: report.map(|report| report.hash),
        });
        ended
    }

    fn run_announced(
        &self,
        cancel: &Cancel,
        started_ms: u64,
        announcer: &Announcer<'_>,
        elsewhere: Elsewhere<'_>,
    ) -> Result<RunReport, EngineError> {
        let clock = Instant::now();
        let runner = Runner {
            store: &self.store,
            pipeline: &self.name,
            stages: &self.stages,
            settings: &self.settings,
            base: &self.base,
            cancel,
            announcer,
            elsewhere,
        };
        let stages = runner.run()?;
        let _work = cancel.begin_work();
        let networks = self.networks.as_ref();
        let networks = networks.map(|text| self.store.put_bytes(text.as_bytes()));
        let figures = self.stages.iter();
        let figures = figures.filter_map(|stage| stage.planned.work.figures());
        let figures = figures
            .map(|(path, text)| Ok((path.to_owned(), self.store.put_bytes(text.as_bytes())?)))
            .collect::<Result<_, StoreError>>()?;
        let run = Run {
            pipeline: self.name.clone(),
            file: self.store.put_bytes(self.file.as_bytes())?,
            networks: networks.transpose()?,
            figures,
            overrides: self.overrides.clone(),
            started_ms,
            duration_ms: clock.elapsed().as_millis() as u64,
            host: host_name(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            stages: stages.iter().map(StageReport::entry).collect(),
        };
        let outcome = if stages
            .iter()
            .any(|stage| stage.outcome == StageOutcome::Failed)
        {
            RunOutcome::Failed
        } else if cancel.is_requested() && stages.iter().any(|stage| stage.result.is_none()) {
            RunOutcome::Stopped
        } else {
            RunOutcome::Complete
        };
        Ok(RunReport {
            hash: self.store.commit_run(&run)?,
            outcome,
            stages,
        })
    }
}
