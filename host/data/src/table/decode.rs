//! Decodes a mapped file into record batches that point into the map.
//!
//! Arrow's decoder slices its input at the offsets that the file states and panics where they
//! lie outside; so every offset, length and count is checked here before the decoder runs.

use std::sync::Arc;

use arrow::array::{Array, FixedSizeBinaryArray, RecordBatch, UInt8Array, UInt16Array};
use arrow::buffer::Buffer;
use arrow::ipc::convert::try_fb_to_schema;
use arrow::ipc::reader::{FileDecoder, read_footer_length};
use arrow::ipc::{Block, Footer, root_as_footer, root_as_message};

use super::TableFault;
use super::layout::{self, Layout};
use crate::image::ImageShape;

const MAGIC: &[u8] = b"ARROW1\0\0";

/// The footer's length (4 bytes) and the closing magic.
const TRAILER: usize = 10;

/// A continuation marker and the length of the message.
const MESSAGE_PREFIX: usize = 8;
const CONTINUATION: [u8; 4] = [0xff; 4];

/// A table's content, pointing into the map.
pub(super) struct Decoded {
    pub(super) layout: Layout,
    pub(super) rows: u32,
    pub(super) rows_per_batch: u32,
    pub(super) batches: Vec<Batch>,
}

/// The rows of one record batch.
#[derive(Clone, Debug)]
pub(super) struct Batch {
    pixels: usize,
    images: Buffer,
    labels: Labels,
}

#[derive(Clone, Debug)]
enum Labels {
    Narrow(UInt8Array),
    Wide(UInt16Array),
}

impl Batch {
    /// The image and label of one row.
    pub(super) fn row(&self, row: usize) -> Option<(&[u8], i64)> {
        let label = match &self.labels {
            Labels::Narrow(labels) => i64::from(*labels.values().get(row)?),
            Labels::Wide(labels) => i64::from(*labels.values().get(row)?),
        };
        let start = row * self.pixels;
        Some((self.images.get(start..start + self.pixels)?, label))
    }

    /// The images one after another, and their labels.
    pub(super) fn stored(&self) -> (&[u8], Vec<i64>) {
        let labels: Vec<i64> = match &self.labels {
            Labels::Narrow(labels) => labels.values().iter().map(|&it| it.into()).collect(),
            Labels::Wide(labels) => labels.values().iter().map(|&it| it.into()).collect(),
        };
        let images = self.images.get(..labels.len() * self.pixels);
        (images.unwrap_or_default(), labels)
    }

    fn rows(&self) -> usize {
        match &self.labels {
            Labels::Narrow(labels) => labels.len(),
            Labels::Wide(labels) => labels.len(),
        }
    }

    /// The first label that is no class, and its row.
    fn stray_label(&self, classes: u32) -> Option<(usize, u32)> {
        let stray = |(_, label): &(usize, u32)| *label >= classes;
        match &self.labels {
            Labels::Narrow(labels) => {
                let mut labels = labels
                    .values()
                    .iter()
                    .map(|&label| label.into())
                    .enumerate();
                labels.find(stray)
            }
            Labels::Wide(labels) => {
                let mut labels = labels
                    .values()
                    .iter()
                    .map(|&label| label.into())
                    .enumerate();
                labels.find(stray)
            }
        }
    }
}

/// Checks and decodes a whole file.
pub(super) fn decode(file: &Buffer) -> Result<Decoded, TableFault> {
    let footer = footer(file)?;
    let schema = footer.schema().ok_or(TableFault::NotArrow("no schema"))?;
    if !schema.endianness().equals_to_target_endianness() {
        return Err(TableFault::NotArrow("foreign byte order"));
    }
    let schema = Arc::new(try_fb_to_schema(schema)?);
    let layout = layout::parse(&schema)?;

    let decoder = FileDecoder::new(schema, footer.version());
    let blocks = footer.recordBatches();
    let blocks = blocks.ok_or(TableFault::NotArrow("no record batches"))?;
    let batches = blocks
        .iter()
        .enumerate()
        .map(|(number, block)| decode_batch(file, &decoder, block, number, layout.shape))
        .collect::<Result<Vec<_>, _>>()?;

    let (rows, rows_per_batch) = count_rows(&batches)?;
    check_labels(&batches, layout.classes)?;
    Ok(Decoded {
        layout,
        rows,
        rows_per_batch,
        batches,
    })
}

fn footer(file: &[u8]) -> Result<Footer<'_>, TableFault> {
    if !file.starts_with(MAGIC) {
        return Err(TableFault::NotArrow("it does not begin with ARROW1"));
    }
    let (rest, trailer) = file
        .split_last_chunk::<TRAILER>()
        .ok_or(TableFault::NotArrow("it is too short"))?;
    let length = read_footer_length(*trailer)
        .map_err(|_| TableFault::NotArrow("it does not end with ARROW1"))?;
    let start = rest.len().checked_sub(length);
    let start = start.ok_or(TableFault::NotArrow("the footer is longer than the file"))?;
    root_as_footer(&rest[start..]).map_err(|_| TableFault::NotArrow("the footer is malformed"))
}

