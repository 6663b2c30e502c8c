//! `xyn capsule inspect`, `verify` and `unpack`: what a capsule says, whether it is so, and its files.

use std::collections::BTreeSet;
use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};
use xyn_capsules::age::Opened;
use xyn_capsules::container::{Base, Capsule, Cover, Verified};
use xyn_capsules::manifest::Manifest;
use xyn_capsules::proof::{Claim, Trusted};
use xyn_capsules::sign::{
    Envelope, FirstRun, KeyId, NotVerified, Payload, Predicate, Quorum, Statement, claimed_predicate_type,
};
use xyn_capsules::tree::Limits;

use super::keys::Trust;
use super::private::Opening;
use super::source::{Source, named, neither};
use super::{Context, file, node, not_trusted, open, unsound};
use crate::cli::output::{Paint, Unit};
use crate::failure::{Exit, Failure};
use crate::shell;

#[derive(Debug, Args)]
pub(in crate::cli) struct Inspect {
    /// The capsule: a file, or one that the node has
    #[arg(value_name = "FILE|CAPSULE")]
    file: PathBuf,
    #[command(flatten)]
    trust: Trust,
    #[command(flatten)]
    opening: Opening,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Verify {
    /// The capsule: a file, or one that the node has
    #[arg(value_name = "FILE|CAPSULE")]
    file: PathBuf,
    #[command(flatten)]
    trust: Trust,
    #[command(flatten)]
    opening: Opening,
    /// The capsule that a delta was written against: a file, or one that the node has
    #[arg(long, value_name = "FILE|CAPSULE")]
    base: Option<PathBuf>,
    /// Refuse a capsule of a lower generation
    #[arg(long, value_name = "N", default_value_t = 0)]
    generation_at_least: u64,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Unpack {
    #[command(flatten)]
    verify: Verify,
    /// The folder to make
    #[arg(long = "to", value_name = "DIR")]
    dir: PathBuf,
}

pub(super) async fn inspect(arguments: &Inspect, context: &Context) -> Result<Exit, Failure> {
    let source = Source::find(&arguments.file, context).await?;
    let (file, path) = (source.path(), source.given());
    let (judge, identities) = (arguments.trust.judge()?, arguments.opening.identities()?);
    let trusted = judge.map(|judge| {
        let trusted = Trusted::open_as(open(&file)?, &identities, judge.trust());
        let told = trusted.map(|trusted| (trusted.digest(), trusted.signers().clone()));
        told.map_err(|error| not_trusted(path, &error))
    });
    let trusted = trusted.transpose()?;
    let opened = Opened::new(open(&file)?, &identities).map_err(|error| not_trusted(path, &error.into()))?;
    let by = opened.by();
    let cover = Cover::read(opened).map_err(|error| super::file(path, &error))?;
    let invalid = |error: NotVerified| unsound(path, &error);
    let envelope = Envelope::read(cover.manifest()).map_err(|error| invalid(error.into()))?;
    let manifest = Manifest::read(envelope.unverified()).map_err(|error| invalid(error.into()))?;
    // What is shown is read again: signers count for the very manifest that they signed.
    let trusted = trusted.filter(|(digest, _)| *digest == envelope.digest());
    let counted = trusted.map(|(_, signers)| signers);
    let claims: Vec<String> = cover.attestations().iter().map(|bytes| claimed(bytes)).collect();
    let document = json!({
        // The content is not looked at here.
        "verified": false,
        "signers": counted,
        "manifest": manifest,
        "claimed_signers": envelope.claimed_signers().collect::<Vec<_>>(),
        "attestations": claims,
        "tree": cover.root(),
        "base": cover.base(),
        "encrypted": by.is_some(),
    });
    context.out.answer(&document, |paint| {
        let mut text = said(&manifest, &envelope.digest().to_string(), paint);
        let mut line = |name: &str, value: &str| text.push_str(&format!("{name:<12}{value}\n"));
        envelope.claimed_signers().for_each(|signer| {
            let counts = counted.as_ref().is_some_and(|counted| counted.contains(&signer));
            line("signed by", &format!("{signer}{}", if counts { ", who counts" } else { ", so it says" }));
        });
        claims.iter().zip(cover.attestations()).for_each(|(kind, bytes)| {
            let ran = first_run(bytes).map(|summary| format!(", so it says {summary}"));
            line("with", &format!("{kind}{}", ran.unwrap_or_default()));
        });
        if let Some(base) = cover.base() {
            line("delta from", &base.to_string());
        }
        manifest.recipients.iter().for_each(|recipient| line("for", &recipient.to_string()));
        text.trim_end().to_owned()
    })?;
    let known = if counted.is_some() {
        "who signed this counts, its files were not looked at"
    } else {
        "nothing of this was verified"
    };
    context.out.hint(&format!("{known}; do it with: xyn capsule verify {} --pub KEY", shell::word(path)));
    Ok(Exit::Done)
}

/// The kind of an attestation, from whomever it is.
fn claimed(bytes: &[u8]) -> String {
    let envelope = Envelope::read(bytes).map_err(|error| error.to_string());
    let kind = envelope.and_then(|envelope| claimed_predicate_type(&envelope).map_err(|e| e.to_string()));
    kind.unwrap_or_else(|error| format!("not sound: {error}"))
}

/// What an attestation says of a first run, from whomever it is.
fn first_run(bytes: &[u8]) -> Option<String> {
    let envelope = Envelope::read(bytes).ok()?;
    Statement::<FirstRun>::read(envelope.unverified()).ok()?.predicate.summary()
}

/// Verifies a file; what the node has it proves itself.
pub(super) async fn verify(arguments: &Verify, context: &Context) -> Result<Exit, Failure> {
    if let Some(name) = named(&arguments.file) {
        let proved = node::verify(&name, &arguments.trust, context).await;
        let proved = proved.map_err(|failure| neither(&arguments.file, failure))?;
        recent(proved["generation"].as_u64().unwrap_or_default(), arguments)?;
        return node::proved(&proved, context);
    }
    let proved = prove(arguments, context, |capsule| capsule.verify()).await?;
    context.out.answer(&proved.document, |_| proved.text.clone())?;
    Ok(Exit::Done)
}

pub(super) async fn unpack(arguments: &Unpack, context: &Context) -> Result<Exit, Failure> {
    let dir = &arguments.dir;
    let mut proved = prove(&arguments.verify, context, |capsule| capsule.unpack(dir)).await?;
    proved.document["dir"] = json!(dir);
    context.out.answer(&proved.document, |_| dir.display().to_string())?;
    if !context.out.json {
        context.out.note(&proved.text);
    }
    Ok(Exit::Done)
}

/// What was proved of a capsule, for programs and for people.
struct Proved {
    document: Value,
    text: String,
}

type Content = Opened<std::io::BufReader<std::fs::File>>;

/// Proves who signed the capsule, and does with its content what `through` does.
async fn prove(
    arguments: &Verify,
    context: &Context,
    through: impl FnOnce(Capsule<'_, Content>) -> Result<Verified, xyn_capsules::container::ContainerError>,
) -> Result<Proved, Failure> {
    let source = Source::find(&arguments.file, context).await?;
    let base = Source::find_any(arguments.base.as_ref(), context).await?;
    let (judge, base) = (source.judge(&arguments.trust)?, base.as_ref().map(Source::whole).transpose()?);
    let (path, identities) = (source.given(), arguments.opening.identities()?);
    let trusted = Trusted::open_as(open(&source.path())?, &identities, judge.trust());
    let trusted = trusted.map_err(|error| not_trusted(path, &error))?;
    let (manifest, digest) = (trusted.manifest().clone(), trusted.digest().to_string());
    recent(manifest.generation, arguments)?;
    let quorum = trusted.quorum().clone();
    let (signers, claims) = (trusted.signers().clone(), trusted.claims().to_vec());
    let passed_over = trusted.passed_over();
    let bar = context.out.progress("verifying", None, Unit::Time);
    let capsule = trusted.open(base.as_ref().map(|base| base as &dyn Base), Limits::default());
    let verified = capsule.and_then(through).map_err(|error| file(path, &error))?;
    bar.finish_and_clear();
    let document = json!({
        "verified": true,
        "id": manifest.id,
        "generation": manifest.generation,
        "capsule": digest,
        "tree": verified.root,
        "files": verified.files,
        "size_bytes": verified.size_bytes,
        "stored_bytes": verified.stored_bytes,
        "signers": signers,
        "ignored": passed_over,
        "threshold": quorum.threshold(),
        "right": quorum.right().map(ToString::to_string),
        "recipients": manifest.recipients,
        "attestations": claims.iter().map(|claim| json!({
            "type": claim.kind, "signers": claim.signers, "packed": claim.is_packed, "summary": claim.summary,
            "ignored": claim.ignored.as_ref().map(ToString::to_string),
        })).collect::<Vec<_>>(),
    });
    let mut text = said(&manifest, &digest, context.out.paint);
    text.push_str(&checked(&signers, &quorum, &claims, &verified, context.out.paint));
    let ignored = passed_over.into_iter().chain(claims.iter().filter_map(Claim::passed_over));
    for line in ignored {
        text.push_str(&format!("\n{} {line}", context.out.paint.warn("ignored")));
    }
    Ok(Proved { document, text })
}

/// Refuses what is older than what was asked for.
fn recent(found: u64, arguments: &Verify) -> Result<(), Failure> {
    let least = arguments.generation_at_least;
    if found >= least {
        return Ok(());
    }
    let message = format!("the capsule is of generation {found}, and at least {least} is demanded");
    let failure = Failure::failed("generation", message).at(arguments.file.display().to_string());
    Err(failure.hint("get a newer capsule from who makes the app"))
}

/// What a manifest says, for people.
fn said(manifest: &Manifest, digest: &str, paint: Paint) -> String {
    let rights = &manifest.rights;
    let rows = [
        ("capsule", manifest.id.to_string()),
        ("name", manifest.name.to_string()),
        ("generation", manifest.generation.to_string()),
        ("made", format!("{} by {}", manifest.created_at, manifest.created_by.name)),
        ("runs as", manifest.app.framework.to_string()),
        ("licence", rights.license.as_str().to_owned()),
        ("digest", digest.to_owned()),
        ("tree", manifest.tree.to_string()),
    ];
    rows.map(|(name, value)| format!("{} {value}\n", paint.dim(&format!("{name:<11}")))).concat()
}

/// What was checked, for people.
fn checked(
    signers: &BTreeSet<KeyId>,
    quorum: &Quorum,
    claims: &[Claim],
    verified: &Verified,
    paint: Paint,
) -> String {
    let by = signers.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let right = quorum.right().map(|right| format!(" `{right}` keys")).unwrap_or_default();
    let mut lines =
        vec![format!("signed by {} of {} needed{right}: {by}", signers.len(), quorum.threshold())];
    let counted = claims.iter().filter(|claim| claim.ignored.is_none());
    lines.extend(counted.map(|claim| match claim.is_packed {
        true => format!("packed with {}", claim.kind),
        false => {
            let summary = claim.summary.as_ref().map(|summary| format!(": {summary}")).unwrap_or_default();
            format!("with {}, signed by who counts{summary}", claim.kind)
        }
    }));
    let Verified { files, size_bytes, .. } = verified;
    lines.push(format!("every byte of {files} files, {size_bytes} bytes, is what the tree names"));
    let lines = lines.iter().map(|line| format!("{} {line}", paint.good("ok")));
    lines.collect::<Vec<_>>().join("\n")
}
