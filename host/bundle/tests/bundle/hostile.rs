//! Bundles that someone made to do harm: each is refused for what it is, and leaves no trace.

use assay_bundle::{BundleError, Limits, Options, Refusal};
use assay_core::{ObjectHash, canonical_json};
use tar::{EntryType, Header};

use crate::fixture::{
    Fixture, check, check_within, compress, files, header, pack, pack_raw, result, take, unpack,
};

type Files = Vec<(String, Vec<u8>)>;

/// Fails unless the bundle is refused, for a reason that `is_reason` knows, and leaves the store as
/// it was.
#[track_caller]
fn refused(fixture: &Fixture, bytes: &[u8], is_reason: impl Fn(&BundleError) -> bool) {
    let store = fixture.store("receiver");
    let before = files(store.root());
    let error = take(bytes, &store).unwrap_err();
    assert!(error.is_refusal() && is_reason(&error), "{error:?}");
    assert_eq!(check(bytes).unwrap_err().to_string(), error.to_string());
    assert_eq!(files(store.root()), before);
}

fn is_entry(error: &BundleError, wanted: &Refusal) -> bool {
    matches!(error, BundleError::Entry { why, .. } if why == wanted)
}

/// The files of the bundle after an edit, sorted again.
fn edited(fixture: &Fixture, edit: impl FnOnce(&mut Files)) -> Vec<u8> {
    let mut files = unpack(&fixture.bundle(&Options::default()));
    edit(&mut files);
    files.sort();
    pack(&files)
}

fn object(bytes: &[u8]) -> (String, Vec<u8>) {
    let hex = ObjectHash::of(bytes).to_string();
    let name = format!("objects/{}/{}", &hex[..2], &hex[2..]);
    (name, bytes.to_owned())
}

#[test]
fn what_is_put_together_as_it_was_is_taken() {
    let fixture = Fixture::new();
    let bytes = edited(&fixture, |_| {});
    assert_eq!(check(&bytes).unwrap().run, fixture.run);
}

#[test]
fn names_lead_nowhere_else() {
    let fixture = Fixture::new();
    for name in [
        "scratch/x",
        "objects/ab/short",
        "results/x.json",
        "README.md",
    ] {
        let bytes = edited(&fixture, |files| {
            files.push((name.to_owned(), b"x".to_vec()));
        });
        refused(&fixture, &bytes, |error| is_entry(error, &Refusal::Name));
    }
    // Names that the library for archives will not write.
    for name in [
        &b"/etc/passwd"[..],
        b"../escaped",
        b"objects/ab/\xff\xfe",
        b"",
    ] {
        let mut header = header("placeholder", 1);
        header.as_old_mut().name = [0; 100];
        header.as_old_mut().name[..name.len()].copy_from_slice(name);
        header.set_cksum();
        refused(&fixture, &pack_raw([(header, b"x".to_vec())]), |error| {
            matches!(
                error,
                BundleError::Entry {
                    why: Refusal::Name | Refusal::Encoding,
                    ..
                }
            )
        });
    }
}

#[test]
fn only_plain_files_come_out() {
    let fixture = Fixture::new();
    for kind in [
        EntryType::Symlink,
        EntryType::Link,
        EntryType::Char,
        EntryType::Block,
        EntryType::Fifo,
        EntryType::Directory,
        EntryType::GNUSparse,
        EntryType::GNULongName,
        EntryType::XHeader,
        EntryType::XGlobalHeader,
        EntryType::new(b'Z'),
    ] {
        let mut header = header("format", 14);
        header.set_entry_type(kind);
        header.set_cksum();
        refused(
            &fixture,
            &pack_raw([(header, b"assay store 1\n".to_vec())]),
            |error| {
                matches!(
                    error,
                    BundleError::Entry {
                        why: Refusal::Kind(_),
                        ..
                    }
                )
            },
        );
    }
}

