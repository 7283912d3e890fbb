//! Networks and hyper-parameters written outside a pipeline file: what is read, and where
//! complaints point.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot set itself up should stop there"
)]

use assay_core::{Diagnostic, parse_hyperparameters, parse_layers};
use proptest::prelude::*;
use serde_json::{Value, json};

fn read(text: &str) -> Value {
    let read = parse_hyperparameters(text, 0).unwrap().into_iter();
    read.map(|(name, placed)| (name, placed.value)).collect()
}

/// The text that the complaint points at.
fn pointed<'a>(text: &'a str, complaint: &Diagnostic) -> &'a str {
    &text[complaint.place.bytes.clone()]
}

#[test]
fn the_three_notations_of_hyperparameters_are_one() {
    let expected = json!({ "alpha": 0.5, "units": 7, "inverse_loss": "denoising" });
    for text in [
        r#"{ "alpha": 0.5, "units": 7, "inverse_loss": "denoising" }"#,
        r#"{ alpha = 0.5, units = 7, inverse_loss = "denoising" }"#,
        "alpha = 0.5\nunits = 7 # few\ninverse_loss = \"denoising\"\n",
    ] {
        assert_eq!(read(text), expected);
    }
    for text in ["{}", "", "{ }", "# nothing\n"] {
        assert_eq!(read(text), json!({}));
    }
}

#[test]
fn values_stand_where_they_are_written() {
    let toml = "{ alpha = 0.5 }";
    let read = parse_hyperparameters(toml, 3).unwrap();
    assert_eq!(&toml[read["alpha"].place.bytes.clone()], "0.5");
    assert_eq!(read["alpha"].place.source, 3);
    let json = "{ \"alpha\": 0.5 }";
    let read = parse_hyperparameters(json, 0).unwrap();
    assert_eq!(&json[read["alpha"].place.bytes.clone()], "\"alpha\"");
}

#[test]
fn texts_that_are_neither_json_nor_toml_are_refused() {
    for text in [
        "{\"a\": 1",
        "{\"a\": 1} 2",
        "{ a = }",
        "{ a: 1 }",
        "a",
        "[1",
    ] {
        assert!(parse_hyperparameters(text, 0).is_err(), "{text}");
    }
}

#[test]
fn layers_are_separated_by_commas() {
    let network = parse_layers([3, 8, 8], "conv 3x3 8 s2 , fc 5,softmax 4", 0).unwrap();
    let layers: Vec<_> = network.layers().iter().map(ToString::to_string).collect();
    assert_eq!(layers, ["conv 3x3 8 s2", "fc 5", "softmax 4"]);
}

#[test]
fn a_layer_at_fault_is_pointed_at() {
    for (text, layer) in [
        ("fc 5,  sofmax 4 ", "sofmax 4"),
        ("fc 5, fc -1, softmax 4", "fc -1"),
        ("softmax 4, fc 5", "softmax 4"),
        ("", ""),
    ] {
        let complaint = parse_layers([1, 2, 2], text, 0).unwrap_err();
        assert_eq!(pointed(text, &complaint), layer, "{complaint:?}");
    }
}

proptest! {
    #[test]
    fn any_text_is_read_or_complained_about_within_it(text in "\\PC*") {
        if let Err(complaint) = parse_layers([1, 2, 2], &text, 0) {
            prop_assert!(text.get(complaint.place.bytes.clone()).is_some());
        }
        for text in [text.clone(), format!("{{{text}}}"), format!("{{\"{text}}}")] {
            match parse_hyperparameters(&text, 0) {
                Ok(read) => for placed in read.values() {
                    prop_assert!(text.get(placed.place.bytes.clone()).is_some());
                }
                Err(complaints) => prop_assert!(!complaints.is_empty()),
            }
        }
    }
}
