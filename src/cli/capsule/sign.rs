//! `xyn capsule sign`: one more signature on a capsule that somebody made.

use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};
use xyn_capsules::container::Base;
use xyn_capsules::countersign::countersign;

use super::hand_in::hand_in;
use super::keys::{self, Trust};
use super::source::Source;
use super::{Context, node, not_trusted};
use crate::client::{Need, route};
use crate::failure::{Exit, Failure};
use crate::shell;

#[derive(Debug, Args)]
pub(in crate::cli) struct Sign {
    /// The file of a capsule, which is replaced; or one that the node has: its digest, APP@VERSION, or APP
    #[arg(value_name = "FILE|CAPSULE")]
    capsule: PathBuf,
    /// The key that signs
    #[arg(long, value_name = "FILE", default_value = "capsule.key")]
    key: PathBuf,
    /// The capsule that a delta was written against: a file, or one that the node has
    #[arg(long, value_name = "FILE|CAPSULE")]
    base: Option<PathBuf>,
    #[command(flatten)]
    trust: Trust,
}

/// Signs a capsule: in its file, or what the node has, which offers it to members with the signature.
pub(super) async fn run(arguments: &Sign, context: &Context) -> Result<Exit, Failure> {
    let source = Source::find(&arguments.capsule, context).await?;
    match source.is_of_node() {
        false => in_file(arguments, context).await,
        true => at_node(&source, arguments, context).await,
    }
}

async fn at_node(source: &Source, arguments: &Sign, context: &Context) -> Result<Exit, Failure> {
    let (key, path) = (keys::secret(&arguments.key)?, source.path());
    let signed = countersign(&path, &key, None).map_err(|error| not_trusted(&arguments.capsule, &error))?;
    let client = context.client(Need::Node).await?;
    let mut answer = hand_in(&client, &path, &arguments.trust, context).await?;
    let known = client.get(&route(&["capsules", &signed.digest.to_string()])?).await?;
    let signers: Vec<&str> = node::items(&known["proved"]["signers"]).filter_map(Value::as_str).collect();
    let public = key.public().to_string();
    if !signers.contains(&public.as_str()) {
        node::tell_ignored(&answer, context);
        let failure =
            Failure::new(Exit::Conflict, "not_counted", "the node does not count this key's signature");
        let failure = failure.at(arguments.key.display().to_string());
        return Err(
            failure.hint("name who counts with --pub KEY, or let the key ring name it: xyn capsule ring add")
        );
    }
    answer["signers"] = json!(signers);
    answer["added"] = json!(signed.is_new);
    context.out.answer(&answer, |_| told(&signers, signed.is_new))?;
    let id = signed.manifest.id.to_string();
    context.out.hint(&format!("members take it over with: xyn capsule pull {}", node::short(&id)));
    Ok(Exit::Done)
}

fn told(signers: &[impl AsRef<str>], is_new: bool) -> String {
    let named: Vec<&str> = signers.iter().map(AsRef::as_ref).collect();
    match is_new {
        true => format!("{} signatures: {}", named.len(), named.join(", ")),
        false => "this key has signed it already".to_owned(),
    }
}

async fn in_file(arguments: &Sign, context: &Context) -> Result<Exit, Failure> {
    let (path, key) = (&arguments.capsule, keys::secret(&arguments.key)?);
    let base = Source::find_any(arguments.base.as_ref(), context).await?;
    let base = base.as_ref().map(Source::whole).transpose()?;
    let signed = countersign(path, &key, base.as_ref().map(|base| base as &dyn Base))
        .map_err(|error| not_trusted(path, &error))?;
    let signers = signed.signers.iter().map(ToString::to_string).collect::<Vec<_>>();
    let document = json!({
        "file": path, "id": signed.manifest.id, "capsule": signed.digest,
        "signers": signers, "added": signed.is_new,
    });
    context.out.answer(&document, |_| told(&signers, signed.is_new))?;
    context.out.hint(&format!(
        "{} signatures that count are demanded with: xyn capsule verify {} --pub KEY --pub KEY --threshold {0}",
        signers.len(),
        shell::word(path)
    ));
    Ok(Exit::Done)
}
