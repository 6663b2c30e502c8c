//! `xyn capsule list`, `show`, `pull` and `push`, and what is done with a capsule that a node has.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Value, json};
use xyn_actors::services::capsules::CapsuleName;

use super::Context;
use super::hand_in::hand_in;
use super::keys::Trust;
use super::pack::{Pack, invalid_manifest};
use crate::cli::input;
use crate::cli::input::at_least_one;
use crate::cli::on_the_way::{at_length, patiently};
use crate::cli::output::Unit;
use crate::cli::save::save;
use crate::cli::table::{Column, Table, facts, instant, text};
use crate::client::{Client, Need, route};
use crate::failure::{Exit, Failure};

/// What an id begins with, and people leave out.
const URN: &str = "urn:xyn:app:";

#[derive(Debug, Args)]
pub(in crate::cli) struct List {
    /// How many at most
    #[arg(long, default_value_t = 50, value_parser = at_least_one)]
    limit: usize,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Show {
    /// Its digest, APP@VERSION, or APP: the newest of it
    capsule: CapsuleName,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Pull {
    /// Its digest, APP@VERSION, or APP: the newest of it
    capsule: CapsuleName,
    #[command(flatten)]
    trust: Trust,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Push {
    /// The capsule, whole or a delta against one that the node has
    file: PathBuf,
    #[command(flatten)]
    trust: Trust,
}

pub(super) async fn list(arguments: &List, context: &Context) -> Result<Exit, Failure> {
    let capsules = context.client(Need::Read).await?.list("/capsules", &[], arguments.limit).await?;
    let is_shown = table(&capsules).show(&capsules, "no capsules", &context.out)?;
    if !is_shown {
        context.out.hint("make one with: xyn capsule pack --workspace NAME");
    }
    Ok(Exit::Done)
}

fn table(capsules: &Value) -> Table {
    let mut table = Table::new(&[
        ("CAPSULE", Column::Text),
        ("GENERATION", Column::Number),
        ("BYTES", Column::Number),
        ("WHERE", Column::Text),
        ("SEEN BY", Column::Text),
        ("SINCE", Column::Text),
        ("DIGEST", Column::Text),
    ]);
    for capsule in capsules["items"].as_array().into_iter().flatten() {
        let (at, place) = match capsule["is_here"] == true {
            true => (instant(&capsule["proved"], "kept_at"), "here".to_owned()),
            false => (instant(&capsule["offered"], "at"), format!("on {}", place(&capsule["offered"]))),
        };
        let [generation, bytes, seen_by] =
            ["generation", "size_bytes", "visibility"].map(|key| text(capsule, key));
        let digest = text(capsule, "capsule").chars().take(12).collect();
        table.row([short(&text(capsule, "id")).to_owned(), generation, bytes, place, seen_by, at, digest]);
    }
    table
}

/// Who offers a capsule, on which node.
fn place(offered: &Value) -> String {
    let node: String = text(offered, "node").chars().take(12).collect();
    format!("{node} ({})", text(offered, "principal"))
}

/// An id as people write it.
pub(in crate::cli) fn short(id: &str) -> &str {
    id.strip_prefix(URN).unwrap_or(id)
}

pub(super) async fn show(arguments: &Show, context: &Context) -> Result<Exit, Failure> {
    let client = context.client(Need::Read).await?;
    let capsule = client.get(&route(&["capsules", &arguments.capsule.to_string()])?).await?;
    let proved = &capsule["proved"];
    let signers = proved["signers"].as_array().into_iter().flatten().filter_map(Value::as_str);
    context.out.answer(&capsule, |paint| {
        let mut pairs = vec![
            ("capsule", short(&text(&capsule, "id")).to_owned()),
            ("name", text(proved, "name")),
            ("generation", text(&capsule, "generation")),
            ("seen by", text(&capsule, "visibility")),
            ("bytes", text(&capsule, "size_bytes")),
            ("delta bytes", text(&capsule["delta"], "size_bytes")),
            ("made", instant(proved, "created_at")),
            ("made by", text(proved, "created_by")),
            ("came as", text(proved, "origin")),
            ("moment", text(&capsule, "entry_id")),
            ("digest", text(&capsule, "capsule")),
            ("tree", text(&capsule, "tree")),
            ("after", text(proved, "parent")),
        ];
        pairs.extend(signers.clone().map(|signer| ("signed by", signer.to_owned())));
        if capsule["is_here"] != true {
            pairs.push(("where", format!("on {}", place(&capsule["offered"]))));
        }
        facts(&pairs, paint)
    })?;
    if capsule["is_here"] != true {
        context.out.hint(&format!("fetch it with: xyn capsule pull {}", arguments.capsule));
    }
    Ok(Exit::Done)
}

pub(super) async fn pull(arguments: &Pull, context: &Context) -> Result<Exit, Failure> {
    let client = context.client(Need::Node).await?;
    let (path, body) =
        (route(&["capsules", &arguments.capsule.to_string(), "pull"])?, arguments.trust.fields()?);
    let bar = context.out.progress(&format!("fetching {}", arguments.capsule), None, Unit::Time);
    let answer = patiently(context, async || {
        at_length(context, "fetching and proving it", client.post_at_length(&path, &body)).await
    });
    let answer = answer.await;
    bar.finish_and_clear();
    let answer = answer?;
    context.out.answer(&answer, |_| text(&answer, "capsule"))?;
    let what = format!("{} generation {}", short(&text(&answer, "id")), text(&answer, "generation"));
    match answer["is_new"] == false {
        true => context.out.note(&format!("{what} was here already")),
        false => context.out.note(&format!(
            "{what}: {} bytes came, for a capsule of {}",
            text(&answer, "fetched_bytes"),
            text(&answer, "size_bytes")
        )),
    }
    tell_ignored(&answer, context);
    Ok(Exit::Done)
}

pub(super) async fn push(arguments: &Push, context: &Context) -> Result<Exit, Failure> {
    let client = context.client(Need::Node).await?;
    let bar = context.out.progress("handing it in", None, Unit::Time);
    let answer = hand_in(&client, &arguments.file, &arguments.trust, context).await;
    bar.finish_and_clear();
    let answer = answer?;
    context.out.answer(&answer, |_| text(&answer, "capsule"))?;
    context.out.note(&format!("{} bytes went to the node", text(&answer, "sent_bytes")));
    tell_ignored(&answer, context);
    Ok(Exit::Done)
}

/// Packs files that the node has.
pub(super) async fn pack(arguments: &Pack, context: &Context) -> Result<Exit, Failure> {
    let mut body = json!({});
    if let Some(entry_id) = arguments.at {
        body["entry_id"] = json!(entry_id);
    }
    if let Some(workspace) = &arguments.workspace {
        body["workspace"] = json!(workspace);
    }
    if let Some(message) = &arguments.message {
        body["message"] = json!(message);
    }
    if arguments.build {
        arguments.place.refuse_to_leave_the_sandbox()?;
        body["build"] = json!(true);
    }
    if let Some(path) = &arguments.manifest {
        body["manifest"] = serde_json::from_str(&input::text(path)?)
            .map_err(|error| invalid_manifest(path, &format!("this is no JSON: {error}")))?;
    }
    let client = context.client(Need::Node).await?;
    let bar = context.out.progress("packing", None, Unit::Time);
    let answer = patiently(context, async || {
        at_length(context, "packing", client.post_at_length("/capsules", &body)).await
    });
    let answer = answer.await;
    bar.finish_and_clear();
    let answer = answer?;
    let capsule = text(&answer, "capsule");
    if let Some(path) = &arguments.out {
        download(&client, &capsule, path, context).await?;
    }
    context.out.answer(&answer, |_| capsule.clone())?;
    let findings = answer["findings"].as_array().into_iter().flatten().filter_map(Value::as_str);
    findings.for_each(|finding| context.out.note(finding));
    context.out.hint(&format!(
        "{} generation {}, {} bytes; another member fetches it with: xyn capsule pull {}",
        short(&text(&answer, "id")),
        text(&answer, "generation"),
        text(&answer, "size_bytes"),
        short(&text(&answer, "id")),
    ));
    Ok(Exit::Done)
}

/// Has the node prove a capsule that it has.
pub(super) async fn verify(name: &CapsuleName, trust: &Trust, context: &Context) -> Result<Value, Failure> {
    let client = context.client(Need::Node).await?;
    let bar = context.out.progress("verifying", None, Unit::Time);
    let path = route(&["capsules", &name.to_string(), "verify"])?;
    let fields = trust.fields()?;
    let answer = at_length(context, "proving it", client.post_at_length(&path, &fields)).await;
    bar.finish_and_clear();
    answer
}

/// Says what a node proved of a capsule.
pub(super) fn proved(answer: &Value, context: &Context) -> Result<Exit, Failure> {
    let signers: Vec<&str> = items(&answer["signers"]).filter_map(Value::as_str).collect();
    context.out.answer(answer, |paint| {
        let said = |claim: &Value| match claim["packed"] == true {
            true => format!("\n{} packed with {}", paint.good("ok"), text(claim, "type")),
            false => {
                let summary = claim["summary"].as_str().map(|summary| format!(": {summary}"));
                let (ok, kind) = (paint.good("ok"), text(claim, "type"));
                format!("\n{ok} with {kind}, signed by who counts{}", summary.unwrap_or_default())
            }
        };
        let said: String = items(&answer["attestations"]).map(said).collect();
        let passed_over = |line: &str| format!("\n{} {line}", paint.warn("ignored"));
        let ignored: String = items(&answer["ignored"]).filter_map(Value::as_str).map(passed_over).collect();
        format!(
            "{} {} generation {}, signed by {} of {} needed `{}` keys, by {}: {}{said}\n\
             {} every byte of {} files, {} bytes, is what the tree names{ignored}",
            paint.good("ok"),
            short(&text(answer, "id")),
            text(answer, "generation"),
            signers.len(),
            text(answer, "threshold"),
            text(answer, "right"),
            basis(&answer["by"]),
            signers.join(", "),
            paint.good("ok"),
            text(answer, "files"),
            text(answer, "size_bytes"),
        )
    })?;
    Ok(Exit::Done)
}

pub(super) fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// Says what of a capsule the node does not count, and why.
pub(super) fn tell_ignored(answer: &Value, context: &Context) {
    let lines = items(&answer["ignored"]).filter_map(Value::as_str);
    lines
        .for_each(|line| context.out.note(&format!("{} {line}", context.out.paint_messages.warn("ignored"))));
}

/// Who says who counts.
fn basis(by: &Value) -> String {
    match by["kind"].as_str() {
        Some("ring") => format!("version {} of the key ring", by["version"]),
        Some("keys") => "the keys that were named".to_owned(),
        _ => "the keys of members".to_owned(),
    }
}

/// Writes a capsule that the node has to `path`.
pub(super) async fn download(
    client: &Client,
    capsule: &str,
    path: &Path,
    context: &Context,
) -> Result<(), Failure> {
    let reply = client.download(&route(&["capsules", capsule, "download"])?).await?;
    let bar = context.out.progress("copying", None, Unit::Bytes);
    let saved = save(reply.body, path, &bar).await;
    bar.finish_and_clear();
    saved.map(drop)
}
