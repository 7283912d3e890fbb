//! Runs that a web server shows to everybody: one push, one URL. Servers that cannot do more than give files, and
//! servers that were made to do harm.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use assay_tests::{Finished, Sandbox};

use crate::remote::{Sender, text};

/// The request of a client.
#[derive(Clone, Debug)]
struct Asked {
    method: String,
    path: String,
    /// The first byte, where a part of the file was asked for.
    from: Option<usize>,
}

/// A web server of this process.
struct WebServer {
    port: u16,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl WebServer {
    fn start(
        answer: impl Fn(&Asked, &mut TcpStream) -> std::io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (answer, seen) = (Arc::new(answer), Arc::clone(&asked));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (answer, seen) = (Arc::clone(&answer), Arc::clone(&seen));
                thread::spawn(move || {
                    let mut stream = stream;
                    if let Some(asked) = read_request(&stream) {
                        seen.lock().unwrap().push(asked.clone());
                        // A client that has heard enough goes away.
                        let _ = answer(&asked, &mut stream);
                    }
                });
            }
        });
        Self { port, asked }
    }

    /// Gives the files of a folder below `/tables`, whole or from a byte on.
    fn of(folder: &Path) -> Self {
        let folder = folder.to_owned();
        Self::start(move |asked, stream| give(&folder, asked, stream, usize::MAX))
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}/tables", self.port)
    }

    fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

fn read_request(stream: &TcpStream) -> Option<Asked> {
    let mut lines = BufReader::new(stream).lines();
    let first = lines.next()?.ok()?;
    let mut words = first.split(' ');
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut from = None;
    for line in lines {
        let line = line.ok()?.to_ascii_lowercase();
        if line.is_empty() {
            return Some(Asked { method, path, from });
        }
        assert!(!line.starts_with("authorization:"), "{line}");
        if let Some(range) = line.strip_prefix("range: bytes=") {
            from = range.split('-').next()?.parse().ok();
        }
    }
    None
}

fn head(stream: &mut TcpStream, status: &str, headers: &str) -> std::io::Result<()> {
    write!(
        stream,
        "HTTP/1.1 {status}\r\nConnection: close\r\n{headers}\r\n"
    )
}

fn file(folder: &Path, asked: &Asked) -> Option<Vec<u8>> {
    fs::read(folder.join(asked.path.strip_prefix("/tables/")?)).ok()
}

/// Gives a file of the folder; breaks off after `most` bytes.
fn give(folder: &Path, asked: &Asked, stream: &mut TcpStream, most: usize) -> std::io::Result<()> {
    let Some(bytes) = file(folder, asked) else {
        return head(stream, "404 Not Found", "Content-Length: 0\r\n");
    };
    let from = asked.from.unwrap_or(0);
    let part = &bytes[from..];
    let length = format!("Content-Length: {}\r\n", part.len());
    if asked.from.is_some() {
        let (end, size) = (bytes.len() - 1, bytes.len());
        let range = format!("Content-Range: bytes {from}-{end}/{size}\r\n");
        head(stream, "206 Partial Content", &format!("{length}{range}"))?;
    } else {
        head(stream, "200 OK", &length)?;
    }
    if asked.method == "GET" {
        stream.write_all(&part[..part.len().min(most)])?;
    }
    Ok(())
}

/// Pulls what the URL names into `store`.
fn pull(sandbox: &Sandbox, url: &str, store: &str, more: &[&str]) -> Finished {
    sandbox.execute(&[&["pull", url, "--store", store], more].concat())
}

fn run_url(remote: &str, run: &str) -> String {
    format!("{remote}/contents/{run}.json")
}

/// A sandbox whose `remote` has the run.
fn published() -> (Sandbox, PathBuf) {
    let sandbox = Sandbox::new();
    let remote = sandbox.path("remote");
    Sender::get().push(&remote, &[]);
    (sandbox, remote)
}

