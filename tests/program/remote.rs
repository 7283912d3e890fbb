//! Runs on their way to a remote and back: a shared folder, a server that speaks S3, remotes that are torn,
//! damaged or made to do harm.

use std::collections::BTreeMap;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

use assay_skips::skip;
use assay_tests::{Finished, Sandbox};
use serde_json::Value;

/// A store with a run.
pub(crate) struct Sender {
    pub(crate) sandbox: Sandbox,
    pub(crate) run: String,
    /// As `pipeline run` tells them.
    stages: Vec<Value>,
}

impl Sender {
    /// Made once: the tests only read it.
    pub(crate) fn get() -> &'static Self {
        static SENDER: OnceLock<Sender> = OnceLock::new();
        SENDER.get_or_init(|| {
            let sandbox = Sandbox::new();
            sandbox.pipeline(r#"["bp"]"#, 1);
            let told = sandbox.run_json(&[]);
            let run = told["run"].as_str().unwrap().to_owned();
            let stages = told["stages"].as_array().unwrap().clone();
            Self {
                sandbox,
                run,
                stages,
            }
        })
    }

    /// Pushes the run to the folder, and gives what was said.
    pub(crate) fn push(&self, remote: &Path, more: &[&str]) -> Value {
        let arguments = [&["push", text(remote), &self.run, "--json"], more].concat();
        self.sandbox.execute(&arguments).exits(0).json()["runs"][0].clone()
    }
}

pub(crate) fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Every file below the folder that is not the store's own.
pub(crate) fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.insert(path.clone(), fs::read(path).unwrap());
            }
        }
    }
    found
}

/// Pulls the latest run into `store` of the sandbox.
fn pull(sandbox: &Sandbox, remote: &Path, store: &str, more: &[&str]) -> Finished {
    let arguments = [&["pull", text(remote), "latest", "--store", store], more].concat();
    sandbox.execute(&arguments)
}

#[test]
fn the_receiver_of_a_shared_folder_finds_everything_cached() {
    let sender = Sender::get();
    let receiver = Sandbox::new();
    let remote = receiver.path("remote");
    let pushed = sender.push(&remote, &[]);
    assert_eq!(
        (&pushed["already"], &pushed["there"]),
        (&false.into(), &0.into())
    );

    let pulled = pull(&receiver, &remote, "theirs", &["--json"])
        .exits(0)
        .json();
    assert_eq!(pulled["run"], sender.run.as_str());
    assert_eq!(pulled["left_out"], 0);
    let audit = receiver.execute(&["audit", "--all", "--store", "theirs"]);
    let _ = audit.exits(0);
    let file = sender.sandbox.path("pipeline.toml");
    let arguments = ["run", text(&file), "--store", "theirs"];
    let run = receiver
        .execute(&[&arguments[..], &["--json"]].concat())
        .exits(0)
        .json();
    for stage in run["stages"].as_array().unwrap() {
        assert_eq!(stage["outcome"], "cached", "{stage}");
    }

    let again = sender.push(&remote, &[]);
    assert_eq!(
        (&again["already"], &again["files"]),
        (&true.into(), &0.into())
    );
    let again = pull(&receiver, &remote, "theirs", &["--json"])
        .exits(0)
        .json();
    assert_eq!(
        (&again["already"], &again["files"]),
        (&true.into(), &0.into())
    );
    // The folder is a store.
    let shown = receiver.execute(&["audit", "--all", "--store", "remote"]);
    let _ = shown.exits(0);
}

#[test]
fn a_push_that_broke_off_is_seen_by_nobody_and_goes_on_where_it_was() {
    let sender = Sender::get();
    let sandbox = Sandbox::new();
    let remote = sandbox.path("remote");
    let dry = sender.push(&remote, &["--dry-run"]);
    assert!(!remote.exists());
    let whole = sender.push(&remote, &[]);
    assert_eq!(dry["files"], whole["files"]);
    assert_eq!(dry["bytes"], whole["bytes"]);
    let marker = fs::read_dir(remote.join("runs"))
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    fs::remove_file(&marker).unwrap();
    let refused = pull(&sandbox, &remote, "theirs", &[]).exits(2);
    assert!(
        refused.stderr.contains("has no run `latest`"),
        "{}",
        refused.stderr
    );
    assert!(!sandbox.path("theirs").exists());

    // Half of the files are gone too, and one was cut off by a server that does not write in one step.
    let objects = files(&remote.join("objects"));
    let mut lost = 1;
    for (path, bytes) in objects.iter().step_by(2) {
        fs::remove_file(path).unwrap();
        lost += 1;
        if lost == 2 && !bytes.is_empty() {
            fs::write(path, &bytes[..bytes.len() - 1]).unwrap();
        }
    }
    let again = sender.push(&remote, &[]);
    assert_eq!(again["files"], lost);
    assert_eq!(files(&remote.join("objects")), objects);
    assert!(marker.exists());

    // Of a run whose marker is there nothing else is asked, unless one asks for it.
    let (path, bytes) = objects.first_key_value().unwrap();
    fs::remove_file(path).unwrap();
    assert_eq!(sender.push(&remote, &[])["files"], 0);
    assert_eq!(sender.push(&remote, &["--verify"])["files"], 1);
    assert_eq!(&fs::read(path).unwrap(), bytes);
}

