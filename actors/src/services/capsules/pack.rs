//! Packing: the files of a moment become a capsule that this node signs.
//!
//! The files are those of the chunk store; where another node has them they are fetched first, and a workspace as it
//! is now becomes a moment first. Owns what stops a pack. Invariant: nothing is kept of what a check stops.

use std::fmt::Display;
use std::path::Path;
use std::sync::Arc;

use futures::future::BoxFuture;
use serde_json::{Map, Value, json};
use xyn_capsules::checks::{Checked, Checks, NotChecked};
use xyn_capsules::compare::Edition;
use xyn_capsules::container::{CapsuleFile, Draft, Options, pack_tree};
use xyn_capsules::inspection::{Findings, Inspection, NotInspected, Origin as Packed};
use xyn_capsules::lint::Severity;
use xyn_capsules::make::{Maker, NotMade, Why, make};
use xyn_capsules::manifest::{AUTHORED, Authored, Line, MANIFEST_MAX_BYTES};
use xyn_capsules::rebuild::Recipe;
use xyn_capsules::secrets::{ALLOW_FILE, Allow};
use xyn_capsules::sign::Resource;
use xyn_capsules::tree::{Limits, RelPath, Shelf, TreeError, find};
use xyn_capsules::workcell::WorkcellError;
use xyn_store::Digest;
use xyn_store::blobs::{Blobs, Pins};
use xyn_store::ids::{self, EntryId};
use xyn_store::projection::Origin;
use xyn_store::timeline::Facet;
use xyn_store::timeline::entry::Branch;

use super::keep::{Keeping, keep, visibility};
use super::name::CapsuleName;
use super::prove::{Content, Place, prove};
use super::trust::{self, Counting};
use super::{catalogue, delta, generation, given, refusal, scratch};
use crate::runtime::{self, Accept, Inner, Intent, Outcome, Refusal};
use crate::services::{blocking, content, id, timeline, workcell};

/// Findings that one refusal names.
const FINDINGS_TOLD: usize = 20;
/// Bytes of a file that says what may be packed.
const ALLOW_MAX_BYTES: u64 = 1 << 20;

/// What is packed.
struct Source {
    root: Digest,
    /// The moment of it, and its branch.
    moment: Option<(EntryId, Branch)>,
    why: Why,
}

pub(super) async fn serve(inner: &Arc<Inner>, intent: &Intent, accept: Accept) -> Result<Outcome, Refusal> {
    let source = source(inner, intent, &accept).await?;
    content::bring_trees(inner, [source.root]).await?;
    let people = inner.timeline()?.people();
    let packer = people.outward(&intent.identity.principal);
    let packer = packer.as_str().parse().unwrap_or_else(|_| "somebody".parse().expect("it is a line"));
    // A build may last, so others come in between.
    let said = said(inner, &intent.input, &source).await?;
    let _turn = inner.capsules.take().await;
    let (working, input) = (inner.clone(), intent.input.clone());
    let keeping = blocking(move || pack(&working, &input, source, said, &packer)).await?;
    keep(inner, intent, accept, keeping).await
}

/// Finds the tree that the input names: of a moment, by itself, or of a workspace as it is now.
async fn source(inner: &Arc<Inner>, intent: &Intent, accept: &Accept) -> Result<Source, Refusal> {
    let input = &intent.input;
    let workspace = given(input, "workspace");
    match (input.get("entry_id"), given(input, "root")) {
        (Some(_), None) => moment(inner, id(input, "entry_id")?, input),
        (None, Some(root)) if workspace.is_none() => {
            let root = root.parse().map_err(|error: xyn_store::digest::InvalidDigest| {
                Refusal::invalid("invalid_input", "/root", error.to_string())
            })?;
            Ok(Source { root, moment: None, why: Why { text: message(input), moment: None } })
        }
        (None, None) => match workspace {
            Some(workspace) => now(inner, intent, accept, workspace).await,
            None => Err(unnamed()),
        },
        _ => Err(unnamed()),
    }
}

/// Why it is packed, where somebody says it.
fn message(input: &Value) -> Option<String> {
    given(input, "message").map(str::to_owned)
}

