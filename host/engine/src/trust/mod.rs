//! Whom the user trusts: the file that says so, signatures of libraries, and what both mean for
//! one library. It decides nothing about pipelines, and never makes a signature.

mod policy;
mod signature;
mod store;

pub use policy::{Trust, TrustPolicy, Untrusted};
pub use signature::{
    InvalidKey, SignatureError, SigningKey, read_signature, signature_path, verify_signature,
    verify_stream,
};
pub use store::{TrustError, TrustStore, TrustedKey, TrustedPlugin};
