//! Signatures of results at a remote: one file for each result and signer, beside everything else. They are no
//! part of what is signed, so a result can be signed at any time, by anybody.

use std::cell::Cell;

use assay_core::ObjectHash;
use futures_util::{StreamExt, TryStreamExt};

use crate::error::RemoteError;
use crate::place::Remote;
use crate::transfer::{Source, TOGETHER};

/// A signature is a few lines.
const LARGEST: u64 = 64 << 10;

/// The signature of the record by the signer's public key, as its text.
fn name(record: ObjectHash, key: &str) -> String {
    let key = ObjectHash::of(key.as_bytes()).to_string();
    format!("signatures/{record}/{}.minisig", &key[..16])
}

impl Remote {
    /// Writes signatures of records that were made with this public key; those that are there stay.
    ///
    /// # Errors
    /// The remote cannot be written.
    pub fn write_signatures(
        &self,
        key: &str,
        signatures: Vec<(ObjectHash, String)>,
    ) -> Result<(), RemoteError> {
        let sent = signatures
            .into_iter()
            .map(|(record, signature)| async move {
                let source = Source::Bytes(signature.into_bytes());
                self.send(&name(record, key), source, None, &|_| Ok(()))
                    .await
            });
        let sent = futures_util::stream::iter(sent).buffer_unordered(TOGETHER);
        self.runtime.block_on(sent.try_collect::<()>())
    }

    /// Those of the records that have no signature of this key.
    ///
    /// # Errors
    /// The remote cannot be asked.
    pub fn unsigned(
        &self,
        key: &str,
        records: &[ObjectHash],
    ) -> Result<Vec<ObjectHash>, RemoteError> {
        let names: Vec<_> = records.iter().map(|&record| name(record, key)).collect();
        let asked = names.iter().zip(records).map(|(name, &record)| async move {
            Ok::<_, RemoteError>(self.size(name).await?.is_none().then_some(record))
        });
        let asked = futures_util::stream::iter(asked).buffered(TOGETHER);
        let asked: Vec<_> = self.runtime.block_on(asked.try_collect())?;
        Ok(asked.into_iter().flatten().collect())
    }

    /// The text that is there as the signature of the record by this public key, if there is one; nobody has
    /// checked it.
    ///
    /// # Errors
    /// The remote cannot be asked.
    pub fn signature(&self, record: ObjectHash, key: &str) -> Result<Option<String>, RemoteError> {
        let name = name(record, key);
        self.runtime.block_on(async {
            if self.size(&name).await?.is_none() {
                return Ok(None);
            }
            let bytes = self.read(&name, LARGEST, &Cell::new(LARGEST)).await?;
            Ok(String::from_utf8(bytes).ok())
        })
    }
}
