//! The schema of an image table: columns, metadata and the types they imply.
//!
//! Writer and reader share it; neither rows nor files are touched here.

use std::collections::HashMap;
use std::str::FromStr;

use arrow::datatypes::{DataType, Field, Schema};

use super::TableFault;
use super::scaling::{Scaling, Standardisation};
use crate::image::ImageShape;

/// The most classes a table may have: labels are stored in at most 16 bits.
pub const MAX_CLASSES: u32 = 1 << 16;

const FORMAT_KEY: &str = "assay.format";
const FORMAT: &str = "image-table/1";
const SHAPE_KEY: &str = "assay.shape";
const CLASSES_KEY: &str = "assay.classes";

/// A table without the key is scaled to the unit interval.
const SCALING_KEY: &str = "assay.scaling";
const UNIT_INTERVAL: &str = "unit-interval";
const STANDARDISED: &str = "standardised";
const MEAN_KEY: &str = "assay.mean";
const DEVIATION_KEY: &str = "assay.standard-deviation";

/// Properties of a table that its schema states.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Layout {
    pub(super) shape: ImageShape,
    pub(super) classes: u32,
    pub(super) scaling: Scaling,
}

/// The schema of a table of such images.
pub(super) fn schema(layout: &Layout) -> Schema {
    let Layout { shape, classes, .. } = *layout;
    let mut metadata = HashMap::from([
        (FORMAT_KEY.to_owned(), FORMAT.to_owned()),
        (SHAPE_KEY.to_owned(), shape.to_string()),
        (CLASSES_KEY.to_owned(), classes.to_string()),
    ]);
    if let Scaling::Standardised(standardisation) = &layout.scaling {
        metadata.extend([
            (SCALING_KEY.to_owned(), STANDARDISED.to_owned()),
            (MEAN_KEY.to_owned(), numbers(standardisation.mean())),
            (
                DEVIATION_KEY.to_owned(),
                numbers(standardisation.standard_deviation()),
            ),
        ]);
    }
    let label = if narrow(classes) {
        DataType::UInt8
    } else {
        DataType::UInt16
    };
    let image = DataType::FixedSizeBinary(shape.pixels() as i32);
    let fields = vec![
        Field::new("image", image, false),
        Field::new("label", label, false),
    ];
    Schema::new_with_metadata(fields, metadata)
}

/// True if the labels of so many classes fit 8 bits.
pub(super) fn narrow(classes: u32) -> bool {
    classes <= 1 << 8
}

/// The complaint about the metadata entry `key`.
fn wrong(schema: &Schema, key: &'static str, expected: &'static str) -> TableFault {
    let found = schema.metadata().get(key).map_or("missing".into(), |text| {
        format!("`{}`", text.escape_debug())
    });
    TableFault::WrongMetadata {
        key,
        found,
        expected,
    }
}

/// The layout of a table with this schema, if it is one.
pub(super) fn parse(schema: &Schema) -> Result<Layout, TableFault> {
    let entry = |key| schema.metadata().get(key).map(String::as_str);
    if entry(FORMAT_KEY) != Some(FORMAT) {
        return Err(wrong(schema, FORMAT_KEY, FORMAT));
    }
    let shape = entry(SHAPE_KEY)
        .and_then(parse_shape)
        .ok_or_else(|| wrong(schema, SHAPE_KEY, "three numbers: channels,rows,columns"))?;
    let classes = entry(CLASSES_KEY)
        .and_then(|text| u32::from_str(text).ok())
        .filter(|classes| (1..=MAX_CLASSES).contains(classes))
        .ok_or_else(|| wrong(schema, CLASSES_KEY, "a number from 1 to 65536"))?;
    let layout = Layout {
        shape,
        classes,
        scaling: parse_scaling(schema, shape)?,
    };
    let expected = self::schema(&layout);
    if schema.fields() != expected.fields() {
        return Err(TableFault::WrongColumns {
            found: columns(schema),
            expected: columns(&expected),
        });
    }
    Ok(layout)
}

fn parse_scaling(schema: &Schema, shape: ImageShape) -> Result<Scaling, TableFault> {
    let entry = |key| schema.metadata().get(key).map(String::as_str);
    match entry(SCALING_KEY) {
        None | Some(UNIT_INTERVAL) => Ok(Scaling::UnitInterval),
        Some(STANDARDISED) => {
            let of_channels = |key| {
                entry(key)
                    .and_then(parse_numbers)
                    .filter(|numbers| numbers.len() == shape.channels() as usize)
                    .ok_or_else(|| wrong(schema, key, "one number for each channel"))
            };
            let (mean, deviation) = (of_channels(MEAN_KEY)?, of_channels(DEVIATION_KEY)?);
            Ok(Scaling::Standardised(Standardisation::new(
                &mean, &deviation,
            )?))
        }
        Some(_) => Err(wrong(schema, SCALING_KEY, "unit-interval or standardised")),
    }
}

/// The shortest decimals that read back as the same numbers.
fn numbers(numbers: &[f64]) -> String {
    let numbers: Vec<_> = numbers.iter().map(ToString::to_string).collect();
    numbers.join(",")
}

fn parse_numbers(text: &str) -> Option<Vec<f64>> {
    text.split(',').map(|number| number.parse().ok()).collect()
}

fn parse_shape(text: &str) -> Option<ImageShape> {
    let sizes: Vec<u32> = text
        .split(',')
        .map(|size| size.parse().ok())
        .collect::<Option<_>>()?;
    ImageShape::try_from(<[u32; 3]>::try_from(sizes).ok()?).ok()
}

fn columns(schema: &Schema) -> String {
    let columns = schema.fields().iter().map(|field| {
        let null = if field.is_nullable() {
            " (nullable)"
        } else {
            ""
        };
        format!("{}: {}{null}", field.name(), field.data_type())
    });
    columns.collect::<Vec<_>>().join(", ")
}
