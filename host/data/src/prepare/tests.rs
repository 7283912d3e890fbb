use std::error::Error as _;
use std::fs;
use std::path::PathBuf;

use super::*;
use crate::sources::{
    DEFAULT_VALIDATION, DatasetSource, IdxFile, IdxHashes, IdxSource, Limit, ScalingChoice,
};
use crate::table::ImageTable;

const TRAIN_FILE: &str = "train.arrow";
const VALIDATION_FILE: &str = "validation.arrow";
const TEST_FILE: &str = "test.arrow";

const TRAIN: u32 = 20;
const TEST: u32 = 6;

fn idx_file(dimensions: &[u32], elements: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, 0, 8, dimensions.len() as u8];
    bytes.extend(dimensions.iter().flat_map(|size| size.to_be_bytes()));
    bytes.extend_from_slice(elements);
    bytes
}

/// A dataset of 2 × 2 images whose first pixel is their position, with labels `position % 3`.
struct Toy {
    folder: tempfile::TempDir,
}

impl Toy {
    fn new() -> Self {
        let toy = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        toy.put(IdxFile::TrainImages, &images(TRAIN, 2));
        toy.put(IdxFile::TrainLabels, &labels(TRAIN));
        toy.put(IdxFile::TestImages, &images(TEST, 2));
        toy.put(IdxFile::TestLabels, &labels(TEST));
        toy
    }

    fn put(&self, file: IdxFile, bytes: &[u8]) {
        fs::write(self.path(file), bytes).unwrap();
    }

    fn path(&self, file: IdxFile) -> PathBuf {
        self.folder.path().join(file.name())
    }

    fn hashes(&self) -> IdxHashes {
        IdxHashes::of(self.folder.path()).unwrap()
    }

    fn parameters(&self, validation: u32) -> DatasetParameters {
        DatasetParameters {
            source: DatasetSource::Idx(IdxSource {
                name: "toy".into(),
                classes: 3,
                class_names: Vec::new(),
                files: self.hashes(),
            }),
            validation,
            split_seed: 0,
            limit: Limit::default(),
            scaling: ScalingChoice::UnitInterval,
        }
    }

    fn prepare(
        &self,
        parameters: &DatasetParameters,
        output: &Path,
    ) -> Result<Summary, DatasetError> {
        let search = Search {
            directory: Some(self.folder.path()),
            network: false,
        };
        let scratch = tempfile::tempdir().unwrap();
        let workplace = Workplace {
            output,
            scratch: scratch.path(),
            threads: 1,
            cancelled: &AtomicBool::new(false),
        };
        prepare(parameters, search, &workplace, &mut |_| {})
    }

    fn error(&self, parameters: &DatasetParameters) -> String {
        let output = tempfile::tempdir().unwrap();
        let error = self.prepare(parameters, output.path()).unwrap_err();
        assert_eq!(fs::read_dir(output.path()).unwrap().count(), 0);
        assert!(error.source().is_none(), "its message is complete");
        error.to_string()
    }
}

fn images(count: u32, width: u32) -> Vec<u8> {
    let pixels: Vec<u8> = (0..count)
        .flat_map(|position| (0..2 * width).map(move |pixel| (position + 100 * pixel) as u8))
        .collect();
    idx_file(&[count, 2, width], &pixels)
}

fn labels(count: u32) -> Vec<u8> {
    let labels: Vec<u8> = (0..count).map(|position| (position % 3) as u8).collect();
    idx_file(&[count], &labels)
}

/// The positions, in the source file, of a table's images; checks that labels came along.
fn positions(path: &Path) -> Vec<u32> {
    let table = ImageTable::open(path).unwrap();
    let count = table.len() as usize;
    let indices: Vec<u32> = (0..table.len()).collect();
    let (mut images, mut labels) = (vec![0.0; count * 4], vec![0; count]);
    table.gather(&indices, &mut images, &mut labels).unwrap();
    let first_pixels = images.iter().step_by(4);
    let positions: Vec<u32> = first_pixels
        .map(|pixel| (pixel * 255.0).round() as u32)
        .collect();
    for (&position, &label) in positions.iter().zip(&labels) {
        assert_eq!(i64::from(position % 3), label);
    }
    positions
}

