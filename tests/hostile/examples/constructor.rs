//! A library whose constructor misbehaves when it is loaded, before the host can ask it anything.
//! The variable `ASSAY_HOSTILE_CONSTRUCTOR` says how: `abort`, `loop`, `read:` and files to read
//! with colons between them, `load:` and a library, `descriptors`, or a file to write.

// It speaks in its worker's log.
#![allow(clippy::print_stderr)]

use std::ffi::CString;
use std::fs::File;
use std::io::Read;

use assay_abi::Handshake;

#[used]
#[unsafe(no_mangle)]
#[unsafe(link_section = ".assay_handshake")]
static ASSAY_HANDSHAKE: Handshake = Handshake::current("");

#[used]
#[unsafe(link_section = ".init_array")]
static CONSTRUCTOR: extern "C" fn() = misbehave;

extern "C" fn misbehave() {
    let Ok(misbehaviour) = std::env::var("ASSAY_HOSTILE_CONSTRUCTOR") else {
        return;
    };
    match misbehaviour.split_once(':') {
        Some(("read", files)) => files.split(':').for_each(read),
        Some(("load", library)) => load(library),
        _ if misbehaviour == "abort" => std::process::abort(),
        _ if misbehaviour == "loop" => loop {
            std::thread::sleep(std::time::Duration::from_mins(1));
        },
        _ if misbehaviour == "descriptors" => write_to_descriptors(),
        _ => {
            if let Err(error) = std::fs::write(misbehaviour, "written by a constructor") {
                eprintln!("the constructor cannot write: {error}");
            }
        }
    }
}

/// Says what a file begins with.
fn read(path: &str) {
    let mut start = [0; 64];
    match File::open(path).and_then(|mut file| file.read(&mut start)) {
        Ok(read) => eprintln!("read {path}: {}", start[..read].escape_ascii()),
        Err(error) => eprintln!("cannot read {path}: {error}"),
    }
}

/// Has the loader load a library, by its name or path.
fn load(library: &str) {
    let name = CString::new(library).unwrap_or_default();
    // SAFETY: the name ends with a zero byte; what the library does is the test's.
    let loaded = unsafe { libc::dlopen(name.as_ptr(), libc::RTLD_NOW) };
    let outcome = if loaded.is_null() {
        "cannot load"
    } else {
        "loaded"
    };
    eprintln!("{outcome} {library}");
}

/// Writes to every descriptor that is open, empties it, and says which could be written to. The pipe
/// is left alone, since what is written there ends the worker.
fn write_to_descriptors() {
    for descriptor in 0..64 {
        let link = std::fs::read_link(format!("/proc/self/fd/{descriptor}")).unwrap_or_default();
        if link.as_os_str().as_encoded_bytes().starts_with(b"pipe:") {
            continue;
        }
        // SAFETY: neither touches memory of this process.
        let (written, emptied) = unsafe {
            (
                libc::write(descriptor, b"\n".as_ptr().cast(), 1),
                libc::ftruncate(descriptor, 0),
            )
        };
        if written == 1 || emptied == 0 {
            eprintln!("wrote to {descriptor}: {}", link.display());
        }
    }
    std::process::abort();
}