#[test]
fn a_run_is_one_push_and_one_url() {
    let sender = Sender::get();
    let sandbox = Sandbox::new();
    let remote = sandbox.path("remote");
    let server = WebServer::of(&remote);
    let url = server.url();
    let add = [
        "remote",
        "add",
        "paper",
        "./remote",
        "--url",
        &format!("{url}/"),
    ];
    let _ = sandbox.execute(&add).exits(0);
    let listed = sandbox
        .execute(&["remote", "list", "--json"])
        .exits(0)
        .json();
    assert_eq!(listed["remotes"][0]["url"], url.as_str());
    let store = sender.sandbox.path("artifacts");
    let push = ["push", "paper", &sender.run, "--store", text(&store)];
    let said = sandbox.execute(&push).exits(0).stdout;
    let run = run_url(&url, &sender.run);
    assert!(said.contains(&format!("pipeline pull {run}\n")), "{said}");
    let again = sandbox
        .execute(&[&push[..], &["--json"]].concat())
        .exits(0)
        .json();
    assert_eq!(again["runs"][0]["url"], run.as_str());

    // A stranger, who has nothing but the URL.
    let stranger = Sandbox::new();
    let dry = pull(&stranger, &run, "theirs", &["--dry-run", "--json"])
        .exits(0)
        .json();
    assert!(!stranger.path("theirs").exists());
    let pulled = pull(&stranger, &run, "theirs", &["--json"]).exits(0).json();
    assert_eq!(pulled["run"], sender.run.as_str());
    assert_eq!(
        (&pulled["bytes"], &pulled["place"]),
        (&dry["bytes"], &url.as_str().into())
    );
    let _ = stranger
        .execute(&["audit", "--all", "--store", "theirs"])
        .exits(0);
    let shown = ["show", "latest", "--store", "theirs"];
    let _ = stranger.execute(&shown).exits(0);
    let again = pull(&stranger, &run, "theirs", &["--json"]).exits(0).json();
    assert_eq!(
        (&again["already"], &again["files"]),
        (&true.into(), &0.into())
    );
    // The remote has a name there, and the run its whole hash.
    let _ = stranger.execute(&["remote", "add", "table", &url]).exits(0);
    let named = [
        "pull",
        "table",
        &sender.run,
        "--store",
        "named",
        "--results-only",
    ];
    let _ = stranger.execute(&named).exits(0);
    for asked in server.asked() {
        assert!(
            ["GET", "HEAD"].contains(&asked.method.as_str()),
            "{asked:?}"
        );
        assert!(!asked.path.ends_with('/'), "{asked:?}");
    }
}

