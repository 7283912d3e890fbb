use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use super::*;
use crate::content::gzip;

/// Files that a place is expected to give; the content of each tells its name.
pub(super) const FILES: [&str; 4] = ["train-images", "train-labels", "test-images", "test-labels"];

pub(super) fn content(name: &str) -> Vec<u8> {
    format!("the content of {name}").into_bytes()
}

pub(super) fn wanted() -> [Expected; 4] {
    FILES.map(|name| {
        let bytes = content(name);
        Expected {
            name,
            limit: bytes.len() as u64,
            digest: Digest::Sha256(String::new()).same_kind_of(&bytes),
        }
    })
}

pub(super) fn find(places: &[Location]) -> Result<[ObtainedFile; 4], ObtainError> {
    collect("toy", None, wanted(), places, &mut |_| {})
}

fn directory_with(files: &[&str], compressed: bool) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for file in files {
        let [plain, gz] = directory::candidates(folder.path(), file);
        if compressed {
            fs::write(gz, gzip(&content(file))).unwrap();
        } else {
            fs::write(plain, content(file)).unwrap();
        }
    }
    folder
}

fn place(folder: &tempfile::TempDir) -> Location {
    Location::Directory(folder.path().to_owned())
}

#[test]
fn files_are_found_plain_and_compressed_across_directories() {
    let plain = directory_with(&FILES[..2], false);
    let compressed = directory_with(&FILES[2..], true);
    let found = find(&[place(&plain), place(&compressed)]).unwrap();
    assert_eq!(found.each_ref().map(|file| file.name), FILES);
    assert_eq!(
        found.each_ref().map(|file| &file.bytes),
        FILES.map(content).each_ref()
    );
    assert_eq!(
        found[3].origin,
        Origin::File(compressed.path().join("test-labels.gz"))
    );
}

#[test]
fn wrong_content_is_remembered_and_the_next_place_tried() {
    let bad = directory_with(&FILES, false);
    fs::write(bad.path().join("test-labels"), "other").unwrap();
    fs::write(bad.path().join("test-images"), [0; 100]).unwrap();
    let good = directory_with(&FILES, true);
    let found = find(&[place(&bad), place(&good)]).unwrap();
    assert!(matches!(&found[3].origin, Origin::File(path) if path.starts_with(good.path())));
    assert!(matches!(&found[1].origin, Origin::File(path) if path.starts_with(bad.path())));

    let error = find(&[place(&bad)]).unwrap_err();
    assert_eq!(error.missing, ["test-images", "test-labels"]);
    let text = error.to_string();
    let folder = bad.path().display();
    assert!(
        text.contains(&format!(
            "  {folder}/test-images: holds more than the 26 bytes expected\n"
        )),
        "{text}"
    );
    assert!(
        text.contains(&format!(
            "  {folder}/test-labels: the content is not the expected one: sha256 "
        )),
        "{text}"
    );
}

#[test]
fn a_compressed_file_stands_in_for_a_damaged_plain_one() {
    let folder = directory_with(&FILES, true);
    fs::write(folder.path().join("test-labels"), "other").unwrap();
    assert!(find(&[place(&folder)]).is_ok());
}

#[test]
fn the_final_error_lists_every_place_and_says_what_to_do() {
    let folder = directory_with(&FILES[..3], false);
    let missing = folder.path().join("missing");
    let error = find(&[Location::Directory(missing.clone()), place(&folder)]).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "could not obtain test-labels of dataset `toy`\n  {}: no such directory\n  \
             {}/test-labels: not there, neither plain nor as .gz\nput \
             test-labels (plain or with .gz added to the name) into a directory and \
             set ASSAY_DATA_DIR to it, or to the directory that holds it as `toy`",
            missing.display(),
            folder.path().display()
        )
    );
}

/// A server on this machine that answers each path by `answer`, and the paths asked for.
struct Server {
    base: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Server {
    fn start(answer: impl Fn(&str) -> Vec<u8> + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base = format!("http://{}/", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&asked);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let path = request_path(&stream);
                let answer = answer(&path);
                // Noted before it is answered, so that whoever has the answer sees the note.
                log.lock().unwrap().push(path);
                (&stream).write_all(&answer).unwrap();
            }
        });
        Self { base, asked }
    }

    fn place(&self) -> Location {
        Location::Mirror(self.base.clone())
    }
}

fn request_path(stream: &TcpStream) -> String {
    let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
    let request = lines.next().unwrap_or_default();
    lines.find(String::is_empty);
    request.split(' ').nth(1).unwrap_or_default().to_owned()
}

