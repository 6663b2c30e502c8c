//! Seeds in PostgreSQL: a server that is attached by its address.
//!
//! A statement is sent by itself, so the server takes no second one behind it; it runs as a role that can reach
//! nothing but databases, or not at all. Connections are to this machine, since they are not encrypted. Invariant:
//! the transaction that began is the one that is committed.

use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::error::ErrorPosition;
use tokio_postgres::{Config, NoTls, Transaction};
use xyn_capsules::lint::sql_statements;
use xyn_store::Timestamp;

use super::{Fault, MESSAGE_CHARS, NOTE_AGAIN, NOTES, RUN_MAX, Script, shown};
use crate::services::secrets::{Scrub, Secret};

/// How long a connection may take.
const CONNECT_MAX: std::time::Duration = std::time::Duration::from_secs(10);
/// How long a statement waits for who holds a table.
const LOCK_MAX: &str = "10s";
/// The number of the lock that two nodes take which seed one database.
const LOCK: i64 = 0x0078_796e_7365_6564;
/// Roles that reach files and programs of the server.
const REACH: [&str; 3] = ["pg_execute_server_program", "pg_read_server_files", "pg_write_server_files"];

pub(super) async fn run(
    address: &Secret,
    scripts: &[Script],
    again: bool,
    scrub: &Scrub,
    now: Timestamp,
) -> Result<(), String> {
    let mut config: Config = address.expose().parse().map_err(|_| {
        "what is attached is no address of a PostgreSQL server; write one such as \
         `postgres://NAME:PASSWORD@localhost/DATABASE`"
            .to_owned()
    })?;
    near(&config)?;
    let refused = |error: tokio_postgres::Error| format!("the database: {}", said(&error, scrub));
    config.connect_timeout(CONNECT_MAX).application_name("xyn");
    let (mut client, connection) = config.connect(NoTls).await.map_err(refused)?;
    // What it ends with, the client is told as well.
    let connected = tokio::spawn(connection);
    let cancel = client.cancel_token();
    let seeding = async {
        let transaction = client.transaction().await.map_err(refused)?;
        seed(&transaction, scripts, again, scrub, now).await?;
        transaction.commit().await.map_err(refused)
    };
    let done = tokio::time::timeout(RUN_MAX, seeding).await;
    if done.is_err() {
        // The server notices that nobody listens only when it has something to say, and holds its locks until then.
        let _ = tokio::time::timeout(CONNECT_MAX, cancel.cancel_query(NoTls)).await;
    }
    // A connection that is cut off rolls back.
    connected.abort();
    done.unwrap_or_else(|_| Err(format!("its seeds ran for more than {} seconds", RUN_MAX.as_secs())))
}

/// Refuses what is not on this machine.
fn near(config: &Config) -> Result<(), String> {
    let is_near = |host: &Host| match host {
        Host::Unix(_) => true,
        Host::Tcp(name) => {
            name == "localhost" || name.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback())
        }
    };
    let hosts_are_near = !config.get_hosts().is_empty() && config.get_hosts().iter().all(is_near);
    if !hosts_are_near || !config.get_hostaddrs().iter().all(std::net::IpAddr::is_loopback) {
        return Err(
            "what is attached is not on this machine, and connections are not encrypted; attach one at \
                    localhost, such as the end of a tunnel"
                .to_owned(),
        );
    }
    match config.get_ssl_mode() {
        SslMode::Require => {
            Err("what is attached asks for TLS (`sslmode=require`), which is not spoken to a \
                                 server on this machine; leave that out"
                .to_owned())
        }
        _ => Ok(()),
    }
}

async fn seed(
    transaction: &Transaction<'_>,
    scripts: &[Script],
    again: bool,
    scrub: &Scrub,
    now: Timestamp,
) -> Result<(), String> {
    let refused = |error: tokio_postgres::Error| format!("the database: {}", said(&error, scrub));
    confined(transaction, scrub).await?;
    let limits = format!("SET LOCAL lock_timeout = '{LOCK_MAX}'; {}", settings());
    transaction.batch_execute(&limits).await.map_err(refused)?;
    transaction.execute("SELECT pg_advisory_xact_lock($1)", &[&LOCK]).await.map_err(refused)?;
    let here = transaction
        .query_one("SELECT quote_ident(current_schema()), txid_current()::text", &[])
        .await
        .map_err(refused)?;
    let (schema, began): (Option<String>, String) = (here.get(0), here.get(1));
    let schema = schema.ok_or("the database: there is no schema in which tables are made")?;
    let notes = format!("{schema}.{NOTES}");
    let make = format!(
        "CREATE TABLE IF NOT EXISTS {notes} (digest text PRIMARY KEY, name text NOT NULL, applied_at text NOT NULL)"
    );
    transaction.batch_execute(&make).await.map_err(refused)?;
    for script in scripts {
        let (digest, at) = (script.digest.to_string(), now.to_string());
        let known = format!("SELECT 1 FROM {notes} WHERE digest = $1");
        if !again && transaction.query_opt(&known, &[&digest]).await.map_err(refused)?.is_some() {
            continue;
        }
        run_one(transaction, script, scrub).await.map_err(|fault| script.failed(&fault, scrub))?;
        let now_in = transaction.query_one("SELECT txid_current()::text", &[]).await.map_err(refused)?;
        if now_in.get::<_, String>(0) != began {
            return Err(format!("its seed `{}` ended the transaction it runs in", script.name));
        }
        let note = format!("INSERT INTO {notes} (digest, name, applied_at) VALUES ($1, $2, $3) {NOTE_AGAIN}");
        transaction.execute(&note, &[&digest, &script.name, &at]).await.map_err(refused)?;
    }
    Ok(())
}

