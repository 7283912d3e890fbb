use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use assay_core::ObjectHash;

use super::*;
use crate::image::Geometry;
use crate::sources::{DatasetSource, ImagenetSource, Limit, Stream};
use crate::table::ImageTable;

const SIZE: u32 = 4;
const IMAGES: usize = 50;

/// Images of one colour each, which tells their position.
struct Colours {
    labels: Vec<u16>,
    blue: fn(u32) -> u8,
    /// Which images are damaged.
    bad: Vec<u32>,
}

impl Colours {
    fn new(bad: &[u32]) -> Self {
        Self {
            labels: (0..IMAGES).map(|position| (position % 3) as u16).collect(),
            blue: |position| 200 - position as u8,
            bad: bad.to_vec(),
        }
    }
}

fn png_of(colour: [u8; 3]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, 2, 1);
    encoder.set_color(png::ColorType::Rgb);
    let mut writer = encoder.write_header().unwrap();
    writer.write_image_data(&colour.repeat(2)).unwrap();
    writer.finish().unwrap();
    bytes
}

impl ImageSet for Colours {
    fn labels(&self) -> &[u16] {
        &self.labels
    }

    fn name(&self, position: u32) -> String {
        format!("train/{position}.png")
    }

    fn stream<'a>(&'a self, positions: &'a [u32]) -> Stream<'a> {
        Box::new(positions.iter().map(|&position| {
            let mut bytes = png_of([position as u8, 2 * position as u8, (self.blue)(position)]);
            if self.bad.contains(&position) {
                bytes.truncate(bytes.len() - 5);
            }
            Ok(bytes)
        }))
    }
}

fn parameters(policy: BadImagePolicy) -> DatasetParameters {
    DatasetParameters {
        source: DatasetSource::Imagenet(ImagenetSource {
            files: ObjectHash::of(b""),
            size: SIZE,
            geometry: Geometry::Stretch,
            on_bad_image: policy,
            test: Some(8),
        }),
        validation: 7,
        split_seed: 1,
        limit: Limit::default(),
        scaling: ScalingChoice::Standardised,
    }
}

fn dataset(parameters: &DatasetParameters, bad: &[u32]) -> OpenDataset {
    let DatasetSource::Imagenet(source) = &parameters.source else {
        panic!("the tests' parameters are ImageNet's");
    };
    let form = Form {
        size: Some(source.size),
        geometry: source.geometry,
        grey: false,
    };
    OpenDataset {
        class_names: ["a", "b", "c"].map(str::to_owned).into(),
        train: Box::new(Colours::new(bad)),
        test: None,
        drawn_test: source.test,
        storage: ImageStorage::Files(form, source.on_bad_image),
        origins: Vec::new(),
    }
}

/// A pass with its own folders; shards of ten images.
struct Run {
    output: tempfile::TempDir,
    scratch: tempfile::TempDir,
    cancelled: AtomicBool,
}

impl Run {
    fn new() -> Self {
        Self {
            output: tempfile::tempdir().unwrap(),
            scratch: tempfile::tempdir().unwrap(),
            cancelled: AtomicBool::new(false),
        }
    }