#[test]
fn a_header_says_name_and_size_alone() {
    let fixture = Fixture::new();
    let edits: [fn(&mut Header); 6] = [
        |header| header.set_mode(0o4755),
        |header| header.set_uid(1000),
        |header| header.set_mtime(1),
        |header| header.set_link_name("/etc/passwd").unwrap(),
        |header| header.set_username("root").unwrap(),
        |header| header.set_device_major(1).unwrap(),
    ];
    for edit in edits {
        let mut header = header("format", 14);
        edit(&mut header);
        header.set_cksum();
        refused(
            &fixture,
            &pack_raw([(header, b"assay store 1\n".to_vec())]),
            |error| is_entry(error, &Refusal::Header),
        );
    }
}

#[test]
fn nothing_comes_twice_or_out_of_order() {
    let fixture = Fixture::new();
    let mut files = unpack(&fixture.bundle(&Options::default()));
    files.swap(1, 2);
    refused(&fixture, &pack(&files), |error| {
        is_entry(error, &Refusal::Order)
    });
    files.swap(1, 2);
    files.insert(1, files[0].clone());
    refused(&fixture, &pack(&files), |error| {
        is_entry(error, &Refusal::Order)
    });
}

#[test]
fn every_byte_has_the_hash_it_is_named_by() {
    let fixture = Fixture::new();
    let count = unpack(&fixture.bundle(&Options::default())).len();
    for place in 0..count {
        let bytes = edited(&fixture, |files| {
            let content = &mut files[place].1;
            match content.first_mut() {
                Some(byte) => *byte ^= 1,
                None => content.push(0),
            }
        });
        refused(&fixture, &bytes, |_| true);
    }
}

#[test]
fn nothing_is_missing_and_nothing_is_added() {
    let fixture = Fixture::new();
    let all = unpack(&fixture.bundle(&Options::default()));
    let library = object(crate::fixture::LIBRARY).0;
    for (name, _) in &all {
        // The crate's metadata name every file, so that without a library they are not true.
        let bytes = edited(&fixture, |files| files.retain(|(other, _)| other != name));
        refused(&fixture, &bytes, |error| {
            *name != library || matches!(error, BundleError::Untrue(_))
        });
    }
    let stray = edited(&fixture, |files| files.push(object(b"stowaway")));
    refused(&fixture, &stray, |error| {
        matches!(error, BundleError::Stray { .. })
    });
}

#[test]
fn a_record_is_of_an_action_of_the_run() {
    let fixture = Fixture::new();
    let run = fixture.store.run(fixture.run).unwrap();
    let key = run.stages[2].action.unwrap();
    let artifact = run.stages[1].artifact.unwrap();
    let forged = |folder: &str, bytes: Vec<u8>| {
        let name = format!(
            "results/{}/{}/{}.json",
            &folder[..2],
            &folder[2..],
            ObjectHash::of(&bytes)
        );
        edited(&fixture, |files| files.push((name, bytes)))
    };
    // A record of one action in the folder of another.
    let bytes = canonical_json(&result(key, artifact, None)).unwrap();
    let other = run.stages[0].action.unwrap().to_string();
    refused(&fixture, &forged(&other, bytes.clone()), |error| {
        matches!(error, BundleError::Document { .. })
    });
    // The same facts in another spelling, which would be another record.
    let mut spelt = bytes.clone();
    spelt.push(b'\n');
    refused(&fixture, &forged(&key.to_string(), spelt), |error| {
        matches!(error, BundleError::Document { .. })
    });
    // A good record of an action that the run does not have.
    let stranger = assay_core::ActionKey::of(b"stranger");
    let bytes = canonical_json(&result(stranger, artifact, None)).unwrap();
    refused(&fixture, &forged(&stranger.to_string(), bytes), |error| {
        matches!(error, BundleError::StrayAction { .. })
    });
    // A record that names a log which is not there.
    let log = Some(ObjectHash::of(b"no such log"));
    let bytes = canonical_json(&result(key, artifact, log)).unwrap();
    refused(&fixture, &forged(&key.to_string(), bytes), |error| {
        matches!(error, BundleError::Missing { .. })
    });
}