fn unnamed() -> Refusal {
    let message = "name a workspace, a moment with `entry_id`, or the `root` of a tree alone";
    Refusal::invalid("invalid_input", "/workspace", message)
}

/// The files at a moment: those of `workspace`, which need not be named where there is only one.
fn moment(inner: &Inner, entry_id: EntryId, input: &Value) -> Result<Source, Refusal> {
    let workspace = given(input, "workspace");
    let reader = inner.store.read()?;
    let missing = |kind| Refusal::NotFound { kind, id: entry_id.to_string() };
    let entry = reader.entry(entry_id)?.ok_or_else(|| missing("moment"))?;
    let state = reader.state_at(entry_id)?.ok_or_else(|| missing("moment"))?;
    let files = state.made.iter().filter_map(|(facet, made)| match facet {
        Facet::Workspace(name) => Some((name.as_deref().unwrap_or_default(), facet.digest(made)?)),
        _ => None,
    });
    let of = |(name, _): &(&str, Digest)| workspace.is_none_or(|wanted| wanted == *name);
    let found: Vec<_> = files.filter(of).collect();
    match found.as_slice() {
        [] => Err(missing("snapshot of a workspace at moment")),
        [(_, root)] => {
            let text = message(input).or(Some(entry.note.title));
            let why = Why { text, moment: Some(entry_id) };
            Ok(Source { root: *root, moment: Some((entry_id, entry.note.branch)), why })
        }
        several => {
            let names: Vec<_> = several.iter().map(|(name, _)| format!("`{name}`")).collect();
            let message =
                format!("the moment has the files of several workspaces; name one of {}", names.join(", "));
            Err(Refusal::invalid("invalid_input", "/workspace", message))
        }
    }
}

/// The files of a workspace as it is now, which is kept as a moment first: an act of its own, which policies may
/// have a word on.
async fn now(
    inner: &Arc<Inner>,
    intent: &Intent,
    accept: &Accept,
    workspace: &str,
) -> Result<Source, Refusal> {
    let snapshot = Intent {
        intent_id: ids::fresh(inner.clock.now()),
        action: "workspace.snapshot".to_owned(),
        input: json!({ "name": workspace }),
        stage: Some(accept.stage()),
        idempotency_key: intent.idempotency_key.as_ref().map(|key| format!("{key}/snapshot")),
        ..intent.clone()
    };
    let outcome = child(inner.clone(), snapshot).await?;
    moment(inner, id(&outcome.output, "entry_id")?, &intent.input)
}

/// What is known of what is packed before it is.
struct Said {
    authored: Authored,
    /// The files that a build of it came to, when one was done.
    built: Vec<Resource>,
    /// That its own checks did not veto, where it has any.
    checked: Option<Checked>,
    /// Keep its tree.
    _pins: Pins,
}

/// What the author says of the tree of `source`, once its own checks looked at it; built first where `input` asks for
/// it, and what that comes to noted.
async fn said(inner: &Arc<Inner>, input: &Value, source: &Source) -> Result<Said, Refusal> {
    let (reading, given, root) = (inner.clone(), input.clone(), source.root);
    let branch = source.moment.as_ref().map(|(_, branch)| branch.clone());
    let mut said = blocking(move || {
        let mut pins = reading.store.blobs().pins();
        pins.add(root);
        let authored = authored(reading.store.blobs(), &root, &given)?;
        if let Some(branch) = branch.filter(|_| visibility(authored.rights.scope).is_told()) {
            // Before anything is built; the writer asks again.
            timeline::takes_moments(&reading.store.read()?, &branch).map_err(timeline::refusal)?;
        }
        Ok(Said { authored, built: Vec::new(), checked: None, _pins: pins })
    })
    .await?;
    let (blobs, now) = (inner.store.blobs().clone(), inner.clock.now());
    let is_built = input.get("build").and_then(Value::as_bool) == Some(true);
    let checks = Checks::of(&mut said.authored, now);
    if !is_built && checks.is_none() {
        return Ok(said);
    }
    workcell::within(inner, move |cell| {
        let checked = checks.map(|checks| checks.run_stored(cell, &blobs, &root)).transpose();
        said.checked = checked.map_err(not_checked)?;
        if !is_built {
            return Ok(said);
        }
        let recipe = Recipe::of(&mut said.authored, now);
        let built = recipe.build_stored(cell, &blobs, &root).map_err(workcell::not_built)?;
        said.built = recipe.record(cell, &built, &mut said.authored).map_err(workcell::not_recorded)?;
        Ok(said)
    })
    .await
}

