//! A run on its way to someone else: bundled, signed, checked, taken apart, looked at by a public
//! validator, and run again from the bundle alone.

#![allow(clippy::print_stderr, reason = "tests say what they skip or count")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

use assay_core::{Action, ActionKey, ActionResult, Limits, Run, RunStage, StageKind, StageOutcome};
use assay_store::Store;
use assay_tests::Sandbox;
use serde_json::{Value, json};

const AUTHOR: [&str; 6] = [
    "--author",
    "Ada Lovelace",
    "--organization",
    "Analytical Engines",
    "--license",
    "CC-BY-4.0",
];

/// The trainings of a large run, five files each, and the most memory that checking its bundle may
/// take: half of what holding its metadata as a tree takes.
const TRAININGS: u32 = 1200;
const MEMORY: u64 = 80 << 20;

/// Recommendations of the validator that a bundle does not follow: addresses on the web of Assay,
/// of its plugins and of the publisher, and a README.
const WISHES: [&str; 5] = [
    "process-run-crate-0.5_5.1",
    "process-run-crate-0.5_3.2",
    "ro-crate-1.1_31.2",
    "workflow-ro-crate-1.0_6.1",
    "workflow-ro-crate-1.0_6.2",
];

/// A run with a table, and its bundle with and without a word of its author.
struct Sender {
    sandbox: Sandbox,
    run: Value,
}

impl Sender {
    /// Made once: the tests only read it.
    fn get() -> &'static Self {
        static SENDER: OnceLock<Sender> = OnceLock::new();
        SENDER.get_or_init(|| {
            let sandbox = Sandbox::new();
            sandbox.pipeline(r#"["bp"]"#, 1);
            let run = sandbox.run_json(&[]);
            for (file, more) in [("plain", &[][..]), ("attributed", &AUTHOR)] {
                let arguments = ["bundle", "latest", "-o", file];
                let _ = sandbox.execute(&[&arguments, more].concat()).exits(0);
            }
            Self { sandbox, run }
        })
    }

    fn hash(&self) -> &str {
        self.run["run"].as_str().unwrap()
    }

    /// Puts a bundle into another sandbox.
    fn send(&self, bundle: &str, to: &Sandbox) {
        fs::copy(self.sandbox.path(bundle), to.path("bundle")).unwrap();
    }
}

#[test]
fn the_receiver_finds_everything_cached() {
    let sender = Sender::get();
    let receiver = Sandbox::new();
    sender.send("attributed", &receiver);
    let arguments = ["unbundle", "bundle", "--store", "theirs", "--files", "."];
    let taken = receiver.execute(&arguments).exits(0).stdout;
    assert!(
        taken.contains("every hash, document and reference is right"),
        "{taken}"
    );
    assert!(taken.contains("not signed"), "{taken}");
    assert!(taken.contains("reports/report/times.html"), "{taken}");

    let again = ["run", "small.toml", "--store", "theirs", "--json"];
    let again = receiver.execute(&again).exits(0).json();
    for stage in again["stages"].as_array().unwrap() {
        assert_eq!(stage["outcome"], "cached", "{stage:#}");
    }
    assert_eq!(
        again["reports"][0]["rows"],
        sender.run["reports"][0]["rows"]
    );

    let before = receiver.execute(&["unbundle", "bundle", "--store", "theirs"]);
    assert!(before.exits(0).stdout.contains("already"));
}

#[test]
fn an_action_is_executed_again_with_the_library_of_the_bundle() {
    let sender = Sender::get();
    let receiver = Sandbox::new();
    sender.send("plain", &receiver);
    let _ = receiver.execute(&["unbundle", "bundle"]).exits(0);
    let stages = sender.run["stages"].as_array().unwrap();
    let train = stages
        .iter()
        .find(|stage| stage["kind"] == "train")
        .unwrap();
    let key = train["action"].as_str().unwrap();
    let store = Store::open_existing(receiver.path("artifacts")).unwrap();
    let records = store.action(key.parse().unwrap()).unwrap();
    let library = records.plugin.unwrap().hash;
    store.verify(library.into()).unwrap();

    // As if it had never run here: all that is left of it is its document.
    fs::remove_dir_all(receiver.path(&format!("artifacts/results/{}/{}", &key[..2], &key[2..])))
        .unwrap();
    let _ = receiver.execute(&["exec", key]).exits(0);
    let results = store.results(key.parse::<ActionKey>().unwrap()).unwrap();
    assert_eq!(results.len(), 1);
    assert_eq!(results[0].artifact.to_string(), train["artifact"]);
}

