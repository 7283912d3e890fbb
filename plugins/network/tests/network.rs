//! The notation, the sizes and the refusals, through the public surface.

use assay_network::{
    Activation, Layer, LayerError, Network, NetworkError, Shape, Task, UnitFunction, Window,
};
use proptest::prelude::*;

#[test]
fn the_fully_connected_mnist_network_has_the_papers_sizes() {
    let network = Network::parse(
        [1, 28, 28],
        &[
            "fc 256",
            "fc 256",
            "fc 256",
            "fc 256",
            "fc 256",
            "softmax 10",
        ],
    )
    .unwrap();
    let rows = network.summary();
    assert_eq!(rows.len(), 6);
    assert_eq!(rows[0].index, 1);
    assert_eq!(rows[0].fan_in, 784);
    assert_eq!(rows[0].parameters, 200_960);
    assert_eq!(rows[0].multiply_adds, 200_704);
    assert_eq!(rows[5].output, Shape::vector(10));
    assert_eq!(network.parameters(), 200_960 + 4 * 65_792 + 2_570);
    assert_eq!(network.outputs(), 10);
}

#[test]
fn locally_connected_and_convolution_layers_differ_in_parameters_only() {
    let sizes = |kind: &str| {
        let layers = [format!("{kind} 5x5 64 s2"), "softmax 10".to_owned()];
        Network::parse([3, 32, 32], &layers).unwrap().summary()[0]
    };
    let (local, convolution) = (sizes("lc"), sizes("conv"));
    for row in [local, convolution] {
        assert_eq!(row.output, Shape::from([64, 16, 16]));
        assert_eq!(row.fan_in, 75);
        assert_eq!(row.multiply_adds, 64 * 16 * 16 * 75);
    }
    assert_eq!(local.parameters, 64 * 16 * 16 * 76);
    assert_eq!(convolution.parameters, 64 * 76);
}

#[test]
fn the_stride_is_one_unless_given_and_odd_sizes_round_up() {
    let network = Network::parse([1, 7, 5], &["lc 3x3 2", "lc 3x3 4 s2", "softmax 3"]).unwrap();
    let rows = network.summary();
    assert_eq!(rows[0].output, Shape::from([2, 7, 5]));
    assert_eq!(rows[1].output, Shape::from([4, 4, 3]));
    assert_eq!(network.layers()[0].to_string(), "lc 3x3 2 s1");
}

