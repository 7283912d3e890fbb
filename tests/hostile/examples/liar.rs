//! A library that claims the host's boundary in its handshake, and has something else at the root
//! symbol.

use assay_abi::Handshake;

#[used]
#[unsafe(no_mangle)]
#[unsafe(link_section = ".assay_handshake")]
static ASSAY_HANDSHAKE: Handshake = Handshake::current("");

#[used]
#[unsafe(no_mangle)]
static ASSAY_PLUGIN_V1: [u8; 4096] = [0x41; 4096];
