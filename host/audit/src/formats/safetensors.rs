//! Safetensors: the length of a header, the header in JSON, and the tensors one after the other up
//! to the end of the file.

use std::os::unix::fs::FileExt;
use std::path::Path;

use safetensors::Dtype;
use safetensors::tensor::{Metadata, TensorInfo};

use super::element::{Element, Number};
use super::error::FormatError;
use super::shape::{Format, Head, Inside, Summary};
use super::tensors::{self, StoredTensor, TensorFile};

/// Bytes of the length before the header.
const LENGTH: u64 = 8;
/// The most bytes of a header, which is held as a whole: the limit of the format itself, so that
/// whatever a plugin or another program can load is looked into here too.
const LONGEST_HEADER: u64 = 100_000_000;

pub(super) const FORMAT: Format = Format {
    name: "safetensors",
    content: "tensors (safetensors)",
    recognise: |head| Ok(is_like(head)),
    summarise: |head, _| open(&head.path)?.summarise().map(Summary::Tensors),
    compare: Some(compare),
};

/// Whether the file begins with the length of a header that fits, and then JSON.
fn is_like(head: &Head) -> bool {
    let length = head.bytes.first_chunk();
    let length = length.map(|bytes| u64::from_le_bytes(*bytes));
    let fits = length.is_some_and(|length| length <= head.size.saturating_sub(LENGTH));
    fits && head.bytes.get(LENGTH as usize) == Some(&b'{')
}

fn compare(before: &Path, now: &Path) -> Result<Inside, FormatError> {
    tensors::compare(&open(before)?, &open(now)?).map(Inside::Tensors)
}

fn open(path: &Path) -> Result<TensorFile, FormatError> {
    let file = assay_files::open(path)?;
    let rest = file.metadata()?.len().saturating_sub(LENGTH);
    let mut length = [0; LENGTH as usize];
    file.read_exact_at(&mut length, 0)?;
    let length = u64::from_le_bytes(length);
    if length > rest.min(LONGEST_HEADER) {
        let fault = format!("its header of {length} bytes is too long");
        return Err(FormatError::Malformed(fault));
    }
    let mut header = vec![0; length as usize];
    file.read_exact_at(&mut header, LENGTH)?;
    // Tensors of this type lie one after the other, each with the bytes that its shape takes.
    let header: Metadata = serde_json::from_slice(&header).map_err(FormatError::Header)?;
    let (taken, found) = (header.data_len() as u64, rest - length);
    if taken != found {
        let fault = format!("its tensors take {taken} bytes, and it has {found} for them");
        return Err(FormatError::Malformed(fault));
    }
    let metadata = header.metadata().clone().unwrap_or_default();
    let stored = |name: String| {
        let info = header.info(&name)?;
        Some(stored(name, info, LENGTH + length))
    };
    Ok(TensorFile {
        file,
        tensors: header
            .offset_keys()
            .into_iter()
            .filter_map(stored)
            .collect(),
        metadata: metadata.into_iter().collect(),
    })
}

fn stored(name: String, info: &TensorInfo, start: u64) -> StoredTensor {
    let (from, to) = info.data_offsets;
    StoredTensor {
        name,
        dtype: info.dtype.to_string(),
        shape: info.shape.clone(),
        element: Element {
            // Elements of less than a byte are told apart by the bytes they lie in.
            width: (info.dtype.bitsize() / 8).max(1),
            number: number(info.dtype),
            big_endian: false,
        },
        column_major: false,
        bytes: start + from as u64..start + to as u64,
    }
}

fn number(dtype: Dtype) -> Option<Number> {
    Some(match dtype {
        Dtype::F64 => Number::F64,
        Dtype::F32 => Number::F32,
        Dtype::F16 => Number::F16,
        Dtype::BF16 => Number::Bf16,
        Dtype::I64 => Number::I64,
        Dtype::U64 => Number::U64,
        Dtype::I32 => Number::I32,
        Dtype::U32 => Number::U32,
        Dtype::I16 => Number::I16,
        Dtype::U16 => Number::U16,
        Dtype::I8 => Number::I8,
        Dtype::U8 | Dtype::BOOL => Number::U8,
        // Complex numbers, floats of a byte or less, and what a later version of the format adds.
        _ => return None,
    })
}
