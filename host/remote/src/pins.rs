//! Pins of a remote: names for what a collection there must leave, with all that it rests on. They lie there as
//! in a store, so a remote in a folder has the pins of the store that it is.

use std::cell::Cell;
use std::collections::BTreeMap;

use assay_bundle::{BundleFile, Received};
use assay_core::graph::Node;
use assay_core::{ActionKey, ArtifactHash, ObjectHash};
use assay_store::{DOCUMENT_LIMIT, PIN_LIMIT, StoreError, check_pin_label, parse_pin};
use futures_util::{StreamExt, TryStreamExt};
use object_store::ObjectStoreExt;

use crate::error::RemoteError;
use crate::place::Remote;
use crate::transfer::{Source, TOGETHER};

const FOLDER: &str = "pins";

impl Remote {
    /// The pins by name.
    ///
    /// # Errors
    /// The remote cannot be asked, or one of them cannot be read: then nobody knows what it keeps.
    pub fn pins(&self) -> Result<BTreeMap<String, Node>, RemoteError> {
        self.runtime.block_on(self.read_pins())
    }

    pub(crate) async fn read_pins(&self) -> Result<BTreeMap<String, Node>, RemoteError> {
        let listed = self.list(FOLDER).await?;
        let read = listed.iter().map(|(name, _)| async move {
            let label = name.rsplit('/').next().unwrap_or_default();
            Ok::<_, RemoteError>((label.to_owned(), self.read_pin(name).await?))
        });
        let read = futures_util::stream::iter(read).buffer_unordered(TOGETHER);
        read.try_collect().await
    }

    async fn read_pin(&self, name: &str) -> Result<Node, RemoteError> {
        let bytes = self.read(name, PIN_LIMIT, &Cell::new(PIN_LIMIT)).await?;
        parse_pin(&bytes).ok_or_else(|| self.wrong(name, "is no pin"))
    }

    /// Pins something under a name; pinning it again changes nothing.
    ///
    /// # Errors
    /// The name cannot be one or pins something else, or the remote cannot be written.
    pub fn pin(&self, label: &str, pinned: Node) -> Result<(), RemoteError> {
        check_pin_label(label)?;
        let name = format!("{FOLDER}/{label}");
        let line = Source::Bytes(format!("{pinned}\n").into_bytes());
        self.runtime.block_on(async {
            self.send(&name, line, None, &|_| Ok(())).await?;
            // One that was there has stayed.
            let there = self.read_pin(&name).await?;
            if there == pinned {
                return Ok(());
            }
            Err(RemoteError::Store(StoreError::Pinned {
                label: label.to_owned(),
                what: there.what(),
                object: there.object(),
            }))
        })
    }

    /// Removes the pin of that name, if there is one.
    ///
    /// # Errors
    /// The name cannot be a pin's, or the remote cannot be written.
    pub fn unpin(&self, label: &str) -> Result<(), RemoteError> {
        check_pin_label(label)?;
        let name = format!("{FOLDER}/{label}");
        let path = self.path(&name);
        match self.runtime.block_on(self.written()?.delete(&path)) {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(self.failed("remove", &name)(error)),
        }
    }

    /// The document that the name stands for: a run, as [`Remote::find_run`] takes it, or anything else by its whole hash.
    ///
    /// # Errors
    /// The remote has nothing of that name, or cannot be asked.
    pub fn find(&self, name: &str) -> Result<Node, RemoteError> {
        let no_run = match self.find_run(name) {
            Err(error @ RemoteError::NoRun { .. }) => error,
            found => return found.map(Node::Run),
        };
        let Ok(object) = name.parse::<ObjectHash>() else {
            return Err(no_run);
        };
        self.runtime.block_on(async {
            let file = BundleFile::Object(object).name();
            match self.size(&file).await? {
                None => Err(no_run),
                Some(size) if size > DOCUMENT_LIMIT => Ok(Node::Object(object)),
                Some(size) => {
                    let bytes = self.read_checked(&file, object, &Cell::new(size)).await?;
                    Ok(document(object, &bytes))
                }
            }
        })
    }
}

/// The node that the object with these bytes is.
fn document(object: ObjectHash, bytes: &[u8]) -> Node {
    let (artifact, action) = (ArtifactHash::of(bytes), ActionKey::of(bytes));
    if Received::artifact(artifact, bytes).is_ok() {
        Node::Artifact(artifact)
    } else if Received::action(action, bytes).is_ok() {
        Node::Action(action)
    } else {
        Node::Object(object)
    }
}
