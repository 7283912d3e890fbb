//! Report pages as a reader sees them: in a browser, where this machine has one.

use std::fs;
use std::path::Path;
use std::process::Command;

use assay_tests::Sandbox;

/// True if the page passes `scripts/check-page`, and what that printed; nothing where there is no browser.
fn check(page: &Path) -> Option<(bool, String)> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/check-page");
    // Other tests run beside this one, so its time to paint means nothing.
    let output = Command::new(script)
        .args(["--paint", "10000"])
        .arg(page)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let problems = String::from_utf8_lossy(&output.stderr);
    match output.status.code() {
        Some(0) => Some((true, said)),
        Some(1) if problems.is_empty() => Some((false, said)),
        Some(77) => {
            // The script has said so, for the summary of skipped checks too.
            None
        }
        code => panic!("{code:?}: {said}{problems}"),
    }
}

#[test]
fn a_page_works_in_a_browser() {
    let sandbox = Sandbox::new();
    let _ = sandbox
        .run(&["--set", "train.alignment=true", "--output", "pages"])
        .exits(0);
    let page = sandbox.path("pages/report/report.html");
    let Some((passes, said)) = check(&page) else {
        return;
    };
    assert!(passes, "{said}");

    // A check that cannot fail would show nothing.
    let text = fs::read_to_string(&page).unwrap();
    let unnamed = text.replacen("<html lang=\"en\">", "<html>", 1);
    assert_ne!(unnamed, text);
    let page = sandbox.path("unnamed.html");
    fs::write(&page, unnamed).unwrap();
    let (passes, said) = check(&page).unwrap();
    assert!(!passes && said.contains("html-has-lang"), "{said}");
}
