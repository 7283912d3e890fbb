//! Kernels, graphs and streams through a driver that is emulated: every call of CUDA's that the SDK makes, in contained
//! workers of the real program.

use std::fs;
use std::path::PathBuf;

use super::at_once::{artifacts, at_once};
use super::machine::{H100, Machine};
use super::portable::portable_pipeline;

/// A machine whose driver launches kernels.
fn machine() -> Machine {
    let machine = Machine::new(&[H100]);
    assay_emulation::build_driver(machine.cuda.path());
    machine
        .set("ASSAY_EMULATED_CARD", "driver")
        .set("CUDA_FAKE_TELLS", "1")
}

/// The numbers that the driver told last of each worker that launched something: launches, graphs, launches of graphs,
/// replaced nodes, streams and waits.
fn told(machine: &Machine) -> Vec<[u64; 6]> {
    let logs = machine.logs();
    let told = logs.iter().filter_map(|log| {
        let mut lines = log.lines().rev();
        lines.find_map(|line| line.strip_prefix("driver: "))
    });
    let numbers = told.map(|line| {
        let numbers = line
            .split(|letter: char| !letter.is_ascii_digit())
            .filter_map(|it| it.parse().ok());
        <[u64; 6]>::try_from(numbers.collect::<Vec<_>>()).unwrap()
    });
    numbers.collect()
}

/// Runs the pipeline on a card and on a processor, which have to give the same artifacts; these.
fn run_on_both(machine: &Machine) -> Vec<(String, String)> {
    let on_card = machine.run("cuda", &["--portable", "--json"]).exits(0);
    let on_processor = machine
        .run("cpu", &["--store", "processor", "--json"])
        .exits(0);
    let expected = artifacts(&on_processor.json());
    assert_eq!(artifacts(&on_card.json()), expected);
    expected
}

#[test]
fn a_driver_runs_kernels_and_graphs_with_the_bits_of_a_processor() {
    let machine = machine();
    portable_pipeline(&machine);
    machine.change("epochs = 2", "epochs = 6");
    let expected = run_on_both(&machine);
    let told = told(&machine);
    // Four trainings, whose steps are graphs, and four evaluations, which have none.
    assert_eq!(told.len(), 8, "{told:?}");
    let mut trained = 0;
    for [launches, graphs, of_graphs, replaced, streams, waits] in told {
        assert_eq!(streams, 1);
        assert!(launches > 0 && waits > 0);
        assert!((graphs == 0) == (of_graphs == 0));
        // The order of an epoch takes the place of the one before.
        assert_eq!(replaced, 0);
        // Six epochs of four batches, the last one smaller: of the first two steps of each size there is no graph yet.
        trained += u64::from([graphs, of_graphs] == [2, 6 * 4 - 4]);
    }
    assert_eq!(trained, 4);
    let alone = machine.set("ASSAY_GRAPHS", "0");
    let by_kernels = alone
        .run("cuda", &["--portable", "--store", "kernels", "--json"])
        .exits(0);
    assert_eq!(artifacts(&by_kernels.json()), expected);
}

