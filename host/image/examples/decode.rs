//! Decodes and resizes every image below a folder, once to warm up and once on the clock, and
//! prints images per second: `decode DIR THREADS`. For `scripts/bench decode`.

#![allow(clippy::print_stdout, reason = "the number is what it is for")]

use std::error::Error;
use std::fs;
use std::path::Path;
use std::time::Instant;

use assay_image::{Decoder, Form, Geometry, ImageError};
use rayon::ThreadPoolBuilder;
use rayon::iter::{IntoParallelRefIterator, ParallelIterator};

const FORM: Form = Form {
    size: Some(224),
    geometry: Geometry::Stretch,
    grey: false,
};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(folder), Some(threads)) = (arguments.next(), arguments.next()) else {
        return Err("usage: decode DIR THREADS".into());
    };
    let mut files = Vec::new();
    collect(Path::new(&folder), &mut files)?;
    let pool = ThreadPoolBuilder::new()
        .num_threads(threads.parse()?)
        .build()?;
    let pass = || {
        pool.install(|| {
            files
                .par_iter()
                .map_init(
                    || Decoder::new(FORM),
                    |decoder, bytes| decoder.decode(bytes).map(|_| ()),
                )
                .collect::<Result<(), ImageError>>()
        })
    };
    pass()?;
    let start = Instant::now();
    pass()?;
    println!("{}", files.len() as f64 / start.elapsed().as_secs_f64());
    Ok(())
}

/// The content of every file below `folder`.
fn collect(folder: &Path, files: &mut Vec<Vec<u8>>) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else {
            files.push(fs::read(path)?);
        }
    }
    Ok(())
}
