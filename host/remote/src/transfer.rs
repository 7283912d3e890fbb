//! Moving files: those that are there, one file from there, one file to there. Nothing is trusted to have
//! the size or the bytes that it should.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Write};
use std::ops::Range;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use assay_bundle::Watch;
use assay_core::ObjectHash;
use assay_store::{DOCUMENT_LIMIT, ObjectReader, Store, StoreError};
use bytes::Bytes;
use futures_util::stream::LocalBoxStream;
use futures_util::{StreamExt, TryStreamExt};
use object_store::{GetOptions, ObjectMeta, ObjectStoreExt, PutMode, PutOptions, PutPayload};

use crate::error::RemoteError;
use crate::place::{Files, Place, REPETITIONS, Remote};

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
        let files = match &self.files {
            Files::Store(files) => files,
            Files::Web(files) => {
                let size = files.size(name).await;
                return size.map_err(self.unanswered("find", name));
            }
        };
        match files.head(&self.path(name)).await {
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
        if names.len() > ASK && !matches!(self.files, Files::Web(_)) {
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
        let listed = self.list_files(folder).await?.into_iter();
        Ok(listed.map(|(name, file)| (name, file.size)).collect())
    }

    /// The files below a folder.
    pub(crate) async fn list_files(
        &self,
        folder: &str,
    ) -> Result<Vec<(String, ObjectMeta)>, RemoteError> {
        let path = self.path(folder);
        let listed = self.listed()?.list(Some(&path));
        let listed = listed.try_collect::<Vec<_>>().await;
        let listed = listed.map_err(self.failed("list", folder))?;
        let named = listed
            .into_iter()
            .filter_map(|file| Some((self.name(&file.location)?, file)));
        Ok(named.collect())
    }

    /// The bytes of a file, or of a part of it, as they come, as many as the server will.
    async fn pieces<'a>(
        &'a self,
        name: &'a str,
        part: Option<Range<u64>>,
    ) -> Result<LocalBoxStream<'a, Result<Bytes, RemoteError>>, RemoteError> {
        let absent = || self.wrong(name, "is not there");
        match &self.files {
            Files::Store(files) => {
                let options = GetOptions::new().with_range(part);
                match files.get_opts(&self.path(name), options).await {
                    Ok(found) => Ok(found
                        .into_stream()
                        .map_err(move |error| self.failed("read", name)(error))
                        .boxed_local()),
                    Err(object_store::Error::NotFound { .. }) => Err(absent()),
                    Err(error) => Err(self.failed("read", name)(error)),
                }
            }
            Files::Web(files) => {
                let from = part.map_or(0, |part| part.start);
                let found = files.read(name, from).await;
                let found = found.map_err(self.unanswered("read", name))?;
                Ok(found
                    .ok_or_else(absent)?
                    .map_err(move |error| self.unanswered("read", name)(error))
                    .boxed_local())
            }
        }
    }

    /// The end of the part of a file that is asked for at once. A web server that knows no parts would begin
    /// from the start for each.
    fn end_of_part(&self, at: u64, size: u64) -> u64 {
        match &self.files {
            Files::Store(_) => size.min(at + PIECE),
            Files::Web(_) => size,
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
        let mut pieces = self.pieces(name, None).await?;
        while let Some(piece) = pieces.next().await {
            let piece = piece?;
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
            Err(self.damaged(name))
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
        if size > PIECE
            && let Some(mut partial) = store.partial_object(object)?
        {
            let mut before = partial.rewind(size)?;
            loop {
                let mut hasher = blake3::Hasher::new();
                hasher
                    .update_reader(partial.file().take(before))
                    .map_err(unwritten(partial.path()))?;
                // The bytes that came before need not come again.
                moved(before)?;
                let path = partial.path().to_owned();
                let mut target = (partial.file(), path.as_path());
                self.append(name, before, size, &mut hasher, &mut target, moved)
                    .await?;
                if ObjectHash::from(hasher.finalize()) == object {
                    store.put_file(partial.path())?;
                    return Ok(());
                }
                partial.rewind(0)?;
                // Only if all came in this transfer it is the remote's fault.
                if before == 0 {
                    return Err(self.damaged(name));
                }
                before = 0;
            }
        }
        let mut file = store.empty_temporary()?;
        let mut hasher = blake3::Hasher::new();
        let path = file.path().to_owned();
        let mut target = (file.as_file_mut(), path.as_path());
        self.append(name, 0, size, &mut hasher, &mut target, moved)
            .await?;
        if ObjectHash::from(hasher.finalize()) != object {
            return Err(self.damaged(name));
        }
        store.put_file(&file.into_temp_path())?;
        Ok(())
    }

    /// Appends the bytes of a file from `at` to its end at `size` to the target, which is a file and its path.
    async fn append(
        &self,
        name: &str,
        mut at: u64,
        size: u64,
        hasher: &mut blake3::Hasher,
        (file, path): &mut (&mut File, &Path),
        moved: &dyn Fn(u64) -> Result<(), RemoteError>,
    ) -> Result<(), RemoteError> {
        let mut broken = 0;
        'parts: while at < size {
            let (begin, end) = (at, self.end_of_part(at, size));
            let mut pieces = self.pieces(name, Some(begin..end)).await?;
            // A server may send more than it was asked for, or less.
            while let Some(piece) = pieces.next().await {
                let piece = match piece {
                    Ok(piece) => piece,
                    // The rest may come yet.
                    Err(_) if at > begin && broken < REPETITIONS => {
                        broken += 1;
                        continue 'parts;
                    }
                    Err(error) => return Err(error),
                };
                at += piece.len() as u64;
                if at > end {
                    return Err(self.wrong(name, format!("has more than {size} bytes")));
                }
                file.write_all(&piece).map_err(unwritten(path))?;
                hasher.update(&piece);
                moved(piece.len() as u64)?;
            }
            if at < end {
                return Err(self.wrong(name, format!("has fewer than {size} bytes")));
            }
        }
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
                let files = self.written()?;
                let mut upload = files.put_multipart(&path).await.map_err(failed)?;
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
        let files = self.written()?;
        let put = files.put_opts(&self.path(name), payload, options).await;
        match put {
            // Somebody else wrote the same at the same time.
            Ok(_) | Err(object_store::Error::AlreadyExists { .. }) => moved(count),
            Err(error) => Err(self.failed("write", name)(error)),
        }
    }
}

