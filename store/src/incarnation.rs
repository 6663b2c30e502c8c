//! Which life of the data folder this is.
//!
//! A folder that was cloned, or overwritten by an older copy of itself, must not continue the sequence of the
//! original: its log would fork. The database remembers where it lived (machine, device and inode of the folder) and
//! what the mark beside it was. Each node that starts on the folder writes the mark anew; a database that is put back
//! does not know the word in it, and a mark that is put back was changed at another instant, which no copying can
//! forge. Then the folder takes a new incarnation. What goes unnoticed: a database that was copied while its node ran,
//! put back alone before another start.

use std::fs::{File, Metadata, OpenOptions};
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use redb::ReadableTable;
use serde::{Deserialize, Serialize};

use crate::error::StoreError;
use crate::tables::{Table, seal, unseal};

const KEY: &[u8] = b"incarnation";
/// The file that is written at each start.
const MARK: &str = "life";
const MACHINE_ID: &str = "/etc/machine-id";

/// A life of a data folder; part of the audit log's id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incarnation {
    /// 64 random bits, minted at the first start and whenever the folder finds itself elsewhere or put back.
    pub id: u64,
    /// Where the folder lived at the last start, and the mark that it left.
    home: String,
}

impl Incarnation {
    /// Reads the incarnation, or mints a new one where the database in `folder` did not leave off.
    pub(crate) fn establish(engine: &redb::Database, folder: &Path) -> Result<Self, StoreError> {
        let place = place(folder)?;
        let found = format!("{place}:{}", mark(&folder.join(MARK))?);
        let transaction = engine.begin_write()?;
        let incarnation = {
            let mut meta = transaction.open_table(Table::Meta.definition())?;
            let known = match meta.get(KEY)? {
                Some(row) => Some(decode(unseal(Table::Meta, KEY, row.value())?)?),
                None => None,
            };
            match known.filter(|known: &Self| known.home == found) {
                Some(known) => {
                    drop(meta);
                    transaction.abort()?;
                    return Ok(known);
                }
                None => {
                    let minted = Self { id: random()?, home: String::new() };
                    minted.settle(&mut meta, folder)?
                }
            }
        };
        transaction.commit()?;
        Ok(incarnation)
    }

    /// Leaves another mark in `folder`: copies of it from before are told apart from now on.
    pub(crate) fn renew(&self, engine: &redb::Database, folder: &Path) -> Result<(), StoreError> {
        let transaction = engine.begin_write()?;
        self.clone().settle(&mut transaction.open_table(Table::Meta.definition())?, folder)?;
        Ok(transaction.commit()?)
    }

    fn settle(
        mut self,
        meta: &mut redb::Table<&'static [u8], &'static [u8]>,
        folder: &Path,
    ) -> Result<Self, StoreError> {
        self.home = format!("{}:{}", place(folder)?, leave_mark(&folder.join(MARK))?);
        let bytes = postcard::to_stdvec(&self).map_err(unreadable)?;
        meta.insert(KEY, seal(Table::Meta, KEY, bytes).as_slice())?;
        Ok(self)
    }
}

fn random() -> Result<u64, StoreError> {
    getrandom::u64().map_err(|error| StoreError::Unavailable(error.to_string()))
}

fn decode(bytes: &[u8]) -> Result<Incarnation, StoreError> {
    postcard::from_bytes(bytes).map_err(unreadable)
}

fn unreadable(source: postcard::Error) -> StoreError {
    StoreError::UnreadableRow { table: Table::Meta.name(), source }
}

fn place(folder: &Path) -> Result<String, StoreError> {
    let metadata = std::fs::metadata(folder).map_err(|source| StoreError::io("look at", folder, source))?;
    // A machine without an id (a container, say) is told apart by device and inode alone.
    let machine = std::fs::read_to_string(MACHINE_ID).unwrap_or_default();
    Ok(format!("{}:{}:{}", machine.trim(), metadata.dev(), metadata.ino()))
}

/// The mark as it is; empty where there is none.
fn mark(path: &Path) -> Result<String, StoreError> {
    let read = || -> std::io::Result<_> { Ok((std::fs::read_to_string(path)?, std::fs::metadata(path)?)) };
    match read() {
        Ok((word, metadata)) => Ok(told(&word, &metadata)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(String::new()),
        Err(source) => Err(StoreError::io("read", path, source)),
    }
}

/// Writes another word into the mark, durably, and answers what it is now.
fn leave_mark(path: &Path) -> Result<String, StoreError> {
    let word = format!("{:016x}", random()?);
    let write = || -> std::io::Result<Metadata> {
        // In place, and of equal length: that works on a full disk as well.
        let mut file: File = OpenOptions::new().write(true).create(true).truncate(false).open(path)?;
        file.write_all(word.as_bytes())?;
        file.sync_all()?;
        file.metadata()
    };
    let metadata = write().map_err(|source| StoreError::io("write", path, source))?;
    Ok(told(&word, &metadata))
}

fn told(word: &str, metadata: &Metadata) -> String {
    format!("{word}:{}:{}.{:09}", metadata.ino(), metadata.ctime(), metadata.ctime_nsec())
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;
    use crate::{DATABASE_FILE, Options, Store};

    fn life(folder: &Path) -> u64 {
        let store = Store::open(folder, Options::default()).expect("opens");
        let id = store.incarnation().id;
        store.started().expect("leaves a mark");
        store.close();
        id
    }

    fn copy(from: &Path, to: &Path) {
        let done = Command::new("cp").arg("-a").arg(from).arg(to).status().expect("cp starts");
        assert!(done.success());
    }

    #[test]
    fn a_folder_that_stays_where_it_is_goes_on_with_its_life() {
        let folder = tempfile::tempdir().expect("a folder");
        let first = life(folder.path());
        assert_eq!([life(folder.path()), life(folder.path())], [first; 2]);
        std::fs::write(folder.path().join(MARK), "another word").expect("writes");
        assert_ne!(life(folder.path()), first);
    }

    #[test]
    fn a_copy_elsewhere_begins_another_life_and_the_original_keeps_its_own() {
        let folder = tempfile::tempdir().expect("a folder");
        let (one, other) = (folder.path().join("one"), folder.path().join("other"));
        let first = life(&one);
        copy(&one, &other);
        assert_ne!(life(&other), first);
        assert_eq!(life(&one), first);
    }

    #[test]
    fn an_older_copy_that_is_put_back_in_place_begins_another_life() {
        let folder = tempfile::tempdir().expect("a folder");
        let (data, backup) = (folder.path().join("data"), folder.path().join("backup"));
        let first = life(&data);
        copy(&data, &backup);
        // All of it, over the files that are there.
        copy(&backup.join("."), &data);
        let second = life(&data);
        assert_ne!(second, first);
        // The database alone.
        copy(&data.join(DATABASE_FILE), &backup);
        assert_eq!(life(&data), second);
        copy(&backup.join(DATABASE_FILE), &data);
        assert_ne!(life(&data), second);
    }
}
