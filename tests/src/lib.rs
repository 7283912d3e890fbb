//! Support code of the end-to-end tests: the real binary, a small dataset made on the spot, and a
//! folder of its own for each test.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::missing_panics_doc,
    reason = "a test that cannot set itself up should stop there"
)]

mod cargo;
mod fake_cuda;
mod fixtures;
mod idx;
mod intact;
mod sandbox;

pub use fake_cuda::FakeCuda;
pub use fixtures::{aborting_fixture, fixture, meddle};
pub use idx::{CLASSES, Images, write_dataset};
pub use intact::{Vouching, check_store};
pub use sandbox::{Finished, Sandbox, binary, libraries};