#[test]
fn what_a_web_server_cannot_do_is_refused_before_it_is_asked() {
    let (sandbox, remote) = published();
    let server = WebServer::of(&remote);
    let (url, run) = (server.url(), &Sender::get().run);
    let one = run_url(&url, run);
    let store = Sender::get().sandbox.path("artifacts");
    let no_list = ["does not say what it has", "/contents/HASH.json"];
    let read_only = ["can be read and not written", "s3://BUCKET/PREFIX"];
    for (arguments, words) in [
        (&["pull", &url][..], no_list),
        (&["pull", &url, "latest"], no_list),
        (&["pull", &url, &run[..12]], no_list),
        (&["remote", "runs", &url], no_list),
        (&["push", &url, run, "--store", text(&store)], read_only),
        (
            &["push", &url, run, "--store", text(&store), "--dry-run"],
            read_only,
        ),
        (&["remote", "gc", &url], read_only),
        (&["remote", "forget", &url, run], read_only),
        (
            &["remote", "add", "x", &url, "--look-up", "any"],
            ["cannot take results", "s3://"],
        ),
        (
            &["remote", "add", "x", &url, "--url", &url],
            ["cannot be the URL", "bucket or folder"],
        ),
        (
            &["remote", "add", "x", "/x", "--url", "/y"],
            ["cannot be the URL", "bucket or folder"],
        ),
        (
            &["remote", "add", "x", &one],
            ["is one run of the remote", "https://"],
        ),
        (
            &["remote", "runs", &one],
            ["is one run of the remote", "https://"],
        ),
        (
            &["remote", "add", "x", "https://me:secret@lab.org"],
            ["has no room for", "https://"],
        ),
        (
            &["remote", "add", "x", "https://lab.org/?a=b"],
            ["leads to no folder", "https://"],
        ),
        (
            &["pull", &one, "latest"],
            ["names the run", "leave the other name away"],
        ),
    ] {
        let refused = sandbox.execute(arguments).exits(2).stderr;
        for word in words {
            assert!(
                refused.contains(word),
                "{arguments:?}: no {word:?} in:\n{refused}"
            );
        }
        assert!(!refused.contains("secret"), "{refused}");
    }
    assert!(server.asked().is_empty(), "{:?}", server.asked());
    // One that stands in the file all the same costs a remark.
    let names = sandbox.path("home/XDG_CONFIG_HOME/assay/remotes.toml");
    fs::create_dir_all(names.parent().unwrap()).unwrap();
    fs::write(
        &names,
        format!("[remote.x]\nplace = \"{url}\"\nlook_up = \"any\"\n"),
    )
    .unwrap();
    sandbox.pipeline(r#"["bp"]"#, 1);
    let said = sandbox.run(&["--only", "data"]).exits(0).stderr;
    assert!(said.contains("going on without the results of"), "{said}");
}

#[test]
fn a_transfer_that_breaks_off_goes_on_where_it_was() {
    let (sandbox, remote) = published();
    let run = &Sender::get().run;
    // Every answer breaks off, so that the large files need another pull.
    let folder = remote.clone();
    let broken = WebServer::start(move |asked, stream| give(&folder, asked, stream, 1 << 20));
    let one = run_url(&broken.url(), run);
    for store in ["with", "without"] {
        let refused = pull(&sandbox, &one, store, &[]).exits(2).stderr;
        assert!(refused.contains("goes on where it was"), "{refused}");
    }
    let again = broken.asked();
    let again = again.iter().filter(|asked| asked.from.is_some());
    assert!(again.count() > 0, "the rest was not asked for");
    // One server gives parts of files, and one does not.
    let whole = WebServer::of(&remote);
    let folder = remote.clone();
    let without = WebServer::start(move |asked, stream| {
        let whole = Asked {
            from: None,
            ..asked.clone()
        };
        give(&folder, &whole, stream, usize::MAX)
    });
    for (server, store) in [(&whole, "with"), (&without, "without")] {
        let _ = pull(&sandbox, &run_url(&server.url(), run), store, &[]).exits(0);
        let _ = sandbox
            .execute(&["audit", "--all", "--store", store])
            .exits(0);
        let parts = server.asked();
        let parts = parts
            .iter()
            .filter(|asked| asked.from.is_some_and(|from| from >= 1 << 20));
        assert!(parts.count() > 0, "{store}: nothing went on");
    }
}

#[test]
fn a_redirect_is_followed() {
    let (sandbox, remote) = published();
    let to = WebServer::of(&remote).url();
    let from = WebServer::start(move |asked, stream| {
        let name = asked.path.strip_prefix("/tables").unwrap();
        let location = format!("Location: {to}{name}\r\nContent-Length: 0\r\n");
        head(stream, "302 Found", &location)
    });
    let run = run_url(&from.url(), &Sender::get().run);
    let _ = pull(&sandbox, &run, "theirs", &["--results-only"]).exits(0);
}

/// Fails unless a pull from the server ends with this code and these words, and brings no run.
#[track_caller]
fn assert_refused(sandbox: &Sandbox, server: &WebServer, code: i32, words: &[&str]) {
    let run = run_url(&server.url(), &Sender::get().run);
    let said = pull(sandbox, &run, "theirs", &[]).exits(code).stderr;
    for word in words {
        assert!(said.contains(word), "no {word:?} in:\n{said}");
    }
    assert!(!said.contains("<html>"), "{said}");
    let runs = sandbox
        .execute(&["ls", "--store", "theirs", "--json"])
        .json();
    let runs = runs["runs"].as_array().map_or(0, Vec::len);
    assert_eq!(runs, 0);
}

#[test]
fn a_web_server_that_gives_something_else_is_refused() {
    let (sandbox, remote) = published();
    let refused = |server: &WebServer, code, words: &[&str]| {
        assert_refused(&sandbox, server, code, words);
    };
    // A page for everything.
    let page = WebServer::start(|asked, stream| {
        let page = "<!doctype html>\n<html>404</html>\n";
        head(
            stream,
            "200 OK",
            &format!("Content-Length: {}\r\n", page.len()),
        )?;
        match asked.method.as_str() {
            "GET" => stream.write_all(page.as_bytes()),
            _ => Ok(()),
        }
    });
    refused(&page, 1, &["is a page for people"]);
    // Bodies without end, of files and of errors.
    let endless = |status: &'static str| {
        WebServer::start(move |asked, stream| {
            if asked.method == "HEAD" {
                return head(stream, "200 OK", "Content-Length: 7\r\n");
            }
            head(stream, status, "")?;
            let spaces = vec![b' '; 1 << 16];
            loop {
                stream.write_all(&spaces)?;
            }
        })
    };
    refused(&endless("200 OK"), 1, &["has more than"]);
    refused(&endless("404 Not Found"), 1, &["is not there"]);
    refused(
        &endless("403 Forbidden"),
        2,
        &["403 Forbidden", "not everybody may read it"],
    );
    // Nothing there, and a run whose push broke off.
    refused(
        &WebServer::of(&sandbox.path("empty")),
        2,
        &["has no run", "check the URL"],
    );
    let folder = remote.clone();
    let unmarked = WebServer::start(move |asked, stream| {
        let folder = if asked.path.contains("/runs/") {
            Path::new("/nowhere")
        } else {
            &folder
        };
        give(folder, asked, stream, usize::MAX)
    });
    refused(&unmarked, 1, &["`runs/", "is not there", "push it again"]);
}

