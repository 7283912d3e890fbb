use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use super::*;
use crate::content::gzip;
use crate::known::MNIST;

fn content(file: IdxFile) -> Vec<u8> {
    format!("the content of {}", file.name()).into_bytes()
}

fn wanted() -> [Expected; 4] {
    IdxFile::ALL.map(|file| {
        let bytes = content(file);
        Expected {
            file,
            limit: bytes.len() as u64,
            digest: Digest::Sha256(String::new()).same_kind_of(&bytes),
        }
    })
}

fn find(places: &[Place]) -> Result<IdxContents, SourceError> {
    collect("toy", wanted(), places, &mut |_| {})
}

fn directory_with(files: &[IdxFile], compressed: bool) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for &file in files {
        let [plain, gz] = directory::candidates(folder.path(), file);
        if compressed {
            fs::write(gz, gzip(&content(file))).unwrap();
        } else {
            fs::write(plain, content(file)).unwrap();
        }
    }
    folder
}

fn place(folder: &tempfile::TempDir) -> Place {
    Place::Directory(folder.path().to_owned())
}

#[test]
fn files_are_found_plain_and_compressed_across_directories() {
    let plain = directory_with(&IdxFile::ALL[..2], false);
    let compressed = directory_with(&IdxFile::ALL[2..], true);
    let found = find(&[place(&plain), place(&compressed)]).unwrap();
    assert_eq!(found.train_images.bytes, content(IdxFile::TrainImages));
    assert_eq!(found.test_labels.bytes, content(IdxFile::TestLabels));
    assert_eq!(
        found.test_labels.origin,
        Origin::File(compressed.path().join("t10k-labels-idx1-ubyte.gz"))
    );
}

#[test]
fn wrong_content_is_remembered_and_the_next_place_tried() {
    let bad = directory_with(&IdxFile::ALL, false);
    fs::write(bad.path().join("t10k-labels-idx1-ubyte"), "other").unwrap();
    fs::write(bad.path().join("t10k-images-idx3-ubyte"), [0; 100]).unwrap();
    let good = directory_with(&IdxFile::ALL, true);
    let found = find(&[place(&bad), place(&good)]).unwrap();
    assert!(
        matches!(&found.test_labels.origin, Origin::File(path) if path.starts_with(good.path()))
    );
    assert!(
        matches!(&found.train_labels.origin, Origin::File(path) if path.starts_with(bad.path()))
    );

    let error = find(&[place(&bad)]).unwrap_err();
    assert_eq!(error.missing, [IdxFile::TestImages, IdxFile::TestLabels]);
    let text = error.to_string();
    let folder = bad.path().display();
    assert!(
        text.contains(&format!(
            "  {folder}/t10k-images-idx3-ubyte: holds more than the 37 bytes expected\n"
        )),
        "{text}"
    );
    assert!(
        text.contains(&format!(
            "  {folder}/t10k-labels-idx1-ubyte: the content is not the expected one: sha256 "
        )),
        "{text}"
    );
}

#[test]
fn a_compressed_file_stands_in_for_a_damaged_plain_one() {
    let folder = directory_with(&IdxFile::ALL, true);
    fs::write(folder.path().join("t10k-labels-idx1-ubyte"), "other").unwrap();
    assert!(find(&[place(&folder)]).is_ok());
}

#[test]
fn the_final_error_lists_every_place_and_says_what_to_do() {
    let folder = directory_with(&IdxFile::ALL[..3], false);
    let missing = folder.path().join("missing");
    let error = find(&[Place::Directory(missing.clone()), place(&folder)]).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "could not obtain t10k-labels-idx1-ubyte of dataset `toy`\n  {}: no such directory\n  \
             {}/t10k-labels-idx1-ubyte: not there, neither plain nor as .gz\nput \
             t10k-labels-idx1-ubyte (plain or with .gz added to the name) into a directory and \
             set ASSAY_DATA_DIR to it, or to the directory that holds it as `toy`",
            missing.display(),
            folder.path().display()
        )
    );
}

#[test]
fn without_directory_and_network_mnist_is_not_searched() {
    let error = obtain_known(&MNIST, Search::default(), &mut |_| {}).unwrap_err();
    assert_eq!(error.missing, IdxFile::ALL);
    assert!(
        error
            .to_string()
            .contains("nothing was tried: no directory was named and the network is off")
    );
}