#[test]
fn the_same_run_is_the_same_file() {
    let sender = Sender::get();
    let receiver = Sandbox::new();
    sender.send("attributed", &receiver);
    let _ = receiver.execute(&["unbundle", "bundle"]).exits(0);
    let arguments = [&["bundle", sender.hash(), "-o", "again"], &AUTHOR[..]].concat();
    let _ = receiver.execute(&arguments).exits(0);
    let bytes = |file| fs::read(receiver.path(file)).unwrap();
    assert!(bytes("again") == bytes("bundle"), "the bytes differ");
}

#[test]
fn a_listing_is_of_what_was_verified() {
    let sender = Sender::get();
    let arguments = ["unbundle", "plain", "--list", "--json", "--store", "none"];
    let listed = sender.sandbox.execute(&arguments).exits(0).json();
    assert_eq!(listed["run"], sender.run["run"]);
    let files = listed["files"].as_array().unwrap();
    assert!(files.iter().any(|file| file["what"] == "table.parquet"));
    assert!(!sender.sandbox.path("none").exists());
}

#[test]
fn what_cannot_be_bundled_is_said() {
    let sandbox = &Sender::get().sandbox;
    let cases = [
        (&["bundle", "latest", "-o", "plain"][..], "--force"),
        (&["bundle", "nothing", "-o", "x"], "nothing in the store"),
        (
            &["bundle", "latest:report", "-o", "x"],
            "is not a run but the stage",
        ),
        (
            &["bundle", "latest", "-o", "no/such/folder"],
            "cannot create the bundle",
        ),
        (
            &["bundle", "latest", "-o", "x", "--license", "a licence"],
            "SPDX",
        ),
        (&["unbundle", "pipeline.toml"], "this is no bundle"),
        (&["unbundle", "nowhere"], "cannot open the bundle"),
    ];
    for (arguments, reason) in cases {
        let code = if arguments.contains(&"pipeline.toml") {
            1
        } else {
            2
        };
        let said = sandbox.execute(arguments).exits(code).stderr;
        assert!(said.contains(reason), "{said}");
    }
    assert!(!sandbox.path("x").exists());
}

#[test]
fn a_bundle_that_was_changed_makes_no_store() {
    let sender = Sender::get();
    let receiver = Sandbox::new();
    let honest = fs::read(sender.sandbox.path("plain")).unwrap();
    let mut changed = honest.clone();
    changed[honest.len() / 2] ^= 1;
    for bytes in [
        &changed[..],
        &honest[..honest.len() - 1],
        &[&honest[..], b"x"].concat(),
    ] {
        fs::write(receiver.path("bundle"), bytes).unwrap();
        let said = receiver.execute(&["unbundle", "bundle"]).exits(1).stderr;
        // Which of the reasons it is depends on where the change falls.
        assert!(said.contains("the bundle"), "{said}");
        assert!(!receiver.path("artifacts").exists());
    }
    let arguments = [
        "unbundle",
        "plain",
        "--store",
        "small",
        "--max-size",
        "1 MiB",
    ];
    let said = sender.sandbox.execute(&arguments).exits(1).stderr;
    assert!(said.contains("--max-size"), "{said}");
    assert!(!sender.sandbox.path("small").exists());
}

