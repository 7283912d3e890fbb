//! Where plugins compute, on machines that have cards of every sort: a driver that is not one shows
//! them, and a plugin that says what it is given computes on them.

mod at_once;
mod driver;
mod machine;
mod portable;

use std::fs;
use std::time::{Duration, Instant};

use assay_core::CudaEnvironment;
use assay_tests::FakeCuda;

use self::machine::{A100, Epoch, H100, Machine, most_at_a_time, uuid};

#[test]
fn a_machine_without_a_driver_is_told_what_to_do_by_every_verb() {
    let machine = Machine::new(&[]);
    // Not even a machine that has a driver finds it behind this.
    fs::write(machine.cuda.path().join("libcuda.so.1"), "no library").unwrap();
    let key = "ab".repeat(32);
    for arguments in [
        &["run", "pipeline.toml", "--device", "cuda"][..],
        &["run", "pipeline.toml", "--device", "cuda:all", "--dry-run"],
        &["status", "pipeline.toml", "--device", "cuda"],
        &["why", "pipeline.toml", "--device", "cuda:1"],
        &[
            "plugin",
            "check",
            "./libcards_plugin.so",
            "--device",
            "cuda",
        ],
        &[
            "plugin",
            "directions",
            "./libcards_plugin.so",
            "--network",
            "softmax 4",
            "--input",
            "1x8x8",
            "--batch",
            "none",
            "--device",
            "cuda",
        ],
        &["exec", &key, "--device", "cuda"],
    ] {
        let refused = machine.execute(arguments).exits(2);
        let error = &refused.stderr;
        assert!(
            error.contains("this machine has no NVIDIA driver"),
            "{arguments:?}: {error}"
        );
        assert!(error.contains("--device cpu"), "{arguments:?}: {error}");
        assert_eq!(error.matches("error:").count(), 1, "{error}");
    }
    assert!(!machine.sandbox.path("artifacts").exists());
}

#[test]
fn a_card_that_is_not_there_is_refused_with_what_is() {
    let machine = Machine::new(&[H100, H100]);
    for arguments in [&[][..], &["--dry-run"]] {
        let refused = machine.run("cuda:0,cuda:3", arguments).exits(2);
        let error = &refused.stderr;
        assert!(error.contains("there is no card 3"), "{error}");
        for number in [0, 1] {
            let card = format!("card {number}, NVIDIA H100 80GB HBM3 with 80.0 GiB");
            assert!(error.contains(&card), "{error}");
        }
    }
    let none = Machine::new(&[]).run("cuda", &[]).exits(2);
    assert!(none.stderr.contains("a driver and no card"), "{none:?}");
    assert!(!machine.sandbox.path("artifacts").exists());
}

#[test]
fn what_is_no_device_is_refused_in_a_line() {
    let machine = Machine::new(&[H100, H100]);
    for (device, words) in [
        ("gpu", "`gpu` is no device"),
        ("cuda:0,1", "`cuda:0,1` is no device"),
        ("cuda:1,cuda:1", "card 1 is named twice"),
    ] {
        let refused = machine.run(device, &[]).exits(2);
        assert!(refused.stderr.contains(words), "{refused:?}");
    }
    let check = [
        "plugin",
        "check",
        "./libcards_plugin.so",
        "--device",
        "cuda:all",
    ];
    let refused = machine.execute(&check).exits(2);
    assert!(refused.stderr.contains("one card"), "{refused:?}");
}

#[test]
fn cards_of_a_run_are_of_one_kind() {
    let machine = Machine::new(&[H100, A100]);
    let refused = machine.run("cuda:all", &["--dry-run"]).exits(2);
    for card in [
        "card 0, NVIDIA H100 80GB HBM3",
        "card 1, NVIDIA A100-SXM4-40GB",
    ] {
        assert!(refused.stderr.contains(card), "{refused:?}");
    }
    let _ = machine.run("cuda:1", &[]).exits(0);
    assert_eq!(machine.epochs()[0].card(), uuid(1));
}

#[test]
fn cards_that_the_user_hides_stay_hidden() {
    let machine = Machine::new(&[A100, H100]).set("CUDA_VISIBLE_DEVICES", "1");
    let refused = machine.run("cuda:1", &[]).exits(2);
    assert!(
        refused.stderr.contains("CUDA_VISIBLE_DEVICES=1"),
        "{refused:?}"
    );
    let _ = machine.run("cuda:all", &[]).exits(0);
    let epochs = machine.epochs();
    assert_eq!((epochs.len(), epochs[0].card()), (1, uuid(1).as_str()));
}

