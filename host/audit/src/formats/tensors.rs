//! Tensors of any format: each in a few figures, and the elements of two files that differ. They
//! are read in pieces, so that a network of any size is looked at in little memory.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt;

use assay_core::{Difference, Fields};
use serde::Serialize;

use super::element::Element;
use super::error::FormatError;

/// Bytes of a tensor that are read at a time.
const PIECE: usize = 1 << 20;

/// A file of tensors whose header was checked: every tensor lies in the file.
pub(super) struct TensorFile {
    pub(super) file: File,
    /// In the order of the file.
    pub(super) tensors: Vec<StoredTensor>,
    /// Metadata of the file, beside the tensors.
    pub(super) metadata: BTreeMap<String, String>,
}

/// A tensor as the header of its file describes it.
pub(super) struct StoredTensor {
    pub(super) name: String,
    /// The type of its elements, as the format's users name it.
    pub(super) dtype: String,
    pub(super) shape: Vec<usize>,
    pub(super) element: Element,
    /// Whether the first index is the one that runs fastest.
    pub(super) column_major: bool,
    /// Its place in the file.
    pub(super) bytes: Range<u64>,
}

/// The tensors of a file.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Tensors {
    /// In the order of the file.
    pub tensors: Vec<Tensor>,
    /// Metadata of the file, beside the tensors.
    pub metadata: BTreeMap<String, String>,
}

/// A tensor in figures.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Tensor {
    /// Its name.
    pub name: String,
    /// The type of its elements, such as `F32`.
    pub dtype: String,
    /// Its sizes, outermost first.
    pub shape: Vec<usize>,
    /// Statistics of its elements; nothing for a type that is not summed here.
    pub figures: Option<Figures>,
}

/// Statistics of the elements of a tensor; those that are not finite are counted, and left out of
/// the rest. Sums are taken in 64 bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Figures {
    /// Number of elements.
    pub elements: u64,
    /// Number of them that are infinite or not a number.
    pub non_finite: u64,
    /// The Euclidean norm.
    pub norm: f64,
    /// The mean; 0 where there are none.
    pub mean: f64,
    /// The smallest; nothing where there are none.
    pub min: Option<f64>,
    /// The largest; nothing where there are none.
    pub max: Option<f64>,
}

impl TensorFile {
    pub(super) fn summarise(self) -> Result<Tensors, FormatError> {
        let mut tensors = Vec::with_capacity(self.tensors.len());
        for stored in self.tensors {
            let figures = match stored.element.number {
                Some(_) => Some(figures(&self.file, &stored)?),
                None => None,
            };
            tensors.push(Tensor {
                name: stored.name,
                dtype: stored.dtype,
                shape: stored.shape,
                figures,
            });
        }
        Ok(Tensors {
            tensors,
            metadata: self.metadata,
        })
    }
}

impl StoredTensor {
    /// Offsets and lengths, from its first byte, of pieces of whole elements.
    fn pieces(&self) -> impl Iterator<Item = (u64, usize)> {
        let piece = (PIECE / self.element.width).max(1) * self.element.width;
        let length = self.bytes.end - self.bytes.start;
        let offsets = (0..length).step_by(piece);
        offsets.map(move |offset| (offset, (length - offset).min(piece as u64) as usize))
    }

    fn elements(&self) -> u64 {
        self.shape.iter().map(|size| *size as u64).product()
    }

    /// Its type and shape, and the order of its elements where it is not the usual one.
    fn form(&self) -> String {
        let order = if self.column_major {
            ", column-major"
        } else {
            ""
        };
        format!("{} {:?}{order}", self.dtype, self.shape)
    }

    /// The index of an element by dimension, from its place in the file.
    fn index(&self, mut at: u64) -> Vec<u64> {
        let mut index = vec![0; self.shape.len()];
        let mut place = |(place, size): (&mut u64, &usize)| {
            let size = (*size as u64).max(1);
            (*place, at) = (at % size, at / size);
        };
        let places = index.iter_mut().zip(&self.shape);
        if self.column_major {
            places.for_each(&mut place);
        } else {
            places.rev().for_each(&mut place);
        }
        index
    }
}

fn figures(file: &File, tensor: &StoredTensor) -> Result<Figures, FormatError> {
    let (mut figures, mut sum, mut squares) = (Figures::default(), 0.0, 0.0);
    let mut buffer = Vec::new();
    for (offset, length) in tensor.pieces() {
        buffer.resize(length, 0);
        file.read_exact_at(&mut buffer, tensor.bytes.start + offset)?;
        tensor.element.values(&buffer, |value| {
            figures.elements += 1;
            if !value.is_finite() {
                figures.non_finite += 1;
                return;
            }
            sum += value;
            squares += value * value;
            figures.min = Some(figures.min.map_or(value, |min| min.min(value)));
            figures.max = Some(figures.max.map_or(value, |max| max.max(value)));
        });
    }
    let finite = figures.elements - figures.non_finite;
    figures.norm = f64::sqrt(squares);
    figures.mean = sum / finite.max(1) as f64;
    Ok(figures)
}