#[test]
fn splits_partition_the_training_set_and_keep_its_order() {
    let toy = Toy::new();
    let output = tempfile::tempdir().unwrap();
    let summary = toy.prepare(&toy.parameters(5), output.path()).unwrap();

    let train = positions(&output.path().join(TRAIN_FILE));
    let validation = positions(&output.path().join(VALIDATION_FILE));
    let test = positions(&output.path().join(TEST_FILE));
    assert_eq!((train.len(), validation.len()), (15, 5));
    assert!(train.is_sorted() && validation.is_sorted());
    let mut all = [train, validation].concat();
    all.sort_unstable();
    assert_eq!(all, (0..TRAIN).collect::<Vec<_>>());
    assert_eq!(test, (0..TEST).collect::<Vec<_>>());

    assert_eq!(
        summary.origins[3],
        (
            IdxFile::TestLabels.name(),
            Origin::File(toy.path(IdxFile::TestLabels))
        )
    );
    let json = fs::read(output.path().join(DESCRIPTION_FILE)).unwrap();
    let stored: Description = serde_json::from_slice(&json).unwrap();
    assert_eq!(stored, summary.description);
    assert_eq!(stored.class_names, ["0", "1", "2"]);
    assert_eq!(stored.splits.test.label_counts, [2, 2, 2]);
    assert_eq!(stored.splits.validation.unwrap().images, 5);
}

#[test]
fn without_validation_the_whole_training_set_is_described() {
    let toy = Toy::new();
    let output = tempfile::tempdir().unwrap();
    let description = toy
        .prepare(&toy.parameters(0), output.path())
        .unwrap()
        .description;
    assert!(!output.path().join(VALIDATION_FILE).exists());
    assert_eq!(description.splits.validation, None);
    assert_eq!(description.splits.train.label_counts, [7, 7, 6]);

    let pixels = &images(TRAIN, 2)[16..];
    let scaled = || pixels.iter().map(|&pixel| f64::from(pixel) / 255.0);
    let mean = scaled().sum::<f64>() / pixels.len() as f64;
    let variance = scaled().map(|x| (x - mean).powi(2)).sum::<f64>() / pixels.len() as f64;
    assert!((description.mean[0] - mean).abs() < 1e-12);
    assert!((description.standard_deviation[0] - variance.sqrt()).abs() < 1e-12);
}

/// The values of every image of a table, in its scaling.
fn values(path: &Path) -> Vec<f32> {
    let table = ImageTable::open(path).unwrap();
    let indices: Vec<u32> = (0..table.len()).collect();
    let mut images = vec![0.0; indices.len() * table.shape().pixels()];
    table
        .gather(&indices, &mut images, &mut vec![0; indices.len()])
        .unwrap();
    images
}

#[test]
fn standardised_splits_share_the_statistics_of_what_is_left_to_train_on() {
    let toy = Toy::new();
    let (raw, standardised) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut parameters = toy.parameters(5);
    parameters.limit.train = Some(10);
    toy.prepare(&parameters, raw.path()).unwrap();
    parameters.scaling = ScalingChoice::Standardised;
    let description = toy
        .prepare(&parameters, standardised.path())
        .unwrap()
        .description;

    let train = values(&raw.path().join(TRAIN_FILE))
        .into_iter()
        .map(f64::from);
    let count = train.len() as f64;
    let mean = train.clone().sum::<f64>() / count;
    let deviation = (train.map(|x| (x - mean).powi(2)).sum::<f64>() / count).sqrt();
    assert!((description.mean[0] - mean).abs() < 1e-7);
    assert!((description.standard_deviation[0] - deviation).abs() < 1e-7);
    assert_eq!(description.scaling, ScalingChoice::Standardised);
    for file in [TRAIN_FILE, VALIDATION_FILE, TEST_FILE] {
        let [raw, standardised] =
            [&raw, &standardised].map(|folder| values(&folder.path().join(file)));
        for (raw, standardised) in raw.into_iter().zip(standardised) {
            let expected = (f64::from(raw) - mean) / deviation;
            assert!((f64::from(standardised) - expected).abs() < 1e-5, "{file}");
        }
    }
}

