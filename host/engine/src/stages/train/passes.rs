//! Where a learner stands in the one or two passes that it makes over an epoch's samples.

use std::ops::Range;

use assay_abi::{ErrorCode, MOST_PASSES, PluginError};

/// A position in the passes over `samples` samples.
#[derive(Debug)]
pub(super) struct Passes {
    samples: usize,
    /// How many samples were served in this pass.
    served: usize,
    /// The pass, from 1.
    pass: u32,
    /// Whether the learner was told of the end of this pass.
    ended: bool,
}

impl Passes {
    pub(super) fn new(samples: usize) -> Self {
        Self {
            samples,
            served: 0,
            pass: 1,
            ended: false,
        }
    }

    /// The next samples, at most `most`; `None` once at the end of each pass.
    ///
    /// # Errors
    /// [`ErrorCode::HOST`] for a pass beyond [`MOST_PASSES`].
    pub(super) fn advance(&mut self, most: usize) -> Result<Option<Range<usize>>, PluginError> {
        if self.ended {
            self.begin_another()?;
        }
        let batch = self.served..self.samples.min(self.served + most);
        self.served = batch.end;
        self.ended = batch.is_empty();
        Ok(Some(batch).filter(|_| !self.ended))
    }

    /// The samples of the batch after the last one, for a learner that makes `expected` passes: `None` at the
    /// end of the last.
    pub(super) fn upcoming(&self, most: usize, expected: u32) -> Option<Range<usize>> {
        let first = match self.served {
            served if served < self.samples => served,
            _ if self.pass < expected.min(MOST_PASSES) => 0,
            _ => return None,
        };
        Some(first..self.samples.min(first + most)).filter(|batch| !batch.is_empty())
    }

    fn begin_another(&mut self) -> Result<(), PluginError> {
        if self.pass == MOST_PASSES {
            return Err(PluginError::new(
                ErrorCode::HOST,
                format!(
                    "a learner goes through the batches of an epoch at most {MOST_PASSES} times"
                ),
            ));
        }
        self.pass += 1;
        self.served = 0;
        Ok(())
    }

    /// Whether every pass that was begun is complete.
    pub(super) fn is_complete(&self) -> bool {
        self.served == self.samples
    }

    /// How many passes were begun.
    pub(super) fn begun(&self) -> u32 {
        self.pass
    }

    /// Samples served and samples to serve, if the learner makes `expected` passes.
    pub(super) fn progress(&self, expected: u32) -> (usize, usize) {
        let passes = expected.max(self.pass) as usize;
        let before = (self.pass as usize - 1) * self.samples;
        (before + self.served, passes * self.samples)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pull(passes: &mut Passes) -> Option<Range<usize>> {
        passes.advance(4).unwrap()
    }

    #[test]
    fn a_second_pass_serves_the_same_batches_and_a_third_is_refused() {
        let mut passes = Passes::new(10);
        for pass in 1..=2 {
            assert_eq!(pull(&mut passes), Some(0..4));
            assert_eq!(passes.begun(), pass);
            assert!(!passes.is_complete());
            assert_eq!(pull(&mut passes), Some(4..8));
            assert_eq!(pull(&mut passes), Some(8..10));
            assert!(passes.is_complete());
            assert_eq!(pull(&mut passes), None);
            assert!(passes.is_complete());
        }
        for _ in 0..2 {
            let error = passes.advance(4).unwrap_err();
            assert_eq!(error.code, ErrorCode::HOST);
            assert!(error.message.contains("at most 2 times"), "{error}");
        }
    }

    #[test]
    fn progress_counts_both_passes_as_soon_as_they_are_expected() {
        let mut passes = Passes::new(10);
        pull(&mut passes);
        assert_eq!(passes.progress(1), (4, 10));
        assert_eq!(passes.progress(2), (4, 20));
        while pull(&mut passes).is_some() {}
        assert_eq!(passes.progress(1), (10, 10));
        pull(&mut passes);
        assert_eq!(passes.progress(1), (14, 20));
        while pull(&mut passes).is_some() {}
        assert_eq!(passes.progress(2), (20, 20));
    }

    #[test]
    fn the_upcoming_batch_is_the_one_served_next_across_passes_that_are_expected() {
        for expected in [1, 2] {
            let mut passes = Passes::new(10);
            let mut upcoming = passes.upcoming(4, expected);
            for _ in 0..expected {
                while let Some(batch) = pull(&mut passes) {
                    assert_eq!(upcoming, Some(batch));
                    upcoming = passes.upcoming(4, expected);
                }
            }
            assert_eq!(upcoming, None);
        }
        assert_eq!(Passes::new(0).upcoming(4, 2), None);
    }

    #[test]
    fn nothing_to_serve_ends_at_once() {
        let mut passes = Passes::new(0);
        assert_eq!(pull(&mut passes), None);
        assert!(passes.is_complete());
    }
}