#[test]
fn a_web_server_that_gives_wrong_bytes_lengths_or_ways_is_refused() {
    let (sandbox, remote) = published();
    let refused = |server: &WebServer, code, words: &[&str]| {
        assert_refused(&sandbox, server, code, words);
    };
    // Wrong bytes and wrong lengths.
    let folder = remote.clone();
    let flipped = WebServer::start(move |asked, stream| {
        let mut bytes = file(&folder, asked).unwrap();
        if asked.path.contains("/objects/")
            && let Some(last) = bytes.last_mut()
        {
            *last ^= 1;
        }
        head(
            stream,
            "200 OK",
            &format!("Content-Length: {}\r\n", bytes.len()),
        )?;
        match asked.method.as_str() {
            "GET" => stream.write_all(&bytes),
            _ => Ok(()),
        }
    });
    refused(&flipped, 1, &["has other bytes than its name says"]);
    let folder = remote.clone();
    let huge = WebServer::start(move |asked, stream| match asked.method.as_str() {
        "HEAD" => head(stream, "200 OK", "Content-Length: 4611686018427387904\r\n"),
        _ => give(&folder, asked, stream, usize::MAX),
    });
    refused(&huge, 2, &["--max-size"]);
    let unknown = WebServer::start(|_, stream| head(stream, "200 OK", ""));
    refused(&unknown, 2, &["does not say how long it is"]);
    // A way that leads nowhere.
    let circle = WebServer::start(|asked, stream| {
        head(
            stream,
            "302 Found",
            &format!("Location: {}\r\nContent-Length: 0\r\n", asked.path),
        )
    });
    refused(&circle, 2, &["cannot find `contents/", "redirect"]);
    // A part of another place in the file.
    let folder = remote.clone();
    let elsewhere = WebServer::start(move |asked, stream| match asked.from {
        None => give(&folder, asked, stream, 1 << 20),
        Some(_) => head(
            stream,
            "206 Partial Content",
            "Content-Range: bytes 0-9/10\r\nContent-Length: 10\r\n",
        ),
    });
    refused(&elsewhere, 2, &["another part than the one from byte"]);
}

#[test]
fn a_web_server_that_is_down_is_an_error_soon() {
    let sandbox = Sandbox::new();
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let run = run_url(&format!("http://127.0.0.1:{port}"), &"ab".repeat(32));
    let begun = Instant::now();
    let refused = pull(&sandbox, &run, "theirs", &[]).exits(2).stderr;
    assert!(refused.contains("cannot find `contents/"), "{refused}");
    assert!(
        refused.contains("check the URL and the network"),
        "{refused}"
    );
    assert!(
        begun.elapsed() < Duration::from_secs(20),
        "{:?}",
        begun.elapsed()
    );
    assert!(!sandbox.path("theirs").exists());
}
