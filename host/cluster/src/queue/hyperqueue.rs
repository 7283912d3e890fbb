//! `HyperQueue`, through `hq`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::Command;

use serde::Deserialize;

use super::{Queue, QueuedTask, SubmitError, TaskState, Wave, array_name, script, wave_of};
use crate::command::{CommandError, output};
use crate::sites::Site;

/// Tasks of one array; `HyperQueue` itself has no limit that matters.
const MOST_TASKS: usize = 10_000;

/// The task's number, and the execution of it: one whose worker is lost runs again under its name.
const TASK: &str = "HQ_TASK_ID";
const ATTEMPT: &str = "${HQ_JOB_ID}_${HQ_TASK_ID}.${HQ_INSTANCE_ID}";

/// Jobs of a site in `HyperQueue`.
pub(crate) struct HyperQueue<'a> {
    pub(crate) site: &'a Site,
}

#[derive(Deserialize)]
struct ListedJob {
    id: u64,
    name: String,
    task_stats: TaskStats,
}

#[derive(Deserialize)]
struct TaskStats {
    running: u64,
    waiting: u64,
}

#[derive(Deserialize)]
struct ListedTask {
    id: usize,
    state: String,
    #[serde(default)]
    stdout: Option<PathBuf>,
}

impl Queue for HyperQueue<'_> {
    fn most_tasks(&self, _: &dyn Fn() -> bool) -> usize {
        MOST_TASKS
    }

    fn submit(&self, wave: &Wave<'_>, stopped: &dyn Fn() -> bool) -> Result<(), SubmitError> {
        let mut submit = Command::new("hq");
        let output_file = format!(
            "{}/{}-%{{JOB_ID}}_%{{TASK_ID}}.%{{INSTANCE_ID}}.log",
            self.site.logs.display(),
            array_name(wave.name)
        );
        submit
            .args(["submit", "--output-mode", "quiet", "--name"])
            .arg(array_name(wave.name))
            .arg("--array")
            .arg(format!("0-{}", wave.actions.len() - 1))
            // A worker that is lost is no fault of the task: the controller counts those that get nowhere.
            .args(["--crash-limit", "unlimited", "--stderr", "none", "--stdout"])
            .arg(output_file);
        let resources = wave.needs.resources;
        if let Some(cpus) = resources.cpus {
            submit.args(["--cpus", &cpus.to_string()]);
        }
        if let Some(gpus) = resources.gpus.filter(|&gpus| gpus > 0) {
            submit.args(["--resource", &format!("gpus/nvidia={gpus}")]);
        }
        if let Some(time) = wave.needs.time_ms() {
            let time = format!("{}s", time.div_ceil(1000).max(1));
            // A worker with less time left than that does not begin it.
            submit.args(["--time-limit", &time, "--time-request", &time]);
        }
        submit.args(&self.site.options);
        submit.args(["--stdin", "--", "/bin/sh", "-s"]);
        let text = script(self.site, wave, TASK, ATTEMPT);
        output(&mut submit, &text, stopped)
            .map(drop)
            .map_err(judged)
    }

    fn tasks(
        &self,
        own: &BTreeSet<String>,
        stopped: &dyn Fn() -> bool,
    ) -> Result<Vec<QueuedTask>, CommandError> {
        let mut list = Command::new("hq");
        list.args(["job", "list", "--all", "--output-mode", "json"]);
        let jobs: Vec<ListedJob> = parsed(&output(&mut list, "", stopped)?)?;
        let is_wanted = |job: &&ListedJob| {
            let is_alive = job.task_stats.running + job.task_stats.waiting > 0;
            wave_of(&job.name).is_some_and(|wave| is_alive || own.contains(wave))
        };
        let jobs: BTreeMap<_, _> = jobs
            .iter()
            .filter(is_wanted)
            .filter_map(|job| Some((job.id, wave_of(&job.name)?)))
            .collect();
        if jobs.is_empty() {
            return Ok(Vec::new());
        }
        let ids: Vec<_> = jobs.keys().map(u64::to_string).collect();
        let mut list = Command::new("hq");
        list.args(["task", "list", &ids.join(","), "--output-mode", "json"]);
        let tasks: BTreeMap<u64, Vec<ListedTask>> = parsed(&output(&mut list, "", stopped)?)?;
        let tasks = tasks.into_iter().filter_map(|(job, tasks)| {
            let wave = *jobs.get(&job)?;
            Some(tasks.into_iter().map(move |task| QueuedTask {
                wave: wave.to_owned(),
                index: Some(task.id),
                job: format!("{job}_{}", task.id),
                state: state(&task.state),
                word: task.state,
                node: None,
                held: None,
                output: task.stdout,
            }))
        });
        Ok(tasks.flatten().collect())
    }

    fn cancel_command(&self, waves: &BTreeSet<String>) -> String {
        let names: Vec<_> = waves.iter().map(|wave| array_name(wave)).collect();
        format!(
            "hq job cancel JOB` for the jobs named {} of `hq job list",
            names.join(", ")
        )
    }
}

fn state(word: &str) -> TaskState {
    match word {
        "waiting" => TaskState::Pending,
        "finished" | "failed" | "aborted" => TaskState::Ended,
        "canceled" => TaskState::Cancelled,
        _ => TaskState::Running,
    }
}

fn parsed<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, CommandError> {
    serde_json::from_str(text).map_err(|error| CommandError::Failed {
        program: "hq".to_owned(),
        words: format!("its answer cannot be read: {error}"),
    })
}

/// The meaning of an error of `hq submit`.
fn judged(error: CommandError) -> SubmitError {
    match &error {
        CommandError::Failed { words, .. } => {
            let signs = [
                "No running instance",
                "unreachable",
                "Authentication",
                "Tako error",
            ];
            if signs.iter().any(|sign| words.contains(sign)) {
                SubmitError::Unreachable(error)
            } else {
                SubmitError::Refused(error)
            }
        }
        CommandError::Slow { .. } => SubmitError::Unreachable(error),
        CommandError::Start { .. } => SubmitError::Refused(error),
    }
}