#[test]
fn sizes_are_bounded_before_they_are_believed() {
    let fixture = Fixture::new();
    let honest = fixture.bundle(&Options::default());
    let limits = Limits {
        size: 1000,
        ..Limits::default()
    };
    let error = check_within(&honest, &limits).unwrap_err();
    assert!(
        matches!(error, BundleError::TooLarge { limit: 1000 }),
        "{error}"
    );
    let limits = Limits {
        files: 3,
        ..Limits::default()
    };
    let error = check_within(&honest, &limits).unwrap_err();
    assert!(
        matches!(error, BundleError::TooMany { limit: 3 }),
        "{error}"
    );
    let limits = Limits {
        documents: 2000,
        ..Limits::default()
    };
    let error = check_within(&honest, &limits).unwrap_err();
    assert!(matches!(error, BundleError::Documents { .. }), "{error}");

    // A header that promises an exabyte.
    let hex = ObjectHash::of(b"x").to_string();
    let name = format!("objects/{}/{}", &hex[..2], &hex[2..]);
    let bytes = compress(header(&name, 1 << 60).as_bytes());
    refused(&fixture, &bytes, |error| {
        matches!(error, BundleError::TooLarge { .. })
    });
}

#[test]
fn a_few_bytes_do_not_become_very_many() {
    let fixture = Fixture::new();
    let zeros = vec![0; 200 << 20];
    let bytes = pack(&[object(&zeros)]);
    assert!(bytes.len() < 100_000);
    refused(&fixture, &bytes, |error| {
        matches!(error, BundleError::Bomb { .. })
    });
}

#[test]
fn nothing_hides_between_or_after_the_files() {
    let fixture = Fixture::new();
    let honest = fixture.bundle(&Options::default());
    let is_trailing = |error: &BundleError| matches!(error, BundleError::Trailing);
    refused(&fixture, &[&honest[..], b"x"].concat(), is_trailing);
    refused(&fixture, &[&honest[..], &honest].concat(), is_trailing);
    let tar = zstd::decode_all(honest.as_slice()).unwrap();
    let more = [&tar[..], &[0; 512]].concat();
    refused(&fixture, &compress(&more), is_trailing);
    // The end, and then more files that other readers would see.
    refused(&fixture, &compress(&[&tar[..], &tar].concat()), is_trailing);
    let end = tar.len() - 1024;
    refused(&fixture, &compress(&tar[..end]), |error| {
        matches!(error, BundleError::Unreadable(_))
    });
    // `format` has 14 bytes in a block of 512.
    let mut hidden = tar.clone();
    hidden[600] = b'x';
    refused(&fixture, &compress(&hidden), |error| {
        is_entry(error, &Refusal::Padding)
    });
}

#[test]
fn another_file_is_called_what_it_is() {
    let fixture = Fixture::new();
    for bytes in [&b""[..], b"PK\x03\x04", &[0; 1024]] {
        refused(&fixture, bytes, |error| {
            matches!(error, BundleError::NotABundle)
        });
    }
    refused(&fixture, &compress(b""), |error| {
        matches!(error, BundleError::Unreadable(_))
    });
    refused(&fixture, &compress(&[0; 1024]), |error| {
        matches!(error, BundleError::Lacks("run"))
    });
}

#[test]
fn the_crate_is_about_these_files() {
    let fixture = Fixture::new();
    let replaced = |from: &str, to: &str| {
        edited(&fixture, |files| {
            let (_, metadata) = files
                .iter_mut()
                .find(|(name, _)| name.ends_with("metadata.json"))
                .unwrap();
            let text = String::from_utf8(metadata.clone()).unwrap();
            assert!(text.contains(from), "{text}");
            *metadata = text.replacen(from, to, 1).into_bytes();
        })
    };
    let run = format!("\"identifier\": \"{}\"", fixture.run);
    let other = format!("\"identifier\": \"{}\"", ObjectHash::of(b"another"));
    for (from, to) in [
        ("\"@graph\"", "\"@grape\""),
        ("{", "["),
        ("{", " {"),
        ("\"value\": 0.000152", "\"value\": 0.152"),
        ("small", "great"),
        (run.as_str(), other.as_str()),
        ("\"contentSize\": \"14\"", "\"contentSize\": \"15\""),
        ("\"@id\": \"format\"", "\"@id\": \"formats\""),
    ] {
        refused(&fixture, &replaced(from, to), |error| {
            matches!(error, BundleError::Untrue(_))
        });
    }
}