/// Which tensors of two files differ.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct TensorsDifference {
    /// Number of tensors that they have.
    pub tensors: [u64; 2],
    /// Differences in the files' own metadata.
    pub metadata: Vec<Difference>,
    /// Every tensor that differs, by name.
    pub differing: Vec<TensorDifference>,
}

impl TensorsDifference {
    /// Whether they hold the same, in another order.
    pub fn is_empty(&self) -> bool {
        self.metadata.is_empty() && self.differing.is_empty()
    }
}

/// A tensor that differs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TensorDifference {
    /// Its name.
    pub tensor: String,
    /// The difference.
    #[serde(flatten)]
    pub change: TensorChange,
}

/// Difference of a tensor.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "change", rename_all = "kebab-case")]
pub enum TensorChange {
    /// Only the first file has it.
    Missing {
        /// Its type and shape.
        form: String,
    },
    /// Only the second file has it.
    Extra {
        /// Its type and shape.
        form: String,
    },
    /// Its type or shape differs.
    Form {
        /// In the first file.
        before: String,
        /// In the second.
        now: String,
    },
    /// Some elements differ.
    Values(ValuesDifference),
}

/// Which elements of a tensor differ.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ValuesDifference {
    /// Number of elements that it has.
    pub elements: u64,
    /// Number of them that have other bits.
    pub differing: u64,
    /// The index of the first of them.
    pub first: Vec<u64>,
    /// The largest difference, of those between finite numbers.
    pub largest: Option<LargestElement>,
    /// The most representable numbers that two floats are apart.
    pub largest_ulps: Option<u64>,
    /// Number of them that are infinite or not a number in either file.
    pub not_finite: u64,
}

/// Two elements that are furthest apart.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LargestElement {
    /// By how much.
    pub absolute: f64,
    /// The element's index.
    pub index: Vec<u64>,
    /// Its value in the first file.
    pub before: f64,
    /// Its value in the second.
    pub now: f64,
}

/// The tensors of two files that differ, matched by name.
pub(super) fn compare(
    before: &TensorFile,
    now: &TensorFile,
) -> Result<TensorsDifference, FormatError> {
    let (left, right) = (by_name(before), by_name(now));
    let names: BTreeSet<_> = left.keys().chain(right.keys()).copied().collect();
    let mut differing = Vec::new();
    for name in names {
        let change = match (left.get(name), right.get(name)) {
            (Some(left), Some(right)) if left.form() == right.form() => {
                let values = differing_values([&before.file, &now.file], [left, right])?;
                values.map(TensorChange::Values)
            }
            (Some(left), Some(right)) => Some(TensorChange::Form {
                before: left.form(),
                now: right.form(),
            }),
            (Some(left), None) => Some(TensorChange::Missing { form: left.form() }),
            (None, Some(right)) => Some(TensorChange::Extra { form: right.form() }),
            (None, None) => None,
        };
        differing.extend(change.map(|change| TensorDifference {
            tensor: name.to_owned(),
            change,
        }));
    }
    Ok(TensorsDifference {
        tensors: [before.tensors.len() as u64, now.tensors.len() as u64],
        metadata: Fields::of(&before.metadata)?.differences(&Fields::of(&now.metadata)?),
        differing,
    })
}

fn by_name(file: &TensorFile) -> BTreeMap<&str, &StoredTensor> {
    let tensors = file.tensors.iter();
    tensors.map(|tensor| (&*tensor.name, tensor)).collect()
}

/// The elements that differ between two tensors of one form, if any do.
fn differing_values(
    files: [&File; 2],
    [before, now]: [&StoredTensor; 2],
) -> Result<Option<ValuesDifference>, FormatError> {
    let mut found = ValuesDifference {
        elements: before.elements(),
        ..ValuesDifference::default()
    };
    let width = before.element.width;
    let (mut left, mut right) = (Vec::new(), Vec::new());
    for (offset, length) in before.pieces() {
        left.resize(length, 0);
        right.resize(length, 0);
        files[0].read_exact_at(&mut left, before.bytes.start + offset)?;
        files[1].read_exact_at(&mut right, now.bytes.start + offset)?;
        if left != right {
            let first = offset / width as u64;
            let pairs = left.chunks(width).zip(right.chunks(width));
            for (at, (left, right)) in pairs.enumerate().filter(|(_, (left, right))| left != right)
            {
                found.add(before, first + at as u64, left, right);
            }
        }
    }
    Ok((found.differing > 0).then_some(found))
}

impl ValuesDifference {
    /// Notes that the element at the place `at` of the tensor differs.
    fn add(&mut self, tensor: &StoredTensor, at: u64, before: &[u8], now: &[u8]) {
        if self.differing == 0 {
            self.first = tensor.index(at);
        }
        self.differing += 1;
        let element = tensor.element;
        self.largest_ulps = self.largest_ulps.max(element.ulps(before, now));
        let Some((before, now)) = element.value(before).zip(element.value(now)) else {
            return;
        };
        let absolute = (before - now).abs();
        if !before.is_finite() || !now.is_finite() {
            self.not_finite += 1;
        } else if self
            .largest
            .as_ref()
            .is_none_or(|it| absolute > it.absolute)
        {
            self.largest = Some(LargestElement {
                absolute,
                index: tensor.index(at),
                before,
                now,
            });
        }
    }
}
