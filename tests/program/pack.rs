//! A plugin on its way to someone else as one file: packed, installed, damaged, and made to do harm.

use std::fs;
use std::io::Read;
use std::path::PathBuf;

use assay_tests::{Finished, Sandbox, libraries};
use serde_json::Value;
use tar::{EntryType, Header};

/// A sandbox whose user has no trust store, plugins or caches but its own, with a library to pack.
struct Author {
    sandbox: Sandbox,
}

const LIBRARY: &str = "libassay_bp.so";
const PACK: &str = "bp.tar.zst";
const INSTALLED: &str = "home/XDG_DATA_HOME/assay/plugins/libassay_bp.so";

type Files = Vec<(String, Vec<u8>)>;

impl Author {
    fn new() -> Self {
        let author = Self {
            sandbox: Sandbox::new(),
        };
        fs::copy(libraries().join(LIBRARY), author.path(LIBRARY)).unwrap();
        author
    }

    fn path(&self, name: &str) -> PathBuf {
        self.sandbox.path(name)
    }

    fn execute(&self, arguments: &[&str]) -> Finished {
        self.sandbox.execute(arguments)
    }

    fn pack(&self, arguments: &[&str]) -> Finished {
        self.execute(&[&["plugin", "pack", LIBRARY], arguments].concat())
    }

    fn install(&self, pack: &str) -> Finished {
        self.execute(&["plugin", "install", "--unchecked", pack])
    }

    /// The files of the pack of that name.
    fn files(&self, pack: &str) -> Files {
        let bytes = fs::read(self.path(pack)).unwrap();
        let mut archive = tar::Archive::new(zstd::Decoder::new(&*bytes).unwrap());
        let entries = archive.entries().unwrap().map(|entry| {
            let mut entry = entry.unwrap();
            let name = entry.path().unwrap().to_str().unwrap().to_owned();
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).unwrap();
            (name, bytes)
        });
        entries.collect()
    }

    /// Fails unless the bytes are refused as a pack with these words, and nothing is installed.
    #[track_caller]
    fn assert_refused(&self, bytes: &[u8], words: &str) {
        fs::write(self.path("hostile.tar.zst"), bytes).unwrap();
        let finished = self.install("hostile.tar.zst");
        assert_eq!(finished.code, Some(1), "{}", finished.stderr);
        assert!(finished.stderr.contains(words), "{}", finished.stderr);
        assert!(!self.path("home/XDG_DATA_HOME/assay/plugins").exists());
    }
}

fn header(name: &str, size: u64) -> Header {
    let mut header = Header::new_ustar();
    header.set_path(name).unwrap();
    header.set_size(size);
    header.set_mode(0o444);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_entry_type(EntryType::Regular);
    header.set_cksum();
    header
}

/// An archive of files under these headers.
fn archive<'a>(files: impl IntoIterator<Item = (Header, &'a [u8])>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (header, content) in files {
        bytes.extend_from_slice(header.as_bytes());
        bytes.extend_from_slice(content);
        bytes.resize(bytes.len().next_multiple_of(512), 0);
    }
    bytes.resize(bytes.len() + 1024, 0);
    zstd::encode_all(&*bytes, 1).unwrap()
}

fn repacked(files: &Files) -> Vec<u8> {
    archive(
        files
            .iter()
            .map(|(name, bytes)| (header(name, bytes.len() as u64), &**bytes)),
    )
}

/// The files after an edit, in the order of their names.
fn edited(files: &Files, edit: impl FnOnce(&mut Files)) -> Vec<u8> {
    let mut files = files.clone();
    edit(&mut files);
    files.sort();
    repacked(&files)
}

fn of<'a>(files: &'a mut Files, name: &str) -> &'a mut Vec<u8> {
    &mut files.iter_mut().find(|(it, _)| it == name).unwrap().1
}

