//! `pipeline network show`: the sizes of networks in files and on the command line, and what is
//! said of those that are not there or not valid.

use std::collections::BTreeMap;
use std::fs;

use assay_tests::{Finished, Sandbox};
use serde_json::{Value, json};

fn shipped() -> String {
    concat!(env!("CARGO_MANIFEST_DIR"), "/../pipelines/networks.toml").to_owned()
}

fn show(sandbox: &Sandbox, arguments: &[&str]) -> Finished {
    sandbox.execute(&[&["network", "show"], arguments].concat())
}

/// The networks by name, from the JSON of `arguments`.
fn networks(arguments: &[&str]) -> BTreeMap<String, Value> {
    let json = show(&Sandbox::new(), &[arguments, &["--json"]].concat())
        .exits(0)
        .json();
    let networks = json["networks"].as_array().unwrap();
    let name = |network: &Value| network["name"].as_str().unwrap().to_owned();
    networks
        .iter()
        .map(|network| (name(network), network.clone()))
        .collect()
}

#[test]
fn the_papers_networks_ship_with_their_sizes() {
    let networks = networks(&[&shipped()]);
    let names: Vec<_> = networks.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        [
            "autoencoder",
            "cifar-conv",
            "cifar-fc",
            "cifar-lc",
            "imagenet-conv",
            "imagenet-lc",
            "mnist-conv",
            "mnist-fc",
            "mnist-lc",
        ]
    );
    // Weights of each output, and its bias, by hand.
    let dense = |inputs: u64, outputs: u64| (inputs + 1) * outputs;
    let local = |position: u64, channels: u64, kernel: u64, outputs: u64| {
        position * position * outputs * (channels * kernel * kernel + 1)
    };
    for (name, parameters) in [
        (
            "mnist-fc",
            dense(784, 256) + 4 * dense(256, 256) + dense(256, 10),
        ),
        (
            "mnist-lc",
            local(14, 1, 3, 32) + local(7, 32, 3, 64) + dense(7 * 7 * 64, 1024) + dense(1024, 10),
        ),
        (
            "cifar-fc",
            dense(3072, 1024) + 2 * dense(1024, 1024) + dense(1024, 10),
        ),
        (
            "cifar-lc",
            local(16, 3, 5, 64)
                + local(8, 64, 5, 128)
                + local(8, 128, 3, 256)
                + dense(8 * 8 * 256, 1024)
                + dense(1024, 10),
        ),
        (
            "imagenet-lc",
            local(56, 3, 9, 48)
                + local(28, 48, 3, 48)
                + local(28, 48, 5, 96)
                + local(14, 96, 3, 96)
                + local(14, 96, 3, 192)
                + local(7, 192, 3, 192)
                + local(7, 192, 3, 384)
                + dense(7 * 7 * 384, 1000),
        ),
        (
            "autoencoder",
            dense(784, 512) + dense(512, 64) + dense(64, 512) + dense(512, 784),
        ),
    ] {
        let network = &networks[name];
        assert_eq!(network["parameters"], parameters, "{name}");
        assert_eq!(network["bytes"]["parameters"], 4 * parameters, "{name}");
        assert_eq!(network["bytes"]["saved"], 12 * parameters, "{name}");
        assert_eq!(network["bytes"]["trained"], 16 * parameters, "{name}");
    }
    assert_eq!(networks["autoencoder"]["task"], "reconstruction");
    assert_eq!(networks["imagenet-lc"]["task"], "classification");
    // Weight sharing changes what there is, not what is multiplied.
    for name in ["mnist", "cifar", "imagenet"] {
        let of = |kind: &str| networks[&format!("{name}-{kind}")].clone();
        let (local, shared) = (of("lc"), of("conv"));
        assert_eq!(local["multiply_adds"], shared["multiply_adds"]);
        assert!(local["parameters"].as_u64() > shared["parameters"].as_u64());
    }
}

#[test]
fn a_layer_is_shown_with_its_shape_and_its_cost() {
    let networks = networks(&[&shipped(), "mnist-lc"]);
    assert_eq!(
        networks["mnist-lc"]["layers"][1],
        json!({
            "layer": 2,
            "notation": "lc 3x3 64 s2",
            "output": [64, 7, 7],
            "fan_in": 288,
            "parameters": 3136 * 289,
            "multiply_adds": 3136 * 288,
        })
    );
}