#[test]
fn a_push_that_is_killed_anywhere_is_made_whole_by_the_next() {
    let sender = Sender::get();
    let sandbox = Sandbox::new();
    let remote = sandbox.path("remote");
    for milliseconds in (0..60).step_by(6) {
        let arguments = ["push", text(&remote), &sender.run];
        let mut command = sender.sandbox.command(&arguments);
        let mut push = command
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        thread::sleep(Duration::from_millis(milliseconds));
        let _ = push.kill();
        let _ = push.wait();
        // Whoever looks sees the whole run or none.
        if remote.exists()
            && sandbox
                .execute(&["remote", "runs", "./remote"])
                .stdout
                .contains(&sender.run[..12])
        {
            let _ = pull(&sandbox, &remote, &format!("seen-{milliseconds}"), &[]).exits(0);
        }
    }
    sender.push(&remote, &[]);
    let _ = pull(&sandbox, &remote, "theirs", &[]).exits(0);
    let _ = sandbox
        .execute(&["audit", "--all", "--store", "theirs"])
        .exits(0);
}

#[test]
fn two_can_push_the_same_run_at_once() {
    let sender = Sender::get();
    let sandbox = Sandbox::new();
    let remote = sandbox.path("remote");
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| sender.push(&remote, &["--verify"]));
        }
    });
    let _ = pull(&sandbox, &remote, "theirs", &[]).exits(0);
    let _ = sandbox
        .execute(&["audit", "--all", "--store", "theirs"])
        .exits(0);
}

#[test]
fn no_flipped_byte_gets_into_a_store() {
    let sender = Sender::get();
    let sandbox = Sandbox::new();
    let remote = sandbox.path("remote");
    sender.push(&remote, &[]);
    for (at, (path, bytes)) in files(&remote).into_iter().enumerate() {
        let name = text(path.strip_prefix(&remote).unwrap()).to_owned();
        if bytes.is_empty() || name == "format" {
            continue;
        }
        let mut damaged = bytes.clone();
        damaged[at * 7919 % bytes.len()] ^= 1 << (at % 8);
        fs::write(&path, damaged).unwrap();
        let store = format!("store-{at}");
        let refused = pull(&sandbox, &remote, &store, &[]);
        fs::write(&path, bytes).unwrap();
        let refused = refused.exits(1);
        assert!(
            refused.stderr.contains("error: "),
            "{name}: {}",
            refused.stderr
        );
        let runs = sandbox
            .execute(&["ls", "--store", &store, "--json"])
            .exits(0)
            .json();
        assert_eq!(runs["runs"].as_array().unwrap().len(), 0, "{name}");
    }
    let _ = pull(&sandbox, &remote, "theirs", &[]).exits(0);
}