/// Refuses a role that reaches more than databases.
async fn confined(transaction: &Transaction<'_>, scrub: &Scrub) -> Result<(), String> {
    // It can take on whatever it is a member of, and one that makes roles may be given any.
    let question = "SELECT session_user::text, EXISTS (SELECT 1 FROM pg_roles AS r WHERE \
                    (r.rolsuper OR r.rolcreaterole OR r.rolname::text = ANY($1::text[])) AND \
                    pg_has_role(session_user, r.oid, 'MEMBER'))";
    let reach: Vec<&str> = REACH.to_vec();
    let role = transaction.query_one(question, &[&reach]).await;
    let role = role.map_err(|error| format!("the database: {}", said(&error, scrub)))?;
    match role.get::<_, bool>(1) {
        false => Ok(()),
        true => Err(format!(
            "the role `{}` of the database reaches beyond its database; attach it as a role that owns \
             its database and no more: CREATE ROLE shop LOGIN PASSWORD '…'",
            shown(role.get(0), MESSAGE_CHARS, scrub)
        )),
    }
}

/// What holds for each statement, whatever those before it did: how it is read, and how long it may run.
fn settings() -> String {
    let seconds = RUN_MAX.as_secs();
    format!("SET LOCAL standard_conforming_strings = on; SET LOCAL statement_timeout = '{seconds}s'")
}

async fn run_one(transaction: &Transaction<'_>, script: &Script, scrub: &Scrub) -> Result<(), Fault> {
    let (statements, settings) = (sql_statements(script.text.as_bytes(), script.dialect), settings());
    // INVARIANT: they were read in the same way when the script was.
    for statement in statements.unwrap_or_default() {
        let ran = match transaction.batch_execute(&settings).await {
            // With parameters, though none, the server takes one statement and no more.
            Ok(()) => transaction.execute(statement.text, &[]).await,
            Err(error) => Err(error),
        };
        if let Err(error) = ran {
            let message = said(&error, scrub);
            let line = statement.line + behind(&error, statement.text);
            return Err(Fault { line, statement: statement.text.to_owned(), message });
        }
    }
    Ok(())
}

/// Lines of the statement before the place that the error is about.
fn behind(error: &tokio_postgres::Error, text: &str) -> usize {
    match error.as_db_error().and_then(|error| error.position()) {
        Some(ErrorPosition::Original(position)) => {
            let before = usize::try_from(*position).unwrap_or_default().saturating_sub(1);
            text.chars().take(before).filter(|c| *c == '\n').count()
        }
        _ => 0,
    }
}

/// What the server says, or why it cannot be heard.
fn said(error: &tokio_postgres::Error, scrub: &Scrub) -> String {
    let said = match error.as_db_error() {
        Some(error) => error.message().to_owned(),
        None => {
            let cause = std::error::Error::source(error).map(|source| format!(": {source}"));
            format!("{error}{}", cause.unwrap_or_default())
        }
    };
    shown(&said, MESSAGE_CHARS, scrub)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_elsewhere_or_would_be_is_not_reached() {
        let said = |address: &str| near(&address.parse().expect("an address")).err();
        for address in [
            "postgres://a:b@localhost/x",
            "postgres://a@127.0.0.1:5433/x",
            "host=/var/run/postgresql user=a",
            "postgres://a@[::1]/x",
        ] {
            assert_eq!(said(address), None, "{address}");
        }
        for address in [
            "postgres://a@example.com/x",
            "host=localhost,example.com user=a",
            "host=localhost hostaddr=10.0.0.1 user=a",
            "user=a",
        ] {
            assert!(said(address).is_some_and(|said| said.contains("not on this machine")), "{address}");
        }
        assert!(said("postgres://a@localhost/x?sslmode=require").is_some_and(|said| said.contains("TLS")));
    }
}