#[test]
fn the_table_is_as_expected() {
    let said = show(&Sandbox::new(), &[&shipped(), "mnist-lc"])
        .exits(0)
        .stdout;
    let lines: Vec<_> = said.lines().map(str::trim_end).collect();
    assert_eq!(lines[0], "mnist-lc: classification, input 1x28x28");
    let cells = |line: &str| -> Vec<String> {
        line.split("  ")
            .map(|cell| cell.trim().to_owned())
            .filter(|cell| !cell.is_empty())
            .collect()
    };
    let rows: Vec<_> = lines.iter().map(|line| cells(line)).collect();
    for row in [
        &["layer", "output", "parameters", "multiply-adds"][..],
        &["1", "lc 3x3 32 s2", "32x14x14", "62,720", "56,448"],
        &["4", "softmax 10", "10", "10,250", "10,240"],
        &["total", "4,191,562", "4,181,120"],
    ] {
        assert!(
            rows.iter().any(|found| found == row),
            "no {row:?} in:\n{said}"
        );
    }
    let memory = "memory: 16.8 MB of parameters; 50.3 MB with Adam's moments, as saved; 67.1 MB \
                  with gradients too, as trained";
    assert!(lines.contains(&memory), "{said}");
}

#[test]
fn a_pipeline_file_shows_its_own_networks_and_those_it_names() {
    let sandbox = Sandbox::new();
    let own = show(&sandbox, &["pipeline.toml"]).exits(0).stdout;
    assert!(
        own.starts_with("small: classification, input 1x8x8\n"),
        "{own}"
    );

    let text = fs::read_to_string(sandbox.path("pipeline.toml")).unwrap();
    let text = text.replacen('\n', "\nnetworks = \"more.toml\"\n", 1);
    fs::write(sandbox.path("pipeline.toml"), text).unwrap();
    let more = "[network.auto]\ninput = [1, 8, 8]\nlayers = [\"fc 4\", \"fc 64\"]\n";
    fs::write(sandbox.path("more.toml"), more).unwrap();
    let both = show(&sandbox, &["pipeline.toml", "auto", "small"])
        .exits(0)
        .stdout;
    assert!(both.starts_with("auto: reconstruction"), "{both}");
    assert!(both.contains("\nsmall: classification"), "{both}");

    fs::write(sandbox.path("more.toml"), more.replace("fc 64", "fc 63")).unwrap();
    let wrong = show(&sandbox, &["pipeline.toml"]).exits(2).stderr;
    assert!(wrong.contains("more.toml:3:19"), "{wrong}");
    assert!(wrong.contains("`fc 63` of 63 units"), "{wrong}");
}

#[test]
fn a_network_of_the_command_line_needs_no_file() {
    let sandbox = Sandbox::new();
    let layers = ["--input", "3x8x8", "--layer", "conv 3x3 4 s2", "--layer"];
    let said = |last: &str| show(&sandbox, &[&layers[..], &[last]].concat());
    let shown = said("softmax 10").exits(0).stdout;
    assert!(
        shown.starts_with("classification, input 3x8x8\n"),
        "{shown}"
    );
    let refused = said("softmax ten").exits(2).stderr;
    assert!(
        refused.contains("layer 2: the number of classes `ten`"),
        "{refused}"
    );
    let shape = ["--input", "3x8", "--layer", "softmax 2"];
    let refused = show(&sandbox, &shape).exits(2).stderr;
    assert!(
        refused.contains("`3x8` is no shape of an input"),
        "{refused}"
    );
    let nothing = show(&sandbox, &[]).exits(2).stderr;
    assert!(nothing.contains("--input"), "{nothing}");
}

#[test]
fn what_is_not_there_is_named_with_what_is() {
    let sandbox = Sandbox::new();
    let unknown = show(&sandbox, &[&shipped(), "mnist-ls"]).exits(2).stderr;
    assert!(
        unknown.contains("there is no network `mnist-ls` in "),
        "{unknown}"
    );
    assert!(unknown.contains("did you mean `mnist-lc`?"), "{unknown}");
    let missing = show(&sandbox, &["gone.toml"]).exits(2).stderr;
    assert!(missing.contains("cannot read gone.toml"), "{missing}");
}
