//! The block that the host reads from a plugin's file before loading it.
//!
//! It lies in a section of its own, so that a library of another ABI, another libtorch or none
//! at all is refused with one line, and none of its constructors has run.

/// The major version of the boundary: both sides must have the same.
pub const ABI_MAJOR: u32 = 1;
/// The minor version of the boundary: grows with every extension, and is compared by nobody.
pub const ABI_MINOR: u32 = 4;
/// The ELF section that holds the [`Handshake`].
pub const HANDSHAKE_SECTION: &str = ".assay_handshake";
/// The symbol of the [`Handshake`].
pub const HANDSHAKE_SYMBOL: &str = "ASSAY_HANDSHAKE";

const MAGIC: [u8; 8] = *b"ASSAYPLG";
const TEXT: usize = 64;

/// The behaviour on a panic that a plugin was compiled with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PanicStrategy {
    /// Panics unwind, so the SDK can turn them into errors.
    Unwind,
    /// Panics end the process.
    Abort,
}

/// The facts that both sides must agree on, in a layout that never changes.
///
/// Integers are little-endian; texts are UTF-8, padded with zero bytes.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Handshake {
    magic: [u8; 8],
    size: u32,
    abi_major: u32,
    abi_minor: u32,
    panic_abort: u32,
    target: [u8; TEXT],
    libtorch: [u8; TEXT],
}

/// Why a library cannot be loaded as a plugin.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HandshakeMismatch {
    /// The block is not one of ours, or is cut short.
    #[error("the handshake block is damaged")]
    Damaged,
    /// Another major version of the boundary.
    #[error(
        "it speaks ABI {theirs_major}.{theirs_minor}, this host speaks ABI {ABI_MAJOR}.{ABI_MINOR}"
    )]
    Abi {
        /// The plugin's major version.
        theirs_major: u32,
        /// The plugin's minor version.
        theirs_minor: u32,
    },
    /// Built for another kind of machine.
    #[error("it was built for {theirs}, this host runs on {ours}")]
    Target {
        /// The plugin's target.
        theirs: String,
        /// The host's target.
        ours: String,
    },
    /// Built for another libtorch.
    #[error("it was built for libtorch {theirs}, this host works with {ours}")]
    Libtorch {
        /// The version that the plugin was built for.
        theirs: String,
        /// The version that the host wants.
        ours: String,
    },
    /// Built with `panic = "abort"`.
    #[error("it was built with panic = \"abort\"; plugins must unwind")]
    PanicAbort,
}

impl Handshake {
    /// The number of bytes of a handshake.
    pub const SIZE: usize = size_of::<Self>();

    /// The handshake of the crate being compiled, linked with the given version of libtorch; an
    /// empty text if it uses none.
    pub const fn current(libtorch: &str) -> Self {
        Self {
            magic: MAGIC,
            size: (Self::SIZE as u32).to_le(),
            abi_major: ABI_MAJOR.to_le(),
            abi_minor: ABI_MINOR.to_le(),
            panic_abort: (cfg!(panic = "abort") as u32).to_le(),
            target: padded(TARGET),
            libtorch: padded(libtorch),
        }
    }

    /// Reads a handshake from the content of [`HANDSHAKE_SECTION`].
    pub fn parse(bytes: &[u8]) -> Result<Self, HandshakeMismatch> {
        let bytes = bytes.get(..Self::SIZE).ok_or(HandshakeMismatch::Damaged)?;
        let u32_at = |at: usize| {
            let mut word = [0; 4];
            word.copy_from_slice(&bytes[at..at + 4]);
            u32::from_le_bytes(word)
        };
        let text_at = |at: usize| {
            let mut text = [0; TEXT];
            text.copy_from_slice(&bytes[at..at + TEXT]);
            text
        };
        if bytes[..8] != MAGIC || (u32_at(8) as usize) < Self::SIZE {
            return Err(HandshakeMismatch::Damaged);
        }
        let (target, libtorch) = (text_at(24), text_at(24 + TEXT));
        // Both texts are shown to the user, so each must be one line of printable text.
        if !is_text(&target) || !is_text(&libtorch) {
            return Err(HandshakeMismatch::Damaged);
        }
        Ok(Self {
            magic: MAGIC,
            size: u32_at(8),
            abi_major: u32_at(12),
            abi_minor: u32_at(16),
            panic_abort: u32_at(20),
            target,
            libtorch,
        })
    }

    /// Checks, field by field, that a host that works with the given version of libtorch can load the
    /// library. A plugin without libtorch fits every host.
    pub fn check(&self, libtorch: &str) -> Result<(), HandshakeMismatch> {
        if self.abi_major != ABI_MAJOR {
            return Err(HandshakeMismatch::Abi {
                theirs_major: self.abi_major,
                theirs_minor: self.abi_minor,
            });
        }
        if text(&self.target) != TARGET {
            return Err(HandshakeMismatch::Target {
                theirs: text(&self.target),
                ours: TARGET.to_owned(),
            });
        }
        if self.panic_strategy() == PanicStrategy::Abort {
            return Err(HandshakeMismatch::PanicAbort);
        }
        let theirs = self.libtorch();
        if !theirs.is_empty() && theirs != libtorch {
            return Err(HandshakeMismatch::Libtorch {
                theirs,
                ours: libtorch.to_owned(),
            });
        }
        Ok(())
    }

    /// The version of the boundary, as `major.minor`.
    pub fn abi_version(&self) -> String {
        format!("{}.{}", self.abi_major, self.abi_minor)
    }

