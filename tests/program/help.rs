//! `pipeline completions` and `man`: what is made from the arguments themselves.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};

use assay_tests::{Finished, Sandbox};

#[test]
fn shells_complete_verbs_and_options() {
    let sandbox = Sandbox::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = sandbox.execute(&["completions", shell]).exits(0).stdout;
        for shown in ["unbundle", "keygen", "keep-last"] {
            assert!(script.contains(shown), "{shell} does not know {shown}");
        }
        for hidden in ["probe", "continue-from", "\u{1b}"] {
            assert!(!script.contains(hidden), "{shell} offers {hidden}");
        }
    }
    let refused = sandbox.execute(&["completions", "csh"]).exits(2).stderr;
    assert!(refused.contains("powershell"), "{refused}");
}

#[test]
fn bash_understands_its_script() {
    let sandbox = Sandbox::new();
    let script = sandbox.execute(&["completions", "bash"]).exits(0).stdout;
    let asked = "COMP_WORDS=(pipeline plugin k); COMP_CWORD=2; _pipeline pipeline k plugin; echo \"${COMPREPLY[@]}\"";
    let mut bash = Command::new("bash")
        .args(["--norc", "-s"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = bash.stdin.take().unwrap();
    input
        .write_all(format!("{script}\n{asked}\n").as_bytes())
        .unwrap();
    drop(input);
    let ended = bash.wait_with_output().unwrap();
    let (out, errors) = [ended.stdout, ended.stderr]
        .map(|it| String::from_utf8(it).unwrap())
        .into();
    assert_eq!((out.trim(), errors.as_str()), ("keygen", ""));
}

#[test]
fn every_verb_has_a_manual_page() {
    let sandbox = Sandbox::new();
    let page = sandbox.execute(&["man"]).exits(0).stdout;
    assert!(page.contains(".TH pipeline 1"), "{page}");
    let mut command = sandbox.command(&["man", "pages/man1"]);
    // A page is the same whoever makes it.
    command.env("ASSAY_STORE", "/somewhere/else");
    let written = Finished::run(&mut command).exits(0).stdout;
    let folder = sandbox.path("pages/man1");
    let names: BTreeSet<_> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(
        written,
        format!("wrote {} manual pages to pages/man1\n", names.len())
    );
    for name in [
        "pipeline.1",
        "pipeline-run.1",
        "pipeline-rm.1",
        "pipeline-plugin-new.1",
    ] {
        assert!(names.contains(name), "{names:?}");
    }
    assert!(
        !names.iter().any(|name| name.contains("probe")),
        "{names:?}"
    );
    assert_eq!(fs::read_to_string(folder.join("pipeline.1")).unwrap(), page);
    let run = fs::read_to_string(folder.join("pipeline-run.1")).unwrap();
    assert!(
        run.contains("ASSAY_STORE") && !run.contains("/somewhere/else"),
        "{run}"
    );
    assert!(!page.contains("probe"), "{page}");
    let _ = sandbox.execute(&["man", "pages/man1"]).exits(0);
    let refused = sandbox.execute(&["man", "pipeline.toml"]).exits(2).stderr;
    assert!(refused.contains("cannot create pipeline.toml"), "{refused}");
}
