//! Arrow files: images and their labels in figures, and the rows of two files that differ. Batches
//! of a file of unknown origin are read one at a time, and no more is allocated for one than the
//! file has bytes.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::buffer::Buffer;
use arrow::ipc::convert::try_fb_to_schema;
use arrow::ipc::reader::{FileDecoder, read_footer_length};
use arrow::ipc::{Block, root_as_footer};
use assay_data::table::ImageTable;

use super::error::FormatError;
use super::shape::{Format, Head, Images, Inside, Summary};
use super::table::{self, TableFile};

/// The footer's length (4 bytes) and the closing magic.
const TRAILER: u64 = 10;

pub(super) const FORMAT: Format = Format {
    name: "an Arrow file",
    content: "images with labels (Arrow IPC)",
    recognise: |head| Ok(head.bytes.starts_with(b"ARROW1")),
    summarise: |head, _| images(head).map(Summary::Images),
    compare: Some(compare),
};

fn images(head: &Head) -> Result<Images, FormatError> {
    let table = ImageTable::open(&head.path).map_err(|error| FormatError::Images(error.fault))?;
    let mut label_counts = vec![0; table.classes() as usize];
    for row in 0..table.len() {
        let label = table
            .row(row)
            .and_then(|(_, label)| usize::try_from(label).ok());
        if let Some(count) = label.and_then(|label| label_counts.get_mut(label)) {
            *count += 1;
        }
    }
    Ok(Images {
        images: table.len(),
        shape: table.shape(),
        label_counts,
    })
}

fn compare(before: &Path, now: &Path) -> Result<Inside, FormatError> {
    table::compare(open(before)?, open(now)?).map(Inside::Table)
}

fn open(path: &Path) -> Result<TableFile, FormatError> {
    let file = assay_files::open(path)?;
    let size = file.metadata()?.len();
    let end = size.checked_sub(TRAILER).ok_or("it is too short")?;
    let mut trailer = [0; TRAILER as usize];
    file.read_exact_at(&mut trailer, end)?;
    let length = read_footer_length(trailer)?;
    let start = end.checked_sub(length as u64);
    let start = start.ok_or("its footer is longer than the file")?;
    let mut footer = vec![0; length];
    file.read_exact_at(&mut footer, start)?;
    let footer = root_as_footer(&footer).map_err(|_| "its footer is malformed")?;
    let schema = footer.schema().ok_or("it has no schema")?;
    let schema = Arc::new(try_fb_to_schema(schema)?);
    if footer.dictionaries().is_some_and(|it| !it.is_empty()) {
        return Err("it has dictionaries".into());
    }
    let decoder = FileDecoder::new(Arc::clone(&schema), footer.version());
    let blocks = footer.recordBatches().unwrap_or_default();
    let blocks: Vec<Block> = blocks.iter().copied().collect();
    let batches = blocks
        .into_iter()
        .filter_map(move |block| decode(&file, size, &decoder, &block).transpose());
    Ok(TableFile {
        metadata: schema.metadata().clone().into_iter().collect(),
        schema,
        batches: Box::new(batches),
    })
}

fn decode(
    file: &File,
    size: u64,
    decoder: &FileDecoder,
    block: &Block,
) -> Result<Option<RecordBatch>, FormatError> {
    let outside = "a batch lies outside of the file";
    let offset = u64::try_from(block.offset()).map_err(|_| outside)?;
    let metadata = u64::try_from(block.metaDataLength()).map_err(|_| outside)?;
    let body = u64::try_from(block.bodyLength()).map_err(|_| outside)?;
    let length = metadata.checked_add(body);
    let length = length.filter(|length| {
        let end = offset.checked_add(*length);
        end.is_some_and(|end| end <= size)
    });
    let mut bytes = vec![0; length.ok_or(outside)? as usize];
    file.read_exact_at(&mut bytes, offset)?;
    let batch = decoder.read_record_batch(block, &Buffer::from(bytes))?;
    // A row takes a bit at least; more rows than that are claimed and not there.
    let rows = batch.as_ref().map_or(0, RecordBatch::num_rows);
    if rows as u64 / 8 > size {
        return Err("it claims more rows than it has room for".into());
    }
    Ok(batch)
}
