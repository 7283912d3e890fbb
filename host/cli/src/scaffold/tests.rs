//! Tests of the files that are written, of their places, and of refusals. That the crate builds and
//! trains is tested end to end.

use std::fs;
use std::path::Path;

use super::*;

fn scaffold(name: &str, template: Template) -> Scaffold {
    Scaffold {
        name: name.parse().unwrap(),
        template,
        sdk: Sdk::in_folder(None).unwrap(),
        libtorch: PathBuf::from("/opt/lib \"torch\""),
    }
}

fn file(files: &[(&str, String)], name: &str) -> String {
    let found = files.iter().find(|(path, _)| *path == name);
    found.unwrap_or_else(|| panic!("no {name}")).1.clone()
}

fn toml(text: &str) -> toml::Table {
    text.parse()
        .unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn the_name_takes_the_templates_place_everywhere() {
    for template in [Template::Rust, Template::Cpp] {
        the_name_is_everywhere(&scaffold("my-drtp-2", template).files().unwrap());
    }
    let files = scaffold("my-drtp-2", Template::Rust).files().unwrap();
    assert!(file(&files, "src/lib.rs").contains("const NAME: &'static str = \"my-drtp-2\";"));
}

fn the_name_is_everywhere(files: &[(&str, String)]) {
    for (path, text) in files.iter().filter(|(path, _)| *path != "Cargo.lock") {
        let rest = text.replace("my-drtp-2", "").replace("my_drtp_2", "");
        assert!(!rest.contains(TEMPLATE_NAME), "{path}: {rest}");
        assert!(!rest.contains("{{"), "{path}: {rest}");
    }
    let manifest = toml(&file(files, "Cargo.toml"));
    assert_eq!(manifest["package"]["name"].as_str(), Some("my-drtp-2"));
    assert_eq!(manifest["lib"]["name"].as_str(), Some("assay_my_drtp_2"));
    let method = &toml(&file(files, "pipeline.toml"))["method"]["my-drtp-2"];
    assert_eq!(method["algorithm"].as_str(), Some("my-drtp-2"));
    let library = "target/release/libassay_my_drtp_2.so";
    assert_eq!(method["plugin"].as_str(), Some(library));
}

#[test]
fn the_build_uses_this_programs_sources_toolchain_versions_and_libtorch() {
    for (template, dependency) in [(Template::Rust, "assay-sdk"), (Template::Cpp, "assay-abi")] {
        let files = scaffold("rule", template).files().unwrap();
        let manifest = toml(&file(&files, "Cargo.toml"));
        let folder = manifest["dependencies"][dependency]["path"].as_str();
        let found = fs::read_to_string(Path::new(folder.unwrap()).join("Cargo.toml")).unwrap();
        assert_eq!(toml(&found)["package"]["name"].as_str(), Some(dependency));
        let workspace = toml(include_str!("../../../../Cargo.toml"));
        for key in ["edition", "rust-version"] {
            let ours = &workspace["workspace"]["package"][key];
            assert_eq!(&manifest["package"][key], ours, "{key}");
        }
        assert!(manifest.contains_key("workspace"));
        let config = toml(&file(&files, ".cargo/config.toml"));
        let libtorch = config["env"]["LIBTORCH"].as_str();
        assert_eq!(libtorch, Some("/opt/lib \"torch\""));
    }
}

#[test]
fn the_sdk_of_a_repository_is_pinned_to_a_commit() {
    let sdk = Sdk::at_commit("https://example.org/assay.git", "0123456789abcdef").unwrap();
    assert_eq!(
        sdk.dependency("abi").unwrap(),
        "{ git = \"https://example.org/assay.git\", rev = \"0123456789abcdef\" }"
    );
    for rev in ["", "main", "v1.0.0", "123456", &"0".repeat(41)] {
        let refused = Sdk::at_commit("https://example.org/assay.git", rev);
        assert!(
            matches!(refused, Err(ScaffoldError::NotPinned { .. })),
            "{rev}"
        );
    }
}

#[test]
fn a_folder_that_is_no_sdk_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let refused = || Sdk::in_folder(Some(folder.path())).unwrap_err().to_string();
    assert!(refused().contains("cannot be read"));
    fs::write(folder.path().join("Cargo.toml"), "name = \"other\"").unwrap();
    assert!(refused().contains("another crate"));
}

#[test]
fn files_appear_in_a_new_or_an_empty_folder_and_in_no_other() {
    let root = tempfile::tempdir().unwrap();
    let files = [("a", "1".to_owned()), ("b/c", "2".to_owned())];
    fs::create_dir(root.path().join("empty")).unwrap();
    for place in ["new/deep", "empty"] {
        let folder = write(&root.path().join(place), &files).unwrap();
        assert_eq!(fs::read_to_string(folder.join("b/c")).unwrap(), "2");
    }
    fs::create_dir_all(root.path().join("full/x")).unwrap();
    fs::write(root.path().join("file"), "").unwrap();
    for place in ["full", "file"] {
        let refused = write(&root.path().join(place), &files);
        assert!(
            matches!(refused, Err(ScaffoldError::Occupied { .. })),
            "{place}"
        );
    }
    assert!(root.path().join("full/x").exists());
    // No temporary folder is left behind.
    assert_eq!(fs::read_dir(root.path()).unwrap().count(), 4);
}

#[test]
fn a_failure_on_the_way_leaves_nothing() {
    let root = tempfile::tempdir().unwrap();
    // `a` cannot be a file and a folder.
    let files = [("a", String::new()), ("a/b", String::new())];
    let failed = write(&root.path().join("new"), &files);
    assert!(matches!(failed, Err(ScaffoldError::Write { .. })));
    assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0);
}
