use std::collections::BTreeMap;
use std::fs;

use assay_core::{
    ActionKey, Artifact, ArtifactHash, ObjectHash, Run, RunHash, RunStage, StageOutcome,
    canonical_json,
};
use assay_store::StoreError;
use proptest::prelude::*;

use crate::support::{action, check_artifact, execute, new_store, put_artifact, replace, walk};

fn run(started_ms: u64) -> Run {
    Run {
        pipeline: "quickstart".to_owned(),
        file: ObjectHash::of(b"a pipeline file"),
        networks: None,
        figures: std::collections::BTreeMap::new(),
        overrides: vec!["epochs=1".to_owned()],
        started_ms,
        duration_ms: 5,
        host: "here".to_owned(),
        version: "0.1.0".to_owned(),
        stages: Vec::new(),
    }
}

#[test]
fn an_action_is_read_back_by_its_key() {
    let (_folder, store) = new_store();
    let key = store.put_action(&action(7)).unwrap();
    assert_eq!(store.action(key).unwrap(), action(7));
    let missing = ActionKey::of(b"never put");
    assert!(matches!(
        store.action(missing),
        Err(StoreError::Missing { object }) if object == missing.into()
    ));
}

#[test]
fn a_document_of_another_kind_is_named_and_refused() {
    let (_folder, store) = new_store();
    for bytes in [&b"{}"[..], b"not json", b"", &b"[".repeat(100_000)] {
        let object = store.put_bytes(bytes).unwrap();
        let error = store
            .action(ActionKey::from_bytes(*object.as_bytes()))
            .unwrap_err();
        assert!(
            matches!(&error, StoreError::Document { what: "action", path, .. }
            if *path == store.object_path(object))
        );
    }
}

#[test]
fn an_artifact_holds_no_name_that_leaves_its_folder() {
    let (_folder, store) = new_store();
    let scratch = store.root().join("scratch/output");
    for name in ["a/b", "../a", "..", ".", "", "a\\b", "a\0b"] {
        fs::write(&scratch, b"bytes").unwrap();
        let media_type = "text/plain".to_owned();
        let files = BTreeMap::from([(name.to_owned(), (scratch.clone(), media_type))]);
        assert!(matches!(
            store.commit_artifact(files),
            Err(StoreError::FileName(_))
        ));
        assert!(scratch.exists(), "nothing moves when a name is refused");

        let hostile = serde_json::json!({"files": {(name): {
            "object": ObjectHash::of(b"bytes"), "size": 5, "media_type": "text/plain",
        }}});
        let object = store.put_bytes(&canonical_json(&hostile).unwrap()).unwrap();
        let hash = ArtifactHash::from_bytes(*object.as_bytes());
        assert!(matches!(store.artifact(hash), Err(StoreError::FileName(_))));
        assert!(store.artifact_file_path(hash, name).is_err());
        assert!(!store.is_intact(hash).unwrap());
    }
}

#[test]
fn an_artifact_is_intact_only_with_all_its_objects() {
    let (_folder, store) = new_store();
    let (_, hash) = execute(&store, 1, 64);
    assert!(store.is_intact(hash).unwrap());

    let manifest = store.object_path(hash.into());
    let objects = store.artifact(hash).unwrap().files;
    let paths = objects.values().map(|file| store.object_path(file.object));
    for path in paths.chain([manifest]) {
        let whole = fs::read(&path).unwrap();
        replace(&path, &whole[1..]);
        assert!(!store.is_intact(hash).unwrap());
        fs::remove_file(&path).unwrap();
        assert!(!store.is_intact(hash).unwrap());
        fs::write(&path, &whole).unwrap();
        assert!(store.is_intact(hash).unwrap());
    }
}

#[test]
fn a_file_of_an_artifact_is_found_by_name() {
    let (_folder, store) = new_store();
    let (_, hash) = execute(&store, 3, 64);
    let path = store.artifact_file_path(hash, "metrics.csv").unwrap();
    assert_eq!(fs::read(path).unwrap(), b"seed,3\n");
    let error = store.artifact_file_path(hash, "metrics").unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("artifact {hash} has no file `metrics`")
    );
}

#[test]
fn runs_are_listed_newest_last() {
    let (_folder, store) = new_store();
    store.put_bytes(b"a pipeline file").unwrap();
    assert_eq!(store.runs().unwrap(), []);
    let times = [1_700_000_000_000, 5, 1_600_000_000_000, 99_999_999_999_999];
    let mut committed: Vec<(u64, RunHash)> = times
        .iter()
        .map(|&time| (time, store.commit_run(&run(time)).unwrap()))
        .collect();
    store.commit_run(&run(5)).unwrap();
    committed.sort_unstable();
    assert_eq!(store.runs().unwrap(), committed);
    for (time, hash) in committed {
        assert_eq!(store.run(hash).unwrap(), run(time));
    }
}

#[test]
fn a_run_cannot_name_what_is_not_there() {
    let (_folder, store) = new_store();
    let mut failed = run(5);
    let is_refused = |run: &Run, missing: ObjectHash| {
        let error = store.commit_run(run).unwrap_err();
        assert!(matches!(error, StoreError::Missing { object } if object == missing));
        assert_eq!(store.runs().unwrap(), []);
    };
    is_refused(&failed, failed.file);
    store.put_bytes(b"a pipeline file").unwrap();
    let key = action(1).document().unwrap().0;
    failed.stages.push(RunStage {
        name: "train".to_owned(),
        outcome: StageOutcome::Failed,
        action: Some(key),
        artifact: None,
    });
    is_refused(&failed, key.into());
    store.put_action(&action(1)).unwrap();
    let hash = store.commit_run(&failed).unwrap();
    assert_eq!(store.run(hash).unwrap(), failed);
}

#[test]
fn what_is_no_run_marker_is_named() {
    let (_folder, store) = new_store();
    store.put_bytes(b"a pipeline file").unwrap();
    let hash = store.commit_run(&run(5)).unwrap();
    fs::write(store.root().join("runs/.DS_Store"), b"").unwrap();
    assert_eq!(store.runs().unwrap(), [(5, hash)]);
    for name in [
        "notes.txt".to_owned(),
        format!("5-{hash}"),
        format!("00000000000+5-{hash}"),
        format!("99999999999999999999999-{hash}"),
    ] {
        let path = store.root().join("runs").join(name);
        fs::write(&path, b"").unwrap();
        assert!(matches!(store.runs(), Err(StoreError::Foreign { path: named }) if named == path));
        fs::remove_file(&path).unwrap();
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn an_artifact_is_its_files_whatever_they_are(
        files in prop::collection::btree_map(
            "[a-zé .-]{1,20}".prop_filter("not a plain name", |name| name != "." && name != ".."),
            prop::collection::vec(any::<u8>(), 0..500),
            0..5,
        ),
    ) {
        let (_folder, store) = new_store();
        let key = ActionKey::of(b"an action");
        let hash = put_artifact(&store, key, &files);
        prop_assert_eq!(walk(&store.scratch(key).unwrap()).len(), 0);
        prop_assert_eq!(put_artifact(&store, key, &files), hash);
        check_artifact(&store, hash);

        let artifact: Artifact = store.artifact(hash).unwrap();
        prop_assert_eq!(artifact.document().unwrap().0, hash);
        prop_assert!(artifact.files.keys().eq(files.keys()));
        for (name, bytes) in &files {
            let path = store.artifact_file_path(hash, name).unwrap();
            prop_assert_eq!(&fs::read(path).unwrap(), bytes);
        }
    }
}
