//! Everything that crosses, there and back: values, errors, panics, and what is freed by whom.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on should stop there"
)]

use std::cell::Cell;
use std::panic::panic_any;
use std::rc::Rc;

use assay_abi::{
    Batch, BatchSource, Batches, ErrorCode, Learner, LearnerHandle, MetricSink, Metrics,
    PluginError, TensorView,
};

type Answer<T> = Result<T, PluginError>;

/// Body of the learner's `train_epoch`.
type Training = fn(&mut BatchSource<'_>, &mut MetricSink<'_>) -> Answer<()>;

/// Gives back what it was given, and counts that it was dropped.
struct Echo {
    training: Training,
    state: Vec<u8>,
    drops: Rc<Cell<u32>>,
}

impl Learner for Echo {
    fn train_epoch(
        &mut self,
        _epoch: u32,
        batches: &mut BatchSource<'_>,
        metrics: &mut MetricSink<'_>,
    ) -> Answer<()> {
        (self.training)(batches, metrics)
    }

    fn predict(&mut self, inputs: TensorView<'_>, outputs: &mut [f32]) -> Answer<()> {
        let unfit = |error| PluginError::from_error(ErrorCode::SHAPE, &error);
        outputs.copy_from_slice(inputs.as_f32().map_err(unfit)?);
        Ok(())
    }

    fn save(&mut self) -> Answer<Vec<u8>> {
        Ok(self.state.clone())
    }

    fn restore(&mut self, state: &[u8]) -> Answer<()> {
        self.state = state.to_vec();
        Ok(())
    }

    fn directions(&mut self, batch: Batch<'_>, noise: &[u8]) -> Answer<Vec<u8>> {
        let mut bytes = noise.to_vec();
        bytes.push(batch.labels.samples() as u8);
        Ok(bytes)
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        self.drops.set(self.drops.get() + 1);
        assert!(self.state != b"bomb", "dropped");
    }
}

fn echo(training: Training) -> (LearnerHandle, Rc<Cell<u32>>) {
    let drops = Rc::default();
    let learner = Echo {
        training,
        state: Vec::new(),
        drops: Rc::clone(&drops),
    };
    (LearnerHandle::new(learner), drops)
}

/// Serves its samples one by one.
struct Served {
    values: Vec<f32>,
    labels: Vec<i64>,
    at: usize,
    fails: bool,
}

impl Served {
    fn new(count: u8) -> Self {
        Self {
            values: (0..count).map(f32::from).collect(),
            labels: vec![1; count.into()],
            at: 0,
            fails: false,
        }
    }
}

impl Batches for Served {
    fn next_batch(&mut self) -> Answer<Option<Batch<'_>>> {
        assert!(!self.fails, "the host's own mistake");
        let at = self.at..self.at + 1;
        if at.end > self.values.len() {
            return Ok(None);
        }
        self.at += 1;
        let unfit = |error| PluginError::from_error(ErrorCode::HOST, &error);
        Ok(Some(Batch {
            inputs: TensorView::f32(&self.values[at.clone()], &[1, 1], &[1, 1]).map_err(unfit)?,
            labels: TensorView::i64(&self.labels[at], &[1], &[1]).map_err(unfit)?,
        }))
    }
}

#[derive(Default)]
struct Recorded(Vec<(String, Vec<f64>)>);

impl Metrics for Recorded {
    fn record(&mut self, name: &str, values: &[f64]) -> Answer<()> {
        if name == "unknown" {
            return Err(PluginError::new(ErrorCode::HOST, "no such metric").with_help("declare it"));
        }
        self.0.push((name.to_owned(), values.to_vec()));
        Ok(())
    }
}

fn train(handle: &mut LearnerHandle, served: &mut Served, recorded: &mut Recorded) -> Answer<()> {
    let (mut batches, mut metrics) = (BatchSource::new(served), MetricSink::new(recorded));
    handle.train_epoch(1, &mut batches, &mut metrics)
}

