//! Folders that cannot be used: each refusal names the file and leaves everything as it was.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::ledger::{acknowledged, check, wave};
use crate::audit::key::{self, KeyError, NodeKey};
use crate::database::FORMAT;
use crate::store::DATABASE_FILE;
use crate::tables::{Table, seal};
use crate::{Options, Store, StoreError};

fn open(folder: &Path) -> Result<Store, StoreError> {
    Store::open(folder, Options::default())
}

/// The error of opening `folder`, with its sources, in one line.
fn refusal(folder: &Path) -> (StoreError, String) {
    let error = open(folder).err().expect("is refused");
    let mut text = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(it) = source {
        text = format!("{text}: {it}");
        source = it.source();
    }
    (error, text)
}

/// A closed data folder with one append in it.
async fn used() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(folder.path()).expect("opens");
    assert_eq!(acknowledged(&wave(&store, 0..1).await).count(), 1);
    store.close();
    folder
}

fn put_format(folder: &Path, row: &[u8]) {
    let database = redb::Database::open(folder.join(DATABASE_FILE)).expect("opens");
    let transaction = database.begin_write().expect("begins");
    transaction
        .open_table(Table::Meta.definition())
        .expect("opens")
        .insert(b"format".as_slice(), row)
        .expect("inserts");
    transaction.commit().expect("commits");
}

#[tokio::test]
async fn a_folder_of_a_newer_format_is_refused_by_name_and_left_alone() {
    let folder = used().await;
    put_format(folder.path(), &seal(Table::Meta, b"format", (FORMAT + 1).to_le_bytes().to_vec()));
    let (error, text) = refusal(folder.path());
    assert!(matches!(error, StoreError::NewerFormat { found, .. } if found == FORMAT + 1), "{text}");
    assert!(text.contains(&folder.path().display().to_string()) && text.contains("format 2"), "{text}");

    put_format(folder.path(), &seal(Table::Meta, b"format", FORMAT.to_le_bytes().to_vec()));
    check(&open(folder.path()).expect("nothing was changed"), &[(0, 0)].into());
}

#[tokio::test]
async fn a_damaged_format_is_not_taken_for_a_new_folder() {
    let folder = used().await;
    let mut row = seal(Table::Meta, b"format", FORMAT.to_le_bytes().to_vec());
    row[0] ^= 4;
    put_format(folder.path(), &row);
    assert!(matches!(refusal(folder.path()).0, StoreError::DamagedRow(_)));
}

#[tokio::test]
async fn a_database_without_its_key_is_refused() {
    let folder = used().await;
    let path = folder.path().join(key::FILE_NAME);
    let before = fs::read(&path).expect("is there");
    fs::remove_file(&path).expect("removes");
    let (error, text) = refusal(folder.path());
    assert!(matches!(error, StoreError::Key(KeyError::Missing(_))), "{text}");
    assert!(text.contains("node.key") && !path.exists(), "{text}");

    fs::write(&path, before).expect("writes");
    fs::set_permissions(&path, Permissions::from_mode(0o644)).expect("own file");
    let (error, text) = refusal(folder.path());
    assert!(matches!(error, StoreError::Key(KeyError::Permissions { mode: 0o644, .. })), "{text}");
    assert!(text.contains("chmod 600"), "{text}");

    fs::set_permissions(&path, Permissions::from_mode(0o600)).expect("own file");
    open(folder.path()).expect("all is well again");
}

#[tokio::test]
async fn a_database_that_was_emptied_is_not_taken_for_a_new_one() {
    let folder = used().await;
    let path = folder.path().join(DATABASE_FILE);
    fs::write(&path, "").expect("writes");
    let (error, text) = refusal(folder.path());
    assert!(matches!(error, StoreError::Damaged(_)), "{text}");
    assert!(text.contains("xyn.redb` is empty") && text.contains("restore a backup"), "{text}");
    assert_eq!(fs::metadata(&path).expect("is there").len(), 0, "it is left as it was");
}

#[test]
fn a_folder_in_place_of_a_file_is_named() {
    for name in [DATABASE_FILE, "node.lock", key::FILE_NAME] {
        let folder = tempfile::tempdir().expect("a folder");
        if name != key::FILE_NAME {
            NodeKey::create(folder.path()).expect("an empty folder");
        }
        fs::create_dir(folder.path().join(name)).expect("creates");
        let (_, text) = refusal(folder.path());
        assert!(text.contains(name) && text.contains("directory"), "{text}");
    }
}

#[test]
fn a_place_where_nothing_can_be_written_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("file");
    fs::write(&file, "precious").expect("writes");
    for place in [file.as_path(), &file.join("below"), Path::new("/proc/xyn"), Path::new("/proc/self/net")] {
        let (error, text) = refusal(place);
        assert!(matches!(error, StoreError::Io { .. }), "{text}");
        assert!(text.contains(&place.display().to_string()), "{text}");
    }
    assert_eq!(fs::read(&file).expect("is there"), b"precious");
}

#[tokio::test]
async fn what_a_crash_while_making_the_database_left_is_no_obstacle() {
    let folder = tempfile::tempdir().expect("a folder");
    NodeKey::create(folder.path()).expect("an empty folder");
    fs::write(folder.path().join("xyn.redb.new"), [7; 5000]).expect("writes");
    let store = open(folder.path()).expect("begins anew");
    let sure = acknowledged(&wave(&store, 0..3).await).collect();
    check(&store, &sure);
    assert!(!folder.path().join("xyn.redb.new").exists());
    let mode = fs::metadata(folder.path().join(DATABASE_FILE)).expect("is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "nobody else reads it");
}

#[tokio::test]
async fn a_database_that_vanishes_under_a_node_is_not_begun_anew() {
    let folder = used().await;
    let path = folder.path().join(DATABASE_FILE);
    let store = open(folder.path()).expect("opens");
    fs::remove_file(&path).expect("removes");
    let again = crate::database::file_opener(path.clone(), 1 << 20)();
    assert!(matches!(again, Err(StoreError::Io { .. })));
    assert!(!path.exists());
    store.close();
}
