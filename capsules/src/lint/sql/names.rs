//! The names that are refused, and why.
//!
//! Invariant: a name is here because of what it reaches, never because it is rare.

use super::Dialect;

const FILES: &str = "it reaches files outside the database";
const PROGRAMS: &str = "it runs code outside the database";
const NETWORK: &str = "it reaches other databases";
const TRANSACTION: &str = "a seed runs in one transaction, which is not its to begin or end";
const RIGHTS: &str = "it changes who may do what";
const SERVER: &str = "it changes the server, not the database of the application";
const OTHERWISE: &str = "the rest would be read otherwise than it was checked";
const DYNAMIC: &str = "it runs text as a statement, which cannot be checked";

/// First words of statements.
const STATEMENTS: &[(Option<Dialect>, &str, &str)] = &[
    (Some(Dialect::Sqlite), "attach", FILES),
    (Some(Dialect::Sqlite), "detach", FILES),
    (Some(Dialect::Sqlite), "vacuum", "it cannot run in a transaction, and with `INTO` it writes a file"),
    (Some(Dialect::Postgres), "load", PROGRAMS),
    (Some(Dialect::Postgres), "grant", RIGHTS),
    (Some(Dialect::Postgres), "revoke", RIGHTS),
    (Some(Dialect::Postgres), "reassign", RIGHTS),
    (Some(Dialect::Postgres), "vacuum", "it cannot run in a transaction"),
    (Some(Dialect::Postgres), "checkpoint", SERVER),
    (Some(Dialect::Postgres), "reset", OTHERWISE),
    (Some(Dialect::Postgres), "discard", OTHERWISE),
    (Some(Dialect::Postgres), "prepare", "what it prepares outlives the seed"),
    (Some(Dialect::Postgres), "execute", DYNAMIC),
    (Some(Dialect::Postgres), "import", NETWORK),
    (Some(Dialect::Postgres), "security", RIGHTS),
    (Some(Dialect::Postgres), "start", TRANSACTION),
    (Some(Dialect::Postgres), "abort", TRANSACTION),
    (None, "begin", TRANSACTION),
    (None, "commit", TRANSACTION),
    (None, "end", TRANSACTION),
    (None, "rollback", TRANSACTION),
    (None, "savepoint", TRANSACTION),
    (None, "release", TRANSACTION),
];

/// Functions, wherever they are called.
const FUNCTIONS: &[(&str, &str)] = &[
    ("load_extension", PROGRAMS),
    ("readfile", FILES),
    ("writefile", FILES),
    ("lsdir", FILES),
    ("fsdir", FILES),
    ("edit", PROGRAMS),
    ("fts3_tokenizer", PROGRAMS),
    ("pg_read_file", FILES),
    ("pg_read_binary_file", FILES),
    ("pg_ls_dir", FILES),
    ("pg_ls_logdir", FILES),
    ("pg_ls_waldir", FILES),
    ("pg_ls_tmpdir", FILES),
    ("pg_stat_file", FILES),
    ("pg_file_write", FILES),
    ("pg_file_unlink", FILES),
    ("pg_file_rename", FILES),
    ("pg_current_logfile", FILES),
    ("lo_import", FILES),
    ("lo_export", FILES),
    ("pg_reload_conf", SERVER),
    ("pg_rotate_logfile", SERVER),
    ("pg_terminate_backend", SERVER),
    ("pg_cancel_backend", SERVER),
    ("pg_promote", SERVER),
    ("pg_switch_wal", SERVER),
    ("query_to_xml", DYNAMIC),
    ("query_to_xmlschema", DYNAMIC),
    ("query_to_xml_and_xmlschema", DYNAMIC),
    ("ts_stat", DYNAMIC),
    ("dblink", NETWORK),
    ("dblink_connect", NETWORK),
    ("dblink_connect_u", NETWORK),
    ("dblink_exec", NETWORK),
    ("dblink_open", NETWORK),
    ("dblink_send_query", NETWORK),
];

/// What `CREATE`, `ALTER` and `DROP` of PostgreSQL may not be about.
const OBJECTS: &[(&str, &str)] = &[
    ("system", SERVER),
    ("role", RIGHTS),
    ("user", RIGHTS),
    ("group", RIGHTS),
    ("database", SERVER),
    ("tablespace", FILES),
    ("language", PROGRAMS),
    ("server", NETWORK),
    ("foreign", NETWORK),
    ("subscription", NETWORK),
    ("publication", NETWORK),
    ("default", RIGHTS),
    ("event", SERVER),
    ("access", PROGRAMS),
];