#[test]
fn a_constant_channel_is_not_standardised() {
    let toy = Toy::new();
    toy.put(
        IdxFile::TrainImages,
        &idx_file(&[TRAIN, 2, 2], &[51; 4 * TRAIN as usize]),
    );
    let mut parameters = toy.parameters(5);
    parameters.scaling = ScalingChoice::Standardised;
    assert_eq!(
        toy.error(&parameters),
        "dataset `toy`: channel 0 cannot be standardised: its mean is 0.2 and its standard \
         deviation 0; `scaling` can be \"unit-interval\""
    );
}

#[test]
fn a_description_names_its_scaling_unless_it_is_the_unit_interval() {
    let toy = Toy::new();
    let mut parameters = toy.parameters(5);
    let mut text = || {
        let output = tempfile::tempdir().unwrap();
        toy.prepare(&parameters, output.path()).unwrap();
        parameters.scaling = ScalingChoice::Standardised;
        fs::read_to_string(output.path().join(DESCRIPTION_FILE)).unwrap()
    };
    assert!(!text().contains("scaling"));
    assert!(text().contains("\"scaling\": \"standardised\""));
}

#[test]
fn limits_shorten_splits_after_the_draw() {
    let toy = Toy::new();
    let (free, limited) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut parameters = toy.parameters(5);
    toy.prepare(&parameters, free.path()).unwrap();
    parameters.limit = Limit {
        train: Some(4),
        test: Some(100),
    };
    toy.prepare(&parameters, limited.path()).unwrap();
    let both = |file: &str| [&free, &limited].map(|folder| positions(&folder.path().join(file)));
    let [train, limited_train] = both(TRAIN_FILE);
    assert_eq!(limited_train, train[..4]);
    let [validation, limited_validation] = both(VALIDATION_FILE);
    assert_eq!(limited_validation, validation);
    let [test, limited_test] = both(TEST_FILE);
    assert_eq!(limited_test, test);
}

#[test]
fn every_run_writes_the_same_bytes_and_the_seed_decides_the_split() {
    let toy = Toy::new();
    let run = |seed| {
        let output = tempfile::tempdir().unwrap();
        let parameters = DatasetParameters {
            split_seed: seed,
            ..toy.parameters(5)
        };
        toy.prepare(&parameters, output.path()).unwrap();
        [TRAIN_FILE, VALIDATION_FILE, TEST_FILE, DESCRIPTION_FILE]
            .map(|file| fs::read(output.path().join(file)).unwrap())
    };
    assert_eq!(run(0), run(0));
    assert_ne!(run(0)[1], run(1)[1]);
}

#[test]
fn parameters_without_meaning_are_refused() {
    let toy = Toy::new();
    assert_eq!(
        toy.error(&toy.parameters(20)),
        "dataset `toy`: `validation` is 20, which leaves nothing to train on: the training set \
         has 20 images"
    );
    let mut parameters = toy.parameters(5);
    parameters.limit.test = Some(0);
    assert_eq!(
        toy.error(&parameters),
        "dataset `toy`: `limit.test` is 0, must be at least 1; leave it out for no limit"
    );
    for (name, classes, reason) in [
        ("../toy", 3, "`name` must be a plain folder name"),
        ("/toy", 3, "`name` must be a plain folder name"),
        ("", 3, "`name` must be a plain folder name"),
        ("toy", 0, "`classes` is 0, must be from 1 to 256"),
        ("toy", 257, "`classes` is 257, must be from 1 to 256"),
    ] {
        let mut parameters = toy.parameters(5);
        parameters.source = DatasetSource::Idx(IdxSource {
            name: name.into(),
            classes,
            class_names: Vec::new(),
            files: toy.hashes(),
        });
        let error = toy.error(&parameters);
        assert!(error.contains(reason), "{error}");
    }
}

