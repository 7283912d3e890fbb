//! The tensors of a safetensors file in figures. The file is read in one pass of small pieces, so
//! that a network of any size is looked at in little memory.

use std::collections::BTreeMap;
use std::io::{BufReader, Read};
use std::path::Path;

use half::{bf16, f16};
use safetensors::Dtype;
use safetensors::tensor::{Metadata, TensorInfo};

/// The bytes before the header, which tell its length.
const LENGTH: usize = 8;

/// The most bytes of a header, which names tensors and holds none: it is held as a whole.
pub(crate) const LONGEST_HEADER: u64 = 16 << 20;

/// Bytes that are read at a time; a multiple of every element's size.
const PIECE: usize = 1 << 20;

/// The tensors of a file.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensors {
    /// In the order of the file.
    pub tensors: Vec<Tensor>,
    /// Metadata of the file, beside the tensors.
    pub metadata: BTreeMap<String, String>,
}

/// A tensor in figures.
#[derive(Clone, Debug, PartialEq)]
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
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Figures {
    /// How many elements there are.
    pub elements: u64,
    /// How many of them are infinite or not a number.
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

/// Whether a file of this size may be safetensors: the length of a header that fits, then JSON.
pub(super) fn is_like(head: &[u8], size: u64) -> bool {
    let length = head.first_chunk().map(|bytes| u64::from_le_bytes(*bytes));
    let fits = length.is_some_and(|length| length <= size.saturating_sub(LENGTH as u64));
    fits && head.get(LENGTH) == Some(&b'{')
}

pub(super) fn read(path: &Path) -> Result<Tensors, String> {
    let file = assay_files::open(path).map_err(|error| error.to_string())?;
    let size = file.metadata().map_err(|error| error.to_string())?.len();
    let mut file = BufReader::with_capacity(PIECE, file);
    let header = header(&mut file, size)?;
    let mut tensors = Vec::new();
    for name in header.offset_keys() {
        let Some(info) = header.info(&name) else {
            continue;
        };
        let figures = figures(&mut file, info)?;
        tensors.push(Tensor {
            name,
            dtype: info.dtype.to_string(),
            shape: info.shape.clone(),
            figures,
        });
    }
    let metadata = header.metadata().iter().flatten();
    Ok(Tensors {
        tensors,
        metadata: metadata
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect(),
    })
}

/// The header, and that the tensors it names lie one after the other up to the end.
fn header(file: &mut impl Read, size: u64) -> Result<Metadata, String> {
    let mut length = [0; LENGTH];
    file.read_exact(&mut length)
        .map_err(|error| error.to_string())?;
    let length = u64::from_le_bytes(length);
    let rest = size.saturating_sub(LENGTH as u64);
    if length > rest.min(LONGEST_HEADER) {
        return Err(format!("its header of {length} bytes is too long"));
    }
    let mut header = vec![0; length as usize];
    file.read_exact(&mut header)
        .map_err(|error| error.to_string())?;
    let header: Metadata =
        serde_json::from_slice(&header).map_err(|error| format!("its header: {error}"))?;
    if header.data_len() as u64 != rest - length {
        return Err(format!(
            "its tensors take {} bytes, and it has {} for them",
            header.data_len(),
            rest - length
        ));
    }
    Ok(header)
}

fn figures(file: &mut impl Read, info: &TensorInfo) -> Result<Option<Figures>, String> {
    let (from, to) = info.data_offsets;
    let mut left = to.saturating_sub(from);
    let mut sums = Sums::default();
    let mut known = true;
    let mut piece = vec![0; PIECE.min(left)];
    while left > 0 {
        let length = left.min(PIECE);
        let bytes = piece.get_mut(..length).unwrap_or_default();
        file.read_exact(bytes).map_err(|error| error.to_string())?;
        known = known && sums.add(bytes, info.dtype);
        left -= length;
    }
    Ok(known.then(|| sums.figures()))
}

#[derive(Default)]
struct Sums {
    figures: Figures,
    sum: f64,
    squares: f64,
}

impl Sums {
    /// Adds the elements; whether their type is one that can be summed.
    fn add(&mut self, bytes: &[u8], dtype: Dtype) -> bool {
        match dtype {
            Dtype::F32 => self.each(bytes, |word| f32::from_le_bytes(word).into()),
            Dtype::F64 => self.each(bytes, f64::from_le_bytes),
            Dtype::F16 => self.each(bytes, |word| f16::from_le_bytes(word).into()),
            Dtype::BF16 => self.each(bytes, |word| bf16::from_le_bytes(word).into()),
            Dtype::I64 => self.each(bytes, |word| i64::from_le_bytes(word) as f64),
            Dtype::U64 => self.each(bytes, |word| u64::from_le_bytes(word) as f64),
            Dtype::I32 => self.each(bytes, |word| i32::from_le_bytes(word).into()),
            Dtype::U32 => self.each(bytes, |word| u32::from_le_bytes(word).into()),
            Dtype::I16 => self.each(bytes, |word| i16::from_le_bytes(word).into()),
            Dtype::U16 => self.each(bytes, |word| u16::from_le_bytes(word).into()),
            Dtype::I8 => self.each(bytes, |word| i8::from_le_bytes(word).into()),
            Dtype::U8 | Dtype::BOOL => self.each(bytes, |word| u8::from_le_bytes(word).into()),
            _ => return false,
        }
        true
    }

    fn each<const N: usize>(&mut self, bytes: &[u8], value: impl Fn([u8; N]) -> f64) {
        let (words, _) = bytes.as_chunks::<N>();
        for &word in words {
            self.one(value(word));
        }
        self.figures.elements += words.len() as u64;
    }

    fn one(&mut self, value: f64) {
        if !value.is_finite() {
            self.figures.non_finite += 1;
            return;
        }
        self.sum += value;
        self.squares += value * value;
        self.figures.min = Some(self.figures.min.map_or(value, |min| min.min(value)));
        self.figures.max = Some(self.figures.max.map_or(value, |max| max.max(value)));
    }

    fn figures(self) -> Figures {
        let finite = self.figures.elements - self.figures.non_finite;
        Figures {
            norm: self.squares.sqrt(),
            mean: self.sum / finite.max(1) as f64,
            ..self.figures
        }
    }
}
