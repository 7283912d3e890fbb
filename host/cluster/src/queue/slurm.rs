//! Slurm, through its commands.

use std::collections::BTreeSet;
use std::process::Command;

use super::{Queue, QueuedTask, SubmitError, TaskState, Wave, array_name, script, wave_of};
use crate::command::{CommandError, output};
use crate::sites::Site;

/// Tasks of an array where the cluster does not say how many it may have: Slurm's own default.
const MOST_TASKS: usize = 1000;
/// Seconds before the end of its time at which a job is asked to stop, to leave its checkpoint.
const WARNING_S: u64 = 120;

/// The task's number, and the execution of it: a job that was requeued runs again under its name.
const TASK: &str = "SLURM_ARRAY_TASK_ID";
const ATTEMPT: &str = "${SLURM_ARRAY_JOB_ID}_${SLURM_ARRAY_TASK_ID}.${SLURM_RESTART_COUNT:-0}";

/// Jobs of a site in Slurm.
pub(crate) struct Slurm<'a> {
    pub(crate) site: &'a Site,
}

impl Slurm<'_> {
    fn sbatch(&self, wave: &Wave<'_>) -> Command {
        let mut sbatch = Command::new("sbatch");
        let last = wave.actions.len() - 1;
        let tasks = match self.site.max_parallel {
            Some(most) => format!("0-{last}%{most}"),
            None => format!("0-{last}"),
        };
        sbatch
            .arg(format!("--job-name={}", array_name(wave.name)))
            .arg(format!("--array={tasks}"))
            .args(["--requeue", "--open-mode=append"])
            .arg(format!(
                "--output={}/%x-%A_%a.log",
                self.site.logs.display()
            ));
        let resources = wave.needs.resources;
        if let Some(cpus) = resources.cpus {
            sbatch.arg(format!("--cpus-per-task={cpus}"));
        }
        if let Some(memory) = wave.needs.memory_mib() {
            sbatch.arg(format!("--mem={memory}M"));
        }
        if let Some(gpus) = resources.gpus.filter(|&gpus| gpus > 0) {
            sbatch.arg(format!("--gres=gpu:{gpus}"));
        }
        if let Some(time) = wave.needs.time_ms() {
            let minutes = time.div_ceil(60_000).max(1);
            sbatch.arg(format!("--time={minutes}"));
            if minutes * 60 > 2 * WARNING_S {
                sbatch.arg(format!("--signal=B:TERM@{WARNING_S}"));
            }
        }
        if let Some(partition) = &self.site.partition {
            sbatch.arg(format!("--partition={partition}"));
        }
        if let Some(account) = &self.site.account {
            sbatch.arg(format!("--account={account}"));
        }
        if !wave.needs.excluded.is_empty() {
            let nodes: Vec<_> = wave.needs.excluded.iter().map(String::as_str).collect();
            sbatch.arg(format!("--exclude={}", nodes.join(",")));
        }
        sbatch.args(&self.site.options);
        sbatch
    }
}

impl Queue for Slurm<'_> {
    fn most_tasks(&self, stopped: &dyn Fn() -> bool) -> usize {
        let config = output(
            Command::new("scontrol").args(["show", "config"]),
            "",
            stopped,
        );
        let config = config.unwrap_or_default();
        let most = config.lines().find_map(|line| {
            let (name, value) = line.split_once('=')?;
            (name.trim() == "MaxArraySize").then(|| value.trim().parse::<usize>().ok())?
        });
        // Numbers go up to one below it, and begin with 0.
        most.unwrap_or(MOST_TASKS).max(1)
    }

    fn submit(&self, wave: &Wave<'_>, stopped: &dyn Fn() -> bool) -> Result<(), SubmitError> {
        let text = script(self.site, wave, TASK, ATTEMPT);
        output(&mut self.sbatch(wave), &text, stopped)
            .map(drop)
            .map_err(judged)
    }

    fn tasks(
        &self,
        _: &BTreeSet<String>,
        stopped: &dyn Fn() -> bool,
    ) -> Result<Vec<QueuedTask>, CommandError> {
        let mut squeue = Command::new("squeue");
        squeue.args([
            "--me",
            "--noheader",
            "--array",
            "--states=all",
            "--format=%i|%K|%T|%N|%j|%r",
        ]);
        let printed = output(&mut squeue, "", stopped)?;
        let tasks = printed.lines().filter_map(task).map(|task| QueuedTask {
            output: Some(self.site.logs.join(format!(
                "{}-{}.log",
                array_name(&task.wave),
                task.job
            ))),
            ..task
        });
        Ok(tasks.collect())
    }

    fn cancel_command(&self, waves: &BTreeSet<String>) -> String {
        let names: Vec<_> = waves.iter().map(|wave| array_name(wave)).collect();
        format!("scancel --name={}", names.join(","))
    }
}

