//! Bundling and unbundling keep the contents, and the same run gives the same bytes.

use std::fs;

use assay_audit::Index;
use assay_bundle::Limits;
use assay_bundle::{BundleError, Contents, Options, Watch, bundle, check as check_file, unbundle};
use assay_core::ObjectHash;
use assay_store::Store;

use crate::fixture::{
    Fixture, LIBRARY, PIPELINE, artifact, attributed, check, files, result, take, unpack,
};

#[test]
fn a_run_is_whole_in_another_store() {
    let fixture = Fixture::new();
    let file = fixture.path("bundle");
    let contents = fixture.contents();
    let written = bundle(&fixture.store, &contents, &attributed(), &file, Watch::NONE).unwrap();
    assert_eq!(written.packed, file.metadata().unwrap().len());

    let other = fixture.store("other");
    let taken = unbundle(&file, &other, &Limits::default(), Watch::NONE).unwrap();
    assert_eq!(taken.run, fixture.run);
    assert!(!taken.already);
    assert_eq!(taken.bundle.files.len() as u64, written.files);
    assert_eq!(taken.bundle.unpacked(), written.unpacked);
    assert_eq!(
        other.run(fixture.run).unwrap(),
        fixture.store.run(fixture.run).unwrap()
    );
    assert_eq!(other.runs().unwrap(), fixture.store.runs().unwrap());
    assert_eq!(other.read(taken.bundle.file).unwrap(), PIPELINE);
    for stage in other.run(fixture.run).unwrap().stages {
        let Some(artifact) = stage.artifact else {
            continue;
        };
        let key = stage.action.unwrap();
        assert_eq!(other.cached(key).unwrap().unwrap().artifact, artifact);
        assert_eq!(
            other.results(key).unwrap(),
            fixture.store.results(key).unwrap()
        );
    }
    for object in other.objects("").unwrap() {
        other.verify(object.unwrap()).unwrap();
    }
    assert!(Index::read(&other).unwrap().unreadable().is_empty());
    // Nothing is left of the staging.
    assert!(files(&other.root().join("tmp")).is_empty());

    // Again changes nothing, and says so.
    let before = files(other.root());
    let again = unbundle(&file, &other, &Limits::default(), Watch::NONE).unwrap();
    assert!(again.already);
    assert_eq!(files(other.root()), before);
}

#[test]
fn the_same_run_gives_the_same_bytes() {
    let fixture = Fixture::new();
    let once = fixture.bundle(&attributed());
    assert_eq!(fixture.bundle(&attributed()), once);
    // From another store too.
    let other = fixture.store("other");
    take(&once, &other).unwrap();
    let index = Index::read(&other).unwrap();
    let contents = Contents::of_run(&other, &index, fixture.run).unwrap();
    let file = fixture.path("again");
    bundle(&other, &contents, &attributed(), &file, Watch::NONE).unwrap();
    assert_eq!(fs::read(file).unwrap(), once);
    assert_ne!(fixture.bundle(&Options::default()), once);
}

#[test]
fn an_unpacked_bundle_is_a_store() {
    let fixture = Fixture::new();
    let tar = zstd::decode_all(fixture.bundle(&Options::default()).as_slice()).unwrap();
    let folder = fixture.path("unpacked");
    tar::Archive::new(tar.as_slice()).unpack(&folder).unwrap();
    let store = Store::open_existing(&folder).unwrap();
    let index = Index::read(&store).unwrap();
    assert!(index.runs().contains_key(&fixture.run));
    assert!(index.unreadable().is_empty());
}

#[test]
fn libraries_can_stay_behind() {
    let fixture = Fixture::new();
    let options = Options {
        without_libraries: true,
        ..Options::default()
    };
    let bytes = fixture.bundle(&options);
    assert!(unpack(&bytes).iter().all(|(_, content)| content != LIBRARY));
    assert_eq!(check(&bytes).unwrap().without_libraries, ["bp"]);
    let other = fixture.store("other");
    assert_eq!(take(&bytes, &other).unwrap().run, fixture.run);
}

