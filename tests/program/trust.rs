//! Which library a plugin's name means, and which may run: references with hashes, the search path,
//! the lock, the trust store, signatures, and files that change under a plan.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use assay_tests::{Finished, Sandbox, libraries};
use serde_json::Value;

/// A sandbox whose user is nobody else: no trust store, plugins or caches but its own.
struct Home {
    sandbox: Sandbox,
}

impl Home {
    fn new() -> Self {
        let sandbox = Sandbox::new();
        sandbox.pipeline(r#"["bp"]"#, 1);
        Self { sandbox }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.sandbox.path(name)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.sandbox.command(arguments);
        for (variable, folder) in [
            ("XDG_CONFIG_HOME", "config"),
            ("XDG_DATA_HOME", "data-home"),
            ("XDG_CACHE_HOME", "cache"),
        ] {
            command.env(variable, self.path(folder));
        }
        command.env_remove("ASSAY_TRUSTED_ONLY");
        command
    }

    fn execute(&self, arguments: &[&str]) -> Finished {
        Finished::run(&mut self.command(arguments))
    }

    /// `pipeline run pipeline.toml` with more arguments.
    fn run(&self, arguments: &[&str]) -> Finished {
        self.execute(&[&["run", "pipeline.toml"], arguments].concat())
    }

    /// As [`Home::run`], with `plugin` as the plugin of `bp`.
    fn run_with(&self, plugin: &str, arguments: &[&str]) -> Finished {
        let set = format!("method.bp.plugin=\"{plugin}\"");
        self.run(&[&["--set", &set], arguments].concat())
    }

    fn list(&self, arguments: &[&str]) -> Vec<Value> {
        let arguments = [&["plugin", "list", "--json"], arguments].concat();
        let listed = self.execute(&arguments).exits(0).json();
        listed["plugins"].as_array().unwrap().clone()
    }

    fn hash_of(&self, plugin: &str) -> String {
        let info = self.execute(&["plugin", "info", plugin, "--json"]);
        info.exits(0).json()["hash"].as_str().unwrap().to_owned()
    }

    /// A library that works like `bp` and has other bytes for each `mark`: what the linker leaves
    /// behind the last section is not looked at.
    fn library(&self, file: &str, mark: &str) -> String {
        let path = self.path(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let mut bytes = fs::read(libraries().join("libassay_bp.so")).unwrap();
        bytes.extend_from_slice(mark.as_bytes());
        // In place of the file, as a build does, and not into it.
        fs::remove_file(&path).ok();
        fs::write(&path, bytes).unwrap();
        let reference = format!("./{file}");
        self.hash_of(&reference)
    }
}

#[track_caller]
fn assert_says(said: &str, parts: &[&str]) {
    for part in parts {
        assert!(said.contains(part), "no {part:?} in:\n{said}");
    }
}

/// The artifact of a stage, from `run --json`.
fn artifact(run: &Value, stage: &str) -> String {
    field(run, stage, "artifact")
}

fn field(run: &Value, stage: &str, field: &str) -> String {
    let stages = run["stages"].as_array().unwrap();
    let found = stages.iter().find(|it| it["name"] == stage).unwrap();
    found[field].as_str().unwrap_or_default().to_owned()
}

const TRAIN: &str = "train/bp/seed=1";

#[test]
fn a_hash_says_which_library_is_meant() {
    let home = Home::new();
    let one = home.library("one/libassay_bp.so", "one");
    let two = home.library("two/libassay_bp.so", "two");
    let folders = ["--plugin-dir", "one", "--plugin-dir", "two"];

    // Of two files of a name the first is meant, and a hash finds the other one.
    let info = |plugin: &str| {
        let arguments = [&["plugin", "info", plugin, "--json"][..], &folders].concat();
        home.execute(&arguments)
    };
    assert_eq!(info("bp").exits(0).json()["hash"], one.as_str());
    let second = info(&format!("bp@{}", &two[..8])).exits(0).json();
    assert_eq!(second["hash"], two.as_str());
    assert_eq!(second["file"], "two/libassay_bp.so");

    // A hash that no file has names those there are.
    let said = info("bp@00000000").exits(2).stderr;
    assert_says(
        &said,
        &[
            "the plugin `bp` does not have the hash 00000000",
            &format!("one/libassay_bp.so has {one}"),
            &format!("two/libassay_bp.so has {two}"),
        ],
    );
    let said = info("bp@123").exits(2).stderr;
    assert_says(&said, &["`bp@123` does not name a plugin", "8 to 64"]);

    // In a pipeline file the complaint points at the line.
    let said = home
        .run_with("./one/libassay_bp.so@00000000", &["--dry-run"])
        .exits(2)
        .stderr;
    assert_says(&said, &["does not have the hash 00000000", "--set:1"]);
}

#[test]
fn what_ran_once_runs_again_by_its_hash_and_however_it_is_named() {
    let home = Home::new();
    let hash = home.library("libassay_bp.so", "mine");
    let by_path = home
        .run_with("./libassay_bp.so", &["--json"])
        .exits(0)
        .json();

    // Nothing of the way it was found is part of the action.
    let by_name = home.run_with("bp", &["--plugin-dir", ".", "--json"]);
    let by_name = by_name.exits(0).json();
    assert_eq!(field(&by_name, TRAIN, "outcome"), "cached");

    fs::remove_file(home.path("libassay_bp.so")).unwrap();
    let said = home.run_with("./libassay_bp.so", &[]).exits(2).stderr;
    assert_says(&said, &["cannot read the plugin ./libassay_bp.so"]);
    let from_store = home.run_with(
        &format!("./libassay_bp.so@{hash}"),
        &["--set", "train.epochs=2", "--json"],
    );
    let from_store = from_store.exits(0).json();
    assert_eq!(field(&from_store, TRAIN, "outcome"), "ran");
    assert_ne!(artifact(&from_store, TRAIN), artifact(&by_path, TRAIN));
    // The beginning of a hash is for files only: it says too little of what is not there.
    let part = format!("nowhere@{}", &hash[..63]);
    let said = home.run_with(&part, &[]).exits(2).stderr;
    assert_says(&said, &["there is no plugin `nowhere@"]);
}

#[test]
fn the_list_shows_what_wins_what_is_hidden_and_what_is_broken() {
    let home = Home::new();
    for folder in ["argument", "environment", "data-home/assay/plugins", "own"] {
        home.library(&format!("{folder}/libassay_mine.so"), folder);
    }
    fs::write(home.path("own/libassay_text.so"), "not a library").unwrap();
    fs::write(
        home.path("pipeline.toml"),
        format!(
            "plugin_dirs = [\"own\"]\n{}",
            fs::read_to_string(home.path("pipeline.toml")).unwrap()
        ),
    )
    .unwrap();
    let list = |arguments: &[&str]| {
        let arguments = [
            &["plugin", "list", "--json", "--plugin-dir", "argument"],
            arguments,
        ];
        let mut command = home.command(&arguments.concat());
        command.env("ASSAY_PLUGIN_PATH", format!(":{}", "environment"));
        let listed = Finished::run(&mut command).exits(0).json();
        listed["plugins"].as_array().unwrap().clone()
    };
    let mine = |listed: &[Value]| -> Vec<(String, bool)> {
        let mine = listed.iter().filter(|plugin| plugin["name"] == "mine");
        mine.map(|plugin| {
            let origin = plugin["origin"].as_str().unwrap().to_owned();
            (origin, plugin["shadowed_by"].is_null())
        })
        .collect()
    };
    let order = |origins: &[&str]| -> Vec<(String, bool)> {
        let numbered = origins.iter().enumerate();
        numbered
            .map(|(number, origin)| ((*origin).to_owned(), number == 0))
            .collect()
    };
    let listed = list(&[]);
    assert_eq!(mine(&listed), order(&["argument", "environment", "user"]));
    let listed = list(&["--pipeline", "pipeline.toml"]);
    let all = ["pipeline", "argument", "environment", "user"];
    assert_eq!(mine(&listed), order(&all));

    let find = |name: &str| listed.iter().find(|plugin| plugin["name"] == name).unwrap();
    let bp = find("bp");
    assert_eq!(bp["origin"], "program");
    assert_eq!(bp["trust"], "own");
    assert_eq!(bp["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(find("mine")["trust"], "untrusted");
    let broken = find("text")["unusable"].as_str().unwrap();
    assert_says(broken, &["libassay_text.so is not an Assay plugin"]);
    assert!(!broken.contains('\n'));

    // The second list asks nobody: an answer is remembered by the library's hash.
    let remembered = home.path("cache/assay/plugins");
    assert!(fs::read_dir(&remembered).unwrap().count() >= 5);
    let text = home
        .execute(&["plugin", "list", "--plugin-dir", "own"])
        .exits(0);
    assert_says(
        &text.stdout,
        &["unusable:", "shadowed", "beside the program"],
    );
}

#[test]
fn a_plugin_is_shown_with_everything_that_its_schema_says() {
    let home = Home::new();
    let text = home.execute(&["plugin", "info", "ao-sdtp"]).exits(0).stdout;
    assert_says(
        &text,
        &[
            "own: it comes with this program",
            "x86_64-linux-gnu",
            "algorithm ao-sdtp: SDTP",
            "Bartunov",
            "transports targets, through differences of inverses",
            "inverse_loss",
            "noise-preserving, denoising",
            "≥ 0 and ≤ 65536",
            "1e-8",
            "batch_loss",
        ],
    );
    let info = home.execute(&["plugin", "info", "ao-sdtp", "--json"]);
    let info = info.exits(0).json();
    let algorithm = &info["algorithms"][0];
    assert_eq!(algorithm["name"], "ao-sdtp");
    let transports = algorithm["transports"].as_str().unwrap();
    assert!(transports.starts_with("targets, "), "{transports}");
    let properties = &algorithm["hyperparameters"]["properties"];
    assert_eq!(properties["auxiliary_units"]["maximum"], 65536);
    assert_eq!(algorithm["metrics"][0]["name"], "batch_loss");
    let said = home.execute(&["plugin", "info", "pb"]).exits(2).stderr;
    assert_says(
        &said,
        &["there is no plugin `pb`", "looked for libassay_pb.so"],
    );
}

#[test]
fn a_locked_run_takes_what_was_locked_and_nothing_else() {
    let home = Home::new();
    let lock = home.path("pipeline.lock");
    let said = home.run(&["--locked"]).exits(2).stderr;
    assert_says(&said, &["there is no lock pipeline.lock", "--lock"]);
    let _ = home.run(&["--lock", "--dry-run"]).exits(0);
    assert!(!lock.exists(), "a dry run writes nothing");

    let one = home.library("rules/libassay_bp.so", "one");
    let own = ["--plugin-dir", "rules"];
    let _ = home.run(&[&own[..], &["--lock"]].concat()).exits(0);
    let written = fs::read_to_string(&lock).unwrap();
    assert_says(
        &written,
        &["version = 1", "[plugin.bp]", "[dataset.data]", &one],
    );
    let _ = home.run(&[&own[..], &["--locked"]].concat()).exits(0);
    let _ = home.run(&[&own[..], &["--lock"]].concat()).exits(0);
    assert_eq!(fs::read_to_string(&lock).unwrap(), written);

    // Built again: a locked run refuses it at its line, any other remarks on it.
    let two = home.library("rules/libassay_bp.so", "two");
    let said = home
        .run(&[&own[..], &["--locked"]].concat())
        .exits(2)
        .stderr;
    let differs = "the plugin `bp` is not what pipeline.lock has";
    assert_says(&said, &[differs, &one, &two, "pipeline.toml:", "--lock"]);
    let remarked = home.run(&own).exits(0).stderr;
    assert_says(&remarked, &["warning: ", differs]);
    // The locked library is still in the store under its hash, but that name is not in the lock.
    let old = format!("bp@{one}");
    let said = home.run_with(&old, &["--locked"]).exits(2).stderr;
    assert_says(&said, &["is not in pipeline.lock"]);

    // Other images under the same name.
    home.library("rules/libassay_bp.so", "one");
    let images = home.path("data/train-images-idx3-ubyte");
    let mut bytes = fs::read(&images).unwrap();
    let last = bytes.last_mut().unwrap();
    *last ^= 1;
    fs::write(&images, bytes).unwrap();
    let said = home
        .run(&[&own[..], &["--locked"]].concat())
        .exits(2)
        .stderr;
    let differs = "the content of the dataset `data` is not what pipeline.lock has";
    assert_says(&said, &[differs, "pipeline.toml:", "restore its files"]);
}

#[test]
fn a_lock_of_a_part_leaves_the_rest_alone() {
    let home = Home::new();
    home.sandbox.pipeline(r#"["bp", "fa"]"#, 1);
    let _ = home.run(&["--lock", "--only", "train/bp"]).exits(0);
    let lock = || fs::read_to_string(home.path("pipeline.lock")).unwrap();
    assert!(!lock().contains("[plugin.fa]"));
    let said = home.run(&["--locked"]).exits(2).stderr;
    assert_says(&said, &["the plugin `fa` is not in pipeline.lock"]);
    let _ = home.run(&["--lock", "--only", "train/fa"]).exits(0);
    assert_says(&lock(), &["[plugin.bp]", "[plugin.fa]"]);
    // A whole plan leaves nothing in it that it does not use.
    home.sandbox.pipeline(r#"["bp"]"#, 1);
    let _ = home.run(&["--lock"]).exits(0);
    assert!(!lock().contains("[plugin.fa]"));

    fs::write(home.path("pipeline.lock"), "<<<<<<< ours\nversion = 1\n").unwrap();
    let said = home.run(&[]).exits(2).stderr;
    assert_says(&said, &["pipeline.lock is not a lock", "version control"]);
}

#[test]
fn only_what_the_user_trusts_runs_where_that_is_asked_for() {
    let home = Home::new();
    let hash = home.library("libassay_mine.so", "mine");
    let run = |arguments: &[&str]| home.run_with("./libassay_mine.so", arguments);
    // Its own plugins need no word of the user's.
    let _ = home.run(&["--trusted-only"]).exits(0);

    let said = run(&["--trusted-only"]).exits(2).stderr;
    let command = format!("pipeline plugin trust {hash}");
    assert_says(&said, &["the plugin `mine` is not trusted", &command]);
    // Neither a lock nor a whole hash in the pipeline file is the user's word: both may come with
    // the library.
    let _ = home.run(&["--lock"]).exits(0);
    let lock = fs::read_to_string(home.path("pipeline.lock")).unwrap();
    let forged = lock.replace("[plugin.bp]", "[plugin.\"./libassay_mine.so\"]");
    fs::write(home.path("pipeline.lock"), forged).unwrap();
    let _ = run(&["--trusted-only"]).exits(2);
    fs::remove_file(home.path("pipeline.lock")).unwrap();
    let pinned = format!("./libassay_mine.so@{hash}");
    let _ = home.run_with(&pinned, &["--trusted-only"]).exits(2);
    let mut by_variable = home.command(&["plugin", "info", "./libassay_mine.so"]);
    by_variable.env("ASSAY_TRUSTED_ONLY", "1");
    let said = Finished::run(&mut by_variable).exits(2).stderr;
    assert_says(&said, &[&command]);

    // Without the option it runs, and its first use is remarked on once.
    let first = run(&[]).exits(0);
    assert_says(
        &first.stderr,
        &["note: the plugin `mine`", "first time", &hash],
    );
    assert_eq!(run(&[]).exits(0).stderr, "");

    let _ = home
        .execute(&["plugin", "trust", "./libassay_mine.so"])
        .exits(0);
    let _ = run(&["--trusted-only"]).exits(0);
    let store = home.path("config/assay/trust.toml");
    let mode = fs::metadata(&store).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let shown = home.execute(&["plugin", "trust"]).exits(0).stdout;
    assert_says(&shown, &[&hash, "mine"]);
    let listed = home.list(&["--plugin-dir", "."]);
    assert!(
        listed
            .iter()
            .any(|it| it["name"] == "mine" && it["trust"] == "trusted")
    );

    let _ = home.execute(&["plugin", "untrust", &hash[..8]]).exits(0);
    let _ = run(&["--trusted-only"]).exits(2);
    let said = home.execute(&["plugin", "untrust", &hash]).exits(2).stderr;
    assert_says(&said, &["is not among what you trust"]);
    let _ = home.execute(&["plugin", "trust", &hash]).exits(0);
    let _ = run(&["--trusted-only"]).exits(0);

    fs::set_permissions(&store, fs::Permissions::from_mode(0o666)).unwrap();
    let said = run(&[]).exits(2).stderr;
    assert_says(&said, &["trust.toml is not yours alone", "chmod 600"]);
}

#[test]
fn a_key_vouches_for_what_it_signed_and_for_nothing_else() {
    let home = Home::new();
    home.library("libassay_mine.so", "mine");
    let plugin = |arguments: &[&str]| home.execute(&[&["plugin"], arguments].concat());
    let said = plugin(&["keygen", "--no-password"]).exits(0).stdout;
    let secret = home.path("config/assay/signing.key");
    let mode = fs::metadata(&secret).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let key = said.lines().last().unwrap().to_owned();
    let said = plugin(&["keygen", "--no-password"]).exits(2).stderr;
    assert_says(&said, &["is there already, and is not written over"]);

    let library = "libassay_mine.so";
    let verify = |key: &str| plugin(&["verify", library, "--key", key]);
    assert_says(
        &verify(&key).exits(1).stderr,
        &["cannot read the signature"],
    );
    let _ = plugin(&["sign", library]).exits(0);
    let said = verify("config/assay/signing.pub").exits(0).stdout;
    assert_says(&said, &["signed by", &key, "file:libassay_mine.so"]);
    let _ = verify(&key).exits(0);
    let _ = plugin(&["keygen", "--no-password", "--key", "other.key"]).exits(0);
    let said = verify("other.pub").exits(1).stderr;
    assert_says(&said, &["was made with another key"]);
    assert_says(&verify("nobody.pub").exits(2).stderr, &["nobody.pub"]);

    // A signature means something to who trusts the key.
    let trusted_only = || home.run_with("./libassay_mine.so", &["--trusted-only"]);
    let _ = trusted_only().exits(2);
    let said = plugin(&["verify", library]).exits(1).stderr;
    assert_says(&said, &["there is no key to check the signature with"]);
    let _ = plugin(&["trust", "--key", &key, "--comment", "the lab"]).exits(0);
    let _ = trusted_only().exits(0);
    let _ = plugin(&["verify", library]).exits(0);
    let info = plugin(&["info", "./libassay_mine.so"]).exits(0).stdout;
    assert_says(&info, &["signed by a key that you trust: the lab"]);

    // A library built again beside an old signature is not signed.
    home.library(library, "mine, built again");
    let _ = trusted_only().exits(2);
    let said = plugin(&["verify", library]).exits(1).stderr;
    assert_says(&said, &["is not one of this file"]);
    let _ = plugin(&["sign", library]).exits(0);
    let _ = trusted_only().exits(0);
    let _ = plugin(&["untrust", "--key", "config/assay/signing.pub"]).exits(0);
    let _ = trusted_only().exits(2);

    // A key without a password that others can read is none, and text is none either.
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o644)).unwrap();
    assert_says(&plugin(&["sign", library]).exits(2).stderr, &["chmod 600"]);
    fs::write(home.path("text.key"), "text\ntext\n").unwrap();
    let _ = plugin(&["sign", library, "--key", "text.key"]).exits(2);
}

#[test]
fn a_file_replaced_after_planning_changes_nothing() {
    let home = Home::new();
    let file = home.path("libassay_mine.so");
    home.library("libassay_mine.so", "mine");
    let arguments = ["run", "pipeline.toml", "--json", "--set"];
    let set = "method.bp.plugin=\"./libassay_mine.so\"";
    let start = |store: &str| {
        let arguments = [&arguments[..], &[set, "--store", store]].concat();
        home.command(&arguments)
    };
    let reference = Finished::run(&mut start("reference")).exits(0).json();

    let mut command = start("store");
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = child.spawn().unwrap();
    let mut said = BufReader::new(child.stderr.take().unwrap()).lines();
    // Stages start when everything is planned, and training waits for the dataset.
    assert!(said.any(|line| line.unwrap().contains("data: started")));
    let rubbish = home.path("rubbish");
    fs::write(&rubbish, "not a library any more").unwrap();
    fs::rename(&rubbish, &file).unwrap();
    said.for_each(drop);
    let mut stdout = String::new();
    child
        .stdout
        .take()
        .unwrap()
        .read_to_string(&mut stdout)
        .unwrap();
    assert!(child.wait().unwrap().success());
    let run: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(artifact(&run, TRAIN), artifact(&reference, TRAIN));
    assert_eq!(
        field(&run, TRAIN, "action"),
        field(&reference, TRAIN, "action")
    );
}

/// Changes one byte of a read-only file.
fn tamper(file: &Path) {
    fs::set_permissions(file, fs::Permissions::from_mode(0o644)).unwrap();
    let mut bytes = fs::read(file).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(file, bytes).unwrap();
}

#[test]
fn a_library_changed_in_the_store_is_refused_by_its_worker() {
    let home = Home::new();
    let hash = home.library("libassay_mine.so", "mine");
    let run = || {
        home.run_with("./libassay_mine.so", &["--json"])
            .exits(0)
            .json()
    };
    let first = run();
    let (action, trained) = (field(&first, TRAIN, "action"), artifact(&first, TRAIN));
    let shard = |folder: &str, hash: &str| {
        let (shard, rest) = hash.split_at(2);
        home.path(&format!("artifacts/{folder}/{shard}/{rest}"))
    };
    let forget = || fs::remove_dir_all(shard("results", &action)).unwrap();

    // The planned action finds other bytes: nothing of them is loaded.
    forget();
    tamper(&shard("objects", &hash));
    let said = home.execute(&["exec", &action]).exits(1).stderr;
    assert_says(
        &said,
        &[
            "the library of the plugin `mine` is not the one that was planned with",
            &hash,
            "run the pipeline again",
        ],
    );
    // Planning again looks at the store's copy, and mends it from the file.
    let again = run();
    assert_eq!(field(&again, TRAIN, "outcome"), "ran");
    assert_eq!(artifact(&again, TRAIN), trained);

    // A stored action is under the same rule as a pipeline.
    forget();
    let said = home
        .execute(&["exec", &action, "--trusted-only"])
        .exits(2)
        .stderr;
    assert_says(&said, &["the plugin `mine` is not trusted"]);
    let _ = home.execute(&["exec", &action]).exits(0);
}

#[test]
fn an_installed_library_is_found_by_its_name_from_any_folder() {
    let home = Home::new();
    let library = "libassay_bp.so";
    home.library(library, "one");
    let installed = home.execute(&["plugin", "install", library]).exits(0);
    assert_says(&installed.stdout, &["pass  bp/learns", "bp installed: "]);
    let file = home.path("data-home/assay/plugins/libassay_bp.so");
    assert_eq!(
        fs::read(&file).unwrap(),
        fs::read(home.path("libassay_bp.so")).unwrap()
    );
    let own: Vec<_> = (home.list(&[]).into_iter())
        .filter(|plugin| plugin["name"] == "bp" && plugin["origin"] == "user")
        .collect();
    assert_eq!(own.len(), 1);
    // The same once more changes nothing.
    let again = home
        .execute(&["plugin", "install", "--unchecked", library, "--json"])
        .exits(0);
    let json: Value = again.json();
    assert_eq!(json["was_there"], true);
    assert_eq!(json["signed_by"], Value::Null);
}

#[test]
fn another_library_of_the_name_is_written_over_only_on_request() {
    let home = Home::new();
    let (one, two) = ("libassay_bp.so", "other/libassay_bp.so");
    home.library(one, "one");
    home.library(two, "two");
    let quick = ["plugin", "install", "--unchecked"];
    let install = |more: &[&str]| home.execute(&[&quick[..], more].concat());
    let _ = install(&[one]).exits(0);
    let refused = install(&[two]).exits(2);
    assert!(
        refused.stderr.contains("is another library"),
        "{}",
        refused.stderr
    );
    assert!(refused.stderr.contains("--replace"), "{}", refused.stderr);
    let file = home.path("data-home/assay/plugins/libassay_bp.so");
    assert_eq!(
        fs::read(&file).unwrap(),
        fs::read(home.path("libassay_bp.so")).unwrap()
    );
    let _ = install(&[two, "--replace"]).exits(0);
    assert_eq!(
        fs::read(&file).unwrap(),
        fs::read(home.path("other/libassay_bp.so")).unwrap()
    );
}

#[test]
fn a_folder_has_to_hold_one_library_and_files_have_to_be_plugins() {
    let home = Home::new();
    let install = |what: &str| home.execute(&["plugin", "install", "--unchecked", what]);
    let said = install(".").exits(2).stderr;
    assert!(said.contains("no libassay_*.so"), "{said}");
    home.library("target/release/libassay_bp.so", "one");
    let _ = install(".").exits(0);
    home.library("target/release/libassay_fa.so", "two");
    let said = install(".").exits(2).stderr;
    assert!(said.contains("2 libraries"), "{said}");
    fs::write(home.path("libassay_text.so"), "text").unwrap();
    let _ = install("libassay_text.so").exits(2);
    let _ = install("nowhere.so").exits(2);
}

#[test]
fn a_signed_library_is_installed_with_its_signature_where_its_key_is_trusted() {
    let home = Home::new();
    let library = "libassay_bp.so";
    home.library(library, "one");
    let key = ["--key", "secret.key"];
    let _ = home
        .execute(&[&["plugin", "keygen", "--no-password"], &key[..]].concat())
        .exits(0);
    let _ = home
        .execute(&[&["plugin", "sign", library], &key[..]].concat())
        .exits(0);
    let install = ["plugin", "install", "--unchecked", library];
    let said = home.execute(&install);
    assert_ne!(said.code, Some(0), "{}", said.stderr);
    assert!(!home.path("data-home/assay/plugins/libassay_bp.so").exists());
    let _ = home
        .execute(&["plugin", "trust", "--key", "secret.pub"])
        .exits(0);
    let said = home.execute(&install).exits(0);
    assert!(said.stdout.contains("signed by"), "{}", said.stdout);
    let signature = home.path("data-home/assay/plugins/libassay_bp.so.minisig");
    assert!(signature.exists());
    // A library that changed after it was signed.
    let mut bytes = fs::read(home.path("libassay_bp.so")).unwrap();
    bytes.push(0);
    fs::write(home.path("libassay_bp.so"), bytes).unwrap();
    let _ = home
        .execute(&[&install[..], &["--replace"]].concat())
        .exits(1);
}

#[test]
fn a_required_version_is_compared_before_anything_is_trained() {
    let home = Home::new();
    let _ = home.run_with("bp >= 0.1", &["--dry-run"]).exits(0);
    let said = home.run_with("bp >= 1.2", &["--dry-run"]).exits(2).stderr;
    assert_says(
        &said,
        &["the plugin `bp` has version 0.1.0", ">=1.2 is required"],
    );
    let said = home.run_with("bp >= one", &["--dry-run"]).exits(2).stderr;
    assert_says(
        &said,
        &["does not name a plugin", "does not require a version"],
    );
}