#[test]
fn a_signature_says_whose_it_is() {
    let sender = Sender::get();
    let home = Sandbox::new();
    let store = sender.sandbox.path("artifacts");
    let store = store.to_str().unwrap();
    for key in ["mine.key", "other.key"] {
        let _ = home
            .execute(&["plugin", "keygen", "--no-password", "--key", key])
            .exits(0);
    }
    let bundle = ["bundle", "latest", "--store", store, "-o", "signed"];
    let sign = ["--sign", "--key", "mine.key"];
    let _ = home.execute(&[&bundle[..], &sign].concat()).exits(0);
    let check = |more: &[&str]| home.execute(&[&["unbundle", "signed", "--check"], more].concat());

    let good = check(&["--key", "mine.pub"]).exits(0).stdout;
    assert!(
        good.contains("signed by RW") && good.contains("file:signed"),
        "{good}"
    );
    let unknown = check(&[]).exits(0).stdout;
    assert!(unknown.contains("by no key that you trust"), "{unknown}");
    let other = check(&["--key", "other.pub"]).exits(1).stderr;
    assert!(other.contains("made with another key"), "{other}");
    let nobody = check(&["--require-signature"]).exits(1).stderr;
    assert!(nobody.contains("trust one"), "{nobody}");
    let _ = home
        .execute(&["plugin", "trust", "--key", "mine.pub"])
        .exits(0);
    let _ = check(&["--require-signature"]).exits(0);

    // Another bundle beside the same signature, sound as it is.
    fs::copy(sender.sandbox.path("attributed"), home.path("signed")).unwrap();
    let swapped = check(&[]).exits(1).stderr;
    assert!(swapped.contains("is not one of this file"), "{swapped}");
    fs::remove_file(home.path("signed.minisig")).unwrap();
    let _ = check(&[]).exits(0);
    let _ = check(&["--require-signature"]).exits(1);

    // A bundle that replaces a signed one is not signed.
    fs::write(home.path("signed.minisig"), "of what was there before").unwrap();
    let _ = home.execute(&[&bundle[..], &["--force"]].concat()).exits(0);
    let _ = check(&[]).exits(0);
    assert!(!home.path("signed.minisig").exists());
}

/// A store with a run of so many trainings, five files each.
fn many(root: &Path, trainings: u32) {
    let store = Store::open(root).unwrap();
    let stages = (0..trainings).map(|seed| training(&store, seed));
    let run = Run {
        pipeline: "many".to_owned(),
        file: store.put_bytes(b"name = \"many\"\n").unwrap(),
        networks: None,
        figures: std::collections::BTreeMap::new(),
        overrides: Vec::new(),
        started_ms: 1_700_000_000_000,
        duration_ms: 1000,
        host: "here".to_owned(),
        version: "0.1.0".to_owned(),
        stages: stages.collect(),
    };
    store.commit_run(&run).unwrap();
}

fn training(store: &Store, seed: u32) -> RunStage {
    let parameters = json!({"seed": seed, "epochs": 10, "batch_size": 32, "rate": 0.01});
    let action = Action {
        kind: StageKind::Train,
        revision: 1,
        parameters: parameters.as_object().unwrap().clone(),
        inputs: [].into(),
        plugin: None,
        environment: None,
    };
    let key = store.put_action(&action).unwrap();
    let file = store.scratch(key).unwrap().join("final.safetensors");
    fs::write(&file, seed.to_le_bytes()).unwrap();
    let file = (file, "application/octet-stream".to_owned());
    let files = [("final.safetensors".to_owned(), file)].into();
    let artifact = store.commit_artifact(files).unwrap();
    store.clear_scratch(key).unwrap();
    let result = ActionResult {
        action: key,
        artifact,
        started_ms: 1_700_000_000_000,
        duration_ms: 1000,
        peak_memory: 1 << 20,
        threads: None,
        card: None,
        at_once: None,
        host: "here".to_owned(),
        version: "0.1.0".to_owned(),
        log: Some(store.put_bytes(key.to_string().as_bytes()).unwrap()),
        containment: None,
        limits: Limits::default(),
        continued_from: None,
        epoch_ms: Vec::new(),
        multiply_adds: None,
    };
    store.commit_result(&result).unwrap();
    RunStage {
        name: format!("train/seed={seed}"),
        outcome: StageOutcome::Ran,
        action: Some(key),
        artifact: Some(artifact),
    }
}

#[test]
fn a_bundle_of_many_files_is_checked_in_little_memory() {
    let sandbox = Sandbox::new();
    // In memory where that can be: each result is flushed to a disk.
    let memory = Path::new("/dev/shm");
    let store = if memory.is_dir() {
        tempfile::tempdir_in(memory)
    } else {
        tempfile::tempdir()
    };
    let store = store.unwrap();
    many(store.path(), TRAININGS);
    let store = store.path().to_str().unwrap();
    let packed = ["bundle", "latest", "-o", "many.tar.zst", "--store", store];
    let _ = sandbox.execute(&packed).exits(0);
    let check = sandbox.command(&["unbundle", "many.tar.zst", "--check"]);
    let mut limited = Command::new("sh");
    // In KiB, of what the process may write to.
    let script = format!("ulimit -d {} && exec \"$@\"", MEMORY >> 10);
    limited.args(["-c", &script, "sh"]);
    limited.arg(check.get_program()).args(check.get_args());
    let output = limited.current_dir(sandbox.path("")).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{output:?}");
    let files = TRAININGS * 5 + 5;
    assert!(said.contains(&format!("{files} files")), "{said}");
}