#[test]
fn a_remote_that_was_made_to_do_harm_is_refused() {
    let sender = Sender::get();
    let sandbox = Sandbox::new();
    let remote = sandbox.path("remote");
    sender.push(&remote, &[]);
    let listing = remote.join(format!("contents/{}.json", sender.run));
    let list: Value = serde_json::from_slice(&fs::read(&listing).unwrap()).unwrap();
    let refused = |list: &str, words: &str| {
        fs::write(&listing, list).unwrap();
        let refused = pull(&sandbox, &remote, "theirs", &[]).exits(1).stderr;
        assert!(refused.contains(words), "no {words:?} in:\n{refused}");
    };
    refused(
        "{\"documents\": [\"../../../etc/passwd\"], \"records\": {}}",
        "cannot be read",
    );
    refused("\u{1b}[2J", "cannot be read");
    let mut fewer = list.clone();
    fewer["records"] = serde_json::json!({});
    refused(&fewer.to_string(), "error: ");
    let mut more = list.clone();
    let absent = "ab".repeat(32);
    more["documents"]
        .as_array_mut()
        .unwrap()
        .push(absent.into());
    refused(&more.to_string(), "is not there");
    // A large object in the place of a document, a record, and the list itself.
    let file = fs::File::options().write(true).open(&listing).unwrap();
    file.set_len(80 << 20).unwrap();
    let refused = pull(&sandbox, &remote, "theirs", &[]).exits(1).stderr;
    assert!(refused.contains("has more than"), "{refused}");
    fs::write(&listing, list.to_string()).unwrap();
    // An object that was cut off.
    let objects = files(&remote.join("objects"));
    let (large, bytes) = objects.iter().max_by_key(|(_, bytes)| bytes.len()).unwrap();
    fs::write(large, &bytes[..bytes.len() - 1]).unwrap();
    let refused = pull(&sandbox, &remote, "theirs", &[]);
    assert_ne!(refused.code, Some(0));
    assert!(refused.stderr.contains("error: "), "{}", refused.stderr);
    fs::write(large, bytes).unwrap();
    // A pipe, which nobody writes to.
    fs::remove_file(&listing).unwrap();
    let made = Command::new("mkfifo").arg(&listing).status().unwrap();
    assert!(made.success());
    let refused = pull(&sandbox, &remote, "theirs", &[]).exits(1).stderr;
    assert!(refused.contains("is no regular file"), "{refused}");
    fs::remove_file(&listing).unwrap();
    fs::write(&listing, list.to_string()).unwrap();
    let limited = pull(&sandbox, &remote, "theirs", &["--max-size", "1 KiB"])
        .exits(2)
        .stderr;
    assert!(limited.contains("--max-size"), "{limited}");
    // A name that no remote has, and that would clear the terminal.
    let foreign = remote.join("runs/0000000000000-\u{1b}[2J");
    fs::write(&foreign, "").unwrap();
    let refused = pull(&sandbox, &remote, "theirs", &[]).exits(2).stderr;
    assert!(refused.contains("cannot list `runs`"), "{refused}");
    assert!(!refused.contains('\u{1b}'), "{refused}");
    fs::remove_file(&foreign).unwrap();
    // Others that are no run's are passed over.
    fs::write(remote.join("runs/README"), "").unwrap();
    let _ = pull(&sandbox, &remote, "theirs", &[]).exits(0);
}

#[test]
fn results_alone_leave_images_weights_and_libraries_behind() {
    let sender = Sender::get();
    let sandbox = Sandbox::new();
    let remote = sandbox.path("remote");
    let whole = sender.push(&remote, &[]);
    let dry = pull(
        &sandbox,
        &remote,
        "theirs",
        &["--results-only", "--dry-run", "--json"],
    );
    let dry = dry.exits(0).json();
    assert!(!sandbox.path("theirs").exists());
    let pulled = pull(&sandbox, &remote, "theirs", &["--results-only", "--json"])
        .exits(0)
        .json();
    assert_eq!(dry["bytes"], pulled["bytes"]);
    assert!(pulled["left_out"].as_u64().unwrap() >= 3, "{pulled}");
    assert!(
        pulled["bytes"].as_u64() < whole["bytes"].as_u64().map(|bytes| bytes / 10),
        "{pulled}"
    );
    let table = ["cat", "latest:report:table.csv", "--store", "theirs"];
    let theirs = sandbox.execute(&table).exits(0).stdout;
    let ours = sender.sandbox.execute(&table[..2]).exits(0).stdout;
    assert_eq!(theirs, ours);
    // The rest can follow.
    let rest = pull(&sandbox, &remote, "theirs", &["--json"])
        .exits(0)
        .json();
    assert_eq!(rest["left_out"], 0);
    let _ = sandbox
        .execute(&["audit", "--all", "--store", "theirs"])
        .exits(0);
}

