//! A data folder written by each released format opens in this version and says what it always said.
//!
//! `XYN_WRITE_GOLDEN=1` writes the folder of the present format anew; that is only right before its release.

use std::fmt::Write as _;
use std::fs::{self, Permissions};
use std::ops::Range;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::ledger::{append, listing};
use super::samples;
use crate::audit::merkle::Frontier;
use crate::envelope;
use crate::projection::{
    ArtifactRow, BlueprintRow, ClaimRow, DraftRow, GateRow, IntentRow, PolicyRow, Row, RunRow, StepRow,
    TimerRow,
};
use crate::reader::decode;
use crate::store::DATABASE_FILE;
use crate::tables::Table;
use crate::{Digest, Options, Order, Store};

/// None of them is large.
const APPENDS: Range<u64> = 4..12;
const BLOB: &[u8] = &[0x5a; 20_000];
const LISTING: &str = "listing.txt";

fn home(version: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("golden").join(version)
}

/// Every row as a line: table, key, and the value as JSON. Rows about this very folder on this machine are left out.
fn text(store: &Store) -> String {
    let reader = store.read().expect("reads");
    let mut text = String::new();
    for ((table, key), value) in listing(&reader).expect("intact") {
        let key_text: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
        if (table, key.as_slice()) != (Table::Meta, b"incarnation") {
            writeln!(text, "{}\t{key_text}\t{}", table.name(), json(table, &value)).expect("a string");
        }
    }
    text
}

fn json(table: Table, value: &[u8]) -> String {
    fn row<R: Row>(value: &[u8]) -> String {
        serde_json::to_string(&decode::<R>(value).expect("decodes")).expect("renders")
    }
    match table {
        Table::Log => {
            let envelope = envelope::decode(value).expect("decodes");
            serde_json::to_string(&envelope).expect("renders")
        }
        Table::Intents => row::<IntentRow>(value),
        Table::Runs => row::<RunRow>(value),
        Table::Steps => row::<StepRow>(value),
        Table::Gates => row::<GateRow>(value),
        Table::Artifacts => row::<ArtifactRow>(value),
        Table::Blueprints => row::<BlueprintRow>(value),
        Table::Drafts => row::<DraftRow>(value),
        Table::Policies => row::<PolicyRow>(value),
        Table::Timers => row::<TimerRow>(value),
        Table::Claims => row::<ClaimRow>(value),
        _ => format!("{:?}", value.iter().map(|byte| format!("{byte:02x}")).collect::<String>()),
    }
}

/// Copies the files below a folder. A checkout does not keep the permissions of the key, nor empty folders.
fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).expect("reads") {
        let entry = entry.expect("reads");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("known").is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::create_dir_all(to).expect("creates");
            fs::copy(entry.path(), &target).expect("copies");
            fs::set_permissions(&target, Permissions::from_mode(0o600)).expect("own file");
        }
    }
}

async fn write(home: &Path) {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Store::open(folder.path(), Options::default()).expect("opens");
    let mut heads = Default::default();
    for n in APPENDS {
        let mut append = append(n, &mut heads);
        append.changes.extend(if n == APPENDS.start { samples::changes() } else { Default::default() });
        store.journal().expect("open").append(append).await.expect("appends");
    }
    store.blobs().put(BLOB).expect("keeps");
    let text = text(&store);
    store.close();
    drop(store);
    let database = folder.path().join(DATABASE_FILE);
    redb::Database::open(&database).expect("opens").compact().expect("compacts");
    fs::remove_file(folder.path().join("node.lock")).expect("is there");
    fs::remove_dir_all(home)
        .or_else(|error| match error.kind() {
            std::io::ErrorKind::NotFound => Ok(()),
            _ => Err(error),
        })
        .expect("removes");
    copy(folder.path(), home);
    fs::write(home.join(LISTING), text).expect("writes");
}

#[tokio::test]
async fn a_folder_of_format_1_says_what_it_always_said() {
    let home = home("v1");
    if std::env::var_os("XYN_WRITE_GOLDEN").is_some() {
        write(&home).await;
    }
    let folder = tempfile::tempdir().expect("a folder");
    copy(&home, folder.path());
    let store = Store::open(folder.path(), Options::default()).expect("opens");
    let expected = fs::read_to_string(home.join(LISTING)).expect("is there");
    for (found, expected) in text(&store).lines().zip(expected.lines()) {
        assert_eq!(found, expected);
    }
    assert_eq!(text(&store).lines().count(), expected.lines().count());
    assert_eq!(store.blob(&Digest::of(BLOB)).expect("reads").as_deref(), Some(BLOB));

    let mut leaves = Frontier::default();
    let reader = store.read().expect("reads");
    reader
        .scan(Table::Log, &[], None, Order::Ascending, |_, value| {
            leaves.push(envelope::leaf(value));
            Ok(true)
        })
        .expect("reads");
    let head = postcard::to_stdvec(&(leaves.size(), &leaves)).expect("plain data");
    assert_eq!(
        reader.get_raw(Table::Meta, b"head").expect("reads"),
        Some(head),
        "the audit tree is the same"
    );

    let mut heads =
        (0..5).map(super::ledger::stream).map(|it| (it, reader.last_seq(it).expect("reads"))).collect();
    let receipt = store.journal().expect("open").append(append(500, &mut heads)).await.expect("goes on");
    assert_eq!(receipt.offset, leaves.size());
    store.close();
}