#[test]
fn a_driver_that_hangs_crashes_or_refuses_is_an_error() {
    for (trouble, words, help) in [
        ("hang", "did not answer within 1 s", "ASSAY_DRIVER_PATIENCE"),
        ("crash", "was ended by SIGSEGV", "nvidia-smi"),
        (
            "803",
            "system has unsupported display driver",
            "restart the machine",
        ),
        ("999", "CUDA error 999", "nvidia-smi"),
    ] {
        let machine = Machine::new(&[H100])
            .set("CUDA_FAKE_TROUBLE", trouble)
            .set("ASSAY_DRIVER_PATIENCE", "1");
        let begun = Instant::now();
        let refused = machine.run("cuda", &["--dry-run"]).exits(2);
        assert!(refused.stderr.contains(words), "{trouble}: {refused:?}");
        assert!(refused.stderr.contains(help), "{trouble}: {refused:?}");
        assert!(begun.elapsed() < Duration::from_secs(20));
        // On the processor nobody asks.
        let _ = machine.run("cpu", &["--dry-run"]).exits(0);
    }
}

#[test]
fn a_driver_older_than_the_libraries_is_refused_with_both_versions() {
    let machine = Machine::new(&[H100]).set("CUDA_FAKE_DRIVER", "12040");
    let refused = machine.run("cuda", &["--dry-run"]).exits(2);
    assert!(refused.stderr.contains("serves CUDA 12.4"), "{refused:?}");
    assert!(refused.stderr.contains("use CUDA 13.0"), "{refused:?}");
    machine.cuda.libraries(12080);
    // Versions of one generation serve each other.
    let _ = machine.run("cuda", &["--dry-run"]).exits(0);
}

#[test]
fn what_decides_bits_on_a_card_is_in_the_action_and_true() {
    let machine = Machine::new(&[H100, H100])
        .set("NVIDIA_TF32_OVERRIDE", "1")
        .set("CUBLAS_WORKSPACE_CONFIG", ":16:8")
        .set("TORCH_BLAS_PREFER_CUBLASLT", "1");
    let _ = machine.run("cuda:1", &[]).exits(0);
    let training = machine.trainings().remove(0);
    let environment = training.environment.unwrap();
    assert_eq!(environment.device, "cuda");
    let expected = CudaEnvironment {
        card: "NVIDIA H100 80GB HBM3".to_owned(),
        compute_capability: "9.0".to_owned(),
        multiprocessors: 132,
        runtime: "13.0".to_owned(),
        cublas: "13.0.7".to_owned(),
        cudnn: "13.0.7".to_owned(),
        tf32: false,
        deterministic_algorithms: true,
        cublas_workspace: ":4096:8".to_owned(),
    };
    assert_eq!(environment.cuda, Some(expected));
    let epoch = machine.epochs().remove(0);
    for (name, value) in [
        ("CUDA_VISIBLE_DEVICES", uuid(1).as_str()),
        ("CUBLAS_WORKSPACE_CONFIG", ":4096:8"),
        ("NVIDIA_TF32_OVERRIDE", "0"),
        ("TORCH_ALLOW_TF32_CUBLAS_OVERRIDE", "0"),
        ("TORCH_BLAS_PREFER_CUBLASLT", "0"),
    ] {
        assert_eq!(epoch.variable(name), value, "{name}");
    }
    assert_eq!(epoch.0["device"], "cuda");
    let shown = machine
        .execute(&["show", "latest:train/cards/seed=1"])
        .exits(0);
    let shown = shown
        .stdout
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ");
    for words in [
        "NVIDIA H100 80GB HBM3 (9.0, 132 multiprocessors)",
        "TF32 off",
    ] {
        assert!(shown.contains(words), "{shown}");
    }
}

#[test]
fn without_cuda_libraries_their_versions_are_none() {
    let mut machine = Machine::new(&[H100]);
    machine.cuda = FakeCuda::driver();
    let _ = machine.run("cuda", &[]).exits(0);
    let environment = machine.trainings().remove(0).environment.unwrap();
    let cuda = environment.cuda.unwrap();
    let versions = [cuda.runtime, cuda.cublas, cuda.cudnn];
    assert_eq!(versions, ["none"; 3]);
}

