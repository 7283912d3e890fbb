//! Compiles the C++ against the headers of libtorch, and gives the library a run path to the libtorch
//! that it is linked with.

use std::path::Path;
use std::{env, error::Error, fs};

const SOURCES: [&str; 3] = ["src/rule.cpp", "src/learner.cpp", "src/glue.cpp"];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-env-changed=LIBTORCH");
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=src");
    let libtorch = env::var_os("LIBTORCH").ok_or("LIBTORCH names no folder of libtorch")?;
    // Canonical, so that the library still loads when a link to the folder is gone.
    let libtorch = fs::canonicalize(&libtorch)
        .map_err(|error| format!("LIBTORCH={}: {error}", Path::new(&libtorch).display()))?;
    let include = libtorch.join("include");
    // The host reads it from the library, and refuses a plugin of another libtorch than its own.
    println!(
        "cargo::rustc-env=LIBTORCH_VERSION={}",
        libtorch_version(&include)?
    );
    let mut compiler = cc::Build::new();
    compiler.cpp(true).std("c++20").files(SOURCES);
    for folder in [include.clone(), include.join("torch/csrc/api/include")] {
        // As the headers of the system, without warnings.
        compiler.flag("-isystem").flag(folder);
    }
    // Each operation rounds as it is written, and none is fused with another; loops over roots use
    // wide registers, since nobody reads `errno`.
    compiler.flag("-ffp-contract=off").flag("-fno-math-errno");
    compiler.compile("rule");
    let lib = libtorch.join("lib");
    println!("cargo::rustc-link-search=native={}", lib.display());
    for library in ["torch_cpu", "c10"] {
        println!("cargo::rustc-link-lib=dylib={library}");
    }
    println!("cargo::rustc-link-arg=-Wl,-rpath,{}", lib.display());
    Ok(())
}

/// The version that the headers give: `MAJOR.MINOR.PATCH`.
fn libtorch_version(include: &Path) -> Result<String, Box<dyn Error>> {
    let header = include.join("torch/headeronly/version.h");
    let text =
        fs::read_to_string(&header).map_err(|error| format!("{}: {error}", header.display()))?;
    let parts: Option<Vec<&str>> = ["MAJOR", "MINOR", "PATCH"]
        .iter()
        .map(|part| {
            let define = format!("#define TORCH_VERSION_{part} ");
            text.lines().find_map(|line| line.strip_prefix(&*define))
        })
        .collect();
    let parts = parts.ok_or_else(|| format!("{} gives no version", header.display()))?;
    Ok(parts.join("."))
}
