//! Panics of an algorithm, as they reach the host: by the line of its author and in one sentence.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on should stop there"
)]

use std::cell::Cell;

use assay_sdk::abi::{Batch, CreateRequest, ErrorCode, TensorView};
use assay_sdk::network::Network;
use assay_sdk::{Adam, Algorithm, Directions, Error, Pass, Setup, create};

thread_local! {
    static RULE: Cell<fn(&Pass<'_>)> = const { Cell::new(|_| ()) };
}

struct Panicking;

impl Algorithm for Panicking {
    type Config = Adam;
    const NAME: &'static str = "panicking";
    const SUMMARY: &'static str = "Panics as a test asks for.";
    const REFERENCE: &'static str = "none";

    fn new(_setup: &mut Setup<'_>, _config: &Adam) -> Result<Self, Error> {
        Ok(Self)
    }

    fn directions(&mut self, pass: &Pass<'_>, _out: &mut Directions<'_>) -> Result<(), Error> {
        RULE.get()(pass);
        Ok(())
    }
}

/// Error message that the host gets when `rule`, which begins on `line`, panics; checks that the
/// message names that line.
fn said(rule: fn(&Pass<'_>), line: u32) -> String {
    RULE.set(rule);
    let network = Network::parse([1, 2, 3], &["fc 5", "softmax 3"]).unwrap();
    let network = serde_json::to_string(&network).unwrap();
    let request = CreateRequest {
        algorithm: "panicking".into(),
        network: network.as_str().into(),
        hyperparameters: "{}".into(),
        seed: 1,
        device: "cpu".into(),
        threads: 1,
    };
    let mut learner = create::<Panicking>(&request).unwrap();
    let inputs = TensorView::f32(&[0.5; 12], &[2, 1, 2, 3], &[6, 6, 3, 1]).unwrap();
    let labels = TensorView::i64(&[0, 1], &[2], &[1]).unwrap();
    let error = learner.directions(Batch { inputs, labels }, &[]);
    let error = error.unwrap_err();
    assert_eq!(error.code, ErrorCode::PANIC);
    let message = error.message.into_string();
    let place = format!("plugins/sdk/tests/panics.rs:{line}:");
    let named = message.contains(&place) || message.contains(&place["plugins/sdk/".len()..]);
    assert!(named, "no {place} in: {message}");
    message
}

#[test]
fn a_panic_inside_libtorchs_bindings_is_one_sentence_at_the_authors_line() {
    let line = line!() + 1;
    let said = said(|pass| drop(pass.h(0).matmul(pass.h(0))), line);
    let sentence = ": libtorch failed: mat1 and mat2 shapes cannot be multiplied (6x2 and 6x2)";
    assert!(said.ends_with(sentence), "{said}");
}

#[test]
fn a_panic_inside_the_sdk_is_at_the_authors_line() {
    let line = line!() + 1;
    let said = said(|pass| drop(pass.h(7).size()), line);
    let sentence = ": there is no h(7): the network has h(0) to h(2)";
    assert!(said.ends_with(sentence), "{said}");
}

#[test]
fn a_panic_of_its_own_keeps_its_words() {
    let line = line!() + 1;
    let said = said(|pass| assert_eq!(pass.depth(), 9), line);
    assert!(said.ends_with("  left: 2\n right: 9"), "{said}");
}
