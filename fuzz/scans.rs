//! What is packed, as the checks of a pack read it: content with secrets, lock files, seeds of SQL.
//!
//! Invariant: a finding never repeats a long run of what it was found in.

use xyn_capsules::lint::{Dialect, check_sql};
use xyn_capsules::sbom::{self, Subject};
use xyn_capsules::secrets::{Allow, Limits, scan, scan_stream};
use xyn_capsules::tree::RelPath;

fn path(text: &str) -> RelPath {
    text.parse().expect("a path")
}

fn seeds(texts: &[&str]) -> Vec<Vec<u8>> {
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}

/// Content that is searched for secrets; the first byte says under which name.
pub(super) mod leaks {
    use super::*;

    const NAMES: [&str; 4] = ["a.rs", ".env", "a.yaml", "a.tgz"];
    const LIMITS: fn() -> Limits = || Limits { unpacked_bytes: 1 << 20, ..Limits::default() };

    pub(crate) fn run(bytes: &[u8]) {
        let Some((name, content)) = bytes.split_first() else { return };
        let path = path(NAMES[usize::from(*name) % NAMES.len()]);
        let findings = scan(&path, content, LIMITS());
        let stream = scan_stream(&path, content, LIMITS()).expect("memory can be read");
        assert_eq!(stream, findings, "a stream has other findings");
        assert!(findings.len() <= LIMITS().findings + 1, "more findings than are told");
        for finding in &findings {
            assert!(!finding.to_string().chars().any(char::is_control), "a finding is not escaped");
        }
        let _ = Allow::parse(content);
    }

    pub(crate) fn seeds() -> Vec<Vec<u8>> {
        super::seeds(&[
            "\0password = \"Tr0ub4dor&3\"\nurl = \"redis://:k3rnelPan1c@c/0\"",
            "\u{1}A=1\nB_SECRET=x y # z\n",
            "\u{2}token: Zk8Jq2Lw9Xv4Bn6M\nAuthorization: Basic YWRhOmszcm5lbFBhbjFj\n",
            "\u{2}data: cGFzc3dvcmQ6IFRyMHViNGRvcjN4CnVzZXI6IGFkYQo=\n-----BEGIN PRIVATE KEY-----\n",
            "\u{3}PK\u{3}\u{4}",
        ])
    }
}

/// Lock files; the first byte says of which kind.
pub(super) mod locks {
    use super::*;

    const NAMES: [&str; 7] = [
        "Cargo.lock",
        "package-lock.json",
        "pnpm-lock.yaml",
        "uv.lock",
        "poetry.lock",
        "go.sum",
        "requirements.txt",
    ];

    pub(crate) fn run(bytes: &[u8]) {
        let Some((name, content)) = bytes.split_first() else { return };
        let path = path(NAMES[usize::from(*name) % NAMES.len()]);
        match sbom::read(&path, content).expect("a name of a lock file") {
            Ok(lock) => {
                let subject = Subject { id: "urn:xyn:app:a@1.0.0", name: "a", version: "1.0.0" };
                let bill = sbom::document(subject, [&lock], None).expect("few packages");
                assert!(sbom::diff(&bill, &bill).expect("own bytes").is_empty());
            }
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    }

    pub(crate) fn seeds() -> Vec<Vec<u8>> {
        super::seeds(&[
            "\0version = 4\n[[package]]\nname = \"a\"\nversion = \"1.0.0\"\ndependencies = [\"a 1.0.0\"]\n",
            "\u{1}{\"lockfileVersion\": 3, \"packages\": {\"\": {}, \"node_modules/@s/a\": {\"version\": \"1.0.0\"}}}",
            "\u{1}{\"lockfileVersion\": 1, \"dependencies\": {\"a\": {\"version\": \"1.0.0\", \"requires\": true}}}",
            "\u{2}lockfileVersion: '9.0'\npackages:\n  a@1.0.0: {}\nsnapshots:\n  a@1.0.0(b@1): {}\n",
            "\u{3}version = 1\n[[package]]\nname = \"a\"\nversion = \"1\"\nsource = { virtual = \".\" }\n",
            "\u{4}[[package]]\nname = \"a\"\nversion = \"1\"\n[metadata]\nlock-version = \"2.1\"\n",
            "\u{5}a.b/c v1.0.0 h1:BQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQU=\n",
            "\u{6}a[b]==1.0 ; c \\\n --hash=sha256:00\n-e git+https://h/g.git#egg=g\n",
        ])
    }
}

/// Seeds of SQL: behind an honest statement, a refused one is refused.
pub(super) mod queries {
    use super::*;

    pub(crate) fn run(bytes: &[u8]) {
        for dialect in [Dialect::Postgres, Dialect::Sqlite] {
            if check_sql(bytes, dialect).is_err() {
                continue;
            }
            let hostile = [bytes, b"\n;;COMMIT;"].concat();
            // Within a trigger of SQLite that does not end, there is no statement of its own.
            let is_trigger = bytes.to_ascii_lowercase().windows(7).any(|word| word == b"trigger");
            assert!(is_trigger || check_sql(&hostile, dialect).is_err(), "hidden behind an honest seed");
        }
    }

    pub(crate) fn seeds() -> Vec<Vec<u8>> {
        super::seeds(&[
            "INSERT INTO a VALUES ('b''c', \"d\", $e$ f $e$); -- g\n/* h /* i */ */ SELECT 1;",
            "DO $$ BEGIN PERFORM 1; END $$; SET client_encoding = 'UTF8';",
            "CREATE TRIGGER t AFTER INSERT ON a BEGIN SELECT CASE WHEN 1 THEN 2 END; END;",
            "COPY a FROM PROGRAM 'id'; ATTACH 'b' AS c; SELECT load_extension('d');",
        ])
    }
}
