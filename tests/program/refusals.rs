//! Refusals and their messages: pipeline files, plugins, data and stores.

use std::fs;
use std::process::Stdio;

use assay_tests::{Finished, Sandbox, libraries};
use rustix::process::{Pid, Resource, Rlimit, prlimit};

/// Runs `pipeline.toml` with `new` in place of `old`, and gives its standard error.
fn refused(old: &str, new: &str) -> String {
    let sandbox = Sandbox::new();
    let file = sandbox.path("pipeline.toml");
    let text = fs::read_to_string(&file).unwrap();
    assert!(
        text.contains(old),
        "the pipeline of the tests has no {old:?}"
    );
    fs::write(&file, text.replacen(old, new, 1)).unwrap();
    sandbox.run(&[]).exits(2).stderr
}

#[track_caller]
fn assert_says(said: &str, parts: &[&str]) {
    for part in parts {
        assert!(said.contains(part), "no {part:?} in:\n{said}");
    }
}

#[test]
fn a_misspelt_key_is_pointed_at() {
    let said = refused("epochs = 2", "epohcs = 2");
    assert_says(
        &said,
        &[
            "[stage.train] has no key `epohcs`",
            "pipeline.toml:30:1",
            "did you mean `epochs`?",
        ],
    );
    assert_says(&said, &["[stage.train] has no `epochs`"]);
}

