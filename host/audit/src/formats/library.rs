//! Shared libraries (ELF). Only the host that loads plugins reads more of one than that it is one.

use super::shape::{Format, Summary};

pub(super) const FORMAT: Format = Format {
    name: "a shared library",
    content: "a shared library (ELF)",
    recognise: |head| Ok(head.bytes.starts_with(b"\x7fELF")),
    summarise: |_, _| Ok(Summary::Library {}),
    compare: None,
};
