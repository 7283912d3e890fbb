//! Text: its first lines, and the lines of two texts that differ, line by line from the top.

use std::io::{self, BufRead, BufReader};
use std::path::Path;

use super::error::FormatError;
use super::quote::quote;
use super::shape::{
    Format, HEAD, Head, Inside, LARGEST_TEXT, LineDifference, Summary, Text, TextDifference,
};

pub(super) const FORMAT: Format = Format {
    name: "text",
    content: "text",
    recognise: |head| Ok(beginning(&head.bytes).is_some()),
    summarise,
    compare: Some(compare),
};

/// The beginning of a file as text, if it is one: UTF-8 without zero bytes. Its last character may
/// be cut off.
pub(super) fn beginning(head: &[u8]) -> Option<&str> {
    let text = match std::str::from_utf8(head) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() => {
            std::str::from_utf8(head.get(..error.valid_up_to())?).ok()?
        }
        Err(_) => return None,
    };
    (!text.is_empty() && !text.contains('\0')).then_some(text)
}

pub(super) fn summarise(head: &Head, lines: usize) -> Result<Summary, FormatError> {
    let text = beginning(&head.bytes).ok_or("it is no UTF-8")?;
    let text = Text::first(text, lines, head.size > HEAD);
    Ok(Summary::Text(text))
}

fn compare(before: &Path, now: &Path) -> Result<Inside, FormatError> {
    let difference = compare_lines(open(before)?, open(now)?)?;
    Ok(Inside::Text(difference))
}

fn open(path: &Path) -> Result<impl BufRead, FormatError> {
    let file = assay_files::open(path)?;
    if file.metadata()?.len() > LARGEST_TEXT {
        let fault = format!("it has more than {} MiB", LARGEST_TEXT >> 20);
        return Err(FormatError::Malformed(fault));
    }
    Ok(BufReader::new(file))
}

fn compare_lines(mut before: impl BufRead, mut now: impl BufRead) -> io::Result<TextDifference> {
    let mut difference = TextDifference::default();
    let (mut left, mut right) = (Vec::new(), Vec::new());
    let mut line = 0;
    loop {
        let left = read_line(&mut before, &mut left)?;
        let right = read_line(&mut now, &mut right)?;
        if left.is_none() && right.is_none() {
            return Ok(difference);
        }
        line += 1;
        let [lines_before, lines_now] = &mut difference.lines;
        *lines_before += u64::from(left.is_some());
        *lines_now += u64::from(right.is_some());
        if left != right {
            difference.differing += 1;
            let text = |line: Option<&[u8]>| {
                line.map(|line| quote(String::from_utf8_lossy(line).trim_end()))
            };
            difference.first.get_or_insert_with(|| LineDifference {
                line,
                before: text(left),
                now: text(right),
            });
        }
    }
}

/// The next line with its end, if there is one.
fn read_line<'a>(reader: &mut impl BufRead, line: &'a mut Vec<u8>) -> io::Result<Option<&'a [u8]>> {
    line.clear();
    let read = reader.read_until(b'\n', line)?;
    Ok((read > 0).then_some(line.as_slice()))
}
