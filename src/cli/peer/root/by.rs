//! Acts that the root stands behind: drafted by a node, signed here.
//!
//! Owns the way from the draft to the signed statement. Invariant: the root's key is read from its file here and goes
//! nowhere else; it signs nothing but what fits what was asked for and was told first, and without `--yes` only what
//! somebody at a terminal agreed to.

use std::io::{self, BufRead, IsTerminal};
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Map, Value, json};
use xyn_store::Clock;
use xyn_store::audit::key::{KeyError, NodeKey};
use xyn_store::trust::{InvalidStatement, Statement};

use super::draft::{Asked, Unfit, judge, words};
use crate::cli::Context;
use crate::cli::table::text;
use crate::client::Client;
use crate::failure::{Exit, Failure, file_hint, with_causes};

/// How often a draft is made anew because the node went on meanwhile.
const DRAFTS_MAX: u32 = 8;
/// What is typed to have it signed.
const CONSENT: &str = "sign";

/// Who says it: the node, or the root of the environment.
#[derive(Debug, Args)]
pub(in crate::cli::peer) struct By {
    /// Have it said by the root of the environment, whose key is in this file; the key is sent nowhere
    #[arg(long, value_name = "FILE")]
    root: Option<PathBuf>,
    /// Sign what is told without asking: a node that lies says how much of a revoked member's records counts
    #[arg(long, requires = "root")]
    yes: bool,
}

impl By {
    /// Whether the root says it.
    pub(in crate::cli::peer) fn is_root(&self) -> bool {
        self.root.is_some()
    }

    /// Does `action` with `input` by posting to `route`; signed by the root where its key is named, if what the node
    /// would have it sign is what is `asked`.
    pub(in crate::cli::peer) async fn post(
        &self,
        (client, context): (&Client, &Context),
        (action, route): (&str, &str),
        input: Map<String, Value>,
        asked: &Asked,
    ) -> Result<Value, Failure> {
        // The path of the route names it.
        let mut body = input.clone();
        body.remove("node");
        let Some(file) = &self.root else { return client.post(route, &body.into()).await };
        let key = read(file)?;
        let wanted = json!({ "action": action, "input": input });
        let mut told: Option<String> = None;
        for _ in 0..DRAFTS_MAX {
            let drafted = draft(client, &wanted).await?;
            judge(&drafted, key.public(), asked, Clock::system().now())
                .map_err(|unfit| unfit.refused(file))?;
            let words = words(&drafted, asked);
            if told.as_ref() != Some(&words) {
                self.agree(&words, context)?;
                told = Some(words);
            }
            let signed = drafted.sign(&key).map_err(|error| unsigned(&error))?;
            body.insert("signed".to_owned(), signed.to_hex().into());
            match client.post(route, &body.clone().into()).await {
                // The node wrote something between the draft and this.
                Err(failure) if failure.code == "draft_outdated" => {}
                done => return done,
            }
        }
        Err(Failure::new(Exit::Conflict, "draft_outdated", "the node goes on faster than the root can sign")
            .hint("wait until less is going on there, and try again"))
    }

    /// Tells what the root is to sign, in `words`, and without `--yes` has whoever answers for its key agree to it.
    fn agree(&self, words: &str, context: &Context) -> Result<(), Failure> {
        if !self.yes && (context.out.json || !io::stdin().is_terminal()) {
            return Err(Failure::usage(format!("the root signs nothing unseen: that {words}"))
                .hint("if that is right, and the node is one that you trust, say so with: --yes"));
        }
        context.out.note(&match context.out.json {
            true => json!({ "root_signs": words }).to_string(),
            false => format!("The root is to sign that {words}."),
        });
        if self.yes {
            return Ok(());
        }
        context.out.note(&format!("Type `{CONSENT}` if that is right:"));
        let mut line = String::new();
        let read = io::stdin().lock().read_line(&mut line);
        match read.is_ok() && line.trim() == CONSENT {
            true => Ok(()),
            false => {
                Err(Failure::usage("nothing was signed").hint(format!("type `{CONSENT}` to have it signed")))
            }
        }
    }
}

fn read(file: &Path) -> Result<NodeKey, Failure> {
    let unusable =
        |error: &KeyError| Failure::failed("key", with_causes(error)).at(file.display().to_string());
    NodeKey::load_from(file).map_err(|error| match error {
        KeyError::Missing(path) => {
            let message = format!("there is no file `{}`", path.display());
            Failure::new(Exit::NotFound, "no_root", message)
                .hint("name the file that `xyn peer root export` wrote on the machine of the founder")
        }
        KeyError::Io { ref source, .. } => unusable(&error).hint(file_hint(source.kind())),
        error => unusable(&error),
    })
}

/// What the node would have the root say.
async fn draft(client: &Client, wanted: &Value) -> Result<Statement, Failure> {
    let drafted = client.post("/peers/drafts", wanted).await?;
    Statement::from_hex(&text(&drafted, "statement")).map_err(|error| unsigned(&error))
}

/// Why the root signs nothing of what the node would have it say.
fn unsigned(error: &InvalidStatement) -> Failure {
    Failure::failed("draft", with_causes(error)).hint(Unfit::TRUST)
}