    /// The version of libtorch that the plugin was built for; empty if it uses none.
    pub fn libtorch(&self) -> String {
        text(&self.libtorch)
    }

    /// The kind of machine that the plugin was built for.
    pub fn target(&self) -> String {
        text(&self.target)
    }

    /// Panic strategy of the plugin.
    pub fn panic_strategy(&self) -> PanicStrategy {
        if self.panic_abort == 0 {
            PanicStrategy::Unwind
        } else {
            PanicStrategy::Abort
        }
    }
}

const TARGET: &str = if cfg!(all(
    target_arch = "x86_64",
    target_os = "linux",
    target_env = "gnu"
)) {
    "x86_64-linux-gnu"
} else if cfg!(all(
    target_arch = "aarch64",
    target_os = "linux",
    target_env = "gnu"
)) {
    "aarch64-linux-gnu"
} else {
    "other"
};

const fn padded(text: &str) -> [u8; TEXT] {
    let text = text.as_bytes();
    assert!(text.len() <= TEXT, "a handshake text is too long");
    let mut field = [0; TEXT];
    let mut at = 0;
    while at < text.len() {
        field[at] = text[at];
        at += 1;
    }
    field
}

/// True for printable ASCII, then nothing but zero bytes.
fn is_text(field: &[u8; TEXT]) -> bool {
    let printable = |byte: &u8| byte.is_ascii_graphic() || *byte == b' ';
    let rest = field.iter().skip_while(|byte| printable(byte));
    rest.copied().all(|byte| byte == 0)
}

fn text(field: &[u8; TEXT]) -> String {
    let end = field.iter().position(|&byte| byte == 0).unwrap_or(TEXT);
    String::from_utf8_lossy(&field[..end]).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(handshake: &Handshake) -> Vec<u8> {
        let mut bytes = Vec::new();
        bytes.extend(handshake.magic);
        for word in [
            handshake.size,
            handshake.abi_major,
            handshake.abi_minor,
            handshake.panic_abort,
        ] {
            bytes.extend(word.to_le_bytes());
        }
        bytes.extend(handshake.target);
        bytes.extend(handshake.libtorch);
        bytes
    }

    #[test]
    fn a_handshake_survives_its_bytes() {
        let ours = Handshake::current("2.11.0");
        let read = Handshake::parse(&bytes(&ours)).unwrap();
        assert_eq!(read, ours);
        assert_eq!(read.libtorch(), "2.11.0");
        assert_eq!(read.check("2.11.0"), Ok(()));
    }

    #[test]
    fn each_field_that_differs_is_named() {
        let ours = Handshake::current("2.11.0");
        let abi = Handshake {
            abi_major: 9,
            ..ours
        };
        assert!(matches!(
            abi.check("2.11.0"),
            Err(HandshakeMismatch::Abi {
                theirs_major: 9,
                ..
            })
        ));
        let target = Handshake {
            target: padded("riscv64-linux-gnu"),
            ..ours
        };
        assert!(
            target
                .check("2.11.0")
                .unwrap_err()
                .to_string()
                .contains("riscv64-linux-gnu")
        );
        let abort = Handshake {
            panic_abort: 1,
            ..ours
        };
        assert_eq!(abort.check("2.11.0"), Err(HandshakeMismatch::PanicAbort));
        assert_eq!(
            ours.check("2.12.0"),
            Err(HandshakeMismatch::Libtorch {
                theirs: "2.11.0".to_owned(),
                ours: "2.12.0".to_owned(),
            })
        );
    }

    #[test]
    fn a_plugin_without_libtorch_fits_every_host() {
        assert_eq!(Handshake::current("").check("2.11.0"), Ok(()));
    }

    #[test]
    fn a_newer_minor_version_is_no_reason_to_refuse() {
        let newer = Handshake {
            abi_minor: ABI_MINOR + 7,
            ..Handshake::current("2.11.0")
        };
        assert_eq!(newer.check("2.11.0"), Ok(()));
    }

    #[test]
    fn texts_that_would_not_print_on_one_line_are_damaged() {
        let ours = Handshake::current("2.11.0");
        for text in ["two\nlines", "\u{1b}[31mred", "caf\u{e9}", "a\0b"] {
            let target = Handshake {
                target: padded(text),
                ..ours
            };
            let libtorch = Handshake {
                libtorch: padded(text),
                ..ours
            };
            for handshake in [target, libtorch] {
                assert_eq!(
                    Handshake::parse(&bytes(&handshake)),
                    Err(HandshakeMismatch::Damaged),
                    "{text:?}"
                );
            }
        }
    }

    #[test]
    fn a_longer_block_of_a_later_version_is_read_as_far_as_it_is_known() {
        let longer = Handshake {
            size: Handshake::SIZE as u32 + 8,
            ..Handshake::current("2.11.0")
        };
        let mut content = bytes(&longer);
        content.extend([7; 8]);
        assert_eq!(Handshake::parse(&content), Ok(longer));
    }

    #[test]
    fn short_or_foreign_bytes_are_damaged() {
        let whole = bytes(&Handshake::current("2.11.0"));
        for cut in 0..whole.len() {
            assert_eq!(
                Handshake::parse(&whole[..cut]),
                Err(HandshakeMismatch::Damaged)
            );
        }
        let mut foreign = whole;
        foreign[0] ^= 1;
        assert_eq!(Handshake::parse(&foreign), Err(HandshakeMismatch::Damaged));
    }
}