#[test]
fn a_public_validator_finds_a_workflow_run_crate() {
    let sender = Sender::get();
    let sandbox = &sender.sandbox;
    for (bundle, severity) in [("plain", "required"), ("attributed", "recommended")] {
        let folder = sandbox.path(&format!("{bundle}-unpacked"));
        let file = fs::File::open(sandbox.path(bundle)).unwrap();
        let tar = zstd::Decoder::new(file).unwrap();
        tar::Archive::new(tar).unpack(&folder).unwrap();
        let Some(report) = validate(&folder, severity) else {
            return;
        };
        let issues = report["issues"].as_array().unwrap().iter();
        let issues: BTreeSet<_> = issues
            .map(|issue| issue["check"]["identifier"].as_str().unwrap())
            .filter(|check| severity == "required" || !WISHES.contains(check))
            .collect();
        assert_eq!(issues, BTreeSet::new(), "{report:#}");
    }
}

/// The report of `scripts/rocrate`; nothing where there is no validator to be had.
fn validate(folder: &Path, severity: &str) -> Option<Value> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/rocrate");
    let output = Command::new(script)
        .arg(folder)
        .arg(severity)
        .output()
        .unwrap();
    if output.status.code() == Some(77) {
        eprintln!("{}", String::from_utf8_lossy(&output.stderr));
        return None;
    }
    let report = serde_json::from_slice(&output.stdout);
    Some(report.unwrap_or_else(|error| panic!("{error}: {output:#?}")))
}

