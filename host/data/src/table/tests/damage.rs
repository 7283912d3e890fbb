//! Files that are no tables, or no longer: each is refused, and none makes the reader panic.

use std::fs;
use std::sync::Arc;

use arrow::array::{ArrayRef, FixedSizeBinaryArray, RecordBatch, UInt8Array};
use arrow::datatypes::Schema;
use arrow::ipc::writer::FileWriter;
use proptest::prelude::*;

use super::*;

fn fault(path: &Path) -> String {
    let text = ImageTable::open(path).unwrap_err().to_string();
    let prefix = format!("image table {}: ", path.display());
    text.strip_prefix(&prefix).unwrap().to_owned()
}

#[test]
fn files_that_are_no_arrow_files_are_refused() {
    let (folder, path) = table(10, 10);
    let whole = fs::read(&path).unwrap();
    let broken = folder.path().join("broken.arrow");
    let cases: [(&[u8], &str); 4] = [
        (b"", "it does not begin with ARROW1"),
        (
            b"PNG and so on and on and on",
            "it does not begin with ARROW1",
        ),
        (b"ARROW1\0\0", "it is too short"),
        (&whole[..whole.len() - 1], "it does not end with ARROW1"),
    ];
    for (bytes, reason) in cases {
        fs::write(&broken, bytes).unwrap();
        assert_eq!(
            fault(&broken),
            format!("is not a complete Arrow IPC file ({reason}); make the dataset again")
        );
    }
    let missing = fault(&folder.path().join("missing.arrow"));
    assert!(
        missing.starts_with("cannot be read: No such file"),
        "{missing}"
    );
}

/// Writes one record batch of a single 6-pixel row under the given schema.
fn write_foreign(path: &Path, schema: Schema, columns: Vec<ArrayRef>) {
    let schema = Arc::new(schema);
    let batch = RecordBatch::try_new(Arc::clone(&schema), columns).unwrap();
    let mut file = FileWriter::try_new(fs::File::create(path).unwrap(), &schema).unwrap();
    file.write(&batch).unwrap();
    file.finish().unwrap();
}

fn schema(scaling: Scaling) -> Schema {
    layout::schema(&Layout {
        shape: shape(),
        classes: 10,
        scaling,
    })
}

fn one_image() -> ArrayRef {
    Arc::new(FixedSizeBinaryArray::try_new(6, Buffer::from_vec(vec![0_u8; 6]), None).unwrap())
}

#[test]
fn other_schemas_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.arrow");
    let good = schema(Scaling::UnitInterval);
    let labels: ArrayRef = Arc::new(UInt8Array::from(vec![3]));
    let with = |key: &str, value: &str| {
        let mut metadata = good.metadata().clone();
        metadata.insert(key.to_owned(), value.to_owned());
        Schema::new_with_metadata(good.fields().clone(), metadata)
    };

    let cases = [
        (
            Schema::new(good.fields().clone()),
            "is not an image table of this version: the metadata `assay.format` is missing, \
             expected image-table/1",
        ),
        (
            with("assay.format", "image-table/2"),
            "is not an image table of this version: the metadata `assay.format` is \
             `image-table/2`, expected image-table/1",
        ),
        (
            with("assay.shape", "2,3"),
            "is not an image table of this version: the metadata `assay.shape` is `2,3`, expected \
             three numbers: channels,rows,columns",
        ),
        (
            with("assay.classes", "0"),
            "is not an image table of this version: the metadata `assay.classes` is `0`, expected \
             a number from 1 to 65536",
        ),
        (
            with("assay.scaling", "logarithmic"),
            "is not an image table of this version: the metadata `assay.scaling` is \
             `logarithmic`, expected unit-interval or standardised",
        ),
        (
            with("assay.scaling", "standardised"),
            "is not an image table of this version: the metadata `assay.mean` is missing, \
             expected one number for each channel",
        ),
        (
            with("assay.shape", "1,2,2"),
            "is not an image table: its columns are image: FixedSizeBinary(6), label: UInt8, \
             expected image: FixedSizeBinary(4), label: UInt8",
        ),
        (
            with("assay.classes", "1000"),
            "is not an image table: its columns are image: FixedSizeBinary(6), label: UInt8, \
             expected image: FixedSizeBinary(6), label: UInt16",
        ),
    ];
    for (schema, message) in cases {
        write_foreign(&path, schema, vec![one_image(), Arc::clone(&labels)]);
        assert_eq!(fault(&path), message);
    }
}

