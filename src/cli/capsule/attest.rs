//! What was found out about a capsule: signed and put beside it, and put into it by `xyn capsule attest`.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;
use xyn_capsules::attest::attest;
use xyn_capsules::manifest::Manifest;
use xyn_capsules::sign::{NotVerified, Predicate, Statement, Subject, seal};

use super::hand_in::hand_in;
use super::keys::{self, Trust};
use super::source::Source;
use super::{Context, node, not_trusted};
use crate::cli::input;
use crate::client::Need;
use crate::failure::{Exit, Failure};

#[derive(Debug, Args)]
pub(in crate::cli) struct Attest {
    /// The file of a capsule, which is replaced; or one that the node has: its digest, APP@VERSION, or APP
    #[arg(value_name = "FILE|CAPSULE")]
    capsule: PathBuf,
    /// What was found out, signed: what `rebuild --attest` and `sim capsule` wrote
    report: PathBuf,
    #[command(flatten)]
    trust: Trust,
}

/// Puts a report into a capsule: into its file, or into what the node knows of it.
pub(super) async fn run(arguments: &Attest, context: &Context) -> Result<Exit, Failure> {
    let Attest { capsule, report, trust } = arguments;
    let text = input::text(report)?;
    let source = Source::find(capsule, context).await?;
    let done = attest(&source.path(), text.trim_end().as_bytes());
    let done = done.map_err(|error| not_trusted(source.given(), &error))?;
    if source.is_of_node() {
        let client = context.client(Need::Node).await?;
        let answer = hand_in(&client, &source.path(), trust, context).await?;
        node::tell_ignored(&answer, context);
    }
    let document = json!({
        "capsule": done.digest, "id": done.manifest.id, "kind": done.kind, "added": done.is_new,
    });
    context.out.answer(&document, |_| match document["added"] == true {
        true => format!("{} is attested {}", super::super::table::text(&document, "id"), document["kind"]),
        false => "it was attested already".to_owned(),
    })?;
    Ok(Exit::Done)
}

/// Signs `said` about the capsule of `manifest` with the key in `key`, and writes the envelope to `target`.
pub(in crate::cli) fn write<P: Predicate>(
    manifest: &Manifest,
    said: P,
    key: &Path,
    target: &Path,
) -> Result<(), Failure> {
    let name = manifest.id.to_string().parse().expect("ids are lines");
    let statement = Statement { subject: Subject { name, tree: manifest.tree }, predicate: said };
    let unsigned = |error: NotVerified| Failure::failed("not_signed", error.to_string());
    let envelope = seal(&statement, &keys::secret(key)?).map_err(unsigned)?;
    std::fs::write(target, envelope.to_bytes()).map_err(|error| Failure::file("write", target, &error))
}

/// The file beside `capsule` that is called like it, and `kind`.
pub(in crate::cli) fn beside(capsule: &Path, kind: &str) -> PathBuf {
    let mut name = capsule.as_os_str().to_owned();
    name.push(format!(".{kind}.json"));
    name.into()
}