/// Extensions of PostgreSQL that stay within the database.
const EXTENSIONS: [&str; 14] = [
    "plpgsql",
    "pgcrypto",
    "uuid-ossp",
    "citext",
    "hstore",
    "ltree",
    "pg_trgm",
    "btree_gin",
    "btree_gist",
    "unaccent",
    "intarray",
    "cube",
    "vector",
    "postgis",
];

/// Settings that a statement may change: what a dump begins with.
const SETTINGS: [&str; 17] = [
    "statement_timeout",
    "lock_timeout",
    "idle_in_transaction_session_timeout",
    "transaction_timeout",
    "client_encoding",
    "standard_conforming_strings",
    "search_path",
    "check_function_bodies",
    "xmloption",
    "client_min_messages",
    "row_security",
    "default_tablespace",
    "default_table_access_method",
    "timezone",
    "time",
    "constraints",
    "datestyle",
];

/// Pragmas of SQLite that reach no further than the connection.
const PRAGMAS: [&str; 7] = [
    "foreign_keys",
    "defer_foreign_keys",
    "encoding",
    "user_version",
    "application_id",
    "recursive_triggers",
    "cache_size",
];

/// Modules of SQLite's virtual tables that stay within the database.
const MODULES: [&str; 6] = ["fts3", "fts4", "fts5", "rtree", "rtree_i32", "geopoly"];

/// Why a virtual table of `module` is refused.
pub(super) fn module(module: &str) -> Option<&'static str> {
    (!MODULES.iter().any(|known| module.eq_ignore_ascii_case(known))).then_some(FILES)
}

/// Why a body in `language` is refused.
pub(super) fn language(language: &str) -> Option<&'static str> {
    let is_checked = ["sql", "plpgsql"].iter().any(|known| language.eq_ignore_ascii_case(known));
    (!is_checked).then_some(PROGRAMS)
}

/// Why a statement that begins with `word` is refused.
pub(super) fn statement(dialect: Dialect, word: &str) -> Option<&'static str> {
    let fits = |of: &Option<Dialect>| of.is_none_or(|of| of == dialect);
    STATEMENTS.iter().find(|(of, name, _)| fits(of) && word.eq_ignore_ascii_case(name)).map(|(.., why)| *why)
}

/// Why the function `name` is refused.
pub(super) fn function(name: &str) -> Option<&'static str> {
    FUNCTIONS.iter().find(|(known, _)| name.eq_ignore_ascii_case(known)).map(|(_, why)| *why)
}

/// Why the table `name` is refused.
pub(super) fn relation(name: &str) -> Option<&'static str> {
    name.eq_ignore_ascii_case("pg_settings").then_some(OTHERWISE)
}

/// Why `CREATE` or `ALTER` of `object` is refused.
pub(super) fn object(name: &str) -> Option<&'static str> {
    OBJECTS.iter().find(|(known, _)| name.eq_ignore_ascii_case(known)).map(|(_, why)| *why)
}

/// Why the extension `name` is refused.
pub(super) fn extension(name: &str) -> Option<&'static str> {
    let is_known = EXTENSIONS.iter().any(|known| name.eq_ignore_ascii_case(known));
    (!is_known).then_some("it is not known to stay within the database")
}

/// Why a change of the setting `name` is refused.
pub(super) fn setting(name: &str) -> Option<&'static str> {
    (!SETTINGS.iter().any(|known| name.eq_ignore_ascii_case(known))).then_some(SERVER)
}

/// Why the pragma `name` is refused.
pub(super) fn pragma(name: &str) -> Option<&'static str> {
    (!PRAGMAS.iter().any(|known| name.eq_ignore_ascii_case(known)))
        .then_some("it reaches beyond what is stored")
}

/// Why a setting of this value is refused: the text would be read otherwise than it was checked.
pub(super) fn value(setting: &str, value: &str) -> Option<&'static str> {
    let allowed: &[&str] = match setting {
        "standard_conforming_strings" => &["on", "true", "1"],
        "client_encoding" => &["utf8", "utf-8", "unicode"],
        _ => return None,
    };
    let is_allowed = allowed.iter().any(|known| value.eq_ignore_ascii_case(known));
    (!is_allowed).then_some(OTHERWISE)
}