#[test]
fn classes_have_the_names_given_or_else_their_labels() {
    let toy = Toy::new();
    let named = |names: &[&str]| {
        let mut parameters = toy.parameters(5);
        if let DatasetSource::Idx(source) = &mut parameters.source {
            source.class_names = names.iter().map(ToString::to_string).collect();
        }
        parameters
    };
    let described = |parameters| {
        let output = tempfile::tempdir().unwrap();
        let summary = toy.prepare(&parameters, output.path()).unwrap();
        summary.description.class_names
    };
    assert_eq!(described(named(&[])), ["0", "1", "2"]);
    assert_eq!(described(named(&["a", "b", "c"])), ["a", "b", "c"]);
    assert_eq!(
        toy.error(&named(&["a", "b"])),
        "dataset `toy`: `class_names` has 2 names for 3 classes"
    );
}

#[test]
fn files_that_do_not_belong_together_are_named() {
    let toy = Toy::new();
    toy.put(IdxFile::TestImages, &images(TEST, 3));
    assert_eq!(
        toy.error(&toy.parameters(5)),
        "dataset `toy`: training images are [2, 2] and test images [2, 3] (rows, columns); the \
         files do not belong together"
    );
    toy.put(IdxFile::TestImages, &images(TEST + 1, 2));
    let labels_path = toy.path(IdxFile::TestLabels).display().to_string();
    assert_eq!(
        toy.error(&toy.parameters(5)),
        format!("{labels_path} holds 6 labels for 7 images; the two files do not belong together")
    );
    toy.put(IdxFile::TestImages, b"<html>");
    let images_path = toy.path(IdxFile::TestImages).display().to_string();
    assert!(
        toy.error(&toy.parameters(5))
            .starts_with(&format!("{images_path} is not an IDX file: "))
    );
}

#[test]
fn parameters_have_one_text() {
    let parameters: DatasetParameters = serde_json::from_str(r#"{"source":"mnist"}"#).unwrap();
    assert_eq!(parameters.validation, DEFAULT_VALIDATION);
    let text = serde_json::to_string(&parameters).unwrap();
    assert_eq!(
        text,
        r#"{"source":"mnist","validation":5000,"split_seed":0,"limit":{},"scaling":"unit-interval"}"#
    );
    assert_eq!(
        serde_json::from_str::<DatasetParameters>(&text).unwrap(),
        parameters
    );

    let cifar: DatasetParameters = serde_json::from_str(r#"{"source":"cifar10"}"#).unwrap();
    assert_eq!(cifar.scaling, ScalingChoice::Standardised);

    let own = Toy::new().parameters(5);
    let text = serde_json::to_string(&own).unwrap();
    assert_eq!(
        serde_json::from_str::<DatasetParameters>(&text).unwrap(),
        own
    );
}

#[test]
fn unknown_parameters_and_sources_are_refused() {
    for (text, reason) in [
        (
            r#"{"source":"mnits"}"#,
            "unknown variant `mnits`, expected one of `mnist`",
        ),
        (
            r#"{"source":"mnist","valdation":1}"#,
            "unknown field `valdation`",
        ),
        (
            r#"{"source":"mnist","limit":{"training":1}}"#,
            "unknown field `training`",
        ),
        (r#"{"source":"mnist","validation":-1}"#, "invalid value"),
        (r#"{"validation":1}"#, "missing field `source`"),
    ] {
        let error = serde_json::from_str::<DatasetParameters>(text).unwrap_err();
        assert!(error.to_string().contains(reason), "{error}");
    }
}