#[test]
fn remotes_have_names() {
    let sandbox = Sandbox::new();
    let unknown = sandbox.execute(&["remote", "runs", "lab"]).exits(2).stderr;
    assert!(unknown.contains("there is no remote `lab`"), "{unknown}");
    assert!(unknown.contains("pipeline remote add"), "{unknown}");
    let _ = sandbox
        .execute(&["remote", "add", "lab", "s3://bucket/a/b/"])
        .exits(0);
    let _ = sandbox
        .execute(&["remote", "add", "here", "shared"])
        .exits(0);
    let listed = sandbox
        .execute(&["remote", "list", "--json"])
        .exits(0)
        .json();
    let here = sandbox.path("shared");
    let expected = serde_json::json!({ "remotes": [
        { "name": "here", "place": text(&here) },
        { "name": "lab", "place": "s3://bucket/a/b" },
    ] });
    assert_eq!(listed, expected);
    for (name, place) in [
        ("a/b", "/x"),
        ("", "/x"),
        ("x", "ftp://y"),
        ("x", "s3://"),
        ("x", ""),
    ] {
        let refused = sandbox
            .execute(&["remote", "add", name, place])
            .exits(2)
            .stderr;
        assert!(refused.contains("is no place of a remote"), "{refused}");
    }
    let _ = sandbox.execute(&["remote", "remove", "here"]).exits(0);
    let unknown = sandbox.execute(&["pull", "here"]).exits(2).stderr;
    assert!(unknown.contains("there are lab"), "{unknown}");
    let file = sandbox.path("home/XDG_CONFIG_HOME/assay/remotes.toml");
    fs::write(&file, "remote = 7").unwrap();
    let broken = sandbox.execute(&["remote", "list"]).exits(2).stderr;
    assert!(broken.contains("is no file of remotes"), "{broken}");
}