/// The message of a training that panics.
fn panics(training: Training) -> String {
    let (mut handle, drops) = echo(training);
    let trained = train(&mut handle, &mut Served::new(1), &mut Recorded::default());
    let error = trained.unwrap_err();
    assert_eq!(error.code, ErrorCode::PANIC);
    let again = handle.save().unwrap_err();
    assert_eq!(again.code, ErrorCode::PANIC);
    assert!(again.message.contains("had panicked"), "{again}");
    drop(handle);
    assert_eq!(drops.get(), 1);
    error.message.into()
}

#[test]
fn what_is_served_and_reported_arrives() {
    let (mut handle, drops) = echo(|batches, metrics| {
        while let Some(batch) = batches.next_batch()? {
            let value = batch.inputs.as_f32().unwrap()[0];
            metrics.record("value", &[f64::from(value), 1.0])?;
        }
        Ok(())
    });
    let mut recorded = Recorded::default();
    train(&mut handle, &mut Served::new(3), &mut recorded).unwrap();
    let values: Vec<_> = recorded.0.iter().map(|(_, values)| values[0]).collect();
    assert_eq!(values, [0.0, 1.0, 2.0]);

    handle.restore(b"state").unwrap();
    assert_eq!(handle.save().unwrap(), b"state");
    let mut outputs = [0.0; 2];
    let inputs = TensorView::f32(&[7.0, 8.0], &[2], &[1]).unwrap();
    handle.predict(inputs, &mut outputs).unwrap();
    assert_eq!(outputs.map(f32::to_bits), [7.0_f32, 8.0].map(f32::to_bits));
    let labels = TensorView::i64(&[1, 2], &[2], &[1]).unwrap();
    let directions = handle
        .directions(Batch { inputs, labels }, b"noise")
        .unwrap();
    assert_eq!(directions, b"noise\x02");

    assert_eq!(drops.get(), 0);
    drop(handle);
    assert_eq!(drops.get(), 1);
}

#[test]
fn an_error_of_the_host_goes_through_the_plugin_as_it_is() {
    let (mut handle, _) = echo(|_, metrics| metrics.record("unknown", &[]));
    let error = train(&mut handle, &mut Served::new(0), &mut Recorded::default()).unwrap_err();
    let expected = PluginError::new(ErrorCode::HOST, "no such metric").with_help("declare it");
    assert_eq!(error, expected);
    // An error is no panic: the learner goes on.
    handle.save().unwrap();
}

#[test]
fn a_panic_names_its_line_and_ends_the_learner() {
    let line = line!() + 1;
    let said = panics(|_, _| panic!("at {}", "once"));
    let place = format!("tests/boundary.rs:{line}:");
    assert!(said.starts_with("train_epoch panicked at "), "{said}");
    assert!(
        said.contains(&place) && said.ends_with(": at once"),
        "{said}"
    );

    assert!(panics(|_, _| panic_any(7)).ends_with(": no message"));
}

#[test]
fn a_panic_inside_the_standard_library_names_the_line_that_led_there() {
    let line = line!() + 2;
    let said = panics(|_, _| {
        let _ = std::time::Duration::from_secs_f64(-1.0);
        Ok(())
    });
    let place = format!("tests/boundary.rs:{line}:");
    assert!(said.contains(&place), "{said}");
}

#[test]
fn a_panic_that_carries_another_is_one_panic() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic_any("another");
        }
    }
    assert!(panics(|_, _| panic_any(Bomb)).ends_with(": no message"));
}

#[test]
fn a_panic_of_the_host_reaches_the_plugin_as_an_error() {
    let (mut handle, _) = echo(|batches, _| {
        let error = batches.next_batch().map(drop).unwrap_err();
        assert_eq!(error.code, ErrorCode::PANIC);
        Err(PluginError::new(ErrorCode::HOST, error.message.as_str()))
    });
    let mut served = Served::new(1);
    served.fails = true;
    let error = train(&mut handle, &mut served, &mut Recorded::default()).unwrap_err();
    let said = error.message.as_str();
    assert!(
        said.starts_with("the host's batch source panicked at "),
        "{said}"
    );
    assert!(said.ends_with(": the host's own mistake"), "{said}");
}

#[test]
fn a_panic_while_a_learner_is_dropped_stays_inside() {
    let (mut handle, drops) = echo(|_, _| Ok(()));
    handle.restore(b"bomb").unwrap();
    drop(handle);
    assert_eq!(drops.get(), 1);
}
