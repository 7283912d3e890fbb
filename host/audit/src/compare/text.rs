//! Which lines of two texts differ, line by line from the top.

use std::fs;
use std::io::{self, BufRead, BufReader};
use std::path::Path;

use serde::Serialize;

use super::shortened;

/// A text of more bytes is not looked at line by line: a line may be as long as the text.
const LARGEST: u64 = 64 << 20;

/// Which lines of two texts differ.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct TextDifference {
    /// How many lines they have.
    pub lines: [u64; 2],
    /// How many lines differ from the line with the same number.
    pub differing: u64,
    /// The first of them.
    pub first: Option<LineDifference>,
}

/// A line that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LineDifference {
    /// Its number, counted from 1.
    pub line: u64,
    /// How it begins in the first text, if it is there.
    pub before: Option<String>,
    /// How it begins in the second.
    pub now: Option<String>,
}

pub(super) fn compare(before: &Path, now: &Path) -> Result<TextDifference, String> {
    let open = |path: &Path| {
        let size = fs::metadata(path).map_err(|error| error.to_string())?.len();
        if size > LARGEST {
            return Err(format!("it has more than {} MiB", LARGEST >> 20));
        }
        let file = assay_files::open(path).map_err(|error| error.to_string())?;
        Ok(BufReader::new(file))
    };
    lines(open(before)?, open(now)?).map_err(|error| error.to_string())
}

fn lines(mut before: impl BufRead, mut now: impl BufRead) -> io::Result<TextDifference> {
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
                line.map(|line| shortened(String::from_utf8_lossy(line).trim_end()))
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