fn response(status: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 {status}\r\n{headers}content-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

fn file_at(path: &str) -> Option<&'static str> {
    FILES
        .into_iter()
        .find(|file| path.ends_with(&format!("{file}.gz")))
}

fn serve(path: &str) -> Vec<u8> {
    file_at(path).map_or_else(
        || response("404 Not Found", "", b""),
        |file| response("200 OK", "", &gzip(&content(file))),
    )
}

#[test]
fn files_are_downloaded_with_progress_and_redirects() {
    let server = Server::start(|path| match path.strip_prefix("/moved/") {
        Some(file) => response("302 Found", &format!("location: /here/{file}\r\n"), b""),
        None => serve(path),
    });
    let mut seen = Vec::new();
    let base = format!("{}moved/", server.base);
    let found = collect(
        "toy",
        None,
        wanted(),
        &[Location::Mirror(base.clone())],
        &mut |step| {
            seen.push((step.file, step.done, step.total));
        },
    )
    .unwrap();
    assert_eq!(found[0].bytes, content(FILES[0]));
    assert_eq!(
        found[0].origin.to_string(),
        format!("{base}train-images.gz")
    );
    let size = gzip(&content("test-labels")).len() as u64;
    assert_eq!(seen.last(), Some(&("test-labels", size, Some(size))));
}

#[test]
fn an_unreachable_mirror_is_given_up_once_and_the_next_is_tried() {
    let closed = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let dead = Location::Mirror(format!("http://{closed}/"));
    let server = Server::start(serve);
    assert!(find(&[dead, server.place()]).is_ok());
    assert_eq!(server.asked.lock().unwrap().len(), 4);

    let error = find(&[Location::Mirror(format!("http://{closed}/"))]).unwrap_err();
    assert_eq!(error.attempts.len(), 1);
    let text = error.to_string();
    let expected = format!("  http://{closed}/: could not be reached: ");
    assert!(text.contains(&expected), "{text}");
}

#[test]
fn bad_answers_are_told_apart() {
    let server = Server::start(|path| match file_at(path) {
        Some("train-images") => response("404 Not Found", "", b""),
        Some("train-labels") => response("200 OK", "", b"<html>log in first</html>"),
        Some("test-images") => response("200 OK", "", &vec![0; 1 << 20]),
        _ => response("200 OK", "", &gzip(&vec![0; 1 << 20])),
    });
    let text = find(&[server.place()]).unwrap_err().to_string();
    for reason in [
        "train-images.gz: the server answered with status 404\n",
        "train-labels.gz: the content is not the expected one: sha256 ",
        "test-images.gz: holds more than the 65562 bytes expected\n",
        "test-labels.gz: holds more than the 26 bytes expected\n",
    ] {
        assert!(text.contains(reason), "{reason}: {text}");
    }
}

#[test]
fn a_transfer_that_breaks_off_is_an_error() {
    let server = Server::start(|path| {
        let whole = serve(path);
        whole[..whole.len() - 5].to_vec()
    });
    let text = find(&[server.place()]).unwrap_err().to_string();
    assert!(text.contains(": could not be reached: "), "{text}");
}

#[test]
fn an_archive_is_downloaded_with_progress_and_its_entries_checked() {
    let entries = FILES.map(|name| (format!("toy-files/{name}"), content(name)));
    let archive = archive::tests::archive(&entries);
    let size = archive.len() as u64;
    let known = PublishedArchive {
        name: "toy.tar.gz",
        folder: "toy-files",
        bytes: size,
    };
    let server = Server::start(move |path| match path {
        "/toy.tar.gz" => response("200 OK", "", &archive),
        _ => response("404 Not Found", "", b""),
    });
    let mut seen = Vec::new();
    let place = Location::ArchiveMirror(server.base.clone(), known);
    let found = collect("toy", None, wanted(), &[place], &mut |step| {
        seen.push((step.file, step.done, step.total));
    })
    .unwrap();
    assert_eq!(found[3].bytes, content("test-labels"));
    assert_eq!(
        found[3].origin.to_string(),
        format!("{}toy.tar.gz (toy-files/test-labels)", server.base)
    );
    assert_eq!(seen.last(), Some(&("toy.tar.gz", size, Some(size))));

    let smaller = PublishedArchive {
        bytes: size - 1,
        ..known
    };
    let error = find(&[Location::ArchiveMirror(server.base.clone(), smaller)]).unwrap_err();
    assert_eq!(error.attempts.len(), 1);
    let expected = format!(
        "toy.tar.gz: holds more than the {} bytes expected\n",
        size - 1
    );
    assert!(error.to_string().contains(&expected), "{error}");
}
