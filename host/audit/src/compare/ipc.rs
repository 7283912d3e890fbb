//! Opens an Arrow file of unknown origin as a table. Its batches are read one at a time, and no
//! more is allocated for one than the file has bytes.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::buffer::Buffer;
use arrow::ipc::convert::try_fb_to_schema;
use arrow::ipc::reader::{FileDecoder, read_footer_length};
use arrow::ipc::{Block, root_as_footer};

use super::table::Table;

/// The footer's length (4 bytes) and the closing magic.
const TRAILER: u64 = 10;

pub(super) fn open(path: &Path) -> Result<Table, String> {
    let file = assay_files::open(path).map_err(|error| error.to_string())?;
    let size = file.metadata().map_err(|error| error.to_string())?.len();
    let end = size.checked_sub(TRAILER).ok_or("it is too short")?;
    let mut trailer = [0; TRAILER as usize];
    read(&file, &mut trailer, end)?;
    let length = read_footer_length(trailer).map_err(|error| error.to_string())?;
    let start = end.checked_sub(length as u64);
    let start = start.ok_or("its footer is longer than the file")?;
    let mut footer = vec![0; length];
    read(&file, &mut footer, start)?;
    let footer = root_as_footer(&footer).map_err(|_| "its footer is malformed")?;
    let schema = footer.schema().ok_or("it has no schema")?;
    let schema = Arc::new(try_fb_to_schema(schema).map_err(|error| error.to_string())?);
    if footer.dictionaries().is_some_and(|it| !it.is_empty()) {
        return Err("it has dictionaries".to_owned());
    }
    let decoder = FileDecoder::new(Arc::clone(&schema), footer.version());
    let blocks = footer.recordBatches().unwrap_or_default();
    let blocks: Vec<Block> = blocks.iter().copied().collect();
    let batches = blocks
        .into_iter()
        .filter_map(move |block| decode(&file, size, &decoder, &block).transpose());
    Ok(Table {
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
) -> Result<Option<RecordBatch>, String> {
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
    read(file, &mut bytes, offset)?;
    let batch = decoder.read_record_batch(block, &Buffer::from(bytes));
    let batch = batch.map_err(|error| error.to_string())?;
    // A row takes a bit at least; more rows than that are claimed and not there.
    let rows = batch.as_ref().map_or(0, RecordBatch::num_rows);
    if rows as u64 / 8 > size {
        return Err("it claims more rows than it has room for".to_owned());
    }
    Ok(batch)
}

fn read(file: &File, bytes: &mut [u8], offset: u64) -> Result<(), String> {
    file.read_exact_at(bytes, offset)
        .map_err(|error| format!("it cannot be read: {error}"))
}
