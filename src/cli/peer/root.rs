//! `xyn peer root`: the key that the environment is rooted in, out of the node's folder.
//!
//! Also signs with it what ranks above everybody, the founder too. Invariant: the key is read from its file here and
//! goes nowhere else; it signs nothing but what was asked for, now, and shown before.

use std::io::{self, BufRead, IsTerminal};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};
use xyn_store::audit::key::{KeyError, NodeKey};
use xyn_store::audit::signature::PublicKey;
use xyn_store::trust::{Claim, EnvId, Seat, Statement};
use xyn_store::{Clock, Timestamp};

use crate::cli::Context;
use crate::cli::table::text;
use crate::client::Client;
use crate::failure::{Exit, Failure, with_causes};

/// How often a draft is made anew because the node went on meanwhile.
const DRAFTS_MAX: u32 = 8;
/// How far the time of a draft may be from this machine's: a word of the root dated later would outlast its next one.
const OFF_BY_MAX: Duration = Duration::from_secs(5 * 60);
/// What is typed to have it signed.
const CONSENT: &str = "sign";

/// What can be done with the root key.
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Command {
    /// Copy the root key of the environment into a file, to be kept offline
    Export(Export),
}

#[derive(Debug, Args)]
#[command(
    after_help = "Whoever has this key is above every member, the founder too. Take it out of the folder of the \
                  node and keep the file apart from the machine, in two places: it cannot be made again. It is not \
                  encrypted. With --root FILE it revokes, renews and confirms whom no member ranks above."
)]
pub(in crate::cli) struct Export {
    /// Where it goes: a file that is not there yet
    file: PathBuf,
    /// Take it out of the node's folder
    #[arg(long)]
    remove: bool,
}

/// Who says it: the node, or the root of the environment.
#[derive(Debug, Args)]
pub(super) struct By {
    /// Have it said by the root of the environment, whose key is in this file; the key is sent nowhere
    #[arg(long, value_name = "FILE")]
    root: Option<PathBuf>,
    /// Sign without asking: a node that lies can draft more than was asked for
    #[arg(long, requires = "root")]
    yes: bool,
}

pub(super) fn run(command: &Command, context: &Context) -> Result<Exit, Failure> {
    let Command::Export(Export { file, remove }) = command;
    if context.is_elsewhere() {
        return Err(Failure::usage("the root key is exported where the node's folder is")
            .hint("leave out --url and XYN_URL, and name the folder with --data DIR"));
    }
    let data = context.data()?;
    let root = NodeKey::export_root(&data, file, *remove).map_err(|error| not_exported(&error, &data))?;
    let env = EnvId::rooted_in(root.public());
    let answer = json!({ "env": env, "file": file, "removed": remove });
    context.out.answer(&answer, |_| format!("the root key of environment {env} is in {}", file.display()))?;
    context.out.hint(match remove {
        true => "keep it apart from this machine, in two places: nobody can make it again",
        false => "it is in the node's folder as well: whoever has that ranks above everybody; take it out with --remove",
    });
    Ok(Exit::Done)
}

fn not_exported(error: &KeyError, data: &Path) -> Failure {
    match error {
        KeyError::Missing(_) => {
            let message = format!("there is no root key in `{}`", data.display());
            Failure::new(Exit::NotFound, "no_root", message).hint(
                "it is with the node that founded the environment, or was taken out of its folder before",
            )
        }
        KeyError::Exists(path) => {
            let message = format!("`{}` is there already, and a key is never overwritten", path.display());
            Failure::new(Exit::Conflict, "exists", message).hint("name another file")
        }
        error => {
            Failure::failed("key", with_causes(error)).hint("see who may read and write there with: ls -l")
        }
    }
}

impl By {
    /// Whether the root says it.
    pub(super) fn is_root(&self) -> bool {
        self.root.is_some()
    }

    /// Does `action` with `input` by posting to `route`; signed by the root where its key is named, if what the node
    /// would have it sign `is_asked`.
    pub(super) async fn post(
        &self,
        (client, context): (&Client, &Context),
        (action, route): (&str, &str),
        input: Map<String, Value>,
        is_asked: impl Fn(&Claim) -> bool,
    ) -> Result<Value, Failure> {
        // The path of the route names it.
        let mut body = input.clone();
        body.remove("node");
        let Some(file) = &self.root else { return client.post(route, &body.into()).await };
        let key = read(file)?;
        let mut agreed = self.yes.then_some(None);
        for _ in 0..DRAFTS_MAX {
            let drafted = draft(client, (file, &key), action, &input, &is_asked).await?;
            let shown = shown(&drafted.claim);
            if agreed.as_ref().is_none_or(|agreed| agreed.as_ref().is_some_and(|agreed| *agreed != shown)) {
                ask(&shown, context)?;
                agreed = Some(Some(shown.clone()));
            }
            let signed = drafted.sign(&key).map_err(|error| Failure::failed("draft", with_causes(&error)))?;
            body.insert("signed".to_owned(), signed.to_hex().into());
            match client.post(route, &body.clone().into()).await {
                // The node wrote something between the draft and this.
                Err(failure) if failure.code == "draft_outdated" => {}
                Err(failure) => return Err(failure),
                Ok(answer) => {
                    context.out.hint(&format!("the root signed that {shown}"));
                    return Ok(answer);
                }
            }
        }
        Err(Failure::new(Exit::Conflict, "draft_outdated", "the node goes on faster than the root can sign")
            .hint("wait until less is going on there, and try again"))
    }
}

