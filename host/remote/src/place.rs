//! The place of a remote, and the way to it.

use std::fmt;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{BackoffConfig, ClientConfigKey, ObjectStore, RetryConfig};
use tokio::runtime::{Builder, Runtime};

use crate::error::RemoteError;
use crate::profile::with_profile;

/// For a connection; whoever has no network learns it soon.
const CONNECT: &str = "5 seconds";
/// For one request, which moves [`PIECE`](crate::transfer::PIECE) bytes at most.
const REQUEST: &str = "120 seconds";
/// For the repetitions of a request.
const REPEAT: Duration = Duration::from_mins(1);
/// Repetitions of a request, and the shortest and longest wait before one: a server that is down is an error
/// within ten seconds.
const REPETITIONS: usize = 4;
const WAITS: [Duration; 2] = [Duration::from_millis(500), Duration::from_secs(3)];

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
}

impl Place {
    /// Reads `s3://BUCKET/PREFIX`, or the path of a folder.
    ///
    /// # Errors
    /// The text is neither. No place is asked.
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
        if scheme != "s3" {
            return Err(refused("only s3:// and folders are known"));
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
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(path) => write!(f, "{}", path.display()),
            Self::Bucket { name, prefix } if prefix.is_empty() => write!(f, "s3://{name}"),
            Self::Bucket { name, prefix } => write!(f, "s3://{name}/{prefix}"),
        }
    }
}

/// The use that is made of a remote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Reading what is there.
    Read,
    /// Writing; a folder that is not there is made.
    Write,
    /// Asking what a push would write; in a folder that is not there is nothing.
    Survey,
}

/// A remote that can be asked.
#[derive(Debug)]
pub struct Remote {
    pub(crate) place: Place,
    pub(crate) files: Arc<dyn ObjectStore>,
    pub(crate) prefix: Path,
    /// It is never given back: its end would wait for the look-up of a server's name, which may take half a minute.
    pub(crate) runtime: &'static Runtime,
}

impl Remote {
    /// Makes ready to ask the place. Credentials of a bucket are those of the environment
    /// (`AWS_ACCESS_KEY_ID`, …) or of the machine's role.
    ///
    /// # Errors
    /// The folder is not there or cannot be made, or the environment's settings make no sense.
    pub fn open(place: Place, access: Access) -> Result<Self, RemoteError> {
        // Asynchronous file access and requests share one thread; hashing is done in it too.
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(RemoteError::Runtime)?;
        let failed = |source| RemoteError::Settings {
            place: place.to_string(),
            source,
        };
        let (files, prefix): (Arc<dyn ObjectStore>, Path) = match &place {
            Place::Folder(path) => {
                let found = match access {
                    Access::Write => std::fs::create_dir_all(path),
                    Access::Read | Access::Survey => Ok(()),
                };
                match found.and_then(|()| path.metadata()) {
                    Ok(_) => {
                        let files = LocalFileSystem::new_with_prefix(path).map_err(failed)?;
                        // After a power cut too, a marker means that everything before it is there.
                        let files = files.with_fsync(true).with_automatic_cleanup(true);
                        (Arc::new(files), Path::default())
                    }
                    Err(error)
                        if access == Access::Survey && error.kind() == ErrorKind::NotFound =>
                    {
                        (Arc::new(InMemory::new()), Path::default())
                    }
                    Err(source) => {
                        let path = path.clone();
                        return Err(RemoteError::Folder { path, source });
                    }
                }
            }
            Place::Bucket { name, prefix } => {
                // The one implementation of TLS that is built in; another may have been chosen already.
                let _ = rustls::crypto::ring::default_provider().install_default();
                let retry = RetryConfig {
                    max_retries: REPETITIONS,
                    retry_timeout: REPEAT,
                    backoff: BackoffConfig {
                        init_backoff: WAITS[0],
                        max_backoff: WAITS[1],
                        ..BackoffConfig::default()
                    },
                };
                let limit = |key, value: &str| (AmazonS3ConfigKey::Client(key), value.to_owned());
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
                (Arc::new(files), Path::from(prefix.as_str()))
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
    fn a_place_is_a_bucket_or_a_folder() {
        let bucket = |text| Place::parse(text).map(|place| place.to_string());
        assert_eq!(bucket("s3://lab/tables/").unwrap(), "s3://lab/tables");
        assert_eq!(bucket("s3://lab").unwrap(), "s3://lab");
        let folder = Place::parse("/mnt/lab").unwrap();
        assert_eq!(folder, Place::Folder("/mnt/lab".into()));
        for text in [
            "",
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