#[test]
fn results_alone_are_small_and_can_be_read() {
    let sender = Sender::get();
    let bundle = [
        "bundle",
        "latest",
        "-o",
        "results",
        "--results-only",
        "--json",
    ];
    let written = sender.sandbox.execute(&bundle).exits(0).json();
    assert!(written["without_files"].as_u64().unwrap() >= 4, "{written}");
    let size = |name: &str| fs::metadata(sender.sandbox.path(name)).unwrap().len();
    assert!(size("results") < size("plain") / 2);

    let receiver = Sandbox::new();
    sender.send("results", &receiver);
    let listed = receiver.execute(&["unbundle", "bundle", "--list"]).exits(0);
    assert!(
        listed.stdout.contains("results alone, without "),
        "{}",
        listed.stdout
    );
    assert!(
        !listed.stdout.contains("final.safetensors"),
        "{}",
        listed.stdout
    );
    let _ = receiver
        .execute(&["unbundle", "bundle", "--store", "theirs"])
        .exits(0);
    let read = |arguments: &[&str]| {
        let arguments = [arguments, &["--store", "theirs"]].concat();
        receiver.execute(&arguments).exits(0).stdout
    };
    let table = sender
        .sandbox
        .execute(&["cat", "latest:report:table.csv"])
        .exits(0);
    assert_eq!(read(&["cat", "latest:report:table.csv"]), table.stdout);
    assert!(read(&["export", "--format", "csv"]).contains("train/bp/seed=1"));
    assert!(read(&["show", "latest"]).contains(&sender.hash()[..12]));
    let _ = receiver
        .execute(&["unbundle", "bundle", "--store", "theirs"])
        .exits(0);
    // Nothing counts as cached whose files are not there.
    let status = ["status", "pipeline.toml", "--store", "theirs"];
    let _ = receiver.execute(&status).exits(1);
    let audit = receiver.execute(&["audit", "--all", "--store", "theirs"]);
    assert_eq!(audit.code, Some(1), "{audit:?}");
    // And a run there makes them again.
    receiver.pipeline(r#"["bp"]"#, 1);
    let again = receiver.run_json(&["--store", "theirs"]);
    assert_eq!(
        again["reports"][0]["rows"][0]["test_error_best_epoch"],
        sender.run["reports"][0]["rows"][0]["test_error_best_epoch"]
    );
    let both = [
        "bundle",
        "latest",
        "-o",
        "x",
        "--results-only",
        "--without-libraries",
    ];
    let _ = sender.sandbox.execute(&both).exits(2);
}

#[test]
fn the_published_figures_and_the_report_come_out_too() {
    let sender = Sandbox::new();
    sender.pipeline(r#"["bp"]"#, 1);
    let figures = "name = \"A paper\"\nprotocol = \"Theirs.\"\n\n[figures.small]\nbp = { train_error = 0.5, test_error = 1.25 }\n";
    fs::create_dir(sender.path("figures")).unwrap();
    fs::write(sender.path("figures/paper.toml"), figures).unwrap();
    let pipeline = fs::read_to_string(sender.path("pipeline.toml")).unwrap();
    let report = "kind = \"report\"\n";
    let cited = format!("{report}reference = \"figures/paper.toml\"\n");
    fs::write(
        sender.path("pipeline.toml"),
        pipeline.replace(report, &cited),
    )
    .unwrap();
    let sent = sender.run_json(&[]);
    let _ = sender
        .execute(&["bundle", "latest", "-o", "bundle", "--results-only"])
        .exits(0);
    let shown = sender.execute(&["show", "latest"]).exits(0).stdout;
    assert!(shown.contains("figures/paper.toml"), "{shown}");

    let receiver = Sandbox::new();
    fs::copy(sender.path("bundle"), receiver.path("bundle")).unwrap();
    let unbundle = [
        "unbundle",
        "bundle",
        "--store",
        "theirs",
        "--files",
        "theirs-files",
    ];
    let said = receiver.execute(&unbundle).exits(0).stdout;
    let folder = receiver.path("theirs-files");
    assert_eq!(
        fs::read_to_string(folder.join("figures/paper.toml")).unwrap(),
        figures
    );
    for file in ["figures/paper.toml", "reports/report/report.html"] {
        assert!(said.contains(file), "{said}");
    }
    let page = fs::read_to_string(folder.join("reports/report/report.html")).unwrap();
    assert!(page.contains("A paper"));

    // The same bundle again changes nothing, and no file of the receiver's gives way to one of a bundle.
    let _ = receiver.execute(&unbundle).exits(0);
    let own = folder.join("reports/report/table.md");
    fs::write(&own, "mine").unwrap();
    let refused = receiver.execute(&unbundle).exits(2).stderr;
    assert!(refused.contains("table.md"), "{refused}");
    assert_eq!(fs::read_to_string(&own).unwrap(), "mine");

    // The data of both sandboxes are the same, so nothing but the report's inputs decides its key.
    fs::copy(folder.join("small.toml"), receiver.path("small.toml")).unwrap();
    fs::create_dir(receiver.path("figures")).unwrap();
    fs::copy(
        folder.join("figures/paper.toml"),
        receiver.path("figures/paper.toml"),
    )
    .unwrap();
    let again = receiver
        .execute(&["run", "small.toml", "--json"])
        .exits(0)
        .json();
    let action = |run: &Value| {
        let stages = run["stages"].as_array().unwrap();
        let report = stages.iter().find(|stage| stage["name"] == "report");
        report.unwrap()["action"].clone()
    };
    assert_eq!(action(&again), action(&sent));

    // A pipeline file that looks above its own folder is put into one more.
    fs::create_dir(sender.path("deep")).unwrap();
    let above = format!("{report}reference = \"../figures/paper.toml\"\n");
    let data = format!("path = \"{}\"", sender.path("data").display());
    let deep = pipeline.replace(report, &above);
    let deep = deep.replace("path = \"data\"", &data);
    fs::write(sender.path("deep/small.toml"), deep).unwrap();
    let _ = sender.execute(&["run", "deep/small.toml"]).exits(0);
    let bundle = ["bundle", "latest", "-o", "deep/bundle", "--results-only"];
    let _ = sender.execute(&bundle).exits(0);
    fs::copy(sender.path("deep/bundle"), receiver.path("deep")).unwrap();
    let unbundle = ["unbundle", "deep", "--store", "deeper", "--files", "files"];
    let _ = receiver.execute(&unbundle).exits(0);
    assert_eq!(
        fs::read_to_string(receiver.path("files/figures/paper.toml")).unwrap(),
        figures
    );
    let again = ["run", "files/pipelines/small.toml", "--json"];
    let again = receiver.execute(&again).exits(0).json();
    let reports = |run: &Value| run["reports"][0]["rows"].clone();
    assert_eq!(reports(&again), reports(&sent));
}