#[test]
fn statistics_that_scale_nothing_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.arrow");
    let labels: ArrayRef = Arc::new(UInt8Array::from(vec![3]));
    let good = schema(standardised());
    for (key, value, reason) in [
        ("assay.mean", "0.1", "expected one number for each channel"),
        (
            "assay.mean",
            "0.1,0.2,0.3",
            "expected one number for each channel",
        ),
        (
            "assay.mean",
            "0.1,x",
            "expected one number for each channel",
        ),
        (
            "assay.mean",
            "0.1,NaN",
            "channel 1 cannot be standardised: ",
        ),
        (
            "assay.standard-deviation",
            "1,0",
            "channel 1 cannot be standardised: ",
        ),
        (
            "assay.standard-deviation",
            "inf,1",
            "channel 0 cannot be standardised: ",
        ),
        (
            "assay.standard-deviation",
            "-1,1",
            "channel 0 cannot be standardised: ",
        ),
    ] {
        let mut metadata = good.metadata().clone();
        metadata.insert(key.to_owned(), value.to_owned());
        let schema = Schema::new_with_metadata(good.fields().clone(), metadata);
        write_foreign(&path, schema, vec![one_image(), Arc::clone(&labels)]);
        let fault = fault(&path);
        assert!(fault.contains(reason), "{key} {value}: {fault}");
    }
}

#[test]
fn labels_are_checked_on_opening() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.arrow");
    let labels: ArrayRef = Arc::new(UInt8Array::from(vec![10]));
    write_foreign(
        &path,
        schema(Scaling::UnitInterval),
        vec![one_image(), labels],
    );
    assert_eq!(
        fault(&path),
        "has label 10 in row 0; with 10 classes, labels are below 10; make the dataset again"
    );
}

/// The result of opening a file with this content, without the detour over a disk.
fn open_bytes(bytes: &[u8]) -> Result<ImageTable, TableFault> {
    ImageTable::decode(Path::new("in memory"), &Buffer::from(bytes))
}

/// The content of a table of three images.
fn small_table() -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("train.arrow");
    write(&path, 3, 10, &standardised());
    fs::read(&path).unwrap()
}

/// Opening must give a table or an error, and an opened table must be readable throughout.
fn open_and_read_all(bytes: &[u8]) {
    let Ok(table) = open_bytes(bytes) else {
        return;
    };
    let pixels = table.shape().pixels();
    for index in 0..table.len() {
        let gathered = table.gather(&[index], &mut vec![0.0; pixels], &mut [0]);
        assert_eq!(gathered, Ok(()));
    }
}

#[test]
fn every_cut_of_a_table_is_refused() {
    let whole = small_table();
    assert!(open_bytes(&whole).is_ok());
    for length in 0..whole.len() {
        assert!(open_bytes(&whole[..length]).is_err(), "{length}");
    }
}

#[test]
fn any_single_changed_byte_is_survived() {
    let whole = small_table();
    for place in 0..whole.len() {
        for value in [
            0,
            1,
            0x7f,
            0x80,
            0xff,
            whole[place] ^ 4,
            whole[place].wrapping_add(1),
        ] {
            let mut bytes = whole.clone();
            bytes[place] = value;
            open_and_read_all(&bytes);
        }
    }
}

proptest! {
    #[test]
    fn any_damage_is_survived(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut bytes = small_table();
        for (place, value) in changes {
            let place = place.index(bytes.len());
            bytes[place] = value;
        }
        open_and_read_all(&bytes);
    }
}
