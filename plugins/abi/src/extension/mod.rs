//! Extensions: how the boundary grows within version 1.
//!
//! An extension is a `#[repr(C)]` struct under a name such as `minimum/1`, frozen like everything
//! else: what needs another field is another struct under another name. This module owns how one is
//! offered and how one is read; what each says lies in a module of its own.

mod backpropagation;
mod cost;
mod minimum;
mod resident;

use std::ffi::c_void;

pub(crate) use backpropagation::Backpropagation;
pub use cost::Cost;
pub(crate) use cost::CostExtension;
pub use minimum::AlgorithmMinimum;
pub(crate) use minimum::Minimum;
pub(crate) use resident::ResidentExtension;
pub use resident::{
    BatchPlaces, Crop, EpochOrder, PIXEL_VALUES, PlaceSource, Places, StoredSamples, StoredSplit,
};

/// A struct that a plugin may have beside its root module.
///
/// # Safety
/// It is `#[repr(C)]`, its first field is a `usize` that holds the size of the struct, and neither
/// changes once a plugin with it may exist.
pub(crate) unsafe trait Extension: Sync + Sized + 'static {
    /// The name that it is asked for by.
    const NAME: &'static str;
}

/// Why a plugin's extension cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ExtensionError {
    /// The address is none that such a struct can have.
    #[error("its extension `{name}` lies at a misaligned address")]
    Misaligned {
        /// The extension.
        name: &'static str,
    },
    /// The struct is not the one that the name stands for.
    #[error("its extension `{name}` says it has {found} bytes, expected {expected}")]
    Size {
        /// The extension.
        name: &'static str,
        /// The size that the plugin's struct starts with.
        found: usize,
        /// The size of the frozen struct.
        expected: usize,
    },
}

/// The address of `extension`, as [`Plugin::query`](crate::Plugin::query) answers it.
pub(crate) fn offered<E: Extension>(extension: &'static E) -> *const c_void {
    std::ptr::from_ref(extension).cast()
}

/// The extension at `address`, or `None` where it is null: the plugin does not have it.
///
/// # Safety
/// `address` is null, or what a plugin answered to a query for the name of `E`: unless the plugin
/// lies about the name, an `E` lies there, with at least a `usize` to read, for the life of the
/// process.
///
/// # Errors
/// The value there is no `E`: it is misaligned, or says that it has another size.
pub(crate) unsafe fn read<E: Extension>(
    address: *const c_void,
) -> Result<Option<&'static E>, ExtensionError> {
    if address.is_null() {
        return Ok(None);
    }
    let (name, expected) = (E::NAME, size_of::<E>());
    if !address.cast::<E>().is_aligned() {
        return Err(ExtensionError::Misaligned { name });
    }
    // SAFETY: not null, aligned for `E` and so for its first field, which the caller promises.
    let found = unsafe { address.cast::<usize>().read() };
    if found != expected {
        return Err(ExtensionError::Size {
            name,
            found,
            expected,
        });
    }
    // SAFETY: promised by the caller, and the size says so too.
    Ok(Some(unsafe { &*address.cast::<E>() }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[repr(C)]
    struct Example {
        size: usize,
        answer: u64,
    }

    // SAFETY: `#[repr(C)]`, and starts with its size.
    unsafe impl Extension for Example {
        const NAME: &'static str = "example/1";
    }

    fn read_example(example: &'static Example) -> Result<Option<&'static Example>, ExtensionError> {
        // SAFETY: an `Example` lies there.
        unsafe { read::<Example>(offered(example)) }
    }

    #[test]
    fn an_extension_is_read_as_it_was_offered() {
        static EXAMPLE: Example = Example {
            size: size_of::<Example>(),
            answer: 42,
        };
        let read = read_example(&EXAMPLE).unwrap();
        assert_eq!(read.map(|example| example.answer), Some(42));
    }

    #[test]
    fn null_is_an_extension_that_is_not_there() {
        // SAFETY: null is allowed.
        let read = unsafe { read::<Example>(std::ptr::null()) };
        assert!(matches!(read, Ok(None)));
    }

    #[test]
    fn a_struct_of_another_size_is_refused() {
        static OTHER: Example = Example {
            size: 24,
            answer: 0,
        };
        let error = read_example(&OTHER).map(drop).unwrap_err();
        assert_eq!(
            error.to_string(),
            "its extension `example/1` says it has 24 bytes, expected 16"
        );
    }

    #[test]
    fn an_address_that_no_struct_can_have_is_not_read() {
        let address = std::ptr::without_provenance(9);
        // SAFETY: a misaligned address is not read, which is what this test is about.
        let error = unsafe { read::<Example>(address) }.map(drop).unwrap_err();
        assert_eq!(error, ExtensionError::Misaligned { name: "example/1" });
    }
}
