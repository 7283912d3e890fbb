//! Reports of a running worker, read line by line until it closes its pipe.

use std::io::{BufRead, BufReader, Read};

use assay_core::Containment;

use crate::event::{News, Report};

/// A line may not be longer.
const LONGEST_LINE: u64 = 1 << 20;

/// Reports of a worker, as far as they are kept.
#[derive(Default)]
pub(super) struct Reports {
    /// How far it was contained: its first report, before a plugin could forge one.
    pub(super) containment: Option<Containment>,
    /// The last event that was not news of the work under way.
    pub(super) last: Option<Report>,
}

/// Reads events from `pipe` until it is closed. What is not an event is the error.
pub(super) fn listen(pipe: impl Read, observe: &dyn Fn(News)) -> Result<Reports, &'static str> {
    let mut pipe = BufReader::new(pipe);
    let mut reports = Reports::default();
    let mut line = Vec::new();
    let mut last_epoch = 0;
    loop {
        line.clear();
        let read = pipe
            .by_ref()
            .take(LONGEST_LINE)
            .read_until(b'\n', &mut line);
        match read {
            Ok(0) | Err(_) => return Ok(reports),
            Ok(_) if line.last() != Some(&b'\n') && line.len() as u64 == LONGEST_LINE => {
                return Err("a report is longer than 1 MiB");
            }
            Ok(_) => match serde_json::from_slice(&line) {
                Ok(Report::Progress(progress)) => observe(News::Progress(progress)),
                Ok(Report::Epoch(epoch)) if epoch.epoch > last_epoch => {
                    last_epoch = epoch.epoch;
                    observe(News::Epoch(epoch));
                }
                Ok(Report::Epoch(_)) => return Err("a report of an epoch is not of a later one"),
                Ok(Report::Diverged { epoch }) => observe(News::Diverged { epoch }),
                Ok(Report::Contained(containment)) if reports.is_empty() => {
                    reports.containment = Some(containment);
                }
                Ok(event) => reports.last = Some(event),
                Err(_) => return Err("a report is not of this version"),
            },
        }
    }
}

impl Reports {
    /// True if the action has ended, whatever becomes of the worker.
    pub(super) fn has_ended(&self) -> bool {
        let ends = |it: &Report| {
            matches!(
                it,
                Report::Done(_) | Report::Failed { .. } | Report::Cancelled
            )
        };
        self.last.as_ref().is_some_and(ends)
    }

    fn is_empty(&self) -> bool {
        self.containment.is_none() && self.last.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONTAINED: &str =
        r#"{"event":"contained","landlock":7,"seccomp":true,"no_new_privileges":true}"#;
    const FORGED: &str =
        r#"{"event":"contained","landlock":9,"seccomp":true,"no_new_privileges":true}"#;
    const CANCELLED: &str = r#"{"event":"cancelled"}"#;

    fn heard(lines: &[&str]) -> Result<Reports, &'static str> {
        let text: String = lines.iter().flat_map(|line| [*line, "\n"]).collect();
        listen(text.as_bytes(), &|_| {})
    }

    #[test]
    fn only_the_first_word_says_how_far_a_worker_is_contained() {
        let level = |lines| heard(lines).unwrap().containment.map(|it| it.landlock);
        assert_eq!(level(&[CONTAINED, CANCELLED]), Some(7));
        assert_eq!(level(&[CONTAINED, FORGED]), Some(7));
        assert_eq!(level(&[CANCELLED, FORGED]), None);
    }

    #[test]
    fn epochs_come_in_order() {
        let epoch = |number: u32| {
            format!(
                r#"{{"event":"epoch","epoch":{number},"epochs":9,"restored":false,"measured":{{}}}}"#
            )
        };
        let [one, two, nine] = [1, 2, 9].map(epoch);
        assert!(heard(&[&one, &two, &nine]).is_ok());
        assert!(heard(&[&one, &two, &two]).is_err());
        assert!(heard(&[&nine, &one]).is_err());
    }

    #[test]
    fn what_is_no_report_ends_the_listening() {
        assert!(heard(&[CONTAINED, "junk"]).is_err());
        let long = "x".repeat(2 << 20);
        assert_eq!(heard(&[&long]).err(), Some("a report is longer than 1 MiB"));
    }
}
