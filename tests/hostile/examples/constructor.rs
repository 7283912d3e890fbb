//! A library whose constructor misbehaves when it is loaded, before the host can ask it anything.
//! The variable `ASSAY_HOSTILE_CONSTRUCTOR` says how: `abort`, `loop`, or a file to write.

use assay_abi::Handshake;

#[used]
#[unsafe(no_mangle)]
#[unsafe(link_section = ".assay_handshake")]
static ASSAY_HANDSHAKE: Handshake = Handshake::current("");

#[used]
#[unsafe(link_section = ".init_array")]
static CONSTRUCTOR: extern "C" fn() = misbehave;

extern "C" fn misbehave() {
    match std::env::var("ASSAY_HOSTILE_CONSTRUCTOR").as_deref() {
        Ok("abort") => std::process::abort(),
        Ok("loop") => loop {
            std::thread::sleep(std::time::Duration::from_mins(1));
        },
        Ok(file) => {
            if let Err(error) = std::fs::write(file, "written by a constructor") {
                eprintln!("the constructor cannot write: {error}");
            }
        }
        Err(_) => {}
    }
}
