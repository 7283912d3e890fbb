//! Runs kept somewhere else, in a bucket or another folder: writing a run there with everything that it
//! rests on, and taking one from there, or from a web server that shows what is there.
//!
//! A remote has the layout of a store (see `artifacts/README.md`), so one in a folder can be read as a store.
//! Beside it `contents/RUN.json` names the documents and records of each run, which a bucket could not say
//! without listing all that it has. Names are hashes, so every file is written once and never changed. The
//! marker of a run is written last: a push that broke off is seen by nobody. Whoever takes a run believes
//! nothing: every byte is checked against its hash, and the documents as those of a bundle are.

mod actions;
mod collect;
mod error;
mod listing;
mod names;
mod notes;
mod pins;
mod place;
mod profile;
mod pull;
mod push;
mod signatures;
mod transfer;
mod web;

pub use actions::{Belief, Seen};
pub use collect::RemoteGarbage;
pub use error::RemoteError;
pub use names::{LookUpTrust, NamedRemote, RemoteNames};
pub use place::{Access, Place, Remote};
pub use pull::{PullOptions, Pulled};
pub use push::{PushOptions, Pushed};
pub use web::WebError;
