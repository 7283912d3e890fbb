//! Moving files: those that are there, one file from there, one file to there. Nothing is trusted to have
//! the size or the bytes that it should.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::io::{Read, Write};

use assay_bundle::Watch;
use assay_core::ObjectHash;
use assay_store::{DOCUMENT_LIMIT, ObjectReader, Store, StoreError};
use bytes::Bytes;
use futures_util::stream::BoxStream;
use futures_util::{StreamExt, TryStreamExt};
use object_store::{GetOptions, ObjectStoreExt, PutMode, PutOptions, PutPayload};

use crate::error::RemoteError;
use crate::place::{Place, Remote};

/// Bytes of a large file that are moved in one request.
pub(crate) const PIECE: u64 = 8 << 20;
/// Requests at a time.
pub(crate) const TOGETHER: usize = 32;
/// Files up to this number are asked for one by one; for more, all names are listed.
const ASK: usize = 2000;

/// Tells the watch of so many more bytes each time, out of `total`, until it stops the work.
pub(crate) fn progress(
    watch: Watch<'_>,
    total: u64,
) -> impl Fn(u64) -> Result<(), RemoteError> + '_ {
    let done = Cell::new(0);
    move |count| {
        done.set(done.get() + count);
        (watch.progress)(done.get(), total);
        if (watch.stopped)() {
            return Err(RemoteError::Stopped);
        }
        Ok(())
    }
}

impl Remote {
    /// Refuses a file of a folder that is a pipe or a device: to open it could take forever.
    fn check_regular(&self, name: &str) -> Result<(), RemoteError> {
        if let Place::Folder(folder) = &self.place
            && let Ok(found) = folder.join(name).metadata()
            && !found.is_file()
        {
            return Err(self.wrong(name, "is no regular file"));
        }
        Ok(())
    }

    /// The size of a file, if it is there.
    pub(crate) async fn size(&self, name: &str) -> Result<Option<u64>, RemoteError> {
        self.check_regular(name)?;
        match self.files.head(&self.path(name)).await {
            Ok(found) => Ok(Some(found.size)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(self.failed("find", name)(error)),
        }
    }

    /// The sizes of those of `names` that are there.
    pub(crate) async fn sizes(
        &self,
        names: &[String],
    ) -> Result<BTreeMap<String, u64>, RemoteError> {
        if names.len() > ASK {
            let mut found = BTreeMap::new();
            for folder in ["objects", "results", "contents", "runs"] {
                found.extend(self.list(folder).await?);
            }
            return Ok(found);
        }
        let asked = names.iter().map(|name| async move {
            let size = self.size(name).await?;
            Ok::<_, RemoteError>(size.map(|size| (name.clone(), size)))
        });
        let asked = futures_util::stream::iter(asked).buffer_unordered(TOGETHER);
        let found: Vec<_> = asked.try_collect().await?;
        Ok(found.into_iter().flatten().collect())
    }

    /// The names below a folder, with their sizes.
    pub(crate) async fn list(&self, folder: &str) -> Result<Vec<(String, u64)>, RemoteError> {
        let path = self.path(folder);
        let mut found = Vec::new();
        let mut listed = self.files.list(Some(&path));
        while let Some(file) = listed.next().await {
            let file = file.map_err(self.failed("list", folder))?;
            found.extend(self.name(&file.location).map(|name| (name, file.size)));
        }
        Ok(found)
    }

    /// The bytes of a file as they come, as many as the server will.
    async fn pieces(
        &self,
        name: &str,
        options: GetOptions,
    ) -> Result<BoxStream<'static, object_store::Result<Bytes>>, RemoteError> {
        match self.files.get_opts(&self.path(name), options).await {
            Ok(found) => Ok(found.into_stream()),
            Err(object_store::Error::NotFound { .. }) => Err(self.wrong(name, "is not there")),
            Err(error) => Err(self.failed("read", name)(error)),
        }
    }

    /// The bytes of a file of at most `limit`; they are taken from `memory`, which all that is read at the
    /// same time shares.
    pub(crate) async fn read(
        &self,
        name: &str,
        limit: u64,
        memory: &Cell<u64>,
    ) -> Result<Vec<u8>, RemoteError> {
        self.check_regular(name)?;
        let mut bytes = Vec::new();
        let mut pieces = self.pieces(name, GetOptions::new()).await?;
        while let Some(piece) = pieces.next().await {
            let piece = piece.map_err(self.failed("read", name))?;
            if (bytes.len() + piece.len()) as u64 > limit {
                return Err(self.wrong(name, format!("has more than {limit} bytes")));
            }
            let left = memory.get().checked_sub(piece.len() as u64);
            let left = left.ok_or_else(|| self.wrong(name, "and its like are too large"))?;
            memory.set(left);
            bytes.extend_from_slice(&piece);
        }
        Ok(bytes)
    }

