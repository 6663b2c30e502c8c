//! Seeds that are refused, and honest ones that look like them.

use proptest::prelude::*;

use super::*;

fn refused(seed: &str, dialect: Dialect) -> String {
    match check_sql(seed.as_bytes(), dialect) {
        Ok(()) => String::new(),
        Err(SqlFault { refusal: SqlRefusal::Named { name, .. }, .. }) => name,
        Err(fault) => fault.refusal.to_string(),
    }
}

fn postgres(seed: &str) -> String {
    refused(seed, Dialect::Postgres)
}

fn sqlite(seed: &str) -> String {
    refused(seed, Dialect::Sqlite)
}

#[test]
fn what_reaches_out_of_sqlite_is_refused_by_name() {
    for (seed, name) in [
        ("ATTACH DATABASE '/etc/passwd' AS x", "ATTACH"),
        ("insert into a values (1);\n/* x */ attach 'y' as z;", "ATTACH"),
        ("-- a\n  AtTaCh 'x' as y", "ATTACH"),
        ("SELECT load_extension('x')", "load_extension"),
        ("SELECT \"load_extension\" ('x')", "load_extension"),
        ("SELECT [load_extension]/**/('x')", "load_extension"),
        ("SELECT `LOAD_EXTENSION`('x')", "LOAD_EXTENSION"),
        ("INSERT INTO a VALUES (writefile('/tmp/x', 'y'))", "writefile"),
        ("VACUUM INTO '/tmp/x'", "VACUUM"),
        ("PRAGMA writable_schema = on", "PRAGMA writable_schema"),
        ("PRAGMA main.journal_mode = off", "PRAGMA journal_mode"),
        ("CREATE VIRTUAL TABLE t USING csv(filename='/etc/passwd')", "CREATE VIRTUAL TABLE … USING csv"),
        ("BEGIN; COMMIT", "BEGIN"),
        ("END", "END"),
        (".shell rm -rf /", "what begins with `.` is for a shell, not for the database; leave it out"),
        ("/* /* */ ATTACH 'x' AS y --*/", "ATTACH"),
        ("SELECT '\\'; ATTACH 'x' AS y; --'", "ATTACH"),
        ("SELECT $a$; ATTACH 'x' AS y; --$a$", "ATTACH"),
    ] {
        assert_eq!(sqlite(seed), name, "{seed}");
    }
}

