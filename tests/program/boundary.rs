//! The promise of the boundary, kept through a real `dlopen`: old plugins in this host, this
//! version's plugins in an old host, and everything else refused with one clear line.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use assay_abi::Handshake;
use assay_tests::{Finished, Sandbox, aborting_fixture, fixture};

/// Runs a pipeline whose one method is `linear` of the library at `library`.
fn run(sandbox: &Sandbox, library: &Path, arguments: &[&str]) -> Finished {
    fs::copy(library, sandbox.path("plugin.so")).unwrap();
    sandbox.pipeline(r#"["bp"]"#, 2);
    let settings = [
        "method.bp.plugin=\"./plugin.so\"",
        "method.bp.algorithm=\"linear\"",
        "method.bp.hyperparameters.learning_rate=0.2",
        "network.small.layers=[\"softmax 4\"]",
    ];
    let settings = settings.iter().flat_map(|setting| ["--set", setting]);
    let arguments: Vec<_> = settings.chain(arguments.iter().copied()).collect();
    sandbox.run(&arguments)
}

/// The test error after training with the library, in percent.
fn error_of(library: &Path) -> f64 {
    let sandbox = Sandbox::new();
    let run = run(&sandbox, library, &["--json"]).exits(0).json();
    let row = &run["reports"][0]["rows"][0];
    row["test_error_last_epoch"]["mean"]
        .as_f64()
        .unwrap_or_else(|| panic!("no number in {run:#}"))
}

/// Fails unless a pipeline that names the library is refused with one error, whose first line has
/// `reason` in it and which says what to do. Gives all that is said: little.
#[track_caller]
fn assert_refused(library: &Path, reason: &str) -> String {
    let sandbox = Sandbox::new();
    let said = run(&sandbox, library, &[]).exits(2).stderr;
    let errors: Vec<_> = said
        .lines()
        .filter(|line| line.starts_with("error:"))
        .collect();
    let [error] = errors[..] else {
        panic!("{} errors in:\n{said}", errors.len());
    };
    assert!(error.contains(reason), "no {reason:?} in:\n{said}");
    assert_eq!(said.matches(reason).count(), 1, "it is repeated:\n{said}");
    assert!(said.contains("help: "), "{said}");
    assert!(said.len() < 1000, "{} bytes:\n{said}", said.len());
    said
}

/// A copy of the old plugin with its handshake changed by `edit`.
fn with_handshake(sandbox: &Sandbox, edit: impl FnOnce(&mut [u8])) -> PathBuf {
    let mut library = fs::read(fixture("libold_linear.so")).unwrap();
    let block = (0..library.len() - Handshake::SIZE)
        .filter(|&at| library[at..].starts_with(b"ASSAYPLG"))
        .find(|&at| library[at + 8..at + 12] == (Handshake::SIZE as u32).to_le_bytes())
        .unwrap();
    edit(&mut library[block..block + Handshake::SIZE]);
    let path = sandbox.path("edited.so");
    fs::write(&path, library).unwrap();
    path
}

#[track_caller]
fn assert_says(said: &str, parts: &[&str]) {
    for part in parts {
        assert!(said.contains(part), "no {part:?} in:\n{said}");
    }
}

/// Output of the host of 1.0 for a library that it could use.
fn old_host(library: &str) -> String {
    let host = Command::new(fixture("old-host"))
        .arg(fixture(library))
        .output()
        .unwrap();
    let said = String::from_utf8(host.stdout).unwrap();
    assert!(
        host.status.success(),
        "{said}{}",
        String::from_utf8_lossy(&host.stderr)
    );
    said
}

#[test]
fn a_plugin_of_1_0_trains_in_this_host() {
    assert!(error_of(&fixture("libold_linear.so")) < 10.0);
    // SAFETY: it was built from this repository.
    let plugin = unsafe { assay_engine::load(&fixture("libold_linear.so")) }.unwrap();
    assert_eq!(plugin.minimum("linear"), None);
}

#[test]
fn a_plugin_of_this_version_trains_in_this_host_and_its_extension_is_read() {
    assert!(error_of(&fixture("liblinear.so")) < 10.0);
    // SAFETY: it was built from this repository.
    let plugin = unsafe { assay_engine::load(&fixture("liblinear.so")) }.unwrap();
    assert_eq!(plugin.minimum("linear"), Some(0.75));
    assert_eq!(plugin.minimum("another"), None);
}

#[test]
fn a_plugin_of_this_version_works_in_the_host_of_1_0() {
    let newer = old_host("liblinear.so");
    assert_says(
        &newer,
        &[
            "abi 1.4\n",
            "plugin linear 1.1.0\n",
            "epoch 3 steps 20\n",
            "directions true\n",
            "refused learning_rate is -1, expected more than 0; try 0.1\n",
        ],
    );
    // It learns there what a plugin of that host's own version learns.
    let learned = |said: &str| {
        let line = said.lines().find(|line| line.starts_with("accuracy"));
        line.unwrap().to_owned()
    };
    assert_eq!(learned(&newer), learned(&old_host("libold_linear.so")));
}

#[test]
fn memory_goes_back_to_the_allocator_that_it_came_from() {
    let library = fixture("libother_allocator.so");
    assert!(error_of(&library) < 10.0);
    assert_says(
        &old_host("libother_allocator.so"),
        &["refused learning_rate"],
    );
}

#[test]
fn an_unknown_root_symbol_is_refused() {
    assert_refused(
        &fixture("libother_root.so"),
        "the plugin has no root module `ASSAY_PLUGIN_V1`",
    );
}

#[test]
fn a_layout_other_than_the_one_claimed_is_refused_and_not_dumped() {
    let said = assert_refused(
        &fixture("libother_layout.so"),
        "the plugin cannot be used: its interface does not match this host's",
    );
    assert_says(&said, &["expected RResult, found RString"]);
}

#[test]
fn a_library_that_aborts_on_panics_is_refused() {
    assert_refused(
        &aborting_fixture(),
        "it was built with panic = \"abort\"; plugins must unwind",
    );
}

#[test]
fn another_libtorch_is_refused() {
    let sandbox = Sandbox::new();
    let library = with_handshake(&sandbox, |block| {
        block[88..95].copy_from_slice(b"1.13.1\0");
    });
    assert_refused(
        &library,
        "it was built for libtorch 1.13.1, this host works with 2.11.0",
    );
}

#[test]
fn another_major_version_is_refused() {
    let sandbox = Sandbox::new();
    let library = with_handshake(&sandbox, |block| block[12] = 2);
    assert_refused(&library, "it speaks ABI 2.0, this host speaks ABI 1.");
}

#[test]
fn a_damaged_handshake_is_refused() {
    for (at, byte) in [(0, b'X'), (8, 0), (24, b'\n')] {
        let sandbox = Sandbox::new();
        let library = with_handshake(&sandbox, |block| block[at] = byte);
        assert_refused(&library, "the handshake block is damaged");
    }
}

#[test]
fn an_old_plugin_has_no_gradient_to_compare_with() {
    let sandbox = Sandbox::new();
    let aligned = ["--set", "train.alignment=true"];
    let said = run(&sandbox, &fixture("libold_linear.so"), &aligned)
        .exits(1)
        .stderr;
    for part in [
        "has no backpropagation to compare directions with",
        "leave out `alignment`",
    ] {
        assert!(said.contains(part), "no {part:?} in:\n{said}");
    }
}