#[test]
fn a_name_that_does_not_exist_gets_a_suggestion() {
    let said = refused(r#"network = "small""#, r#"network = "smal""#);
    assert_says(
        &said,
        &["there is no network `smal`", "did you mean `small`?"],
    );
    let said = refused(r#"training = "train""#, r#"training = "trian""#);
    assert_says(
        &said,
        &[
            "there is no train or search stage `trian`",
            "did you mean `train`?",
        ],
    );
    let said = refused(r#"source = "idx""#, r#"source = "mnits""#);
    assert_says(
        &said,
        &["there is no dataset `mnits`", "did you mean `mnist`?"],
    );
}

#[test]
fn a_value_of_the_wrong_type_or_range_is_pointed_at() {
    let said = refused("epochs = 2", "epochs = \"2\"");
    assert_says(
        &said,
        &["expected an integer, found a string", "pipeline.toml:30:10"],
    );
    let said = refused("batch_size = 32", "batch_size = 0");
    assert_says(&said, &["0 is out of range"]);
    let said = refused("\"fc 16\"", "\"fc -16\"");
    assert_says(&said, &["pipeline.toml:5:11"]);
}

#[test]
fn scalings_and_augmentations_that_do_not_exist_are_pointed_at() {
    let said = refused(
        "validation = 100",
        "validation = 100\nscaling = \"standardized\"",
    );
    assert_says(
        &said,
        &[
            "unknown variant `standardized`, expected `unit-interval` or `standardised`",
            "pipeline.toml:25:11",
        ],
    );
    let said = refused(
        "batch_size = 32",
        "batch_size = 32\naugmentation = { flip = \"vertcal\" }",
    );
    assert_says(
        &said,
        &["`vertcal` is not known here", "did you mean `vertical`?"],
    );
}

#[test]
fn padding_that_may_leave_nothing_of_an_image_is_refused() {
    let sandbox = Sandbox::new();
    let said = sandbox.run(&["--set", "train.augmentation.crop_padding=8"]);
    assert_says(
        &said.exits(1).stderr,
        &[
            "`augmentation.crop_padding` is 8",
            "below their shorter side, 8",
        ],
    );
}

#[test]
fn hyperparameters_are_checked_against_the_plugins_schema() {
    let said = refused("{ learning_rate = 0.01 }", "{ lerning_rate = 0.01 }");
    assert_says(
        &said,
        &[
            "no hyper-parameter `lerning_rate`",
            "pipeline.toml:9:",
            "did you mean `learning_rate`?",
        ],
    );
    let said = refused("{ learning_rate = 0.01 }", "{ learning_rate = \"fast\" }");
    assert_says(
        &said,
        &[
            "the hyper-parameter `learning_rate` is refused",
            "pipeline.toml:9:",
        ],
    );
}

#[test]
fn text_that_is_not_toml_is_pointed_at() {
    let said = refused("epochs = 2", "epochs = = 2");
    assert_says(&said, &["pipeline.toml:30:"]);
}

#[test]
fn a_pipeline_file_that_is_not_there_is_named() {
    let sandbox = Sandbox::new();
    let said = sandbox.execute(&["run", "nowhere.toml"]).exits(2).stderr;
    assert_says(&said, &["cannot read nowhere.toml", "No such file"]);
    let said = sandbox.execute(&["run", "data"]).exits(2).stderr;
    assert_says(
        &said,
        &[
            "data is not a pipeline file",
            "it is a folder, not a regular file",
        ],
    );
}

/// Runs with the plugin of `bp` taken from the file `library` in the sandbox.
fn with_plugin(sandbox: &Sandbox, library: &str) -> String {
    let reference = format!("method.bp.plugin=\"./{library}\"");
    sandbox
        .run(&["--only", "train/bp", "--set", &reference])
        .exits(2)
        .stderr
}

#[test]
fn a_plugin_that_is_missing_or_no_plugin_is_refused() {
    let sandbox = Sandbox::new();
    assert_says(
        &with_plugin(&sandbox, "gone.so"),
        &["cannot read the plugin", "gone.so", "check the path"],
    );
    let unbuilt = with_plugin(&sandbox, "target/release/gone.so");
    assert_says(&unbuilt, &["cargo build --release --target-dir target"]);

    fs::write(sandbox.path("text.so"), "not a library at all").unwrap();
    assert_says(
        &with_plugin(&sandbox, "text.so"),
        &["text.so is not an Assay plugin"],
    );

    // A real ELF file without a handshake: this test itself.
    fs::copy(std::env::current_exe().unwrap(), sandbox.path("other.so")).unwrap();
    assert_says(
        &with_plugin(&sandbox, "other.so"),
        &["the library has no handshake"],
    );
}

#[test]
fn a_library_for_another_machine_is_refused_by_its_kind() {
    let sandbox = Sandbox::new();
    let library = fs::read(libraries().join("libassay_bp.so")).unwrap();
    let here = if cfg!(target_arch = "aarch64") {
        "libraries for aarch64 (64 bits, little-endian)"
    } else {
        "libraries for x86-64 (64 bits, little-endian)"
    };
    // The fields of the header for the width, the byte order and the machine.
    for (at, bytes, words) in [
        (18, [243, 0], "built for riscv (64 bits, little-endian)"),
        (4, [1, 1], "(32 bits, little-endian)"),
        (5, [2, 1], "(64 bits, big-endian)"),
    ] {
        let mut other = library.clone();
        other[at..at + 2].copy_from_slice(&bytes);
        fs::write(sandbox.path("other.so"), other).unwrap();
        let said = with_plugin(&sandbox, "other.so");
        let parts = ["other.so cannot be loaded", words, here, "build it here"];
        assert_says(&said, &parts);
    }
    for (start, words) in [
        (&b"MZ\x90\0"[..], "it is a Windows library"),
        (b"\xcf\xfa\xed\xfe", "it is a macOS library"),
        (b"", "it is an empty file"),
    ] {
        fs::write(sandbox.path("other.so"), start).unwrap();
        let said = with_plugin(&sandbox, "other.so");
        assert_says(&said, &["other.so is not an Assay plugin", words]);
    }
}

/// A copy of a real plugin with four bytes of its handshake replaced.
fn patched(sandbox: &Sandbox, name: &str, offset: usize, value: u32) {
    let mut library = fs::read(libraries().join("libassay_bp.so")).unwrap();
    let magic = b"ASSAYPLG";
    let places: Vec<_> = (0..library.len() - magic.len())
        .filter(|&at| library[at..].starts_with(magic))
        .filter(|&at| library[at + 8..at + 12] == (magic.len() as u32 + 16 + 128).to_le_bytes())
        .collect();
    let [place] = places[..] else {
        panic!("expected one handshake, found {places:?}");
    };
    library[place + offset..place + offset + 4].copy_from_slice(&value.to_le_bytes());
    fs::write(sandbox.path(name), library).unwrap();
}

#[test]
fn a_plugin_of_another_abi_is_refused_before_it_is_loaded() {
    let sandbox = Sandbox::new();
    patched(&sandbox, "future.so", 12, 9);
    assert_says(
        &with_plugin(&sandbox, "future.so"),
        &["it speaks ABI 9.", "this host speaks ABI"],
    );
    patched(&sandbox, "abort.so", 20, 1);
    assert_says(
        &with_plugin(&sandbox, "abort.so"),
        &["panic = \"abort\"", "must unwind"],
    );
}

#[test]
fn a_default_that_its_own_schema_refuses_accuses_the_plugin() {
    let sandbox = Sandbox::new();
    fs::copy(
        libraries().join("libbroken_plugins.so"),
        sandbox.path("broken.so"),
    )
    .unwrap();
    assert_says(
        &with_plugin(&sandbox, "broken.so"),
        &[
            "the plugin `./broken.so` describes `refuses-own-default` badly",
            "its schema refuses its own default for `beta1`",
        ],
    );
}

#[test]
fn a_file_of_published_figures_that_cannot_be_read_is_pointed_at() {
    let old = "[stage.report]\n";
    let said = refused(old, "[stage.report]\nreference = \"none.toml\"\n");
    assert_says(&said, &["none.toml cannot be read", "pipeline.toml:40:13"]);
    let said = refused(old, "[stage.report]\nreference = \"pipeline.toml\"\n");
    assert_says(&said, &["is no file of published figures", "protocol"]);
}

#[test]
fn damaged_data_fails_its_stage_and_is_named() {
    let sandbox = Sandbox::new();
    let images = sandbox.path("data/train-images-idx3-ubyte");
    let mut bytes = fs::read(&images).unwrap();
    bytes.truncate(1000);
    fs::write(&images, bytes).unwrap();
    let run = sandbox.run(&[]).exits(1);
    assert_says(&run.stderr, &["`data` failed", "train-images-idx3-ubyte"]);
    assert!(run.stdout.contains("1 failed, 3 skipped"), "{}", run.stdout);
}

#[test]
fn a_network_that_does_not_fit_the_data_fails_with_both_shapes() {
    let sandbox = Sandbox::new();
    let run = sandbox
        .run(&["--only", "train/bp", "--set", "network.small.input=[1,8,9]"])
        .exits(1);
    assert_says(
        &run.stderr,
        &[
            "`train/bp/seed=1` failed",
            "inputs of 1x8x9",
            "images are 1x8x8",
        ],
    );
}

#[test]
fn a_network_that_cannot_fit_its_dataset_is_pointed_at_before_anything_runs() {
    let said = refused(
        "source = \"idx\"\npath = \"data\"\nclasses = 4\n",
        "source = \"mnist\"\n",
    );
    assert_says(
        &said,
        &[
            "the network takes inputs of 1x8x8, but the dataset's images are 1x28x28",
            "pipeline.toml:27:11",
        ],
    );
    let said = refused("\"softmax 4\"", "\"softmax 5\"");
    assert_says(
        &said,
        &[
            "the network has 5 outputs, but the dataset has 4 classes",
            "pipeline.toml:29:11",
        ],
    );
    let said = refused("\"softmax 4\"", "\"fc 4\"");
    assert_says(
        &said,
        &[
            "the network ends with `fc 4` of 4 units",
            "as many units as it has inputs, 64",
            "pipeline.toml:5:29",
        ],
    );
}

#[test]
fn a_file_of_networks_that_is_not_there_is_pointed_at() {
    let said = refused(
        "name = \"small\"",
        "name = \"small\"\nnetworks = \"no.toml\"",
    );
    assert_says(
        &said,
        &["cannot read `no.toml`: No such file", "pipeline.toml:2:12"],
    );
}

#[test]
fn a_store_of_another_version_is_left_alone() {
    let sandbox = Sandbox::new();
    fs::create_dir(sandbox.path("artifacts")).unwrap();
    fs::write(sandbox.path("artifacts/format"), "assay store 99\n").unwrap();
    let said = sandbox.run(&[]).exits(2).stderr;
    assert_says(&said, &["assay store 99"]);
    assert_eq!(fs::read_dir(sandbox.path("artifacts")).unwrap().count(), 1);
}

#[test]
fn a_damaged_object_is_noticed_and_computed_again() {
    let sandbox = Sandbox::new();
    let first = sandbox.run_json(&[]);
    let store = assay_store::Store::open_existing(sandbox.path("artifacts")).unwrap();
    let stages = first["stages"].as_array().unwrap();
    let training = stages
        .iter()
        .find(|stage| stage["name"] == "train/bp/seed=1")
        .unwrap();
    let artifact = training["artifact"].as_str().unwrap().parse().unwrap();
    let weights = store
        .artifact_file_path(artifact, "final.safetensors")
        .unwrap();
    fs::remove_file(&weights).unwrap();

    let preview = sandbox.run(&["--dry-run"]).exits(0).stdout;
    assert_says(
        &preview,
        &["runs: a file of its result is missing or damaged"],
    );
    let second = sandbox.run_json(&[]);
    assert_eq!(
        first["stages"][1]["artifact"],
        second["stages"][1]["artifact"]
    );
    assert!(weights.is_file());
}

/// The most seconds of a processor that a refusal may take: ample for 20,000 errors where each is looked at
/// once, and too little where each is compared with all stages.
const MOST_SECONDS: u64 = 3;

/// Standard error for a `pipeline.toml` with this text. Fails if that takes more than [`MOST_SECONDS`] of a
/// processor, whatever else the machine is doing.
#[track_caller]
fn refused_soon(text: &str) -> String {
    let sandbox = Sandbox::new();
    fs::write(sandbox.path("pipeline.toml"), text).unwrap();
    let mut command = sandbox.command(&["run", "pipeline.toml"]);
    let run = command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let run = run.spawn().unwrap();
    let limit = Rlimit {
        current: Some(MOST_SECONDS),
        maximum: Some(MOST_SECONDS),
    };
    prlimit(Some(Pid::from_child(&run)), Resource::Cpu, limit).unwrap();
    Finished::of(run.wait_with_output().unwrap())
        .exits(2)
        .stderr
}

#[test]
fn of_many_errors_the_first_are_shown_and_the_rest_counted() {
    let stages = |body: fn(usize) -> String| -> String {
        let stages = (0..20_000).map(|at| format!("[stage.s{at}]\n{}\n", body(at)));
        "name = \"many\"\n".to_owned() + &stages.collect::<String>()
    };
    let unknown_kind = stages(|at| format!("kind = \"k{at}\""));
    let unknown_key = stages(|at| format!("kind = \"dataset\"\nsource = \"mnist\"\nk{at} = 1"));
    let unknown_stage = stages(|at| format!("kind = \"evaluate\"\ntraining = \"t{at}\""));
    let unknown_evaluations = stages(|at| format!("kind = \"report\"\nevaluations = [\"e{at}\"]"));
    for (what, text) in [
        ("there is no stage kind", unknown_kind),
        ("has no key", unknown_key),
        ("there is no train or search stage", unknown_stage),
        ("there is no evaluate stage", unknown_evaluations),
    ] {
        let said = refused_soon(&text);
        assert_eq!(said.matches("error: ").count(), 20, "{what}: {said}");
        assert!(said.matches(what).count() >= 20, "{what}: {said}");
        assert!(said.ends_with("and 19,980 more errors\n"), "{what}: {said}");
    }
    let said = refused_soon(&"x = = 1\n".repeat(20_000));
    assert_eq!(said.matches("error: ").count(), 20, "{said}");
    assert!(said.ends_with(" more errors\n"), "{said}");
}

#[test]
fn one_error_more_than_are_shown_is_counted() {
    let keys: Vec<_> = (0..21).map(|at| format!("k{at} = 1")).collect();
    let keys = keys.join("\n");
    let said = refused_soon(&format!(
        "name = \"x\"\n{keys}\n[stage.a]\nkind = \"dataset\"\nsource = \"mnist\"\n"
    ));
    assert!(said.ends_with("and 1 more error\n"), "{said}");
}

#[test]
fn a_long_value_and_a_long_line_are_cut() {
    let long = "x".repeat(1 << 20);
    for text in [
        format!("name = \"{long}\"\n"),
        format!("name = \"x\"\n[stage.{long}]\nkind = \"{long}\"\n"),
        format!(
            "name = \"x\"\n[stage.a]\nkind = \"train\"\nepochs = \"{long}\"\nnetwork = \"{long}\"\n{long} = 1\n"
        ),
        format!("name = [{}]\n", "1, ".repeat(200_000)),
        format!("{}y = = 1\n", "x = 1 ".repeat(200_000)),
    ] {
        let said = refused_soon(&text);
        let longest = said.lines().map(|line| line.chars().count()).max().unwrap();
        assert!(longest < 700, "{longest} characters in a line");
    }
    // An argument may have 128 KiB.
    let long = format!("train.network=\"{}\"", "x".repeat(100_000));
    let said = Sandbox::new().run(&["--set", &long]).exits(2).stderr;
    assert_says(&said, &["there is no network `xxx", "x…`"]);
    assert!(said.len() < 2000, "{said}");
}

#[test]
fn text_that_is_not_utf8_is_pointed_at() {
    let sandbox = Sandbox::new();
    fs::write(sandbox.path("pipeline.toml"), b"name = \"x\"\n# caf\xe9\n").unwrap();
    let said = sandbox.run(&[]).exits(2).stderr;
    assert_says(
        &said,
        &[
            "pipeline.toml is not a pipeline file",
            "not UTF-8 text in line 2, at byte 17",
        ],
    );
}

#[test]
fn numbers_of_jobs_and_threads_have_bounds() {
    let sandbox = Sandbox::new();
    for arguments in [
        ["--jobs", "0"],
        ["--jobs", "1025"],
        ["--threads", "0"],
        ["--threads", "1025"],
    ] {
        let said = sandbox.run(&arguments).exits(2).stderr;
        assert_says(&said, &[arguments[0], "is not in 1..=1024"]);
    }
}

#[test]
fn an_empty_variable_is_one_that_is_not_set() {
    let sandbox = Sandbox::new();
    let mut command = sandbox.command(&["run", "pipeline.toml", "--dry-run"]);
    for name in [
        "ASSAY_STORE",
        "ASSAY_DATA_DIR",
        "ASSAY_PLUGIN_PATH",
        "ASSAY_TRUSTED_ONLY",
    ] {
        command.env(name, "");
    }
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(sandbox.path("artifacts").is_dir());
}

#[test]
fn a_cause_is_told_once() {
    let sandbox = Sandbox::new();
    fs::write(sandbox.path("data/train-images-idx3-ubyte"), "damaged").unwrap();
    let said = sandbox.run(&[]).exits(1).stderr;
    let lines: Vec<_> = said.lines().collect();
    for pair in lines.windows(2) {
        let cause = pair[1].trim_start().strip_prefix("caused by: ");
        assert!(
            cause.is_none_or(|cause| !pair[0].ends_with(cause)),
            "{said}"
        );
    }
}

#[test]
fn a_misspelt_verb_or_option_names_the_one_that_was_meant() {
    let sandbox = Sandbox::new();
    for (arguments, close) in [
        (&["rnu"][..], "a similar subcommand exists: 'run'"),
        (&["raudit"], "a similar subcommand exists: 'audit'"),
        (&["plugin", "lsit"], "a similar subcommand exists: 'list'"),
        (&["run", "pipeline.toml", "--est", "x=1"], "exists: '--set'"),
        (&["run", "--dryrun"], "exists: '--dry-run'"),
    ] {
        let said = sandbox.execute(arguments).exits(2).stderr;
        assert_says(&said, &[close]);
        assert!(!said.contains("as a value"), "{said}");
    }
    let said = sandbox.execute(&["nonsense"]).exits(2).stderr;
    assert!(!said.contains("similar"), "{said}");
}

#[test]
fn a_usage_line_is_the_same_whatever_the_environment() {
    let sandbox = Sandbox::new();
    let bare = |arguments: &[&str]| sandbox.execute(arguments);
    let with_variables = |arguments: &[&str]| {
        let mut command = sandbox.command(arguments);
        command
            .env("ASSAY_STORE", "a-store")
            .env("ASSAY_DATA_DIR", "some-data")
            .env("ASSAY_TRUSTED_ONLY", "1");
        Finished::run(&mut command)
    };
    for (arguments, usage) in [
        (&["run"][..], "Usage: pipeline run [OPTIONS] <FILE>"),
        (&["show"], "Usage: pipeline show [OPTIONS] <NAME>"),
        (
            &["run", "f", "--onyl"],
            "Usage: pipeline run [OPTIONS] <FILE>",
        ),
        (
            &["bundle"],
            "Usage: pipeline bundle [OPTIONS] --output <FILE> <NAME>",
        ),
    ] {
        let said = bare(arguments).exits(2).stderr;
        assert_says(&said, &[usage]);
        assert_eq!(with_variables(arguments).exits(2).stderr, said);
    }
    let usage = |help: Finished| {
        let help = help.exits(0).stdout;
        let usage = help.lines().find(|line| line.starts_with("Usage: "));
        usage.unwrap().to_owned()
    };
    let help = ["run", "--help"];
    assert_eq!(usage(with_variables(&help)), usage(bare(&help)));
}

#[test]
fn one_wrong_override_is_one_complaint() {
    let sandbox = Sandbox::new();
    let networks = "[network.other]\ninput = [1, 8, 8]\nlayers = [\"softmax 4\"]\n";
    fs::write(sandbox.path("networks.toml"), networks).unwrap();
    let file = sandbox.path("pipeline.toml");
    let text = fs::read_to_string(&file).unwrap();
    let text = format!(
        "networks = \"networks.toml\"\n{}",
        text.replace("[\"evaluate\"]", "[\"evaluate/bp\", \"evaluate/fa\"]")
    );
    fs::write(&file, text).unwrap();
    for (wrong, parts) in [
        (
            "train.epohcs=3",
            ["has no key `epohcs`", "did you mean `epochs`?"],
        ),
        ("train.epochs=0", ["0 is out of range", "--set:1:14"]),
        (
            "trian.epochs=3",
            ["there is no stage `trian`", "did you mean `train`?"],
        ),
        (
            "train.epochs=nan",
            [
                "a setting must be finite, and `nan` is not",
                "train.epochs=nan",
            ],
        ),
        (
            "train.x=inf",
            ["a setting must be finite, and `inf` is not", "train.x=inf"],
        ),
        (
            "train.network=other",
            ["is not an override", "strings need quotes"],
        ),
        (
            "networks=\"gone.toml\"",
            ["cannot read `gone.toml`", "--set:1:10"],
        ),
    ] {
        let said = sandbox.run(&["--set", wrong]).exits(2).stderr;
        assert_says(&said, &parts);
        assert_eq!(said.matches("error: ").count(), 1, "{wrong}: {said}");
    }
}

#[test]
fn a_stage_that_is_not_there_gets_a_suggestion() {
    let sandbox = Sandbox::new();
    let said = |only| sandbox.run(&["--only", only]).exits(2).stderr;
    assert_says(
        &said("trian"),
        &["there is no stage `trian`", "did you mean `train`?"],
    );
    assert_says(&said("train/bq"), &["did you mean `train/bp`?"]);
    let none = said("everything");
    assert_says(&none, &["there is `data`, `train`, `evaluate`, `report`"]);
    assert!(!none.contains("seed=1"), "{none}");
}

#[test]
fn a_report_that_is_not_selected_is_not_judged() {
    let sandbox = Sandbox::new();
    let file = sandbox.path("pipeline.toml");
    let text = fs::read_to_string(&file).unwrap();
    let other = "[stage.report-fa]\nkind = \"report\"\nevaluations = [\"evaluate/fa\"]\n";
    fs::write(&file, text + other).unwrap();
    let change = ["--dry-run", "--set", "train.matrix.method=[\"bp\"]"];
    let said = sandbox.run(&change).exits(2).stderr;
    assert_says(&said, &["there is no evaluate stage `evaluate/fa`"]);
    let only = [&change[..], &["--only", "report"]].concat();
    let planned = sandbox.run(&only).exits(0).stdout;
    assert_says(&planned, &["evaluate/bp/seed=1", "report"]);
}

/// A network that an algorithm declares it cannot train costs no night: the plan is refused.
#[test]
fn a_network_that_an_algorithm_cannot_train_is_refused_before_the_run() {
    let sandbox = Sandbox::new();
    let refused = |algorithm: &str, settings: &str, layers: &str| {
        let text = format!(
            "name = \"p\"\n[network.n]\ninput = [1, 28, 28]\nlayers = [{layers}]\n\
             [method.m]\nalgorithm = \"{algorithm}\"\nhyperparameters = {{ {settings} }}\n\
             [stage.mnist]\nkind = \"dataset\"\nsource = \"idx\"\npath = \"data\"\nclasses = 10\n\
             [stage.train]\nkind = \"train\"\ndataset = \"mnist\"\nnetwork = \"n\"\nepochs = 1\n\
             matrix = {{ method = [\"m\"], seed = [1] }}\n"
        );
        std::fs::write(sandbox.path("p.toml"), text).unwrap();
        sandbox.execute(&["run", "p.toml", "--dry-run"])
    };
    let windows = "\"conv 3x3 2 s2\", \"softmax 10\"";
    let said = refused("local-loss", "losses = \"sim\"", windows)
        .exits(2)
        .stderr;
    for part in [
        "the algorithm `local-loss` cannot train this network",
        "fully connected layers",
        "p.toml:",
    ] {
        assert!(said.contains(part), "no {part:?} in:\n{said}");
    }
    let _ = refused("local-loss", "losses = \"pred\"", windows).exits(0);
    let image = "\"lc 3x3 2 s1\", \"lc 3x3 1 s1\"";
    let said = refused("ao-sdtp", "", image).exits(2).stderr;
    assert!(said.contains("auxiliary_units to 0"), "{said}");
    let _ = refused("ao-sdtp", "auxiliary_units = 0", image).exits(0);
}

#[test]
fn factors_by_layer_that_do_not_fit_are_pointed_at_before_anything_runs() {
    let with = |factors: &str| {
        let changed =
            format!("algorithm = \"kp\"\nhyperparameters = {{ rate_factors = {factors} }}");
        refused(
            "algorithm = \"bp\"\nhyperparameters = { learning_rate = 0.01 }",
            &changed,
        )
    };
    assert_says(
        &with("[1, 0.5]"),
        &[
            "the hyper-parameter `rate_factors` has 2 values, and the network 3 layers",
            "pipeline.toml:",
            "give one for each layer",
        ],
    );
    assert_says(
        &with("[1, -0.5, 1]"),
        &["the hyper-parameter `rate_factors` is refused", "-0.5"],
    );
}