#[test]
fn a_pack_brings_a_plugin_with_all_that_belongs_to_it() {
    let author = Author::new();
    fs::write(author.path("LICENSE"), "Do as you like.\n").unwrap();
    fs::write(author.path("mine.toml"), "name = \"mine\"\n").unwrap();
    let written = author.pack(&["--pipeline", "mine.toml", "-o", PACK, "--json"]);
    let written: Value = written.exits(0).json();
    assert_eq!(written["name"], "bp");
    let names: Vec<_> = written["files"].as_array().unwrap().iter().collect();
    assert_eq!(
        names,
        [
            "FORMAT",
            "LICENCE",
            "description.json",
            "library.so",
            "pipeline.toml"
        ]
    );

    // The description is read without the program, and is what the plugin says.
    let mut files = author.files(PACK);
    let described: Value = serde_json::from_slice(of(&mut files, "description.json")).unwrap();
    assert_eq!(described["algorithms"][0]["name"], "bp");
    let mut info: Value = author
        .execute(&["plugin", "info", "./libassay_bp.so", "--json"])
        .exits(0)
        .json();
    // Shown beside the schema that has it.
    let shown = info["algorithms"][0].as_object_mut().unwrap();
    let transports = shown.remove("transports").unwrap();
    assert_eq!(
        described["algorithms"][0]["hyperparameters"]["transports"],
        transports
    );
    assert_eq!(described["algorithms"], info["algorithms"]);
    assert_eq!(written["library"], info["hash"]);

    let installed = author
        .execute(&["plugin", "install", PACK, "--json"])
        .exits(0)
        .json();
    assert_eq!(installed["hash"], info["hash"]);
    assert_eq!(
        fs::read(author.path(INSTALLED)).unwrap(),
        fs::read(author.path(LIBRARY)).unwrap()
    );
    let licence = installed["licence"].as_str().unwrap();
    assert_eq!(fs::read_to_string(licence).unwrap(), "Do as you like.\n");
    let pipeline = installed["pipeline"].as_str().unwrap();
    assert_eq!(fs::read_to_string(pipeline).unwrap(), "name = \"mine\"\n");
    let _ = author.execute(&["plugin", "info", "bp"]).exits(0);
}

#[test]
fn the_same_files_give_the_same_bytes_under_the_plugins_name() {
    let author = Author::new();
    let _ = author.pack(&[]).exits(0);
    let pack = author.path("bp-0.1.0.tar.zst");
    let first = fs::read(&pack).unwrap();
    let refused = author.pack(&[]).exits(2).stderr;
    assert!(refused.contains("is there already"), "{refused}");
    assert!(refused.contains("--force"), "{refused}");
    let _ = author.pack(&["--force"]).exits(0);
    assert!(fs::read(&pack).unwrap() == first);
    // What is put together as it was is a pack.
    let files = author.files("bp-0.1.0.tar.zst");
    fs::write(author.path("again.tar.zst"), repacked(&files)).unwrap();
    let _ = author.install("again.tar.zst").exits(0);
}

#[test]
fn a_signature_travels_with_its_library_and_counts_where_its_key_is_trusted() {
    let author = Author::new();
    let key = ["--key", "secret.key"];
    let keygen = ["plugin", "keygen", "--no-password"];
    let _ = author.execute(&[&keygen[..], &key].concat()).exits(0);
    let sign = ["plugin", "sign", LIBRARY];
    let _ = author.execute(&[&sign[..], &key].concat()).exits(0);
    let _ = author.pack(&["-o", PACK]).exits(0);

    let stranger = author.install(PACK).exits(1).stderr;
    assert!(stranger.contains("no key to check"), "{stranger}");
    assert!(!author.path(INSTALLED).exists());
    let trust = ["plugin", "trust", "--key", "secret.pub"];
    let _ = author.execute(&trust).exits(0);
    let installed = author.install(PACK).exits(0).stdout;
    assert!(installed.contains("signed by"), "{installed}");
    assert!(author.path(&format!("{INSTALLED}.minisig")).exists());

    // Of a library that was built anew, the old signature is not packed.
    let mut bytes = fs::read(author.path(LIBRARY)).unwrap();
    bytes.push(0);
    fs::write(author.path(LIBRARY), &bytes).unwrap();
    let refused = author.pack(&["-o", "stale.tar.zst"]).exits(1).stderr;
    assert!(refused.contains("is not one of this file"), "{refused}");
    assert!(!author.path("stale.tar.zst").exists());
    // Nor is another library installed under it.
    let mut files = author.files(PACK);
    *of(&mut files, "library.so") = bytes;
    fs::write(author.path("swapped.tar.zst"), repacked(&files)).unwrap();
    let refused = author
        .execute(&[
            "plugin",
            "install",
            "--unchecked",
            "--replace",
            "swapped.tar.zst",
        ])
        .exits(1)
        .stderr;
    assert!(refused.contains("is not one of this file"), "{refused}");
}