fn decode_batch(
    file: &Buffer,
    decoder: &FileDecoder,
    block: &Block,
    number: usize,
    shape: ImageShape,
) -> Result<Batch, TableFault> {
    let bytes = slice_block(file, block).ok_or(TableFault::OutOfBounds {
        part: "the block",
        batch: number,
    })?;
    let (metadata, body) = bytes.split_at(block.metaDataLength() as usize);
    check_message(metadata, body.len() as u64, number)?;
    let wrong = |problem| TableFault::WrongBatch {
        batch: number,
        problem,
    };
    let batch = decoder
        .read_record_batch(block, &bytes)?
        .ok_or_else(|| wrong("is empty"))?;
    columns(&batch, shape).ok_or_else(|| wrong("has other columns"))
}

/// The bytes of a block, if they lie inside the file.
fn slice_block(file: &Buffer, block: &Block) -> Option<Buffer> {
    let offset = usize::try_from(block.offset()).ok()?;
    let metadata = usize::try_from(block.metaDataLength()).ok()?;
    let body = usize::try_from(block.bodyLength()).ok()?;
    let length = metadata.checked_add(body)?;
    let inside = offset.checked_add(length)? <= file.len();
    inside.then(|| file.slice_with_length(offset, length))
}

/// Checks everything by which the decoder would slice a record batch.
fn check_message(metadata: &[u8], body: u64, number: usize) -> Result<(), TableFault> {
    let wrong = |problem| TableFault::WrongBatch {
        batch: number,
        problem,
    };
    let message = metadata
        .get(MESSAGE_PREFIX..)
        .filter(|_| metadata.starts_with(&CONTINUATION))
        .and_then(|message| root_as_message(message).ok())
        .ok_or_else(|| wrong("has a malformed message"))?;
    let batch = message
        .header_as_record_batch()
        .ok_or_else(|| wrong("is something else"))?;
    if batch.compression().is_some() {
        return Err(wrong("is compressed"));
    }
    let nodes = batch.nodes().ok_or_else(|| wrong("has no columns"))?;
    let rows_agree = nodes
        .iter()
        .all(|node| node.length() == batch.length() && node.null_count() == 0);
    if nodes.len() != 2 || !rows_agree || u32::try_from(batch.length()).is_err() {
        return Err(wrong("has columns that differ in length or hold nulls"));
    }
    let buffers = batch.buffers().ok_or_else(|| wrong("has no buffers"))?;
    let all_inside = buffers.iter().all(|buffer| {
        let offset = u64::try_from(buffer.offset());
        let length = u64::try_from(buffer.length());
        matches!((offset, length), (Ok(offset), Ok(length))
            if offset.checked_add(length).is_some_and(|end| end <= body))
    });
    if all_inside {
        Ok(())
    } else {
        Err(TableFault::OutOfBounds {
            part: "a buffer",
            batch: number,
        })
    }
}

fn columns(batch: &RecordBatch, shape: ImageShape) -> Option<Batch> {
    let images = batch.column_by_name("image")?.as_any();
    let images = images.downcast_ref::<FixedSizeBinaryArray>()?;
    let labels = batch.column_by_name("label")?.as_any();
    let labels = if let Some(labels) = labels.downcast_ref::<UInt8Array>() {
        Labels::Narrow(labels.clone())
    } else {
        Labels::Wide(labels.downcast_ref::<UInt16Array>()?.clone())
    };
    Some(Batch {
        pixels: shape.pixels(),
        images: images.values().clone(),
        labels,
    })
}

/// The number of rows, and of rows in every batch but the last.
fn count_rows(batches: &[Batch]) -> Result<(u32, u32), TableFault> {
    let Some(first) = batches.first() else {
        return Ok((0, 1));
    };
    let full = first.rows();
    for (number, batch) in batches.iter().enumerate() {
        let last = number + 1 == batches.len();
        if batch.rows() == 0 || batch.rows() > full || (batch.rows() < full && !last) {
            return Err(TableFault::WrongBatch {
                batch: number,
                problem: "has another number of rows than the first",
            });
        }
    }
    let rows: usize = batches.iter().map(Batch::rows).sum();
    let rows = u32::try_from(rows).map_err(|_| TableFault::TooManyRows)?;
    Ok((rows, full as u32))
}

fn check_labels(batches: &[Batch], classes: u32) -> Result<(), TableFault> {
    let mut before = 0_u64;
    for batch in batches {
        if let Some((row, label)) = batch.stray_label(classes) {
            return Err(TableFault::LabelOutOfRange {
                label,
                row: before + row as u64,
                classes,
            });
        }
        before += batch.rows() as u64;
    }
    Ok(())
}