/// True if the file was written within this time, by the clocks of the remote and of this machine.
pub(crate) fn is_younger(file: &ObjectMeta, than: Duration) -> bool {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let written = u64::try_from(file.last_modified.timestamp_millis()).unwrap_or(0);
    now.unwrap_or_default()
        .saturating_sub(Duration::from_millis(written))
        < than
}

/// The error of a file of the store that was being written.
fn unwritten(path: &Path) -> impl FnOnce(std::io::Error) -> RemoteError {
    let path = path.to_owned();
    move |source| {
        RemoteError::Store(StoreError::Io {
            operation: "write",
            path,
            source,
        })
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

#[cfg(test)]
mod tests {
    use assay_bundle::BundleFile;
    use assay_store::PartialObject;

    use super::*;
    use crate::place::Access;

    /// A remote with one object of more than two pieces, and an empty store.
    fn with_object() -> (tempfile::TempDir, Remote, Store, Vec<u8>) {
        let folder = tempfile::tempdir().unwrap();
        let mut bytes = vec![0; 2 * PIECE as usize + 1000];
        blake3::Hasher::new().finalize_xof().fill(&mut bytes);
        let file = folder
            .path()
            .join("remote")
            .join(BundleFile::Object(ObjectHash::of(&bytes)).name());
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, &bytes).unwrap();
        let place = Place::Folder(folder.path().join("remote"));
        let remote = Remote::open(place, Access::Read).unwrap();
        let store = Store::open(folder.path().join("store")).unwrap();
        (folder, remote, store, bytes)
    }

    /// Fetches the object, stopping when more than `most` bytes came from the remote; how many did.
    fn fetch(remote: &Remote, store: &Store, bytes: &[u8], most: u64) -> (bool, u64) {
        let (object, size) = (ObjectHash::of(bytes), bytes.len() as u64);
        let name = BundleFile::Object(object).name();
        let came = Cell::new(0);
        let moved = |count| {
            came.set(came.get() + count);
            if came.get() > most {
                return Err(RemoteError::Stopped);
            }
            Ok(())
        };
        let fetched = remote
            .runtime
            .block_on(remote.fetch(object, &name, size, store, &moved));
        (fetched.is_ok(), came.get())
    }

    /// The part of the object that came before.
    fn partial(store: &Store, bytes: &[u8]) -> PartialObject {
        let partial = store.partial_object(ObjectHash::of(bytes));
        partial.unwrap().unwrap()
    }

    #[test]
    fn a_transfer_that_broke_off_goes_on_where_it_was() {
        let (_folder, remote, store, bytes) = with_object();
        assert!(!fetch(&remote, &store, &bytes, PIECE).0);
        let mut partial = partial(&store, &bytes);
        let before = partial.rewind(u64::MAX).unwrap();
        assert!(before >= PIECE, "{before}");
        drop(partial);
        // The first report is what was there already.
        let (done, came) = fetch(&remote, &store, &bytes, u64::MAX);
        assert!(done);
        assert_eq!(came, bytes.len() as u64);
        assert_eq!(store.read(ObjectHash::of(&bytes)).unwrap(), bytes);
    }

    #[test]
    fn damage_to_what_came_before_is_mended() {
        let (_folder, remote, store, bytes) = with_object();
        assert!(!fetch(&remote, &store, &bytes, PIECE).0);
        let mut partial = partial(&store, &bytes);
        let path = partial.path().to_owned();
        let length = partial.rewind(u64::MAX).unwrap();
        drop(partial);
        std::fs::write(&path, vec![7; length as usize]).unwrap();
        assert!(fetch(&remote, &store, &bytes, u64::MAX).0);
        assert_eq!(store.read(ObjectHash::of(&bytes)).unwrap(), bytes);
        assert!(!path.exists());
    }

    #[test]
    fn wrong_bytes_leave_nothing_behind() {
        let (folder, remote, store, mut bytes) = with_object();
        let object = ObjectHash::of(&bytes);
        let file = folder
            .path()
            .join("remote")
            .join(BundleFile::Object(object).name());
        bytes[5] ^= 1;
        std::fs::write(file, &bytes).unwrap();
        bytes[5] ^= 1;
        assert!(!fetch(&remote, &store, &bytes, u64::MAX).0);
        let mut partial = store.partial_object(object).unwrap().unwrap();
        assert_eq!(partial.rewind(u64::MAX).unwrap(), 0);
        assert!(store.size(object).unwrap().is_none());
    }
}