#[test]
fn what_no_run_rests_on_can_be_removed() {
    let sandbox = Sandbox::new();
    sandbox.pipeline(r#"["bp"]"#, 1);
    let first = sandbox.run_json(&[])["run"].as_str().unwrap().to_owned();
    let _ = sandbox.execute(&["push", "./lab"]).exits(0);
    sandbox.pipeline(r#"["bp", "fa"]"#, 1);
    let _ = sandbox.run_json(&[]);
    let _ = sandbox.execute(&["push", "./lab"]).exits(0);
    let gc = |more: &[&str]| {
        let arguments = [&["remote", "gc", "./lab", "--json"], more].concat();
        sandbox.execute(&arguments).exits(0).json()
    };
    let before = files(&sandbox.path("lab"));
    assert_eq!(gc(&["--grace", "0s"])["folders"], serde_json::json!({}));
    let _ = sandbox
        .execute(&["remote", "forget", "./lab", "latest"])
        .exits(0);
    // Young files stay, and a look removes nothing.
    let kept = gc(&[]);
    assert_eq!(kept["folders"], serde_json::json!({}));
    assert!(kept["young"].as_u64().unwrap() > 0, "{kept}");
    let looked = gc(&["--grace", "0s", "--dry-run"]);
    assert!(
        looked["folders"]["objects"]["files"].as_u64().unwrap() > 5,
        "{looked}"
    );
    assert_eq!(files(&sandbox.path("lab")).len(), before.len() - 1);
    let removed = gc(&["--grace", "0s"]);
    assert_eq!(removed["folders"], looked["folders"]);
    // The other run is as whole as before.
    let receiver = Sandbox::new();
    let lab = sandbox.path("lab");
    let pulled = pull(&receiver, &lab, "theirs", &["--json"]).exits(0).json();
    assert_eq!(pulled["run"], first.as_str());
    let _ = receiver
        .execute(&["audit", "--all", "--store", "theirs"])
        .exits(0);
    // A run that cannot be read keeps everything.
    let contents = fs::read_dir(lab.join("contents"))
        .unwrap()
        .next()
        .unwrap()
        .unwrap();
    fs::write(contents.path(), "{}").unwrap();
    let before = files(&lab).len();
    let _ = sandbox
        .execute(&["remote", "gc", "./lab", "--grace", "0s"])
        .exits(1);
    assert_eq!(files(&lab).len(), before);
}

#[test]
fn what_is_pinned_at_a_remote_stays() {
    let sender = Sender::get();
    let sandbox = Sandbox::new();
    let lab = sandbox.path("lab");
    sender.push(&lab, &[]);
    let whole = files(&lab);
    let execute = |arguments: &[&str], code: i32| {
        let arguments = [&["remote", arguments[0], "./lab"], &arguments[1..]].concat();
        sandbox.execute(&arguments).exits(code)
    };
    let none = execute(&["pin"], 0).stdout;
    assert_eq!(none, "nothing is pinned\n");
    let run = sender.run.as_str();
    let pinned = execute(&["pin", "latest", "--as", "submitted", "--json"], 0).json();
    let expected = serde_json::json!({ "pins": [
        { "label": "submitted", "kind": "run", "hash": run },
    ] });
    assert_eq!(pinned, expected);
    assert_eq!(execute(&["pin", "--json"], 0).json(), expected);
    // The folder is a store, and its pins are those of the store.
    let store = ["pin", "--store", "lab", "--json"];
    assert_eq!(sandbox.execute(&store).exits(0).json(), expected);
    let _ = execute(&["pin", &run[..12], "--as", "submitted"], 0);
    let refused = execute(&["forget", run], 2).stderr;
    assert!(refused.contains("pinned as `submitted`"), "{refused}");
    assert!(refused.contains("pipeline remote unpin"), "{refused}");
    // A run whose marker is gone all the same.
    let marker = whole.keys().find(|path| path.starts_with(lab.join("runs")));
    fs::remove_file(marker.unwrap()).unwrap();
    let gc = |code: i32| execute(&["gc", "--grace", "0s", "--json"], code);
    assert_eq!(gc(0).json()["folders"], serde_json::json!({}));
    let unpinned = execute(&["unpin", "submitted"], 0).stdout;
    assert!(unpinned.contains("which was submitted"), "{unpinned}");
    let refused = execute(&["unpin", "submitted"], 2).stderr;
    assert!(refused.contains("nothing is pinned as"), "{refused}");

    // An artifact stays with what led to it: all stages but those after it.
    let artifact = |kind: &str| {
        let stage = sender.stages.iter().find(|stage| stage["kind"] == kind);
        stage.unwrap()["artifact"].as_str().unwrap().to_owned()
    };
    let _ = execute(&["pin", &artifact("evaluate")], 0);
    let again = execute(&["pin", &artifact("train"), "--as", "other"], 0).stdout;
    assert!(again.contains(" as other"), "{again}");
    let taken = execute(
        &[
            "pin",
            &artifact("train"),
            "--as",
            &artifact("evaluate")[..12],
        ],
        2,
    );
    assert!(
        taken.stderr.contains("pins another artifact"),
        "{}",
        taken.stderr
    );
    let _ = execute(&["unpin", &artifact("train")], 0);
    let label = execute(&["pin", &artifact("train"), "--as", "a/b"], 2).stderr;
    assert!(label.contains("cannot be the name of a pin"), "{label}");
    let nothing = execute(&["pin", &"ab".repeat(32)], 2).stderr;
    assert!(nothing.contains("has no run"), "{nothing}");
    let went = gc(0).json();
    let records = went["folders"]["results"]["files"].as_u64();
    assert_eq!(records, Some(1), "the report alone goes: {went}");
    let object = |hash: &str| lab.join("objects").join(&hash[..2]).join(&hash[2..]);
    for kind in ["dataset", "train", "evaluate"] {
        assert!(object(&artifact(kind)).exists(), "{kind}");
    }
    assert!(!object(&artifact("report")).exists());
    assert_eq!(gc(0).json()["folders"], serde_json::json!({}));

    // A pin that nobody can read keeps everything.
    let _ = execute(&["unpin", &artifact("evaluate")[..12]], 0);
    fs::create_dir_all(lab.join("pins")).unwrap();
    fs::write(lab.join("pins/torn"), "artif").unwrap();
    let refused = gc(1).stderr;
    assert!(refused.contains("is no pin"), "{refused}");
    fs::remove_file(lab.join("pins/torn")).unwrap();
    // Nobody knows what a damaged document rests on.
    fs::write(
        lab.join("pins/torn"),
        format!("artifact {}\n", "ab".repeat(32)),
    )
    .unwrap();
    let _ = gc(1);
    fs::remove_file(lab.join("pins/torn")).unwrap();
    assert!(gc(0).json()["folders"]["objects"]["files"].as_u64() > Some(5));
}

/// A server that speaks S3, killed when it is dropped.
pub(crate) struct Server {
    child: Child,
    pub(crate) port: u16,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    /// Nothing where there is none to be had.
    pub(crate) fn start() -> Option<Self> {
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/s3-server");
        let mut child = Command::new(script)
            .args([&port.to_string(), "bucket"])
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let begun = Instant::now();
        let url = format!("http://127.0.0.1:{port}/bucket");
        loop {
            if let Some(status) = child.try_wait().unwrap() {
                assert_eq!(status.code(), Some(77), "scripts/s3-server failed");
                skip("there is no moto_server");
                return None;
            }
            let mut ask = Command::new("curl");
            ask.args(["--silent", "--fail", &url]).stdout(Stdio::null());
            if ask.status().is_ok_and(|status| status.success()) {
                return Some(Self { child, port });
            }
            assert!(
                begun.elapsed() < Duration::from_mins(1),
                "the server does not answer"
            );
            thread::sleep(Duration::from_millis(100));
        }
    }

    fn execute(&self, sandbox: &Sandbox, arguments: &[&str]) -> Finished {
        with_server(sandbox, arguments, self.port)
    }
}

const SECRET: &str = "a-secret-that-nobody-prints";

fn with_server(sandbox: &Sandbox, arguments: &[&str], port: u16) -> Finished {
    let mut command = sandbox.command(arguments);
    command
        .env("AWS_ACCESS_KEY_ID", "anybody")
        .env("AWS_SECRET_ACCESS_KEY", SECRET)
        .env("AWS_REGION", "us-east-1")
        .env("AWS_ENDPOINT_URL", format!("http://127.0.0.1:{port}"))
        .env("AWS_ALLOW_HTTP", "true");
    let finished = Finished::run(&mut command);
    for said in [&finished.stdout, &finished.stderr] {
        assert!(!said.contains(SECRET), "{said}");
    }
    finished
}

#[test]
fn a_bucket_keeps_runs_as_a_folder_does() {
    let Some(server) = Server::start() else {
        return;
    };
    let sender = Sender::get();
    let receiver = Sandbox::new();
    let _ = receiver
        .execute(&["remote", "add", "lab", "s3://bucket/tables"])
        .exits(0);
    let empty = server.execute(&receiver, &["pull", "lab"]).exits(2).stderr;
    assert!(empty.contains("has no run `latest`"), "{empty}");
    let push = ["push", "s3://bucket/tables", &sender.run, "--json"];
    let pushed = server.execute(&sender.sandbox, &push).exits(0).json();
    assert_eq!(pushed["runs"][0]["there"], 0);
    let verified = server.execute(&sender.sandbox, &[&push[..], &["--verify"]].concat());
    assert_eq!(verified.exits(0).json()["runs"][0]["files"], 0);
    let runs = server
        .execute(&receiver, &["remote", "runs", "lab", "--json"])
        .exits(0)
        .json();
    assert_eq!(runs["runs"][0]["run"], sender.run.as_str());
    let pin = ["remote", "pin", "lab", "latest", "--as", "table-1"];
    let _ = server.execute(&receiver, &pin).exits(0);
    let listed = server.execute(&receiver, &pin[..3]).exits(0).stdout;
    assert_eq!(listed, format!("table-1  run {}\n", sender.run));
    let unpin = ["remote", "unpin", "lab", "table-1"];
    let _ = server.execute(&receiver, &unpin).exits(0);
    let pulled = server.execute(
        &receiver,
        &["pull", "lab", &sender.run[..8], "--store", "theirs"],
    );
    let _ = pulled.exits(0);
    let _ = receiver
        .execute(&["audit", "--all", "--store", "theirs"])
        .exits(0);
    // Credentials of a profile do as well as those of the environment.
    let aws = receiver.path("aws");
    fs::write(
        &aws,
        format!("[lab]\naws_access_key_id = anybody\naws_secret_access_key = {SECRET}\nregion = us-east-1\n"),
    )
    .unwrap();
    let mut listed = receiver.command(&["remote", "runs", "lab", "--json"]);
    listed
        .env_remove("AWS_ACCESS_KEY_ID")
        .env("AWS_PROFILE", "lab")
        .env("AWS_SHARED_CREDENTIALS_FILE", &aws)
        .env(
            "AWS_ENDPOINT_URL",
            format!("http://127.0.0.1:{}", server.port),
        )
        .env("AWS_ALLOW_HTTP", "true");
    let listed = Finished::run(&mut listed).exits(0);
    assert!(listed.stdout.contains(&sender.run), "{listed:?}");
    let no_bucket = server
        .execute(&receiver, &["pull", "s3://another"])
        .exits(2)
        .stderr;
    assert!(no_bucket.contains("s3://another"), "{no_bucket}");
}

#[test]
fn a_server_that_is_down_is_an_error_soon() {
    let sandbox = Sandbox::new();
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let begun = Instant::now();
    let refused = with_server(&sandbox, &["pull", "s3://bucket/tables"], port)
        .exits(2)
        .stderr;
    assert!(
        refused.contains("cannot list `runs` at s3://bucket/tables"),
        "{refused}"
    );
    assert!(
        begun.elapsed() < Duration::from_secs(20),
        "{:?}",
        begun.elapsed()
    );
}
