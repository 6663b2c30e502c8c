//! Which life of the data folder this is.
//!
//! A folder that was cloned or restored must not continue the sequence of the original: its log would fork. The
//! database remembers where it lived (machine, device and inode of the folder); somewhere else it takes a new
//! incarnation.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use redb::ReadableTable;
use serde::{Deserialize, Serialize};

use crate::error::StoreError;
use crate::tables::{Table, seal, unseal};

const KEY: &[u8] = b"incarnation";
const MACHINE_ID: &str = "/etc/machine-id";

/// A life of a data folder; part of the audit log's id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incarnation {
    /// 64 random bits, minted at the first start and whenever the folder finds itself elsewhere.
    pub id: u64,
    /// Where the folder lived when the id was minted.
    home: String,
}

impl Incarnation {
    /// Reads the incarnation, or mints a new one where `folder` is not where the database last lived.
    pub(crate) fn establish(engine: &redb::Database, folder: &Path) -> Result<Self, StoreError> {
        let home = home(folder)?;
        let transaction = engine.begin_write()?;
        let incarnation = {
            let mut meta = transaction.open_table(Table::Meta.definition())?;
            let known = match meta.get(KEY)? {
                Some(row) => Some(decode(unseal(Table::Meta, KEY, row.value())?)?),
                None => None,
            };
            match known.filter(|known: &Self| known.home == home) {
                Some(known) => {
                    drop(meta);
                    transaction.abort()?;
                    return Ok(known);
                }
                None => {
                    let id = getrandom::u64().map_err(|e| StoreError::Unavailable(e.to_string()))?;
                    let minted = Self { id, home };
                    let bytes = postcard::to_stdvec(&minted).map_err(unreadable)?;
                    meta.insert(KEY, seal(Table::Meta, KEY, bytes).as_slice())?;
                    minted
                }
            }
        };
        transaction.commit()?;
        Ok(incarnation)
    }
}

fn decode(bytes: &[u8]) -> Result<Incarnation, StoreError> {
    postcard::from_bytes(bytes).map_err(unreadable)
}

fn unreadable(source: postcard::Error) -> StoreError {
    StoreError::UnreadableRow { table: Table::Meta.name(), source }
}

fn home(folder: &Path) -> Result<String, StoreError> {
    let metadata = std::fs::metadata(folder).map_err(|source| StoreError::io("look at", folder, source))?;
    // A machine without an id (a container, say) is told apart by device and inode alone.
    let machine = std::fs::read_to_string(MACHINE_ID).unwrap_or_default();
    Ok(format!("{}:{}:{}", machine.trim(), metadata.dev(), metadata.ino()))
}