/// Has another intent carried out. Its type is named, because it could lead here again.
fn child(inner: Arc<Inner>, intent: Intent) -> BoxFuture<'static, Result<Outcome, Refusal>> {
    Box::pin(async move { inner.submit(intent, runtime::Origin::Here).await })
}

fn pack(inner: &Inner, input: &Value, source: Source, said: Said, packer: &Line) -> Result<Keeping, Refusal> {
    let (blobs, now) = (inner.store.blobs(), inner.clock.now());
    let Said { mut authored, built, checked, _pins } = said;
    let (counting, folder) = (Counting::members(inner, now)?, scratch::folder(inner)?);
    authored.generation = input.get("generation").and_then(Value::as_u64).or(authored.generation);
    let name: Option<CapsuleName> = authored.id.parse().ok();
    let (reader, app) = (inner.store.read()?, name.as_ref().and_then(CapsuleName::app));
    let next = app.map(|app| generation::next(&reader, app)).transpose()?;
    let before =
        app.map(|app| catalogue::here(&reader, &CapsuleName::App(app.clone()))).transpose()?.flatten();
    drop(reader);
    let path = folder.path().join("packed.caps");
    let (draft, found) = inspected(blobs, &source.root, &path, &authored)?;
    let key = trust::own_key(inner);
    let version = env!("CARGO_PKG_VERSION");
    let generation = next.unwrap_or(1);
    let whole = before.as_ref().map(|row| CapsuleFile::stored(blobs, &row.file, Limits::default()));
    let whole = whole.transpose().map_err(refusal::file)?;
    let parent = whole.as_ref().map(Edition::of).transpose();
    let parent = parent.map_err(|error| unfit(format!("the capsule before it: {error}")))?;
    let (parent, why) = (parent.as_ref(), &source.why);
    let (built, checked) = (built.as_slice(), checked.as_ref());
    let maker = Maker { key: &key, name: packer, generation, now, version, built, checked, parent, why };
    make(draft, authored, &found.locks, &maker).map_err(not_made)?;
    let proved = prove(Place::File(&path), None, Content::Leave, &counting, now)?;
    let reader = inner.store.read()?;
    let is_highest = generation::admit(&reader, &proved.admitted, &[], Origin::Packed, now)?;
    drop(reader);
    let file = scratch::keep(blobs, &path)?;
    let delta = match &before {
        Some(before) => delta::write(blobs, folder.path(), &proved, before, file.1)?,
        None => None,
    };
    let notes: Vec<_> = found.lints.iter().map(ToString::to_string).collect();
    let build = proved.manifest().expected.build_digest;
    let also = Map::from_iter([("findings".to_owned(), json!(notes)), ("build".to_owned(), json!(build))]);
    let (parent, moment) = (before.map(|row| row.capsule), source.moment);
    Ok(Keeping { proved, file, delta, parent, origin: Origin::Packed, is_highest, moment, also })
}