#[test]
fn what_reaches_out_of_postgres_is_refused_by_name() {
    for (seed, name) in [
        ("COPY t FROM PROGRAM 'id'", "COPY … PROGRAM"),
        ("COPY (SELECT 1) TO PROGRAM $$id$$", "COPY … PROGRAM"),
        ("copy t from '/etc/passwd'", "COPY"),
        ("COPY t FROM stdin;\n1\n\\.", "COPY … STDIN"),
        ("SELECT pg_catalog.pg_read_file('/etc/passwd')", "pg_read_file"),
        ("SELECT \"lo_export\"(1, '/tmp/x')", "lo_export"),
        ("SELECT query_to_xml('COPY t TO PROGRAM ''id''', true, true, '')", "query_to_xml"),
        ("LOAD 'x.so'", "LOAD"),
        ("CREATE EXTENSION IF NOT EXISTS \"plpython3u\"", "EXTENSION plpython3u"),
        ("CREATE OR REPLACE TRUSTED LANGUAGE x", "CREATE LANGUAGE"),
        ("ALTER SYSTEM SET a = 1", "ALTER SYSTEM"),
        ("CREATE ROLE x SUPERUSER", "CREATE ROLE"),
        ("SET ROLE postgres", "SET role"),
        ("SET SESSION AUTHORIZATION postgres", "SET authorization"),
        ("SET standard_conforming_strings = off", "SET standard_conforming_strings"),
        ("SET client_encoding TO 'SJIS'", "SET client_encoding"),
        ("SELECT set_config('role', 'postgres', false)", "set_config"),
        ("COMMIT", "COMMIT"),
        ("DO $$ BEGIN COPY t TO PROGRAM 'id'; END $$", "COPY … PROGRAM"),
        ("DO $x$ BEGIN IF true THEN COPY t TO PROGRAM 'id'; END IF; END $x$", "COPY … PROGRAM"),
        ("DO 'BEGIN PERFORM ''--'' ; COPY t TO PROGRAM ''id''; END'", "COPY … PROGRAM"),
        ("DO 'BEGIN CO'\n'PY t TO PROGRAM ''id''; END'", "AS"),
        ("DO E'BEGIN \\x43OPY t TO PROGRAM ''id''; END'", "AS"),
        ("DO $$ BEGIN EXECUTE 'CO' || 'PY t TO PROGRAM ''id'''; END $$", "EXECUTE"),
        ("CREATE FUNCTION f() RETURNS int AS $$ x = 1 $$ LANGUAGE plpython3u", "LANGUAGE plpython3u"),
        ("CREATE FUNCTION f() RETURNS int LANGUAGE C AS 'x.so', 'f'", "LANGUAGE C"),
        ("CREATE FUNCTION f() RETURNS int AS $a$ SELECT 1; $a$ LANGUAGE \"plperlu\"", "LANGUAGE plperlu"),
        ("CREATE FUNCTION f() RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT 1; END", "BEGIN ATOMIC"),
        (
            "CREATE FUNCTION f() RETURNS text LANGUAGE sql SET standard_conforming_strings = off AS $$ SELECT '\\' $$",
            "SET standard_conforming_strings",
        ),
        (
            "CREATE OR REPLACE PROCEDURE f(set int, b int DEFAULT (1)) AS $$ $$ LANGUAGE sql SET search_path = a \
             SET \"Standard_Conforming_Strings\" TO 'off'",
            "SET standard_conforming_strings",
        ),
        (
            "CREATE FUNCTION f() RETURNS int LANGUAGE sql SET standard_conforming_strings FROM CURRENT AS 'SELECT 1'",
            "SET standard_conforming_strings",
        ),
        ("CREATE FUNCTION f() RETURNS int LANGUAGE sql SET role = postgres AS 'SELECT 1'", "SET role"),
        (
            "ALTER FUNCTION f(int) STRICT SET standard_conforming_strings TO off",
            "SET standard_conforming_strings",
        ),
        ("ALTER ROUTINE f SET session_authorization TO x", "SET session_authorization"),
        ("CREATE SERVER s FOREIGN DATA WRAPPER file_fdw", "CREATE SERVER"),
        ("SELECT U&\"\\006co_export\"(1)", "U&\"…\""),
        ("\\! id", "what begins with `\\` is for a shell, not for the database; leave it out"),
        ("SELECT 1 \\gexec", "what begins with `\\` is for a shell, not for the database; leave it out"),
        ("/* /* */ COMMIT; */ ROLLBACK", "ROLLBACK"),
        ("SELECT E'\\''; COMMIT; --'", "COMMIT"),
        ("SELECT E'a'\n'b\\' '; COMMIT; --'", "continued E string"),
        ("SELECT E'a' -- c\n'b\\''; COMMIT; --'", "continued E string"),
        ("UPDATE pg_settings SET setting = 'off'", "pg_settings"),
        ("UPDATE pg_catalog.\"pg_settings\" SET setting = 'off'", "pg_settings"),
        ("SELECT \u{feff}E'\\'; COMMIT; --'", "COMMIT"),
    ] {
        assert_eq!(postgres(seed), name, "{seed}");
    }
}

#[test]
fn honest_seeds_are_taken() {
    for seed in [
        "CREATE TABLE attach (\"commit\" text, load int); INSERT INTO attach VALUES ('COPY t FROM PROGRAM ''id''', 1);",
        "-- ATTACH 'x'\nSELECT 'it''s; ATTACH';\n/* COMMIT; */",
        "INSERT INTO notes (text) VALUES ('load_extension(1)'), ('BEGIN');",
        "SELECT CASE WHEN 1 THEN 2 END; UPDATE t SET a = 1 WHERE b = 'c';",
        "",
        " ; ;; ",
    ] {
        assert_eq!((postgres(seed), sqlite(seed)), Default::default(), "{seed}");
    }
    for seed in [
        "SET statement_timeout = 0; SET client_encoding = 'UTF8'; SET standard_conforming_strings = on;\n\
         SELECT pg_catalog.set_config('search_path', '', false);",
        "CREATE EXTENSION IF NOT EXISTS \"uuid-ossp\" WITH SCHEMA public;",
        "CREATE OR REPLACE FUNCTION touch() RETURNS trigger AS $$\nDECLARE n int := 1;\nBEGIN\n  IF n > 0 THEN NEW.at := now(); END IF;\n\
         RETURN NEW;\nEND;\n$$ LANGUAGE plpgsql; CREATE TRIGGER t BEFORE UPDATE ON a FOR EACH ROW EXECUTE FUNCTION touch();",
        "CREATE FUNCTION a.set(set text) RETURNS TABLE (set text) AS $$ SELECT 1 $$ LANGUAGE sql SET search_path TO a, b \
         SET standard_conforming_strings = on; ALTER FUNCTION f() SET SCHEMA other; ALTER TABLE t SET SCHEMA other;",
        "/* /* in one another */ */ SELECT $a$ COMMIT; $b$ $a$, $1, E'\\'; COMMIT; --';",
    ] {
        assert_eq!(postgres(seed), "", "{seed}");
    }
    for seed in [
        "CREATE TRIGGER t AFTER INSERT ON a BEGIN UPDATE b SET c = CASE WHEN 1 THEN 2 END; DELETE FROM d; END; SELECT 1;",
        "PRAGMA foreign_keys = on; CREATE VIRTUAL TABLE f USING fts5(text);",
        "SELECT a\n.b FROM a; SELECT [a]]; SELECT `b``c`;",
    ] {
        assert_eq!(sqlite(seed), "", "{seed}");
    }
}