    /// The bytes of a document or record, checked against its hash.
    pub(crate) async fn read_checked(
        &self,
        name: &str,
        hash: ObjectHash,
        memory: &Cell<u64>,
    ) -> Result<Vec<u8>, RemoteError> {
        let bytes = self.read(name, DOCUMENT_LIMIT, memory).await?;
        if ObjectHash::of(&bytes) == hash {
            Ok(bytes)
        } else {
            Err(self.wrong(name, "has other bytes than its name says"))
        }
    }

    /// Takes an object of `size` bytes into the store, once its bytes have been checked; calls `moved` with
    /// the bytes that came.
    pub(crate) async fn fetch(
        &self,
        object: ObjectHash,
        name: &str,
        size: u64,
        store: &Store,
        moved: &dyn Fn(u64) -> Result<(), RemoteError>,
    ) -> Result<(), RemoteError> {
        self.check_regular(name)?;
        let mut file = store.empty_temporary()?;
        let mut hasher = blake3::Hasher::new();
        let mut at = 0;
        while at < size {
            let end = size.min(at + PIECE);
            let range = GetOptions::new().with_range(Some(at..end));
            let mut pieces = self.pieces(name, range).await?;
            // A server may send more than it was asked for, or less.
            while let Some(piece) = pieces.next().await {
                let piece = piece.map_err(self.failed("read", name))?;
                at += piece.len() as u64;
                if at > end {
                    return Err(self.wrong(name, format!("has more than {size} bytes")));
                }
                file.write_all(&piece).map_err(|source| StoreError::Io {
                    operation: "write",
                    path: file.path().to_owned(),
                    source,
                })?;
                hasher.update(&piece);
                moved(piece.len() as u64)?;
            }
            if at < end {
                return Err(self.wrong(name, format!("has fewer than {size} bytes")));
            }
        }
        if ObjectHash::from(hasher.finalize()) != object {
            return Err(self.wrong(name, "has other bytes than its name says"));
        }
        store.put_file(&file.into_temp_path())?;
        Ok(())
    }

    /// Writes a file that is not there, or has another size, and checks the bytes on the way; calls `moved`
    /// with the bytes that went.
    pub(crate) async fn send(
        &self,
        name: &str,
        source: Source,
        there: Option<u64>,
        moved: &dyn Fn(u64) -> Result<(), RemoteError>,
    ) -> Result<(), RemoteError> {
        let path = self.path(name);
        let failed = |error| self.failed("write", name)(error);
        match source {
            Source::Bytes(bytes) => self.put(name, bytes, there, moved).await,
            Source::Object(mut reader) if reader.size() <= PIECE => {
                let mut bytes = Vec::new();
                reader.read_to_end(&mut bytes).map_err(unreadable)?;
                self.put(name, bytes, there, moved).await
            }
            Source::Object(mut reader) => {
                let mut upload = self.files.put_multipart(&path).await.map_err(failed)?;
                let sent = async {
                    loop {
                        let mut piece = Vec::new();
                        let part = reader.by_ref().take(PIECE).read_to_end(&mut piece);
                        let count = part.map_err(unreadable)? as u64;
                        if count == 0 {
                            return Ok(());
                        }
                        let part = upload.put_part(PutPayload::from(piece));
                        part.await.map_err(failed)?;
                        moved(count)?;
                    }
                };
                let sent: Result<(), RemoteError> = sent.await;
                match sent {
                    Ok(()) => upload.complete().await.map(drop).map_err(failed),
                    Err(error) => {
                        // Parts that cannot be taken back are seen by nobody, and go with the server's
                        // own cleaning.
                        let _ = upload.abort().await;
                        Err(error)
                    }
                }
            }
        }
    }

    async fn put(
        &self,
        name: &str,
        bytes: Vec<u8>,
        there: Option<u64>,
        moved: &dyn Fn(u64) -> Result<(), RemoteError>,
    ) -> Result<(), RemoteError> {
        let count = bytes.len() as u64;
        // One of another size is no file of ours: it was cut off on the way there.
        let mode = match there {
            None => PutMode::Create,
            Some(_) => PutMode::Overwrite,
        };
        let payload = PutPayload::from(Bytes::from(bytes));
        let options = PutOptions::from(mode);
        let put = self
            .files
            .put_opts(&self.path(name), payload, options)
            .await;
        match put {
            // Somebody else wrote the same at the same time.
            Ok(_) | Err(object_store::Error::AlreadyExists { .. }) => moved(count),
            Err(error) => Err(self.failed("write", name)(error)),
        }
    }
}

/// The bytes of a file that is sent.
pub(crate) enum Source {
    Bytes(Vec<u8>),
    Object(Box<ObjectReader>),
}

/// The store's own error, where reading an object found that it is damaged.
fn unreadable(error: std::io::Error) -> RemoteError {
    match error.downcast::<StoreError>() {
        Ok(damaged) => damaged.into(),
        Err(source) => RemoteError::Store(StoreError::Io {
            operation: "read",
            path: std::path::PathBuf::new(),
            source,
        }),
    }
}