#[test]
fn another_card_of_the_kind_has_the_result_and_another_kind_has_not() {
    let mut machine = Machine::new(&[H100, H100]);
    let _ = machine.run("cuda:0", &[]).exits(0);
    let again = machine.run("cuda:1", &["--dry-run"]).exits(0);
    assert!(again.stdout.contains("2 cached, 0 to run"), "{again:?}");
    let status = ["status", "pipeline.toml", "--device", "cuda:all"];
    let _ = machine.execute(&status).exits(0);
    // The dataset alone was not computed on a card.
    machine.cards = [A100, A100].join(";");
    let other = machine.run("cuda:1", &["--dry-run"]).exits(0);
    assert!(other.stdout.contains("1 cached, 1 to run"), "{other:?}");
    let why = ["why", "pipeline.toml", "--device", "cuda", "train"];
    let why = machine.execute(&why).exits(0);
    assert!(why.stdout.contains("environment.cuda.card"), "{why:?}");
    let cpu = machine.run("cpu", &["--dry-run"]).exits(0);
    assert!(cpu.stdout.contains("1 cached, 1 to run"), "{cpu:?}");
}

#[test]
fn trainings_are_spread_over_cards_one_at_a_time_on_each() {
    let machine = Machine::new(&[H100; 4]);
    machine.pipeline(8, 1, "{ milliseconds = 400 }");
    let _ = machine.run("cuda:all", &[]).exits(0);
    let epochs = machine.epochs();
    assert_eq!(epochs.len(), 8);
    for number in 0..4 {
        assert_eq!(
            most_at_a_time(&epochs, Some(&uuid(number))),
            1,
            "card {number}"
        );
    }
    assert!(
        most_at_a_time(&epochs, None) > 1,
        "one card after the other: {epochs:?}"
    );
}

#[test]
fn jobs_are_shared_evenly_among_cards() {
    let machine = Machine::new(&[H100; 2]);
    machine.pipeline(8, 1, "{ milliseconds = 2000 }");
    let _ = machine.run("cuda:0,cuda:1", &["--jobs", "8"]).exits(0);
    let epochs = machine.epochs();
    for number in 0..2 {
        assert_eq!(
            epochs.iter().filter(|it| it.card() == uuid(number)).count(),
            4
        );
    }
    assert!(most_at_a_time(&epochs, Some(&uuid(0))) > 1, "{epochs:?}");
    let machine = Machine::new(&[H100; 2]);
    machine.pipeline(3, 1, "{ milliseconds = 50 }");
    let _ = machine.run("cuda:all", &["--jobs", "1"]).exits(0);
    assert_eq!(most_at_a_time(&machine.epochs(), None), 1);
}

/// Messages of CUDA, its libraries and libtorch, each with a part of the error and of the advice
/// that are made of it.
const TROUBLES: [(&str, &str, &str); 7] = [
    (
        "CUDA out of memory. Tried to allocate 20.00 GiB. GPU 0 has a total capacity of 79.18 GiB",
        "ran out of memory",
        "make `batch_size` or the network smaller",
    ),
    (
        "CUDA error: uncorrectable ECC error encountered",
        "was lost or is defective",
        "`nvidia-smi -r` resets",
    ),
    (
        "CUDA error: an illegal memory access was encountered",
        "stopped the computation with an error",
        "run the same command again",
    ),
    (
        "CUDA error: unspecified launch failure",
        "stopped the computation with an error",
        "goes on from the last epoch",
    ),
    (
        "CUDA error: the launch timed out and was terminated",
        "stopped the computation with an error",
        "the fault is the plugin's",
    ),
    (
        "CUDA driver version is insufficient for CUDA runtime version",
        "needs a newer NVIDIA driver",
        "install a newer driver",
    ),
    (
        "The NVIDIA driver on your system is too old (found version 12040).",
        "needs a newer NVIDIA driver",
        "install a newer driver",
    ),
];

