//! Extensions of learners across the boundary, by a handle and the functions that a plugin offers.

use super::*;
use crate::extension::{BatchPlaces, Crop, PIXEL_VALUES, StoredSamples};
use crate::metric::Metrics;

/// Has extensions alone. Keeps the labels of one split; trains on and predicts them. Counts the calls for its cost as
/// samples; the second is a panic.
#[derive(Default)]
struct Extended {
    labels: Vec<i64>,
    cost: Cost,
}

impl Extended {
    fn label(&self, place: u32) -> i64 {
        self.labels[place as usize]
    }
}

impl Learner for Extended {
    fn train_epoch(
        &mut self,
        _: u32,
        _: &mut BatchSource<'_>,
        _: &mut MetricSink<'_>,
    ) -> Result<(), PluginError> {
        Ok(())
    }

    fn predict(&mut self, _: TensorView<'_>, _: &mut [f32]) -> Result<(), PluginError> {
        Ok(())
    }

    fn save(&mut self) -> Result<Vec<u8>, PluginError> {
        Ok(Vec::new())
    }

    fn restore(&mut self, _: &[u8]) -> Result<(), PluginError> {
        Ok(())
    }

    fn directions(&mut self, _: Batch<'_>, _: &[u8]) -> Result<Vec<u8>, PluginError> {
        Ok(Vec::new())
    }

    fn cost(&mut self) -> Option<Cost> {
        self.cost.samples += 1;
        assert!(self.cost.samples < 2, "counted once too often");
        Some(self.cost)
    }

    fn lend(&mut self, number: u32, split: &StoredSplit<'_>) -> Result<bool, PluginError> {
        split.samples()?;
        let labels = split.parts.iter().flat_map(|part| part.labels.as_slice());
        self.labels = labels.copied().collect();
        Ok(number == 7)
    }

    fn train_resident(
        &mut self,
        epoch: u32,
        order: &EpochOrder<'_>,
        places: &mut PlaceSource<'_>,
        metrics: &mut MetricSink<'_>,
    ) -> Result<(), PluginError> {
        while let Some(Places { first, count }) = places.next_places()? {
            for place in first..first + count {
                let (sample, crop) = (order.samples[place as usize], order.crops[0]);
                let label = self.label(sample) * 100 + i64::from(epoch) * 10;
                metrics.record("label", &[(label + i64::from(crop.flip)) as f64])?;
            }
        }
        Ok(())
    }

    fn predict_resident(
        &mut self,
        _: u32,
        samples: Places,
        outputs: &mut [f32],
    ) -> Result<(), PluginError> {
        for (place, output) in (samples.first..).zip(outputs) {
            *output = self.label(place) as f32;
        }
        Ok(())
    }
}

/// Serves pairs of places of three, then ends, or panics where it is told to.
struct Pairs {
    first: u32,
    panics: bool,
}

impl BatchPlaces for Pairs {
    fn next_places(&mut self) -> Result<Option<Places>, PluginError> {
        assert!(!self.panics, "the host's own mistake");
        let (first, count) = (self.first, 2.min(3 - self.first));
        self.first += count;
        Ok((count > 0).then_some(Places { first, count }))
    }
}

#[derive(Default)]
struct Recorded(Vec<f64>);

impl Metrics for Recorded {
    fn record(&mut self, _: &str, values: &[f64]) -> Result<(), PluginError> {
        self.0.extend(values);
        Ok(())
    }
}

#[test]
fn a_split_that_is_lent_is_trained_on_and_predicted_for() {
    static EXTENSION: ResidentExtension = ResidentExtension::new(
        lend_to_learner,
        train_learner_resident,
        predict_of_learner_resident,
    );
    let (pixels, labels, levels) = ([0; 5], [5, 6, 7, 8], [0.0; PIXEL_VALUES]);
    let parts = [
        StoredSamples::new(&pixels[..1], &labels[..1]),
        StoredSamples::new(&pixels[..3], &labels[1..]),
    ];
    let split = StoredSplit::new([1, 1, 1], &levels, &parts);
    let crops = [Crop {
        flip: Crop::TOP_BOTTOM,
        ..Crop::default()
    }; 3];
    let order = EpochOrder::new(7, &[3, 0, 2], &crops);
    let train = |learner: &mut LearnerHandle, panics| {
        let (mut pairs, mut recorded) = (Pairs { first: 0, panics }, Recorded::default());
        let (mut places, mut sink) = (PlaceSource::new(&mut pairs), MetricSink::new(&mut recorded));
        let trained = learner.train_resident(1, &order, &mut places, &mut sink);
        trained.map(|()| recorded.0)
    };
    let extended = || {
        let learner = LearnerHandle::new(Extended::default());
        learner.extend(LearnerExtensions {
            cost: None,
            resident: Some(&EXTENSION),
            algorithm: "keeping".into(),
        });
        learner
    };
    let mut without = LearnerHandle::new(Extended::default());
    assert!(!without.lend(7, &split).unwrap());
    let error = train(&mut without, false).unwrap_err();
    assert_eq!(error.code, ErrorCode::UNSUPPORTED);
    let mut learner = extended();
    assert!(!learner.lend(6, &split).unwrap());
    assert!(learner.lend(7, &split).unwrap());
    assert_eq!(train(&mut learner, false).unwrap(), [812.0, 512.0, 712.0]);
    let mut outputs = [0.0; 2];
    let places = Places { first: 1, count: 2 };
    learner.predict_resident(7, places, &mut outputs).unwrap();
    assert_eq!(outputs.map(|it| it as i64), [6, 7]);
    let odd = StoredSplit::new([1, 1, 2], &levels, &parts);
    assert_eq!(learner.lend(7, &odd).unwrap_err().code, ErrorCode::SHAPE);

    // A panic is contained on either side, and the learner's ends it.
    let error = train(&mut learner, true).unwrap_err();
    assert!(error.message.contains("the host's own mistake"), "{error}");
    let mut learner = extended();
    assert!(learner.lend(7, &split).unwrap());
    let places = Places { first: 4, count: 1 };
    let error = learner.predict_resident(7, places, &mut outputs[..1]);
    assert_eq!(error.unwrap_err().code, ErrorCode::PANIC);
    assert_eq!(
        train(&mut learner, false).unwrap_err().code,
        ErrorCode::PANIC
    );
}

#[test]
fn a_learner_is_asked_for_its_cost_as_long_as_it_lives() {
    static EXTENSION: CostExtension = CostExtension::new(cost_of_learner);
    let counts = Cost {
        multiply_adds: 1 << 60,
        samples: 0,
    };
    let counting = || {
        LearnerHandle::new(Extended {
            cost: counts,
            ..Extended::default()
        })
    };
    let mut asked = counting();
    asked.extend(LearnerExtensions {
        cost: Some(&EXTENSION),
        resident: None,
        algorithm: "counting".into(),
    });
    let mut other = counting();
    assert_eq!(other.cost().unwrap(), None, "its plugin does not count");
    let samples = 1;
    assert_eq!(asked.cost().unwrap(), Some(Cost { samples, ..counts }));
    assert_eq!(asked.cost().unwrap_err().code, ErrorCode::PANIC);
    drop(asked);
    assert!(EXTENSIONS.with_borrow(HashMap::is_empty));
}
