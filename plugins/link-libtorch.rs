//! Build script of every crate that links libtorch: gives what it builds a run path to the
//! libtorch it was linked with, so that nobody needs `LD_LIBRARY_PATH`.

// A build script speaks to cargo through its standard output.
#![allow(clippy::print_stdout)]

use std::{env, error::Error, fs};

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-env-changed=LIBTORCH");
    if let Some(libtorch) = env::var_os("LIBTORCH") {
        // Canonical, so that the library still loads when the checkout's link is gone.
        let lib = fs::canonicalize(libtorch)?.join("lib");
        println!("cargo::rustc-link-arg=-Wl,-rpath,{}", lib.display());
    }
    Ok(())
}