#[test]
fn a_seed_is_its_statements_each_with_the_line_it_begins_in() {
    let seed =
        "-- first\nCREATE TABLE a (b); ; INSERT\nINTO a VALUES ('x;\n');\n\nDO $$ BEGIN x; END $$ -- last";
    let told = |dialect| -> Vec<(usize, String)> {
        let statements = sql_statements(seed.as_bytes(), dialect).expect("sound");
        statements.iter().map(|statement| (statement.line, statement.text.to_owned())).collect()
    };
    let first = [
        (2, "CREATE TABLE a (b)".to_owned()),
        (2, "INSERT\nINTO a VALUES ('x;\n')".to_owned()),
        (6, "DO $$ BEGIN x; END $$ -- last".to_owned()),
    ];
    assert_eq!(told(Dialect::Postgres), first);
    let trigger = b"CREATE TRIGGER t AFTER INSERT ON a BEGIN DELETE FROM b; END; SELECT 1";
    let statements = sql_statements(trigger, Dialect::Sqlite).expect("sound");
    assert_eq!(statements.iter().map(|it| it.text.len()).collect::<Vec<_>>(), [59, 8]);
}

#[test]
fn what_does_not_end_is_refused_where_it_begins() {
    for (seed, said) in [
        ("SELECT 1;\n  'abc", "line 2, column 3: the string that begins here does not end"),
        ("/* a", "line 1, column 1: the comment that begins here does not end"),
        ("x \"a", "line 1, column 3: the quoted name that begins here does not end"),
        ("$a$ b $c$", "line 1, column 1: the dollar quote that begins here does not end"),
        ("a\0", "line 1, column 2: is not UTF-8 text"),
        (
            "a;\n COPY t TO PROGRAM 'x'",
            "line 2, column 2: `COPY … PROGRAM` is refused in a seed: it runs a program on the server",
        ),
    ] {
        assert_eq!(check_sql(seed.as_bytes(), Dialect::Postgres).expect_err(seed).to_string(), said);
    }
    assert!(check_sql(b"\xff", Dialect::Sqlite).is_err());
    let matryoshka = (0..9).fold("SELECT 1".to_owned(), |body, tag| format!("DO $t{tag}$ {body} $t{tag}$"));
    assert_eq!(postgres(&matryoshka), "has bodies of functions more than 4 deep in one another");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn no_seed_panics_and_a_refused_statement_is_refused_behind_any_honest_one(
        pieces in prop::collection::vec(
            prop_oneof![
                Just("'a''b'"), Just("\"x\"\"y\""), Just("/* c */"), Just("-- d\n"), Just("SELECT 1;"), Just("(a, b)"),
                Just("f"), Just(";"), Just("1.5e3"), Just("é"),
            ],
            0..20,
        ),
        noise in "\\PC{0,40}",
    ) {
        let honest = format!("SELECT {};", pieces.join(" "));
        for dialect in [Dialect::Postgres, Dialect::Sqlite] {
            prop_assert!(check_sql(honest.as_bytes(), dialect).is_ok(), "{honest}");
            let hostile = format!("{honest}\nCOMMIT;");
            prop_assert!(check_sql(hostile.as_bytes(), dialect).is_err(), "{hostile}");
            let _ = check_sql(format!("{honest} {noise}").as_bytes(), dialect);
        }
    }
}