#[test]
fn a_users_dataset_is_recognised_by_its_hashes() {
    let parent = tempfile::tempdir().unwrap();
    let folder = directory_with(&IdxFile::ALL, true);
    fs::rename(folder.path(), parent.path().join("own")).unwrap();
    let hashes = hash_directory(&parent.path().join("own")).unwrap();
    assert_eq!(
        hashes.test_images,
        ContentHash::of(&content(IdxFile::TestImages))
    );

    let search = Search {
        directory: Some(parent.path()),
        network: false,
    };
    let found = obtain_idx("own", &hashes, search).unwrap();
    assert_eq!(found.train_labels.bytes, content(IdxFile::TrainLabels));

    fs::write(
        parent.path().join("own/t10k-images-idx3-ubyte.gz"),
        "changed",
    )
    .unwrap();
    let error = obtain_idx("own", &hashes, search).unwrap_err().to_string();
    assert!(
        error.contains("the content is not the expected one: blake3 "),
        "{error}"
    );
}

#[test]
fn hashing_names_the_file_that_is_missing_or_broken() {
    let folder = directory_with(&IdxFile::ALL[..3], false);
    let error = hash_directory(folder.path()).unwrap_err().to_string();
    let start = format!(
        "{}/t10k-labels-idx1-ubyte: not there, neither plain nor as .gz; a dataset in IDX format \
         needs train-images-idx3-ubyte, ",
        folder.path().display()
    );
    assert!(error.starts_with(&start), "{error}");

    fs::write(
        folder.path().join("t10k-labels-idx1-ubyte"),
        [0x1f, 0x8b, 1],
    )
    .unwrap();
    let error = hash_directory(folder.path()).unwrap_err().to_string();
    assert!(
        error.contains("t10k-labels-idx1-ubyte: could not be read: "),
        "{error}"
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
                (&stream).write_all(&answer(&path)).unwrap();
                log.lock().unwrap().push(path);
            }
        });
        Self { base, asked }
    }

    fn place(&self) -> Place {
        Place::Mirror(self.base.clone())
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

fn file_at(path: &str) -> Option<IdxFile> {
    IdxFile::ALL
        .into_iter()
        .find(|file| path.ends_with(&format!("{}.gz", file.name())))
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
        wanted(),
        &[Place::Mirror(base.clone())],
        &mut |step| {
            seen.push((step.file, step.done, step.total));
        },
    )
    .unwrap();
    assert_eq!(found.train_images.bytes, content(IdxFile::TrainImages));
    assert_eq!(
        found.train_images.origin.to_string(),
        format!("{base}train-images-idx3-ubyte.gz")
    );
    let size = gzip(&content(IdxFile::TestLabels)).len() as u64;
    assert_eq!(seen.last(), Some(&(IdxFile::TestLabels, size, Some(size))));
}

#[test]
fn an_unreachable_mirror_is_given_up_once_and_the_next_is_tried() {
    let closed = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let dead = Place::Mirror(format!("http://{closed}/"));
    let server = Server::start(serve);
    assert!(find(&[dead, server.place()]).is_ok());
    assert_eq!(server.asked.lock().unwrap().len(), 4);

    let error = find(&[Place::Mirror(format!("http://{closed}/"))]).unwrap_err();
    assert_eq!(error.attempts.len(), 1);
    let text = error.to_string();
    let expected = format!("  http://{closed}/: could not be reached: ");
    assert!(text.contains(&expected), "{text}");
}

#[test]
fn bad_answers_are_told_apart() {
    let server = Server::start(|path| match file_at(path) {
        Some(IdxFile::TrainImages) => response("404 Not Found", "", b""),
        Some(IdxFile::TrainLabels) => response("200 OK", "", b"<html>log in first</html>"),
        Some(IdxFile::TestImages) => response("200 OK", "", &vec![0; 1 << 20]),
        _ => response("200 OK", "", &gzip(&vec![0; 1 << 20])),
    });
    let text = find(&[server.place()]).unwrap_err().to_string();
    for reason in [
        "train-images-idx3-ubyte.gz: the server answered with status 404\n",
        "train-labels-idx1-ubyte.gz: the content is not the expected one: sha256 ",
        "t10k-images-idx3-ubyte.gz: holds more than the 65573 bytes expected\n",
        "t10k-labels-idx1-ubyte.gz: holds more than the 37 bytes expected\n",
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