fn read(file: &Path) -> Result<NodeKey, Failure> {
    NodeKey::load_from(file).map_err(|error| match error {
        KeyError::Missing(path) => {
            let message = format!("there is no file `{}`", path.display());
            Failure::new(Exit::NotFound, "no_root", message)
                .hint("name the file that `xyn peer root export` wrote on the machine of the founder")
        }
        error => Failure::failed("key", with_causes(&error)).at(file.display().to_string()),
    })
}

/// What the node has the root say for `action`.
async fn draft(
    client: &Client,
    (file, key): (&Path, &NodeKey),
    action: &str,
    input: &Map<String, Value>,
    is_asked: impl Fn(&Claim) -> bool,
) -> Result<Statement, Failure> {
    let drafted = client.post("/peers/drafts", &json!({ "action": action, "input": input })).await?;
    let statement = Statement::from_hex(&text(&drafted, "statement"))
        .map_err(|error| Failure::failed("draft", with_causes(&error)))?;
    let root = key.public();
    if statement.env != EnvId::rooted_in(root) {
        let message =
            format!("this is the root key of environment {root}, and the node is of {}", statement.env);
        return Err(Failure::new(Exit::Denied, "not_the_root", message)
            .at(file.display().to_string())
            .hint("name the file with the root key of the node's environment"));
    }
    let is_now = is_near(statement.issued_at, Clock::system().now());
    if statement.issuer != root || !is_now || !is_asked(&statement.claim) {
        let message = "the node wants the root to sign something else than was asked; nothing was signed";
        let hint = "do it on a node that you trust, whose clock is right";
        return Err(Failure::failed("draft", message).hint(hint));
    }
    Ok(statement)
}

fn is_near(said: Timestamp, now: Timestamp) -> bool {
    said >= now.before(OFF_BY_MAX) && said <= now.after(OFF_BY_MAX)
}

/// What the root is to say, for whoever answers for its key.
fn shown(claim: &Claim) -> String {
    match claim {
        Claim::Revocation(said) => {
            let records: u64 = said.last.values().map(|last| last.seq).fold(0, u64::saturating_add);
            let feeds = said.last.len();
            format!(
                "node {} is revoked, and what counts of it are {records} records in {feeds} feeds",
                said.node
            )
        }
        Claim::Certificate(said) => {
            let until = said.expires.map_or("without end".to_owned(), |until| format!("until {until}"));
            let seat = match &said.seat {
                Seat::Under(above) => format!("below {above}"),
                Seat::Succeeding(succession) => format!("in the place of {}", succession.old),
            };
            format!("node {} is {}'s, as {:?}, {until}, {seat}", said.node, said.principal, said.role)
        }
    }
}

/// Has whoever answers for the root's key agree to what is `shown`.
fn ask(shown: &str, context: &Context) -> Result<(), Failure> {
    if context.out.json || !io::stdin().is_terminal() {
        return Err(Failure::usage(format!("the root signs nothing unseen: that {shown}"))
            .hint("if that is right, and the node is one that you trust, say so with: --yes"));
    }
    context.out.note(&format!("The root is to sign that {shown}. Type `{CONSENT}` if that is right:"));
    let mut line = String::new();
    let read = io::stdin().lock().read_line(&mut line);
    match read.is_ok() && line.trim() == CONSENT {
        true => Ok(()),
        false => {
            Err(Failure::usage("nothing was signed").hint(format!("type `{CONSENT}` to have it signed")))
        }
    }
}

/// Whether a claim hands the seat of `node` to another key.
pub(super) fn is_succession(claim: &Claim, node: &str) -> bool {
    let Claim::Certificate(certificate) = claim else { return false };
    matches!(&certificate.seat, Seat::Succeeding(succession) if is(succession.old, node))
}

/// Whether `key` is the one that `node` says.
pub(super) fn is(key: PublicKey, node: &str) -> bool {
    key.to_string() == node
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_signs_nothing_that_is_dated_away_from_now() {
        let now = Timestamp::EPOCH.after(Duration::from_secs(1_000_000));
        for (off, is_right) in [(0, true), (299, true), (301, false), (157_680_000, false)] {
            let off = Duration::from_secs(off);
            assert_eq!(is_near(now.after(off), now), is_right);
            assert_eq!(is_near(now.before(off), now), is_right);
        }
    }
}