    fn prepare(
        &self,
        parameters: &DatasetParameters,
        bad: &[u32],
        threads: usize,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<Description, DatasetError> {
        let workplace = Workplace {
            output: self.output.path(),
            scratch: self.scratch.path(),
            threads,
            cancelled: &self.cancelled,
        };
        let bytes = 10 * 3 * (SIZE * SIZE) as usize;
        let dataset = dataset(parameters, bad);
        prepare_sized(parameters, &dataset, &workplace, progress, bytes)
    }

    /// The name and bytes of every output.
    fn outputs(&self) -> BTreeMap<String, Vec<u8>> {
        let entries = fs::read_dir(self.output.path()).unwrap();
        entries
            .map(|entry| entry.unwrap().path())
            .map(|path| {
                let name = path.file_name().unwrap().to_str().unwrap().to_owned();
                (name, fs::read(path).unwrap())
            })
            .collect()
    }

    fn table(&self, description: &Description, split: &SplitDescription) -> ImageTable {
        let locate = |file: &str| Some(self.output.path().join(file));
        description.open_split(split, locate).unwrap()
    }
}

/// The positions that a table's images tell by their first channel.
fn positions(table: &ImageTable) -> Vec<u32> {
    let rows = (0..table.len()).map(|index| table.row(index).unwrap());
    rows.map(|(pixels, label)| {
        assert_eq!(i64::from(pixels[0] % 3), label);
        pixels[0].into()
    })
    .collect()
}

#[test]
fn splits_are_cut_into_shards_that_open_as_one_table() {
    let run = Run::new();
    let parameters = parameters(BadImagePolicy::Error);
    let description = run.prepare(&parameters, &[], 2, &mut |_| {}).unwrap();
    let splits = &description.splits;
    assert_eq!(
        splits.train.shards,
        ["00000", "00001", "00002", "00003"].map(|number| format!("train-{number}.arrow"))
    );
    let tables: Vec<_> = splits
        .iter()
        .map(|split| run.table(&description, split))
        .collect();
    assert_eq!(
        tables.iter().map(ImageTable::len).collect::<Vec<_>>(),
        [35, 7, 8]
    );
    let mut all: Vec<_> = tables
        .iter()
        .flat_map(|table| {
            let positions = positions(table);
            assert!(positions.is_sorted());
            positions
        })
        .collect();
    all.sort_unstable();
    assert_eq!(all, (0..IMAGES as u32).collect::<Vec<_>>());

    // Gathering crosses shards, and scales as the description says.
    let train = &tables[0];
    let mut images = vec![0.0; 3 * 48];
    let mut labels = [0; 3];
    train
        .gather(&[34, 9, 10], &mut images, &mut labels)
        .unwrap();
    for (image, index) in images.chunks_exact(48).zip([34, 9, 10]) {
        let pixel = f64::from(train.row(index).unwrap().0[0]) / 255.0;
        let expected = (pixel - description.mean[0]) / description.standard_deviation[0];
        assert!((f64::from(image[0]) - expected).abs() < 1e-6);
    }
    let beyond = train.gather(&[35], &mut images[..48], &mut labels[..1]);
    assert!(beyond.is_err());
}

#[test]
fn a_channel_that_never_changes_cannot_be_standardised() {
    let run = Run::new();
    let parameters = parameters(BadImagePolicy::Error);
    let mut dataset = dataset(&parameters, &[]);
    dataset.train = Box::new(Colours {
        blue: |_| 9,
        ..Colours::new(&[])
    });
    let workplace = Workplace {
        output: run.output.path(),
        scratch: run.scratch.path(),
        threads: 1,
        cancelled: &run.cancelled,
    };
    let error = prepare(&parameters, &dataset, &workplace, &mut |_| {}).unwrap_err();
    assert!(error.to_string().contains("channel 2"), "{error}");
}

#[test]
fn threads_change_no_byte() {
    let outputs = [1, 2, 5].map(|threads| {
        let run = Run::new();
        let parameters = parameters(BadImagePolicy::Skip);
        run.prepare(&parameters, &[3, 20], threads, &mut |_| {})
            .unwrap();
        run.outputs()
    });
    assert_eq!(outputs[0], outputs[1]);
    assert_eq!(outputs[0], outputs[2]);
}

#[test]
fn an_interrupted_pass_goes_on_and_comes_to_the_same_bytes() {
    let parameters = parameters(BadImagePolicy::Skip);
    let whole = Run::new();
    whole.prepare(&parameters, &[5], 2, &mut |_| {}).unwrap();

    let run = Run::new();
    // Stopped in the third shard, and then once more later.
    for stop in [25, 42] {
        let mut seen = Vec::new();
        let stopped = run.prepare(&parameters, &[5], 2, &mut |step| {
            let Progress::Images { done, total } = step else {
                panic!("nothing is fetched");
            };
            assert_eq!(total, IMAGES as u64);
            seen.push(done);
            if done == stop {
                run.cancelled.store(true, Ordering::Relaxed);
            }
        });
        assert!(
            matches!(stopped, Err(DatasetError::Cancelled)),
            "{stopped:?}"
        );
        run.cancelled.store(false, Ordering::Relaxed);
        if stop == 42 {
            assert!(
                seen[0] > 20,
                "finished shards are not decoded again: {seen:?}"
            );
        }
        assert!(
            run.outputs().is_empty(),
            "nothing is handed over before the end"
        );
        // The leftover of an interrupted write.
        fs::write(run.scratch.path().join("shards/.tmpAbCdEf"), b"half").unwrap();
    }
    run.prepare(&parameters, &[5], 1, &mut |_| {}).unwrap();
    assert_eq!(run.outputs(), whole.outputs());
}

#[test]
fn a_damaged_shard_is_written_again() {
    let parameters = parameters(BadImagePolicy::Error);
    let whole = Run::new();
    whole.prepare(&parameters, &[], 1, &mut |_| {}).unwrap();

    let run = Run::new();
    let stopped = run.prepare(&parameters, &[], 1, &mut |step| {
        if let Progress::Images { done: 45, .. } = step {
            run.cancelled.store(true, Ordering::Relaxed);
        }
    });
    assert!(matches!(stopped, Err(DatasetError::Cancelled)));
    run.cancelled.store(false, Ordering::Relaxed);
    let folder = run.scratch.path().join("shards");
    let mut bytes = fs::read(folder.join("train-00000.arrow")).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(folder.join("train-00000.arrow"), bytes).unwrap();
    fs::write(folder.join("train-00001.arrow.json"), b"{").unwrap();
    run.prepare(&parameters, &[], 1, &mut |_| {}).unwrap();
    assert_eq!(run.outputs(), whole.outputs());
}

#[test]
fn a_bad_image_is_an_error_that_names_it_or_is_left_out_and_counted() {
    let run = Run::new();
    let error = run
        .prepare(
            &parameters(BadImagePolicy::Error),
            &[31, 12],
            2,
            &mut |_| {},
        )
        .unwrap_err()
        .to_string();
    assert!(error.starts_with("train/"), "{error}");
    assert!(error.contains(".png is cut off"), "{error}");
    assert!(error.contains("on_bad_image"), "{error}");

    let run = Run::new();
    let parameters = parameters(BadImagePolicy::Skip);
    let description = run.prepare(&parameters, &[31, 12], 2, &mut |_| {}).unwrap();
    let mut skipped = Vec::new();
    let mut images = 0;
    for split in description.splits.iter() {
        skipped.extend(split.skipped.iter().map(|skipped| skipped.file.as_str()));
        images += split.images;
        assert_eq!(
            split.label_counts.iter().sum::<u64>(),
            u64::from(split.images)
        );
        let table = run.table(&description, split);
        assert!(
            !positions(&table)
                .iter()
                .any(|position| [12, 31].contains(position))
        );
    }
    skipped.sort_unstable();
    assert_eq!(skipped, ["train/12.png", "train/31.png"]);
    assert_eq!(images, IMAGES as u32 - 2);
}

#[test]
fn a_test_set_must_be_there_or_be_drawn_and_not_both() {
    let run = Run::new();
    let with_test = |test| {
        let mut parameters = parameters(BadImagePolicy::Error);
        if let DatasetSource::Imagenet(source) = &mut parameters.source {
            source.test = test;
        }
        let error = run.prepare(&parameters, &[], 1, &mut |_| {}).unwrap_err();
        error.to_string()
    };
    assert!(with_test(None).contains("`test` is missing"));
    assert!(with_test(Some(0)).contains("is 0"));
    assert!(with_test(Some(50)).contains("leaves nothing to train on"));
    assert!(with_test(Some(45)).contains("`validation` is 7"));

    let parameters = parameters(BadImagePolicy::Error);
    let mut dataset = dataset(&parameters, &[]);
    dataset.test = Some(Box::new(Colours::new(&[])));
    let error = SplitPositions::choose(&parameters, &dataset)
        .err()
        .unwrap()
        .to_string();
    assert!(error.contains("one of its own"), "{error}");
}

#[test]
fn limits_apply_after_the_splits_are_drawn() {
    let mut parameters = parameters(BadImagePolicy::Error);
    let dataset = dataset(&parameters, &[]);
    let free = SplitPositions::choose(&parameters, &dataset).unwrap();
    parameters.limit = Limit {
        train: Some(4),
        test: Some(2),
    };
    let limited = SplitPositions::choose(&parameters, &dataset).unwrap();
    assert_eq!(limited.train, free.train[..4]);
    assert_eq!(limited.validation, free.validation);
    assert_eq!(limited.test, free.test[..2]);
}