#[test]
fn steps_that_are_repeated_have_the_bits_of_a_processor() {
    let machine = machine();
    portable_pipeline(&machine);
    // Some batches of one size and a smaller one, in one pass, and in a pass for the inverses and one for the network.
    machine.change("epochs = 2", "epochs = 2\nbatch_size = 18");
    let alternating = r#"algorithm = "dtp"
hyperparameters = { schedule = "alternating" }"#;
    machine.change(r#"algorithm = "dtp""#, alternating);
    run_on_both(&machine);
    let steps: u64 = told(&machine)
        .iter()
        .map(|[_, _, of_graphs, ..]| of_graphs)
        .sum();
    assert!(steps > 100, "{steps} steps were one launch");
}

#[test]
fn a_card_without_room_for_the_images_gives_the_bits_of_a_processor() {
    let machine = machine().set("CUDA_FAKE_FULL", "1");
    portable_pipeline(&machine);
    machine.change("epochs = 2", "epochs = 2\nbatch_size = 18");
    run_on_both(&machine);
    let told = told(&machine);
    // Every step is asked for, also those after a smaller batch, for which target propagation makes its own buffers anew.
    let of_graphs: u64 = told.iter().map(|[_, _, of_graphs, ..]| of_graphs).sum();
    let replaced: u64 = told.iter().map(|[_, _, _, replaced, ..]| replaced).sum();
    assert!(of_graphs > 100 && replaced > 0, "{told:?}");
}

#[test]
fn trainings_that_share_a_worker_have_a_stream_each() {
    let machine = machine();
    portable_pipeline(&machine);
    machine.change(r#""dtp"] }"#, r#""dtp"], seed = [1, 2] }"#);
    let arguments = ["--portable", "--per-device", "4", "--json"];
    let together = machine.run("cuda", &arguments).exits(0);
    assert_eq!(at_once(&machine), [4; 16]);
    let alone = machine.run("cpu", &["--store", "alone", "--json"]).exits(0);
    assert_eq!(artifacts(&together.json()), artifacts(&alone.json()));
}

#[test]
fn a_card_that_lacks_graphs_or_streams_gives_the_bits_of_a_processor_and_says_that_it_is_slower() {
    for (lacks, says) in [
        ("graphs", "a step cannot be launched at once"),
        ("streams", "this libtorch computes on no stream but its own"),
    ] {
        let machine = machine().set("CUDA_FAKE_LACKS", lacks);
        portable_pipeline(&machine);
        run_on_both(&machine);
        let logs = machine.logs();
        let of_training = |log: &&String| log.contains("keeps these splits where it computes");
        let trainings: Vec<_> = logs.iter().filter(of_training).collect();
        assert_eq!(trainings.len(), 4);
        for log in trainings {
            let says = format!("slower than this card could be: {says}");
            assert_eq!(log.matches(&says).count(), 1, "{log}");
        }
    }
}

#[test]
fn trainings_go_on_in_smaller_groups_where_the_driver_has_no_memory_for_all() {
    let machine = machine().set("CUDA_FAKE_STREAMS", "1");
    portable_pipeline(&machine);
    let arguments = [
        "--portable",
        "--per-device",
        "2",
        "--only",
        "train",
        "--json",
    ];
    let together = machine.run("cuda", &arguments).exits(0);
    for words in ["ran out of memory", "go on in smaller groups"] {
        assert!(together.stderr.contains(words), "{together:?}");
    }
    let alone = machine
        .run("cpu", &["--store", "alone", "--only", "train", "--json"])
        .exits(0);
    assert_eq!(artifacts(&together.json()), artifacts(&alone.json()));
}

/// The number of times that kernels were compiled for the results that the store has.
fn compilations(machine: &Machine) -> usize {
    let logs = machine.logs();
    let lines = logs.iter().flat_map(|log| log.lines());
    lines.filter(|line| *line == "compiler: compiled").count()
}

/// The files of compiled kernels in the cache, in order.
fn kept(machine: &Machine) -> Vec<PathBuf> {
    let files = fs::read_dir(machine.sandbox.path("artifacts/cache")).unwrap();
    let files = files.map(|file| file.unwrap().path());
    let is_kernels = |path: &PathBuf| path.to_string_lossy().contains("kernels-");
    let mut kept: Vec<_> = files.filter(is_kernels).collect();
    kept.sort();
    kept
}

#[test]
fn kernels_are_compiled_once_for_each_plugin() {
    let machine = machine();
    portable_pipeline(&machine);
    machine.change(r#"["fc", "lc"]"#, r#"["fc"]"#);
    let train = |from: &str, to: &str| {
        machine.change(from, to);
        let _ = machine.run("cuda", &["--portable"]).exits(0);
        compilations(&machine)
    };
    assert_eq!(train("epochs = 2", "epochs = 1"), 2);
    assert_eq!(kept(&machine).len(), 2);
    assert_eq!(train("epochs = 1", "epochs = 2"), 2);
    // Those of another library are not used, and neither are damaged ones.
    let [one, two] = &kept(&machine)[..] else {
        panic!("not two files");
    };
    let [first, second] = [one, two].map(|path| fs::read(path).unwrap());
    for (path, bytes) in [(one, &second), (two, &first)] {
        fs::remove_file(path).unwrap();
        fs::write(path, bytes).unwrap();
    }
    assert_eq!(train("epochs = 2", "epochs = 3"), 4);
    assert_eq!(fs::read(one).unwrap(), first);
    fs::remove_file(one).unwrap();
    fs::write(one, &first[1..]).unwrap();
    fs::remove_file(two).unwrap();
    assert_eq!(train("epochs = 3", "epochs = 4"), 6);
    // An audit compiles its own for each of two trainings and two evaluations.
    let rerun = [
        "audit",
        "latest",
        "--rerun",
        "--data-dir",
        "data",
        "--device",
        "cuda",
        "--portable",
    ];
    let _ = machine.execute(&rerun).exits(0);
    assert_eq!(compilations(&machine), 10);
}
