//! Gives the libraries a run path, long enough for a test to write another one over it.

fn main() {
    let path = format!("/{}", "run-path-to-replace/".repeat(12));
    println!("cargo:rustc-link-arg=-Wl,-rpath,{path}");
    println!("cargo:rerun-if-changed=build.rs");
}