/// Packs the tree `root`, and looks at every file of it. What stops a pack is a refusal.
fn inspected(
    blobs: &Blobs,
    root: &Digest,
    path: &Path,
    authored: &Authored,
) -> Result<(Draft, Findings), Refusal> {
    let inspection = Inspection::new(allowed(blobs, root)?);
    let look = |path: &RelPath, at: u64, bytes: &[u8]| inspection.look(path, at, bytes);
    let options = Options { limits: Limits::default(), base: None, inspect: Some(&look) };
    let draft = pack_tree(blobs, *root, path, &options).map_err(refusal::unpacked)?;
    let found = inspection.finish(&draft, authored, &Packed::Stored(blobs.clone()));
    let found = found.map_err(|error: NotInspected| unfit(refusal::with_causes(&error)))?;
    if found.may_be_packed() {
        return Ok((draft, found));
    }
    if found.secrets.is_empty() {
        let vetoes = found.lints.iter().filter(|finding| finding.severity == Severity::Veto);
        let message = listed("nothing was packed, because a check stops it", vetoes);
        return Err(Refusal::Conflict { code: "capsule_vetoed", message });
    }
    let message = match found.secrets.len() {
        1 => "nothing was packed, because 1 place looks like a secret".to_owned(),
        more => format!("nothing was packed, because {more} places look like secrets"),
    };
    let message = listed(&message, found.secrets.iter());
    Err(Refusal::Conflict { code: "secrets_found", message })
}

/// A message with a line for each of the first `findings`.
fn listed(message: &str, findings: impl Iterator<Item = impl Display>) -> String {
    findings.take(FINDINGS_TOLD).fold(format!("{message}:"), |text, finding| format!("{text}\n  {finding}"))
}

/// What the author says: in the input, or in the tree.
fn authored(blobs: &Blobs, root: &Digest, input: &Value) -> Result<Authored, Refusal> {
    let bytes = match input.get("manifest") {
        Some(manifest) => manifest.to_string().into_bytes(),
        None => read(blobs, root, AUTHORED, MANIFEST_MAX_BYTES as u64)?.ok_or_else(|| {
            unfit(format!(
                "there is no `{AUTHORED}` in what is to be packed; write one, such as {{\"id\": \"my-app\", \"name\": \
                 \"My app\", \"version\": \"1.0.0\"}}, or give it as `manifest`"
            ))
        })?,
    };
    let authored = Authored::read(&bytes);
    let authored =
        authored.map_err(|error| unfit(format!("`{AUTHORED}`: {}", refusal::with_causes(&error))))?;
    match authored.recipients.is_empty() {
        true => Ok(authored),
        // It must read what it keeps.
        false => Err(unfit(format!(
            "`{AUTHORED}`: `/recipients`: a node keeps no encrypted capsules; pack a folder with: xyn capsule pack DIR"
        ))),
    }
}

/// What the tree allows that looks like a secret.
fn allowed(blobs: &Blobs, root: &Digest) -> Result<Allow, Refusal> {
    let Some(bytes) = read(blobs, root, ALLOW_FILE, ALLOW_MAX_BYTES)? else { return Ok(Allow::default()) };
    Allow::parse(&bytes).map_err(|error| unfit(error.to_string()))
}

/// The file `name` at the root of a tree; none where no file stands there.
fn read(blobs: &Blobs, root: &Digest, name: &str, limit_bytes: u64) -> Result<Option<Vec<u8>>, Refusal> {
    let path: RelPath = name.parse().expect("it is a path");
    let bytes = find(blobs, root, &path).and_then(|found| match found {
        Some(entry) if entry.mode.is_file() => Shelf::read(blobs, &entry.digest, limit_bytes).map(Some),
        _ => Ok(None),
    });
    bytes.map_err(|error| match error {
        TreeError::Blob(error) => unfit(format!("`{name}`: {error}")),
        error => unfit(error.to_string()),
    })
}

fn unfit(message: String) -> Refusal {
    Refusal::Conflict { code: "capsule_unfit", message }
}

fn not_checked(error: NotChecked) -> Refusal {
    match error {
        NotChecked::Files(error) => refusal::file(error),
        NotChecked::Workcell(error) => workcell::no_cell(&error),
        NotChecked::Stopped { source: WorkcellError::Stopped, .. } => Refusal::Unavailable(error.to_string()),
        error => {
            let message = format!("nothing was packed, because a check of its own stops it:\n{error}");
            Refusal::Conflict { code: "capsule_vetoed", message }
        }
    }
}

fn not_made(error: NotMade) -> Refusal {
    match error {
        NotMade::File(error) => refusal::unpacked(error),
        error => unfit(format!("`{AUTHORED}`: {}", refusal::with_causes(&error))),
    }
}
