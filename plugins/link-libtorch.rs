//! Build script of every plugin: gives the library a run path to the libtorch it was linked with,
//! so that nobody needs `LD_LIBRARY_PATH`.

use std::{env, error::Error, fs};

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-env-changed=LIBTORCH");
    println!("cargo::rerun-if-changed=../link-libtorch.rs");
    if let Some(libtorch) = env::var_os("LIBTORCH") {
        // Canonical, so that the library still loads when the checkout's link is gone.
        let lib = fs::canonicalize(libtorch)?.join("lib");
        println!("cargo::rustc-link-arg=-Wl,-rpath,{}", lib.display());
    }
    Ok(())
}
