//! Seeds in SQLite: a file in the data of the deployment.
//!
//! What gets by the check of words, SQLite itself refuses: its authorizer is asked about everything a statement does.
//! Blocks. Invariant: no file but the database and its journal is touched.

use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::config::DbConfig;
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use rusqlite::limits::Limit;
use rusqlite::{Connection, OpenFlags};
use xyn_capsules::lint::sql_statements;
use xyn_store::Timestamp;

use super::{Fault, MESSAGE_CHARS, NOTE_AGAIN, NOTES, RUN_MAX, Script, shown};
use crate::services::secrets::Scrub;

/// How long is waited for an app that holds the database.
const BUSY_MAX: Duration = Duration::from_secs(10);
/// Steps of its machine between two looks at the clock.
const STEPS: i32 = 100_000;
/// Bytes of a value.
const VALUE_MAX_BYTES: i32 = 64 << 20;
/// Pages that the database may grow to; there are 4 KiB in one.
const PAGES_MAX: i32 = 1 << 20;

pub(super) fn run(
    path: &Path,
    scripts: &[Script],
    again: bool,
    scrub: &Scrub,
    now: Timestamp,
) -> Result<(), String> {
    let cannot = |error: rusqlite::Error| {
        format!("the database `{}` cannot be used: {}", path.display(), said(&error, scrub))
    };
    let mut database = open(path).map_err(cannot)?;
    // What fails leaves it open, and a connection that is closed rolls back.
    database.execute_batch("BEGIN IMMEDIATE").map_err(cannot)?;
    let noted = format!(
        "CREATE TABLE IF NOT EXISTS {NOTES} (digest TEXT PRIMARY KEY, name TEXT NOT NULL, applied_at TEXT NOT NULL)"
    );
    database.execute_batch(&noted).map_err(cannot)?;
    for script in scripts {
        let digest = script.digest.to_string();
        let known = format!("SELECT EXISTS (SELECT 1 FROM {NOTES} WHERE digest = ?1)");
        let is_applied: bool = database.query_row(&known, [&digest], |row| row.get(0)).map_err(cannot)?;
        if is_applied && !again {
            continue;
        }
        database.authorizer(Some(judge)).map_err(cannot)?;
        let ran = run_one(&database, script, scrub);
        database.authorizer(None::<fn(AuthContext<'_>) -> Authorization>).map_err(cannot)?;
        ran.map_err(|fault| script.failed(&fault, scrub))?;
        let note = format!("INSERT INTO {NOTES} (digest, name, applied_at) VALUES (?1, ?2, ?3) {NOTE_AGAIN}");
        database.execute(&note, (&digest, &script.name, now.to_string())).map_err(cannot)?;
    }
    database.execute_batch("COMMIT").map_err(cannot)
}

fn open(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        // A link could lead to any file of the node's user.
        | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    // The folder is the node's, and may well be behind one.
    let folder = path.parent().and_then(|folder| folder.canonicalize().ok());
    let real = folder.zip(path.file_name()).map(|(folder, name)| folder.join(name));
    let real = real.ok_or_else(|| rusqlite::Error::InvalidPath(path.to_owned()))?;
    let mut database = Connection::open_with_flags(real, flags)?;
    database.busy_timeout(BUSY_MAX)?;
    database.set_limit(Limit::SQLITE_LIMIT_ATTACHED, 0)?;
    database.set_limit(Limit::SQLITE_LIMIT_LENGTH, VALUE_MAX_BYTES)?;
    database.pragma_update(None, "max_page_count", PAGES_MAX)?;
    database.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    database.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    let deadline = Instant::now() + RUN_MAX;
    database.progress_handler(STEPS, Some(move || Instant::now() > deadline))?;
    Ok(database)
}

fn run_one(database: &Connection, script: &Script, scrub: &Scrub) -> Result<(), Fault> {
    let statements = sql_statements(script.text.as_bytes(), script.dialect);
    // INVARIANT: they were read in the same way when the script was.
    for statement in statements.unwrap_or_default() {
        let ran = database.prepare(statement.text).and_then(|mut prepared| {
            let mut rows = prepared.raw_query();
            while rows.next()?.is_some() {}
            Ok(())
        });
        ran.map_err(|error| Fault {
            line: statement.line + behind(&error, statement.text),
            statement: statement.text.to_owned(),
            message: said(&error, scrub),
        })?;
    }
    Ok(())
}

/// Lines of the statement before the place that the error is about.
fn behind(error: &rusqlite::Error, text: &str) -> usize {
    match error {
        rusqlite::Error::SqlInputError { offset, .. } => {
            let offset = usize::try_from(*offset).unwrap_or_default();
            text.bytes().take(offset).filter(|byte| *byte == b'\n').count()
        }
        _ => 0,
    }
}

/// What SQLite says, without the statement, which is shown beside it.
fn said(error: &rusqlite::Error, scrub: &Scrub) -> String {
    let shown = |text: &str| shown(text, MESSAGE_CHARS, scrub);
    match error {
        rusqlite::Error::SqlInputError { msg, .. } => shown(msg),
        rusqlite::Error::SqliteFailure(code, _) if code.code == rusqlite::ErrorCode::OperationInterrupted => {
            format!("it ran for more than {} seconds", RUN_MAX.as_secs())
        }
        rusqlite::Error::SqliteFailure(_, Some(message)) => shown(message),
        other => shown(&other.to_string()),
    }
}

/// Whether a statement of a seed may do this.
fn judge(asked: AuthContext<'_>) -> Authorization {
    use AuthAction::{
        AlterTable, Attach, CreateTrigger, CreateVtable, Delete, Detach, DropTable, Function, Insert, Pragma,
        Savepoint, Transaction, Unknown, Update,
    };
    let is_refused = match asked.action {
        Attach { .. } | Detach { .. } | Transaction { .. } | Savepoint { .. } | Unknown { .. } => true,
        Function { function_name } => {
            ["load_extension", "fts3_tokenizer", "readfile", "writefile", "edit"].contains(&function_name)
        }
        CreateVtable { module_name, .. } => {
            !["fts3", "fts4", "fts5", "rtree", "rtree_i32", "geopoly"].contains(&module_name)
        }
        Pragma { pragma_name, .. } => {
            ["writable_schema", "journal_mode", "temp_store_directory", "data_store_directory"]
                .contains(&pragma_name)
        }
        // What was applied is the node's to note.
        Insert { table_name }
        | Delete { table_name }
        | Update { table_name, .. }
        | DropTable { table_name }
        | CreateTrigger { table_name, .. }
        | AlterTable { table_name, .. } => table_name == NOTES,
        _ => false,
    };
    if is_refused { Authorization::Deny } else { Authorization::Allow }
}

#[cfg(test)]
mod tests {
    use xyn_capsules::lint::Dialect;
    use xyn_store::Digest;

    use super::*;

    fn script(text: &str) -> Script {
        Script {
            name: "first".to_owned(),
            path: "seeds/first.sql".to_owned(),
            digest: Digest::of(text.as_bytes()),
            dialect: Dialect::Sqlite,
            text: text.to_owned(),
        }
    }

    fn count(path: &Path, table: &str) -> i64 {
        let database = Connection::open(path).expect("opens");
        database.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).expect("counts")
    }

    fn run(path: &Path, scripts: &[Script]) -> Result<(), String> {
        super::run(path, scripts, false, &Scrub::default(), Timestamp::from_micros(1))
    }

    #[test]
    fn statements_are_applied_once_by_what_they_are_and_all_or_none() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("shop.db");
        let first = "CREATE TABLE goods (name TEXT UNIQUE);\nINSERT INTO goods VALUES ('tea'), ('salt');";
        run(&path, &[script(first)]).expect("applied");
        run(&path, &[script(first)]).expect("known");
        assert_eq!((count(&path, "goods"), count(&path, NOTES)), (2, 1));
        let broken = "INSERT INTO goods VALUES ('rice');\n\nINSERT INTO goods\n  VALUES ('tea');";
        let also = "INSERT INTO goods VALUES ('bread')";
        let said = run(&path, &[script(also), script(broken)]).expect_err("refused");
        assert_eq!(
            said,
            "its seed `first` (`seeds/first.sql`), line 3, at `INSERT INTO goods VALUES ('tea')`: UNIQUE constraint \
             failed: goods.name; nothing of it was applied"
        );
        assert_eq!((count(&path, "goods"), count(&path, NOTES)), (2, 1));
        let unknown = "SELECT 1;\nSELECT\n  nothing FROM goods";
        assert!(run(&path, &[script(unknown)]).expect_err("refused").contains("line 3, at"));
    }

    #[test]
    fn what_gets_by_the_check_of_words_the_database_refuses() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("shop.db");
        let outside = folder.path().join("outside.db");
        run(&path, &[script("CREATE TABLE goods (name)")]).expect("applied");
        let mut database = open(&path).expect("opens");
        database.authorizer(Some(judge)).expect("set");
        for statement in [
            format!("ATTACH '{}' AS x", outside.display()),
            format!("VACUUM INTO '{}'", outside.display()),
            "SELECT load_extension('x')".to_owned(),
            "COMMIT".to_owned(),
            "SAVEPOINT x".to_owned(),
            "PRAGMA writable_schema = on".to_owned(),
            format!("DELETE FROM {NOTES}"),
            format!("DROP TABLE {NOTES}"),
            format!("CREATE TRIGGER t AFTER INSERT ON {NOTES} BEGIN SELECT 1; END"),
        ] {
            assert!(database.execute_batch(&statement).is_err(), "{statement}");
        }
        assert!(!outside.exists());
        let link = folder.path().join("link.db");
        std::os::unix::fs::symlink(&outside, &link).expect("linked");
        assert!(run(&link, &[script("CREATE TABLE a (b)")]).is_err() && !outside.exists());
    }

    #[test]
    fn the_folder_of_the_data_may_be_behind_a_link() {
        let folder = tempfile::tempdir().expect("a folder");
        let (real, link) = (folder.path().join("real"), folder.path().join("link"));
        std::fs::create_dir(&real).expect("made");
        std::os::unix::fs::symlink(&real, &link).expect("linked");
        run(&link.join("shop.db"), &[script("CREATE TABLE a (b)")]).expect("applied");
        assert_eq!(count(&real.join("shop.db"), "a"), 0);
    }

    #[test]
    fn a_value_without_measure_is_refused_and_a_failure_is_said_in_one_short_line() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("shop.db");
        let endless = "CREATE TABLE a AS SELECT zeroblob(100000000) AS b";
        assert!(run(&path, &[script(endless)]).expect_err("refused").contains("too big"));
        let loud = format!(
            "CREATE TABLE a (b); CREATE TRIGGER t BEFORE INSERT ON a BEGIN SELECT RAISE(ABORT, '\n{}'); END; \
             INSERT INTO a VALUES (1)",
            "x".repeat(1 << 20)
        );
        let said = run(&path, &[script(&loud)]).expect_err("refused");
        assert!(said.len() < 1_000 && said.contains(": xxx") && !said.contains('\n'), "{said}");
    }
}