#[test]
fn json_is_the_notation() {
    let text = r#"{"input":[1,28,28],"layers":["fc 256","softmax 10"]}"#;
    let network: Network = serde_json::from_str(text).unwrap();
    assert_eq!(serde_json::to_string(&network).unwrap(), text);
    let error = serde_json::from_str::<Network>(r#"{"input":[1,28,28],"layers":["fc 0"]}"#)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("layer 1: the number of units `0`"),
        "{error}"
    );
    assert!(
        serde_json::from_str::<Network>(r#"{"input":[1,2,2],"layers":["softmax 2"],"x":1}"#)
            .is_err()
    );
}

#[test]
fn a_misspelt_layer_gets_a_suggestion() {
    for (text, meant) in [
        ("dense 10", "fc"),
        ("FC 10", "fc"),
        ("conv2d 3x3 8", "conv"),
        ("soft 10", "softmax"),
    ] {
        let error = Network::parse([1, 4, 4], &[text, "softmax 2"]).unwrap_err();
        assert_eq!(error.layer_index(), Some(0));
        assert!(
            error
                .to_string()
                .contains(&format!("did you mean `{meant}`?")),
            "{error}"
        );
    }
    let error = Network::parse([1, 4, 4], &["fc 3", "pool 2"]).unwrap_err();
    assert_eq!(error.layer_index(), Some(1));
    assert!(
        error
            .to_string()
            .contains("expected `fc`, `lc`, `conv` or `softmax`")
    );
}

#[test]
fn every_part_of_a_description_is_checked() {
    use LayerError as E;
    let refused = |text: &str| text.parse::<Layer>().unwrap_err();
    assert_eq!(refused("  "), E::Empty);
    assert!(matches!(
        refused("fc"),
        E::Missing {
            what: "number of units",
            ..
        }
    ));
    assert!(matches!(refused("fc -3"), E::Number { .. }));
    assert!(matches!(refused("fc +3"), E::Number { .. }));
    assert!(matches!(
        refused("fc 99999999999999999999999"),
        E::Number { .. }
    ));
    assert!(matches!(refused("fc 3 4"), E::Trailing { .. }));
    assert!(matches!(refused("lc 3x5 8"), E::Kernel { .. }));
    assert!(matches!(refused("lc 3 8"), E::Kernel { .. }));
    assert_eq!(refused("conv 4x4 8"), E::EvenKernel { kernel: 4 });
    assert!(matches!(
        refused("conv 3x3"),
        E::Missing {
            what: "number of channels",
            ..
        }
    ));
    assert!(matches!(refused("conv 3x3 8 2"), E::Trailing { .. }));
    assert!(matches!(
        refused("conv 3x3 8 s0"),
        E::Number { what: "stride", .. }
    ));
}

#[test]
fn the_softmax_stands_at_the_end_and_only_there() {
    let refused = |layers: &[&str]| Network::parse([1, 4, 4], layers).unwrap_err();
    assert_eq!(refused(&[]), NetworkError::NoLayers);
    for layers in [["softmax 3", "softmax 3"], ["softmax 16", "fc 16"]] {
        assert!(matches!(
            refused(&layers),
            NetworkError::SoftmaxInside { layer: 1, .. }
        ));
    }
    assert!(matches!(
        refused(&["fc 9", "lc 3x3 8", "softmax 3"]),
        NetworkError::NoImage { layer: 2, .. }
    ));
    let many = vec!["fc 1"; 2000];
    assert_eq!(refused(&many), NetworkError::TooManyLayers { found: 2000 });
}

#[test]
fn the_last_layer_says_what_the_task_is() {
    let task = |layers: &[&str]| Network::parse([2, 4, 4], layers).map(|network| network.task());
    assert_eq!(task(&["fc 3", "softmax 2"]), Ok(Task::Classification));
    assert_eq!(task(&["softmax 32"]), Ok(Task::Classification));
    assert_eq!(task(&["fc 3", "fc 32"]), Ok(Task::Reconstruction));
    assert_eq!(
        task(&["conv 3x3 8 s2", "lc 3x3 8 s1"]),
        Ok(Task::Reconstruction)
    );
    let error = task(&["fc 3", "fc 31"]).unwrap_err();
    assert_eq!(error.layer_index(), Some(1));
    assert_eq!(
        error.to_string(),
        "layer 2: the network ends with `fc 31` of 31 units; a classifier ends with `softmax N`, \
         N being the number of classes, and an autoencoder with as many units as it has inputs, 32"
    );
}

#[test]
fn the_autoencoder_has_the_papers_sizes() {
    let layers = ["fc 512", "fc 64", "fc 512", "fc 784"];
    let network = Network::parse([1, 28, 28], &layers).unwrap();
    assert_eq!(network.outputs(), 784);
    assert_eq!(network.multiply_adds(), 2 * (784 * 512 + 512 * 64));
    let biases = 512 + 64 + 512 + 784;
    assert_eq!(network.parameters(), network.multiply_adds() + biases);
}

#[test]
fn a_shape_is_read_as_it_is_written() {
    assert_eq!("3x32x64".parse(), Ok(Shape::from([3, 32, 64])));
    for text in [
        "",
        "3x32",
        "3x32x32x1",
        "3x0x3",
        "3x+2x3",
        "3 x 2 x 1",
        "99999999999999999999x1x1",
    ] {
        let error = text.parse::<Shape>().unwrap_err().to_string();
        assert!(
            error.starts_with(&format!("`{text}` is no shape")),
            "{error}"
        );
    }
}

#[test]
fn sizes_that_overflow_are_refused() {
    let max = usize::MAX;
    assert!(matches!(
        Network::parse([max, max, max], &["softmax 2"]),
        Err(NetworkError::InputTooLarge { .. })
    ));
    assert!(matches!(
        Network::parse([1, 0, 3], &["softmax 2"]),
        Err(NetworkError::EmptyInput { .. })
    ));
    for layer in [
        format!("fc {max}"),
        format!("lc 3x3 {max}"),
        format!("conv {max}x{max} {max} s{max}"),
        "fc 4294967296".to_owned(),
        "lc 4294967295x4294967295 1".to_owned(),
    ] {
        let error = Network::parse([1, 28, 28], &[layer.as_str(), "softmax 2"]).unwrap_err();
        assert!(
            matches!(error, NetworkError::TooLarge { layer: 1, .. }),
            "{layer}: {error}"
        );
    }
    let wide = vec!["fc 60000", "fc 60000", "softmax 2"];
    assert!(matches!(
        Network::parse([1, 200, 200], &wide),
        Err(NetworkError::TooLarge { layer: 2, .. })
    ));
}

#[test]
fn a_layer_made_by_hand_is_checked_too() {
    let error = Network::new([1, 2, 2], vec![Layer::Softmax { classes: 0 }]).unwrap_err();
    assert!(matches!(
        error,
        NetworkError::Layer {
            source: LayerError::Zero { .. },
            ..
        }
    ));
}

fn activation() -> impl Strategy<Value = Activation> {
    let function = prop_oneof![Just(UnitFunction::Tanh), Just(UnitFunction::Relu)];
    (function, any::<bool>()).prop_map(|(function, normalised)| Activation {
        function,
        normalised,
    })
}

#[test]
fn activations_are_words_after_the_sizes() {
    let parsed = |text: &str| text.parse::<Layer>();
    let shown = |text: &str| parsed(text).unwrap().to_string();
    assert_eq!(shown("fc 5 norm relu"), "fc 5 relu norm");
    assert_eq!(shown("fc 5 tanh"), "fc 5");
    assert_eq!(shown("conv 3x3 4 relu"), "conv 3x3 4 s1 relu");
    assert_eq!(shown("lc 3x3 4 s2 norm"), "lc 3x3 4 s2 norm");
    for text in [
        "fc 5 relu relu",
        "fc 5 relu tanh",
        "fc 5 norm norm",
        "fc 5 gelu",
        "softmax 5 relu",
    ] {
        let error = parsed(text).unwrap_err();
        assert!(
            matches!(error, LayerError::Trailing { .. }),
            "{text}: {error}"
        );
    }
    let network = |top| Network::parse([1, 2, 2], &["fc 3 relu norm", top]);
    assert!(network("fc 4").is_ok());
    for top in ["fc 4 relu", "conv 3x3 1 s1 norm", "fc 4 norm"] {
        let error = network(top).unwrap_err().to_string();
        assert!(
            error.contains("without `relu` and `norm`") || error.contains("rows"),
            "{error}"
        );
    }
}

fn layers() -> impl Strategy<Value = Layer> {
    let window =
        (0..8_usize, 1..=usize::MAX, 1..=usize::MAX).prop_map(|(half, channels, stride)| Window {
            kernel: 2 * half + 1,
            channels,
            stride,
        });
    prop_oneof![
        (1..=usize::MAX, activation())
            .prop_map(|(units, activation)| Layer::Dense { units, activation }),
        (1..=usize::MAX).prop_map(|classes| Layer::Softmax { classes }),
        (window.clone(), activation()).prop_map(|(window, it)| Layer::Local(window, it)),
        (window, activation()).prop_map(|(window, it)| Layer::Convolution(window, it)),
    ]
}

proptest! {
    #[test]
    fn what_is_displayed_parses_to_the_same(layer in layers()) {
        prop_assert_eq!(layer.to_string().parse::<Layer>(), Ok(layer));
    }

    #[test]
    fn no_text_panics(text in "\\PC{0,40}", sizes in any::<[usize; 3]>()) {
        let _ = text.parse::<Layer>();
        let _ = Network::parse(sizes, &[text]);
    }

    #[test]
    fn no_sizes_panic(sizes in any::<[usize; 3]>(), first in layers(), second in layers()) {
        if let Ok(network) = Network::new(sizes, vec![first, second]) {
            prop_assert_eq!(network.summary().len(), 2);
        }
    }
}