#[test]
fn what_a_card_fails_of_is_said_with_what_to_do() {
    let machine = Machine::new(&[H100]);
    for (words, happened, help) in TROUBLES {
        for aborts in [false, true] {
            let fails = format!("{{ words = '''{words}''', aborts = {aborts} }}");
            machine.pipeline(1, 1, &fails);
            let failed = machine.run("cuda", &[]).exits(1);
            let error = &failed.stderr;
            let happened = format!("card 0, NVIDIA H100 80GB HBM3 with 80.0 GiB {happened}");
            for expected in [happened.as_str(), words, help] {
                assert!(error.contains(expected), "{expected} is not in {error}");
            }
        }
    }
    // The same words on the processor are the plugin's own.
    let (words, _, help) = TROUBLES[0];
    machine.pipeline(1, 1, &format!("{{ words = '''{words}''' }}"));
    let failed = machine.run("cpu", &[]).exits(1);
    assert!(!failed.stderr.contains(help), "{failed:?}");
}

#[test]
fn libtorch_without_cuda_says_where_to_get_it() {
    let mut machine = Machine::new(&[H100]);
    machine.cuda = FakeCuda::driver();
    machine.sandbox.pipeline(r#"["bp"]"#, 1);
    let failed = machine.run("cuda", &[]).exits(1);
    assert!(
        failed.stderr.contains("libtorch, which has no CUDA"),
        "{failed:?}"
    );
    assert!(
        failed.stderr.contains("ASSAY_LIBTORCH=cuda scripts/setup"),
        "{failed:?}"
    );
}

#[test]
fn a_lost_card_fails_its_stage_and_no_other() {
    let machine = Machine::new(&[H100; 2]);
    let words = "CUDA error: uncorrectable ECC error encountered";
    let fails = format!(
        "{{ words = '{words}', card = '{}', epoch = 2, milliseconds = 200 }}",
        uuid(0)
    );
    machine.pipeline(5, 3, &fails);
    let failed = machine
        .run("cuda:all", &["--keep-going", "--json"])
        .exits(1);
    let stages = failed.json()["stages"].as_array().unwrap().clone();
    let count = |outcome: &str| stages.iter().filter(|it| it["outcome"] == outcome).count();
    assert_eq!((count("failed"), count("ran")), (1, 5), "{failed:?}");
    // The failed training goes on after its first epoch, on another card of the kind.
    let _ = machine.run("cuda:1", &[]).exits(0);
    let epochs = machine.epochs();
    let first = |epoch: &&Epoch| epoch.0["epoch"] == 1;
    assert_eq!(epochs.iter().filter(first).count(), 4, "{epochs:?}");
    assert_eq!(epochs.len(), 4 * 3 + 2, "{epochs:?}");
}

#[test]
fn actions_are_executed_again_on_cards_of_their_kind_alone() {
    let mut machine = Machine::new(&[H100, H100]);
    machine.pipeline(2, 1, "{}");
    let _ = machine.run("cuda", &[]).exits(0);
    let rerun = ["audit", "latest", "--rerun", "--data-dir", "data"];
    let on = |device| [&rerun[..], &["--device", device]].concat();
    let same = machine.execute(&on("cuda:all")).exits(0);
    assert!(same.stdout.contains("3 the same"), "{same:?}");
    let key = machine.trainings()[0].document().unwrap().0.to_string();
    let _ = machine.execute(&["exec", &key]).exits(0);
    let absent = machine.execute(&on("cuda:2")).exits(2);
    assert!(absent.stderr.contains("there is no card 2"), "{absent:?}");

    machine.cards = [A100, A100].join(";");
    let other = machine.execute(&rerun).exits(2);
    let field = "environment.cuda.card is `NVIDIA H100 80GB HBM3`, and here it is `NVIDIA A100";
    assert!(other.stdout.contains(field), "{other:?}");
    let other = machine.execute(&["exec", &key]).exits(75);
    assert!(other.stderr.contains(field), "{other:?}");
    let anyway = machine
        .execute(&[&rerun[..], &["--anyway"]].concat())
        .exits(0);
    assert!(
        anyway
            .stdout
            .contains("in another environment, not recorded"),
        "{anyway:?}"
    );

    machine.cards = String::new();
    let none = machine.execute(&rerun).exits(2);
    assert!(none.stdout.contains("a driver and no card"), "{none:?}");
    assert!(
        none.stdout.contains("1 the same"),
        "the dataset needs none: {none:?}"
    );
}
