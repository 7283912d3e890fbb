//! Which tensors of two safetensors files differ. The header is read and checked here; elements
//! are read in pieces, so that a state of a gigabyte needs no gigabyte.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use assay_core::{Difference, Fields};
use safetensors::Dtype;
use safetensors::tensor::TensorInfo;
use serde::Serialize;
use serde_json::Value;

use super::number;
use crate::content::LONGEST_HEADER;

/// How much of a tensor is read at a time: a whole number of elements of any type.
const PIECE: u64 = 1 << 20;
const METADATA: &str = "__metadata__";

/// Which tensors of two files differ.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct TensorsDifference {
    /// How many tensors they have.
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
    /// How it differs.
    #[serde(flatten)]
    pub change: TensorChange,
}

/// How a tensor differs.
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
    /// How many elements it has.
    pub elements: u64,
    /// How many of them have other bits.
    pub differing: u64,
    /// The index of the first of them.
    pub first: Vec<u64>,
    /// The largest difference, of those between finite numbers.
    pub largest: Option<LargestElement>,
    /// The most representable numbers that two floats are apart.
    pub largest_ulps: Option<u64>,
    /// How many of them are infinite or not a number in either file.
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

pub(super) fn compare(before: &Path, now: &Path) -> Result<TensorsDifference, String> {
    let (before, now) = (Tensors::open(before)?, Tensors::open(now)?);
    let fields = |tensors: &Tensors| Fields::of(&tensors.metadata).map_err(|it| it.to_string());
    let names: BTreeSet<_> = before.infos.keys().chain(now.infos.keys()).collect();
    let mut differing = Vec::new();
    for name in names {
        let change = match (before.infos.get(name), now.infos.get(name)) {
            (Some(left), Some(right)) if same_form(left, right) => {
                differing_values(&before, &now, left, right)?.map(TensorChange::Values)
            }
            (Some(left), Some(right)) => Some(TensorChange::Form {
                before: form(left),
                now: form(right),
            }),
            (Some(left), None) => Some(TensorChange::Missing { form: form(left) }),
            (None, Some(right)) => Some(TensorChange::Extra { form: form(right) }),
            (None, None) => None,
        };
        differing.extend(change.map(|change| TensorDifference {
            tensor: name.clone(),
            change,
        }));
    }
    Ok(TensorsDifference {
        tensors: [before.infos.len() as u64, now.infos.len() as u64],
        metadata: fields(&before)?.differences(&fields(&now)?),
        differing,
    })
}

fn same_form(before: &TensorInfo, now: &TensorInfo) -> bool {
    before.dtype == now.dtype && before.shape == now.shape
}

fn form(info: &TensorInfo) -> String {
    format!("{:?} {:?}", info.dtype, info.shape)
}

/// A file whose header was checked: every tensor lies in it.
struct Tensors {
    file: File,
    /// Where the elements begin.
    start: u64,
    metadata: Value,
    infos: BTreeMap<String, TensorInfo>,
}

impl Tensors {
    fn open(path: &Path) -> Result<Self, String> {
        let file = assay_files::open(path).map_err(|error| error.to_string())?;
        let size = file.metadata().map_err(|error| error.to_string())?.len();
        let mut length = [0; 8];
        read(&file, &mut length, 0)?;
        let length = u64::from_le_bytes(length);
        if length > LONGEST_HEADER || length > size.saturating_sub(8) {
            return Err("its header is longer than it may be".to_owned());
        }
        let mut header = vec![0; length as usize];
        read(&file, &mut header, 8)?;
        let header = serde_json::from_slice::<BTreeMap<String, Value>>(&header);
        let mut header = header.map_err(|error| format!("its header is no JSON: {error}"))?;
        let metadata = header.remove(METADATA).unwrap_or_default();
        let (start, mut infos) = (8 + length, BTreeMap::new());
        for (name, info) in header {
            let info: TensorInfo = serde_json::from_value(info)
                .map_err(|error| format!("its header is wrong about `{name}`: {error}"))?;
            if !fits(&info, size - start) {
                return Err(format!("its tensor `{name}` is not where it is said to be"));
            }
            infos.insert(name, info);
        }
        Ok(Self {
            file,
            start,
            metadata,
            infos,
        })
    }
}

/// Whether the tensor has the bytes that its type and shape need, inside so many bytes.
fn fits(info: &TensorInfo, size: u64) -> bool {
    let (begin, end) = info.data_offsets;
    let bits = elements(info).and_then(|count| count.checked_mul(info.dtype.bitsize() as u64));
    begin <= end && end as u64 <= size && bits == ((end - begin) as u64).checked_mul(8)
}

fn elements(info: &TensorInfo) -> Option<u64> {
    let mut sizes = info.shape.iter();
    sizes.try_fold(1_u64, |product, &size| product.checked_mul(size as u64))
}

fn read(file: &File, bytes: &mut [u8], offset: u64) -> Result<(), String> {
    file.read_exact_at(bytes, offset)
        .map_err(|error| format!("it cannot be read: {error}"))
}

/// Which elements differ, if any do.
fn differing_values(
    before: &Tensors,
    now: &Tensors,
    left: &TensorInfo,
    right: &TensorInfo,
) -> Result<Option<ValuesDifference>, String> {
    let mut found = ValuesDifference {
        elements: elements(left).unwrap_or(0),
        ..ValuesDifference::default()
    };
    let length = (left.data_offsets.1 - left.data_offsets.0) as u64;
    // Elements of less than a byte are told apart by the bytes they lie in.
    let width = (left.dtype.bitsize() / 8).max(1);
    let buffer = vec![0; PIECE.min(length) as usize];
    let mut buffers = [buffer.clone(), buffer];
    let mut done = 0;
    while done < length {
        let piece = (length - done).min(PIECE) as usize;
        let [left_bytes, right_bytes] = &mut buffers;
        left_bytes.truncate(piece);
        right_bytes.truncate(piece);
        let offset = |start, info: &TensorInfo| start + info.data_offsets.0 as u64 + done;
        read(&before.file, left_bytes, offset(before.start, left))?;
        read(&now.file, right_bytes, offset(now.start, right))?;
        if left_bytes != right_bytes {
            let pairs = left_bytes.chunks(width).zip(right_bytes.chunks(width));
            for (at, (one, other)) in pairs.enumerate().filter(|(_, (one, other))| one != other) {
                let index = done / width as u64 + at as u64;
                found.add(left.dtype, &left.shape, index, one, other);
            }
        }
        done += piece as u64;
    }
    Ok((found.differing > 0).then_some(found))
}

impl ValuesDifference {
    /// Notes that the element at the flat index `at` differs.
    fn add(&mut self, dtype: Dtype, shape: &[usize], at: u64, before: &[u8], now: &[u8]) {
        if self.differing == 0 {
            self.first = index(shape, at);
        }
        self.differing += 1;
        self.largest_ulps = self.largest_ulps.max(number::ulps(dtype, before, now));
        let values = number::value(dtype, before).zip(number::value(dtype, now));
        let Some((before, now)) = values else {
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
                index: index(shape, at),
                before,
                now,
            });
        }
    }
}

/// The index of an element by dimension, from its place in the file.
fn index(shape: &[usize], mut at: u64) -> Vec<u64> {
    let mut index = vec![0; shape.len()];
    for (place, &size) in index.iter_mut().zip(shape).rev() {
        let size = (size as u64).max(1);
        (*place, at) = (at % size, at / size);
    }
    index
}