/// The task on a line of `squeue`, if it is one of ours.
fn task(line: &str) -> Option<QueuedTask> {
    let mut fields = line.splitn(6, '|').map(str::trim);
    let (job, index, word) = (fields.next()?, fields.next()?, fields.next()?);
    let (node, name) = (fields.next()?, fields.next()?);
    let reason = fields.next().unwrap_or_default();
    let wave = wave_of(name)?;
    let state = match word {
        "PENDING" | "REQUEUED" | "REQUEUE_HOLD" | "REQUEUE_FED" | "SPECIAL_EXIT"
        | "RESV_DEL_HOLD" | "CONFIGURING" => TaskState::Pending,
        "COMPLETED" | "FAILED" | "TIMEOUT" | "OUT_OF_MEMORY" | "NODE_FAIL" | "BOOT_FAIL"
        | "DEADLINE" | "PREEMPTED" | "REVOKED" => TaskState::Ended,
        "CANCELLED" => TaskState::Cancelled,
        // RUNNING, COMPLETING, and whatever a later version may have.
        _ => TaskState::Running,
    };
    // An array that was cancelled before any of it began is one line, without numbers.
    let index = match index {
        "N/A" => None,
        number => Some(number.parse().ok()?),
    };
    Some(QueuedTask {
        wave: wave.to_owned(),
        index,
        job: job.to_owned(),
        state,
        word: word.to_owned(),
        node: (!node.is_empty() && node != "(null)").then(|| node.to_owned()),
        held: (state == TaskState::Pending && reason.to_lowercase().contains("held"))
            .then(|| reason.to_owned()),
        output: None,
    })
}

/// The meaning of an error of `sbatch`.
fn judged(error: CommandError) -> SubmitError {
    let CommandError::Failed { words, .. } = &error else {
        return match error {
            CommandError::Slow { .. } => SubmitError::Unreachable(error),
            error => SubmitError::Refused(error),
        };
    };
    let says = |signs: &[&str]| signs.iter().any(|sign| words.contains(sign));
    if says(&[
        "Unable to contact",
        "Socket timed out",
        "Connection refused",
        "Connection reset",
        "Communication connection failure",
        "Message send failure",
        "Message receive failure",
        "Zero Bytes were transmitted",
        "in standby mode",
        "temporarily",
    ]) {
        SubmitError::Unreachable(error)
    } else if says(&["Limit", "job submit limit", "violates accounting"]) {
        SubmitError::Full(error)
    } else {
        SubmitError::Refused(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_squeue_is_a_task() {
        let line = "123_4|4|RUNNING|node7|assay-0123456789abcdef01234567";
        let task = task(line).unwrap();
        assert_eq!((task.index, task.job.as_str()), (Some(4), "123_4"));
        assert_eq!(task.wave, "0123456789abcdef01234567");
        assert_eq!(task.state, TaskState::Running);
        assert_eq!(task.node.as_deref(), Some("node7"));
        let state = |word: &str| {
            super::task(&format!("1_0|0|{word}||assay-0123456789abcdef01234567"))
                .unwrap()
                .state
        };
        assert_eq!(state("PENDING"), TaskState::Pending);
        assert_eq!(state("PREEMPTED"), TaskState::Ended);
        assert_eq!(state("CANCELLED"), TaskState::Cancelled);
        // A word of a later version is no end.
        assert_eq!(state("DREAMING"), TaskState::Running);
    }

    #[test]
    fn a_job_that_is_held_says_why() {
        let held = |reason: &str| {
            let line = format!("1_0|0|PENDING||assay-0123456789abcdef01234567|{reason}");
            task(&line).unwrap().held
        };
        assert_eq!(held("JobHeldUser").as_deref(), Some("JobHeldUser"));
        assert!(held("launch failed requeued held").is_some());
        assert_eq!(held("Resources"), None);
    }

    #[test]
    fn an_array_cancelled_before_it_began_is_one_line() {
        let cancelled = task("22|N/A|CANCELLED||assay-0123456789abcdef01234567").unwrap();
        assert_eq!(
            (cancelled.index, cancelled.state),
            (None, TaskState::Cancelled)
        );
    }

    #[test]
    fn a_controller_that_breaks_off_has_refused_nothing() {
        let judged = |words: &str| {
            super::judged(CommandError::Failed {
                program: "sbatch".to_owned(),
                words: format!("sbatch: error: Batch job submission failed: {words}"),
            })
        };
        for words in [
            "Unable to contact slurm controller (connect failure)",
            "Zero Bytes were transmitted or received",
            "Message receive failure",
        ] {
            let error = judged(words);
            assert!(matches!(error, SubmitError::Unreachable(_)), "{words}");
        }
        let error = judged("Invalid partition name specified");
        assert!(matches!(error, SubmitError::Refused(_)));
    }

    #[test]
    fn jobs_of_others_are_passed_over() {
        for line in [
            "",
            "7|N/A|RUNNING|n1|train",
            "7_1|1|RUNNING|n1|assay-xyz",
            "x|y",
            "7_x|x|R|n|assay-0123456789abcdef01234567",
        ] {
            assert_eq!(task(line), None, "{line}");
        }
    }
}
