//! Seeds of SQL: their statements run against the database of a service, in one transaction.
//!
//! Owns what is run and how its failure is told. Statements were checked before by their words; the database refuses
//! what gets by that. Which seeds were applied is noted in the database itself, in the same transaction, so that no
//! crash makes one run twice. Invariant: all new seeds of a service are applied, or none; of those that are asked for again,
//! all or none.

mod postgres;
mod sqlite;

use xyn_capsules::lint::{Dialect, sql_statements};
use xyn_capsules::manifest::{Manifest, Seed, ServiceKind, Slug};
use xyn_store::legible::excerpt;
use xyn_store::{Digest, Timestamp};

use crate::runtime::Refusal;
use crate::services::blocking;
use crate::services::deploy::needs::Database;
use crate::services::deploy::release::unfit;
use crate::services::secrets::Scrub;

/// Bytes of a seed: it is in memory while it runs.
pub(super) const SCRIPT_MAX_BYTES: usize = 32 << 20;
/// The table in which a database notes what was applied.
const NOTES: &str = "_xyn_seeds";
/// What becomes of a note of something that was applied before.
const NOTE_AGAIN: &str =
    "ON CONFLICT (digest) DO UPDATE SET name = excluded.name, applied_at = excluded.applied_at";
/// How long the seeds of a service may run.
const RUN_MAX: std::time::Duration = std::time::Duration::from_secs(120);
/// Characters of a statement that a failure shows.
const STATEMENT_CHARS: usize = 80;
/// Characters of what a database says that a failure shows: a seed can let it say anything.
const MESSAGE_CHARS: usize = 500;

/// A seed whose statements were checked.
pub(super) struct Script {
    name: String,
    path: String,
    digest: Digest,
    dialect: Dialect,
    text: String,
}

/// Why a statement did not run.
struct Fault {
    /// The line, from 1.
    line: usize,
    /// The statement, as it stands in the seed.
    statement: String,
    /// What the database said, as [`shown`] shows it.
    message: String,
}

/// The service whose database `seed` is for, and what is spoken there: the one it names, or the only one there is.
pub(super) fn service<'m>(manifest: &'m Manifest, seed: &Seed) -> Result<(&'m Slug, Dialect), Refusal> {
    let databases = || {
        manifest.services.iter().filter_map(|service| match service.kind {
            ServiceKind::Postgres => Some((&service.name, Dialect::Postgres)),
            ServiceKind::Sqlite => Some((&service.name, Dialect::Sqlite)),
            ServiceKind::Edge | ServiceKind::Worker | ServiceKind::Kv => None,
        })
    };
    let named = |name: &Slug| databases().find(|(service, _)| *service == name);
    let (found, how) = match &seed.service {
        Some(name) => (named(name), "names a service that is no database"),
        None if databases().count() == 1 => (databases().next(), ""),
        None => (None, "names no service, and there is not exactly one database"),
    };
    found.ok_or_else(|| {
        let name = &seed.name;
        unfit(format!(
            "its seed `{name}` {how}; name one of type `postgres` or `sqlite` in `/seeds/…/service`"
        ))
    })
}

impl Script {
    /// Reads the seed, and refuses statements that reach beyond the database.
    pub(super) fn read(seed: &Seed, bytes: Vec<u8>, dialect: Dialect) -> Result<Self, Refusal> {
        let (name, path) = (seed.name.to_string(), seed.path.to_string());
        sql_statements(&bytes, dialect)
            .map_err(|fault| unfit(format!("its seed `{name}` (`{path}`), {fault}")))?;
        // INVARIANT: what is not UTF-8 was refused with its line.
        let text = String::from_utf8(bytes).unwrap_or_default();
        Ok(Self { name, path, digest: seed.digest, dialect, text })
    }

    fn failed(&self, fault: &Fault, scrub: &Scrub) -> String {
        format!(
            "its seed `{}` (`{}`), line {}, at `{}`: {}; nothing of it was applied",
            self.name,
            self.path,
            fault.line,
            shown(&fault.statement, STATEMENT_CHARS, scrub),
            fault.message
        )
    }
}

/// At most `most` characters of `text`, in one line, without values of secrets: those are taken out of what is still
/// whole.
fn shown(text: &str, most: usize, scrub: &Scrub) -> String {
    let text = scrub.text(text);
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    excerpt(&text, most)
}

/// Runs those of `scripts` that `database` does not note as applied; all of them when they are to run `again`. The failure
/// names seed, line and statement, and no value that `scrub` takes out.
pub(super) async fn run(
    database: Database,
    scripts: Vec<Script>,
    again: bool,
    scrub: &Scrub,
    now: Timestamp,
) -> Result<(), String> {
    match database {
        Database::Postgres(address) => postgres::run(&address, &scripts, again, scrub, now).await,
        Database::Sqlite(path) => {
            let scrub = scrub.clone();
            let ran = blocking(move || Ok(sqlite::run(&path, &scripts, again, &scrub, now))).await;
            ran.unwrap_or_else(|refusal| Err(refusal.to_string()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::services::secrets::{Secret, SecretName};

    #[test]
    fn a_value_is_taken_out_before_what_is_said_is_cut() {
        let (name, secret): (SecretName, _) =
            ("pg".parse().expect("a name"), Secret::new("hunter 22\nof all"));
        let scrub = Scrub::new([(&name, &secret)]);
        // Each of these cuts would leave the beginning of the value.
        for most in 6..20 {
            let said = shown("say: hunter 22\nof all!", most, &scrub);
            assert_eq!(said, shown("say: «secret:pg»!", most, &Scrub::default()));
            assert!(!said.contains("hu"), "{said}");
        }
        assert_eq!(shown("a\n  b\t'c'", 80, &scrub), "a b 'c'");
        assert_eq!(shown("abcdef", 3, &scrub), "abc…");
    }
}
