//! The place of a remote, and the way to it.

use std::fmt;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use assay_core::RunHash;
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{BackoffConfig, ClientConfigKey, ObjectStore, RetryConfig};
use reqwest::Url;
use tokio::runtime::{Builder, Runtime};

use crate::error::RemoteError;
use crate::listing::Listing;
use crate::profile::with_profile;
use crate::web::{WebError, WebFiles};

/// For a connection; whoever has no network learns it soon.
pub(crate) const CONNECT: Duration = Duration::from_secs(5);
/// For one request, which moves [`PIECE`](crate::transfer::PIECE) bytes at most.
const REQUEST: Duration = Duration::from_mins(2);
/// For the repetitions of a request.
pub(crate) const REPEAT: Duration = Duration::from_mins(1);
/// Repetitions of a request, and the shortest and longest wait before one: a server that is down is an error
/// within ten seconds.
pub(crate) const REPETITIONS: usize = 4;
pub(crate) const WAITS: [Duration; 2] = [Duration::from_millis(500), Duration::from_secs(3)];

/// The place of a remote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A folder.
    Folder(PathBuf),
    /// A bucket of an S3 server, and the beginning of the names in it, which may be empty.
    Bucket {
        /// The bucket.
        name: String,
        /// Without `/` at its ends.
        prefix: String,
    },
    /// A folder or bucket as a web server shows it below this URL, which has neither credentials nor a query. It
    /// can be read by those who know a run's hash, and neither listed nor written.
    Web(Url),
}

impl Place {
    /// Reads `s3://BUCKET/PREFIX`, a URL of a web server, or the path of a folder.
    ///
    /// # Errors
    /// The text is none of these, or is the URL of one run. No place is asked.
    pub fn parse(text: &str) -> Result<Self, RemoteError> {
        let refused = |problem: &str| RemoteError::Place {
            text: text.to_owned(),
            problem: problem.to_owned(),
        };
        let Some((scheme, rest)) = text.split_once("://") else {
            return match text {
                "" => Err(refused("it is empty")),
                text => Ok(Self::Folder(PathBuf::from(text))),
            };
        };
        match scheme {
            "s3" => {}
            "https" | "http" => return Self::parse_url(text),
            _ => return Err(refused("only s3://, https:// and folders are known")),
        }
        let (name, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let allowed = |char: char| char.is_ascii_alphanumeric() || ".-_".contains(char);
        if name.is_empty() || !name.chars().all(allowed) {
            return Err(refused("that is no name of a bucket"));
        }
        let prefix = prefix.trim_matches('/');
        Path::parse(prefix).map_err(|error| refused(&error.to_string()))?;
        Ok(Self::Bucket {
            name: name.to_owned(),
            prefix: prefix.to_owned(),
        })
    }

    fn parse_url(text: &str) -> Result<Self, RemoteError> {
        let refused = |text: &str, problem: String| RemoteError::Place {
            text: text.to_owned(),
            problem,
        };
        let mut url = Url::parse(text).map_err(|error| refused(text, error.to_string()))?;
        if !url.username().is_empty() || url.password().is_some() {
            // They are printed nowhere.
            let host = url.host_str().unwrap_or_default();
            let problem = "its user or password: what is read there is public";
            return Err(refused(host, format!("the URL has no room for {problem}")));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(refused(text, "a `?` or `#` leads to no folder".to_owned()));
        }
        let path = url.path().trim_end_matches('/').to_owned();
        url.set_path(&path);
        let place = Self::Web(url);
        match Self::parse_run_url(&place.to_string()) {
            Some((remote, _)) => Err(refused(
                text,
                format!("that is one run of the remote {remote}"),
            )),
            None => Ok(place),
        }
    }

    /// The remote and the run that a text names which [`Place::run_url`] has made.
    pub fn parse_run_url(text: &str) -> Option<(Self, RunHash)> {
        let (remote, name) = text.rsplit_once("/contents/")?;
        let run = name.strip_suffix(".json")?.parse().ok()?;
        match Self::parse(remote) {
            Ok(Self::Web(url)) => Some((Self::Web(url), run)),
            _ => None,
        }
    }

    /// The one URL by which anybody can take a run of this place, if it is a web server's.
    pub fn run_url(&self, run: RunHash) -> Option<String> {
        match self {
            Self::Web(_) => Some(format!("{self}/{}", Listing::name(run))),
            Self::Folder(_) | Self::Bucket { .. } => None,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(path) => write!(f, "{}", path.display()),
            Self::Bucket { name, prefix } if prefix.is_empty() => write!(f, "s3://{name}"),
            Self::Bucket { name, prefix } => write!(f, "s3://{name}/{prefix}"),
            Self::Web(url) => f.write_str(url.as_str().trim_end_matches('/')),
        }
    }
}

/// The use that is made of a remote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Reading what is there.
    Read,
    /// Changing what is there.
    Change,
    /// Writing; a folder that is not there is made.
    Write,
    /// Asking what a push would write; in a folder that is not there is nothing.
    Survey,
}