#[test]
fn a_damaged_pack_is_refused_and_leaves_nothing() {
    let author = Author::new();
    let _ = author.pack(&["-o", PACK]).exits(0);
    let whole = fs::read(author.path(PACK)).unwrap();
    for length in [5, whole.len() / 2, whole.len() - 1] {
        author.assert_refused(&whole[..length], "breaks off or was changed");
    }
    let mut changed = whole.clone();
    let middle = changed.len() / 2;
    changed[middle] ^= 0x10;
    author.assert_refused(&changed, "is refused");
    let mut longer = whole;
    longer.push(0);
    author.assert_refused(&longer, "something follows its end");
}

#[test]
fn a_pack_that_was_made_to_do_harm_is_refused() {
    let author = Author::new();
    let _ = author.pack(&["-o", PACK]).exits(0);
    let files = author.files(PACK);
    for name in [
        "/etc/passwd",
        "../library.so",
        "library.so/x",
        "zzz",
        "libassay_bp.so",
    ] {
        let mut header = header("x", 1);
        let field = &mut header.as_mut_bytes()[..100];
        field.fill(0);
        field[..name.len()].copy_from_slice(name.as_bytes());
        header.set_cksum();
        author.assert_refused(&archive([(header, &b"x"[..])]), "its entry");
    }
    for kind in [
        EntryType::Symlink,
        EntryType::Link,
        EntryType::Directory,
        EntryType::Char,
    ] {
        let mut header = header("FORMAT", 0);
        header.set_entry_type(kind);
        header.set_cksum();
        author.assert_refused(&archive([(header, &b""[..])]), "only plain files");
    }
    let mut twice = files.clone();
    twice.push(("library.so".to_owned(), Vec::new()));
    author.assert_refused(&repacked(&twice), "twice or out of order");
    let mut reversed = files.clone();
    reversed.reverse();
    author.assert_refused(&repacked(&reversed), "twice or out of order");
    // Sizes that only a header has.
    for (name, size) in [
        ("FORMAT", 1 << 20),
        ("library.so", 2 << 30),
        ("LICENCE", 1 << 32),
    ] {
        author.assert_refused(&archive([(header(name, size), &b""[..])]), "more than");
    }
    let large = archive([(header("library.so", 1 << 30), &b"x"[..])]);
    author.assert_refused(&large, "breaks off");
    for name in ["FORMAT", "description.json", "library.so"] {
        let without = edited(&files, |files| files.retain(|(it, _)| it != name));
        author.assert_refused(&without, &format!("it has no `{name}`"));
    }
    let version = edited(&files, |files| {
        *of(files, "FORMAT") = b"assay pack 2\n".to_vec();
    });
    author.assert_refused(&version, "another version");
    let no_text = edited(&files, |files| files.push(("LICENCE".into(), vec![0xff])));
    author.assert_refused(&no_text, "is no text");
    // A description that promises something else than the library has, or is none.
    for description in [
        &b"{}"[..],
        br#"{"name":"bp","version":"9.9.9","description":"","algorithms":[]}"#,
    ] {
        let other = edited(&files, |files| {
            *of(files, "description.json") = description.to_vec();
        });
        author.assert_refused(&other, "is not the one that its library gives");
    }
    // A hundred megabytes in a few bytes.
    let zeros = vec![0; 100 << 20];
    let bomb = archive([(header("library.so", zeros.len() as u64), &*zeros)]);
    author.assert_refused(&bomb, "over a thousand times");
}

#[test]
fn only_plugins_are_packed() {
    let author = Author::new();
    fs::write(author.path("libassay_text.so"), "text").unwrap();
    let said = author
        .execute(&["plugin", "pack", "libassay_text.so", "-o", PACK])
        .exits(2)
        .stderr;
    assert!(said.contains("is not an Assay plugin"), "{said}");
    let said = author
        .pack(&["-o", PACK, "--licence", "nowhere"])
        .exits(2)
        .stderr;
    assert!(said.contains("nowhere"), "{said}");
    assert!(!author.path(PACK).exists());
}