#[test]
fn every_execution_of_an_action_goes_along_whatever_it_gave() {
    let fixture = Fixture::new();
    let run = fixture.store.run(fixture.run).unwrap();
    let key = run.stages[1].action.unwrap();
    let differing = artifact(
        &fixture.store,
        key,
        &[("best.safetensors", b"other weights")],
    );
    let mut second = result(key, differing, None);
    second.started_ms += 1;
    fixture.store.commit_result(&second).unwrap();

    let other = fixture.store("other");
    take(&fixture.bundle(&Options::default()), &other).unwrap();
    assert_eq!(
        other.results(key).unwrap(),
        fixture.store.results(key).unwrap()
    );
    assert_eq!(other.results(key).unwrap().len(), 2);
    assert!(other.is_intact(differing).unwrap());
}

#[test]
fn damage_is_never_bundled() {
    let fixture = Fixture::new();
    let run = fixture.store.run(fixture.run).unwrap();
    let table = run.stages[2].artifact.unwrap();
    let table = fixture
        .store
        .artifact_file_path(table, "table.csv")
        .unwrap();
    let contents = fixture.contents();
    let file = fixture.path("bundle");
    let options = Options::default();
    let attempt = || bundle(&fixture.store, &contents, &options, &file, Watch::NONE).unwrap_err();

    fs::remove_file(&table).unwrap();
    assert!(attempt().to_string().contains("is not in the store"));
    let index = Index::read(&fixture.store).unwrap();
    let refused = Contents::of_run(&fixture.store, &index, fixture.run).unwrap_err();
    assert!(
        matches!(refused, BundleError::NoResult { ref stage, .. } if stage == "report"),
        "{refused}"
    );

    fs::write(&table, b"method,error\nbp,2\n").unwrap();
    assert!(attempt().to_string().contains("is damaged"));
    assert!(!file.exists());
    let left = fs::read_dir(fixture.path("")).unwrap();
    assert_eq!(left.count(), 1, "a part of a bundle was left");
}

#[test]
fn a_file_that_is_there_is_kept_unless_asked_for() {
    let fixture = Fixture::new();
    let file = fixture.path("bundle");
    fs::write(&file, b"dear").unwrap();
    let contents = fixture.contents();
    let refused = bundle(
        &fixture.store,
        &contents,
        &Options::default(),
        &file,
        Watch::NONE,
    );
    assert!(matches!(refused.unwrap_err(), BundleError::Exists { .. }));
    assert_eq!(fs::read(&file).unwrap(), b"dear");
    fixture.bundle(&Options::default());
    check_file(&file, &Limits::default(), Watch::NONE).unwrap();
}

#[test]
fn stopping_leaves_nothing() {
    let fixture = Fixture::new();
    let stop = Watch {
        progress: &|_, _| {},
        stopped: &|| true,
    };
    let file = fixture.path("bundle");
    let contents = fixture.contents();
    let stopped = bundle(&fixture.store, &contents, &Options::default(), &file, stop);
    assert!(matches!(stopped.unwrap_err(), BundleError::Stopped));
    assert!(!file.exists());

    fixture.bundle(&Options::default());
    let other = fixture.store("other");
    let before = files(other.root());
    let stopped = unbundle(&file, &other, &Limits::default(), stop);
    assert!(matches!(stopped.unwrap_err(), BundleError::Stopped));
    assert_eq!(files(other.root()), before);
}

#[test]
fn the_metadata_are_of_their_revision() {
    let bytes = Fixture::new().bundle(&attributed());
    let files = unpack(&bytes);
    let metadata = files
        .iter()
        .find(|(name, _)| name == "ro-crate-metadata.json");
    let hash = ObjectHash::of(&metadata.unwrap().1).to_string();
    // Readers write the metadata again and compare: raise the revision if they come out otherwise.
    assert_eq!(
        hash,
        "f53d0965f6168f3153fcf23b0383fcef7bf05503e29ea4a8b28feda206357cda"
    );
}