/// A remote that can be asked.
#[derive(Debug)]
pub struct Remote {
    pub(crate) place: Place,
    pub(crate) files: Files,
    pub(crate) prefix: Path,
    /// It is never given back: its end would wait for the look-up of a server's name, which may take half a minute.
    pub(crate) runtime: &'static Runtime,
}

/// The way to the files of a remote.
#[derive(Debug)]
pub(crate) enum Files {
    /// They can be listed, read and written.
    Store(Arc<dyn ObjectStore>),
    /// They can be read.
    Web(WebFiles),
}

impl Files {
    fn store(files: impl ObjectStore) -> Self {
        Self::Store(Arc::new(files))
    }
}

impl Remote {
    /// Makes ready to ask the place. Credentials of a bucket are those of the environment
    /// (`AWS_ACCESS_KEY_ID`, …) or of the machine's role.
    ///
    /// # Errors
    /// The folder is not there or cannot be made, the environment's settings make no sense, or the place can only be
    /// read.
    pub fn open(place: Place, access: Access) -> Result<Self, RemoteError> {
        // Asynchronous file access and requests share one thread; hashing is done in it too.
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(RemoteError::Runtime)?;
        let failed = |source| RemoteError::Settings {
            place: place.to_string(),
            source,
        };
        // The one implementation of TLS that is built in; another may have been chosen already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let (files, prefix) = match &place {
            Place::Web(_) if access != Access::Read => {
                let place = place.to_string();
                return Err(RemoteError::ReadOnly { place });
            }
            Place::Web(url) => {
                let files = WebFiles::new(url).map_err(|source| RemoteError::Client {
                    place: place.to_string(),
                    source,
                })?;
                (Files::Web(files), Path::default())
            }
            Place::Folder(path) => {
                let found = match access {
                    Access::Write => std::fs::create_dir_all(path),
                    Access::Read | Access::Change | Access::Survey => Ok(()),
                };
                match found.and_then(|()| path.metadata()) {
                    Ok(_) => {
                        let files = LocalFileSystem::new_with_prefix(path).map_err(failed)?;
                        // After a power cut too, a marker means that everything before it is there.
                        let files = files.with_fsync(true).with_automatic_cleanup(true);
                        (Files::store(files), Path::default())
                    }
                    Err(error)
                        if access == Access::Survey && error.kind() == ErrorKind::NotFound =>
                    {
                        (Files::store(InMemory::new()), Path::default())
                    }
                    Err(source) => {
                        let path = path.clone();
                        return Err(RemoteError::Folder { path, source });
                    }
                }
            }
            Place::Bucket { name, prefix } => {
                let retry = RetryConfig {
                    max_retries: REPETITIONS,
                    retry_timeout: REPEAT,
                    backoff: BackoffConfig {
                        init_backoff: WAITS[0],
                        max_backoff: WAITS[1],
                        ..BackoffConfig::default()
                    },
                };
                let limit = |key, limit: Duration| {
                    let value = format!("{} seconds", limit.as_secs());
                    (AmazonS3ConfigKey::Client(key), value)
                };
                let limits = [
                    limit(ClientConfigKey::ConnectTimeout, CONNECT),
                    limit(ClientConfigKey::Timeout, REQUEST),
                ];
                let builder = with_profile(AmazonS3Builder::from_env())
                    .with_bucket_name(name)
                    .with_retry(retry);
                let builder = limits.into_iter().fold(builder, |builder, (key, value)| {
                    builder.with_config(key, value)
                });
                let files = builder.build().map_err(failed)?;
                (Files::store(files), Path::from(prefix.as_str()))
            }
        };
        Ok(Self {
            files,
            prefix,
            runtime: Box::leak(Box::new(runtime)),
            place,
        })
    }

    /// The place.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// The files, which can be listed.
    pub(crate) fn listed(&self) -> Result<&dyn ObjectStore, RemoteError> {
        match &self.files {
            Files::Store(files) => Ok(files.as_ref()),
            Files::Web(_) => Err(RemoteError::Unlisted {
                place: self.place.to_string(),
            }),
        }
    }

    /// The files, which can be written and removed.
    pub(crate) fn written(&self) -> Result<&dyn ObjectStore, RemoteError> {
        match &self.files {
            Files::Store(files) => Ok(files.as_ref()),
            Files::Web(_) => Err(RemoteError::ReadOnly {
                place: self.place.to_string(),
            }),
        }
    }

    /// The path of the file `name`.
    pub(crate) fn path(&self, name: &str) -> Path {
        let parts = self.prefix.parts().map(|part| part.as_ref().to_owned());
        parts.chain(name.split('/').map(str::to_owned)).collect()
    }

    /// The name of the file that lies at `path`.
    pub(crate) fn name(&self, path: &Path) -> Option<String> {
        let parts: Vec<_> = path.prefix_match(&self.prefix)?.collect();
        let parts: Vec<_> = parts.iter().map(AsRef::as_ref).collect();
        Some(parts.join("/"))
    }

    /// The error of a request about the file `name`.
    pub(crate) fn failed(
        &self,
        what: &'static str,
        name: &str,
    ) -> impl FnOnce(object_store::Error) -> RemoteError {
        let (name, place) = (name.to_owned(), self.place.to_string());
        move |source| RemoteError::Request {
            what,
            name,
            place,
            source,
        }
    }

    /// The error of a request to a web server about the file `name`.
    pub(crate) fn unanswered(
        &self,
        what: &'static str,
        name: &str,
    ) -> impl FnOnce(WebError) -> RemoteError {
        let (name, place) = (name.to_owned(), self.place.to_string());
        move |source| RemoteError::Web {
            what,
            name,
            place,
            source,
        }
    }

    /// The error of a file whose bytes are not those that its name says.
    pub(crate) fn damaged(&self, name: &str) -> RemoteError {
        RemoteError::Damaged {
            name: name.to_owned(),
            place: self.place.to_string(),
        }
    }

    /// The error of a file that is not what its name says.
    pub(crate) fn wrong(&self, name: &str, problem: impl Into<String>) -> RemoteError {
        RemoteError::Content {
            name: name.to_owned(),
            place: self.place.to_string(),
            problem: problem.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_bucket_a_url_or_a_folder() {
        let bucket = |text| Place::parse(text).map(|place| place.to_string());
        assert_eq!(bucket("s3://lab/tables/").unwrap(), "s3://lab/tables");
        assert_eq!(bucket("s3://lab").unwrap(), "s3://lab");
        let folder = Place::parse("/mnt/lab").unwrap();
        assert_eq!(folder, Place::Folder("/mnt/lab".into()));
        for (text, place) in [
            ("https://lab.org/tables/", "https://lab.org/tables"),
            ("https://lab.org", "https://lab.org"),
            (
                "http://127.0.0.1:8000/a%20b/../c",
                "http://127.0.0.1:8000/c",
            ),
        ] {
            assert_eq!(Place::parse(text).unwrap().to_string(), place);
        }
        let run = RunHash::of(b"x");
        for remote in ["https://lab.org", "https://lab.org/a/contents"] {
            let url = Place::parse(remote).unwrap().run_url(run).unwrap();
            let (place, named) = Place::parse_run_url(&url).unwrap();
            assert_eq!((place.to_string().as_str(), named), (remote, run));
            let refused = Place::parse(&url).unwrap_err().to_string();
            assert!(refused.contains("is one run of the remote"), "{refused}");
        }
        assert_eq!(
            Place::parse_run_url("https://lab.org/contents/x.json"),
            None
        );
        let secret = Place::parse("https://me:secret@lab.org/x").unwrap_err();
        assert!(
            !format!("{secret:?}{secret}").contains("secret"),
            "{secret}"
        );
        for text in [
            "",
            "https://",
            "https://lab.org/x?key=1",
            "https://lab.org/x#part",
            "s3://",
            "s3:///x",
            "ftp://lab/x",
            "s3://a b/c",
            "s3://lab/a//b",
        ] {
            assert!(Place::parse(text).is_err(), "{text}");
        }
    }
}
