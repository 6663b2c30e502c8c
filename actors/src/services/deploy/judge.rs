//! The first five gates: what a capsule is, before anybody asks whether it may.
//!
//! Reads and changes nothing but the chunk store, which takes in the tree. Blocks. Invariant: what comes out was
//! signed by keys that count now, and when its bytes were asked for, every one of them was read.

use semver::Version;
use serde_json::Value;
use xyn_capsules::manifest::{Manifest, Scope};
use xyn_capsules::sign::{Admitted, KeyId, Mark, NotVerified, Seen, Step, decide};
use xyn_store::Timestamp;
use xyn_store::blobs::Pins;
use xyn_store::projection::{CapsuleRow, DeploymentRow, Target};
use xyn_store::scope::Stage;

use super::gates::{Gate, Ledger};
use super::name::Place;
use super::release::unfit;
use super::seeds;
use crate::runtime::{Inner, Refusal};
use crate::services::capsules::prove::{self, Content, admit, prove};
use crate::services::capsules::{CapsuleName, catalogue, refusal, trust, verify};

/// The version of this core, which `minCore` is compared with.
const CORE: &str = env!("CARGO_PKG_VERSION");

/// What somebody wants deployed.
#[derive(Clone)]
pub(super) struct Wish {
    pub(super) capsule: CapsuleName,
    pub(super) stage: Stage,
    pub(super) target: Option<Target>,
    pub(super) port: Option<u16>,
    pub(super) health: Option<String>,
    pub(super) confirm: Option<String>,
    /// The whole input: it names keys, too.
    pub(super) input: Value,
}

/// How much of a capsule is looked at.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Depth {
    /// What it says of itself.
    Manifest,
    /// Every byte, which the store takes in.
    Bytes,
}

/// A capsule that passed the first gates.
pub(super) struct Judged {
    pub(super) row: CapsuleRow,
    pub(super) manifest: Manifest,
    pub(super) place: Place,
    /// What is deployed there.
    pub(super) before: Option<DeploymentRow>,
    /// Keeps its tree until a row does.
    pub(super) _pins: Pins,
}

impl Wish {
    /// What an input asks for, which its schema has checked.
    pub(super) fn read(input: &Value) -> Result<Self, Refusal> {
        let text = |name: &str| input.get(name).and_then(Value::as_str).map(str::to_owned);
        let missing = || Refusal::invalid("invalid_input", "/stage", "the stage is missing");
        let target = text("target").map(|target| target.parse()).transpose();
        let target = target.map_err(|error: xyn_store::projection::InvalidTarget| {
            Refusal::invalid("invalid_input", "/target", error.to_string())
        })?;
        let port = input.get("port").and_then(Value::as_u64).and_then(|port| u16::try_from(port).ok());
        Ok(Self {
            capsule: verify::named(input)?,
            stage: super::stage(input).ok_or_else(missing)?,
            target,
            port,
            health: text("health"),
            confirm: text("confirm"),
            input: input.clone(),
        })
    }
}

/// Leads the capsule that `wish` names through the first gates.
pub(super) fn judge(
    inner: &Inner,
    wish: &Wish,
    depth: Depth,
    ledger: &mut Ledger,
) -> Result<Judged, Refusal> {
    let (reader, blobs, now) = (inner.store.read()?, inner.store.blobs(), inner.clock.now());
    let row = catalogue::here(&reader, &wish.capsule)?;
    let row = row.ok_or_else(|| verify::missing(inner, &wish.capsule))?;
    let mut pins = blobs.pins();
    [row.file, row.tree].into_iter().for_each(|digest| pins.add(digest));
    let ring = trust::ring(inner, &wish.input, now)?;
    let bytes = prove::Place::Blob(blobs, &row.file);
    let cover = match bytes.cover() {
        Ok(cover) => cover,
        Err(unsound) => return ledger.pass(Gate::Signature, Err(unsound)),
    };
    let is_whole = || "the envelope is whole".to_owned();
    let admitted = match admit(&cover, &ring, now) {
        Ok(admitted) => admitted,
        Err(error) if is_about_trust(&error) => {
            ledger.pass(Gate::Signature, Ok(((), is_whole())))?;
            return ledger.pass(Gate::Trust, Err(refusal::untrusted(error)));
        }
        Err(error) => return ledger.pass(Gate::Signature, Err(refusal::untrusted(error))),
    };
    let read = match depth {
        Depth::Manifest => Ok(((), is_whole())),
        Depth::Bytes => prove(bytes, None, Content::Take(blobs), &ring, now)
            .map(|proved| ((), format!("every byte of {} files was read", proved.verified.files))),
    };
    ledger.pass(Gate::Signature, read)?;
    let signers: Vec<KeyId> = admitted.verified().signers().iter().copied().collect();
    ledger.pass(Gate::Trust, Ok(((), format!("signed by {}", named(&signers)))))?;
    let manifest = admitted.value().clone();
    let target = wish.target.unwrap_or(match manifest.app.framework.as_str() {
        "static" | "astro" | "vite" => Target::Static,
        _ => Target::Process,
    });
    let place = Place { app: row.app.clone(), stage: wish.stage, target };
    let before = place.row(&reader)?;
    ledger.pass(Gate::Generation, generation(before.as_ref(), &admitted, now))?;
    ledger.pass(Gate::Rights, rights(inner, &manifest, &signers)?)?;
    ledger.pass(Gate::Compatibility, seeds::check(&manifest).and_then(|()| compatibility(&manifest)))?;
    Ok(Judged { row, manifest, place, before, _pins: pins })
}

/// Whether the envelope is sound, and only who signed it does not count.
fn is_about_trust(error: &NotVerified) -> bool {
    use NotVerified::{Future, RingExpired, Threshold};
    matches!(error, Threshold { .. } | Future { .. } | RingExpired { .. })
}

fn named(signers: &[KeyId]) -> String {
    let keys: Vec<String> = signers.iter().map(|key| format!("`{key}`")).collect();
    keys.join(", ")
}

/// Whether it follows what served at its place.
fn generation(
    before: Option<&DeploymentRow>,
    capsule: &Admitted<Manifest>,
    now: Timestamp,
) -> Result<((), String), Refusal> {
    let highest = before.map(|row| Mark { generation: row.highest.0, capsule: row.highest.1 });
    let seen = Seen { env: capsule.env().clone(), app: capsule.value().id.app.clone(), highest };
    match decide(&seen, capsule, None, now) {
        Ok(step) => {
            let generation = capsule.value().generation;
            let why = match step {
                Step::Forward(_) => match highest {
                    Some(mark) => format!("{generation} follows {}", mark.generation),
                    None => format!("{generation} is the first here"),
                },
                Step::Again | Step::Back => format!("{generation} is the highest that served here"),
            };
            Ok(((), why))
        }
        Err(refused) => Err(Refusal::Conflict {
            code: "capsule_generation",
            message: format!("{refused}; what served before comes back by a rollback"),
        }),
    }
}

/// Whether its rights let it be used here.
fn rights(
    inner: &Inner,
    manifest: &Manifest,
    signers: &[KeyId],
) -> Result<Result<((), String), Refusal>, Refusal> {
    let (rights, members) = (&manifest.rights, trust::members(inner)?);
    let is_ours = signers.iter().any(|signer| members.contains_key(signer));
    let scope = match rights.scope {
        Scope::Private => "private",
        Scope::Env => "env",
        Scope::Lan => "lan",
        Scope::Public => "public",
    };
    Ok(match rights.scope {
        Scope::Private | Scope::Env if !is_ours => {
            let message = format!(
                "its scope is `{scope}`, and no member of this environment signed it; ask its maker for one whose \
                 scope is `lan` or `public`"
            );
            Err(Refusal::Conflict { code: "deploy_rights", message })
        }
        _ => Ok(((), format!("licence {}, scope `{scope}`", rights.license))),
    })
}

/// Whether it runs on this core.
fn compatibility(manifest: &Manifest) -> Result<((), String), Refusal> {
    let core: Version = CORE.parse().expect("the version of a crate is one");
    match &manifest.min_core {
        Some(needed) if *needed > core => {
            Err(unfit(format!("it needs core {needed} (`/minCore`), and this is {core}; use a newer one")))
        }
        Some(needed) => Ok(((), format!("core {core} is not older than {needed}"))),
        None => Ok(((), format!("it runs on any core, so on {core}"))),
    }
}

/// Whether what it needs is there: this version attaches nothing.
pub(super) fn services(manifest: &Manifest) -> Result<((), String), Refusal> {
    let names: Vec<String> = manifest
        .services
        .iter()
        .map(|service| {
            let kind = serde_json::to_value(service.kind).unwrap_or_default();
            format!("`{}` ({})", service.name, kind.as_str().unwrap_or_default())
        })
        .collect();
    if names.is_empty() {
        return Ok(((), "it needs none".to_owned()));
    }
    let message = format!(
        "it needs {}, and this version attaches no services; deploy a capsule without them",
        names.join(", ")
    );
    Err(Refusal::Conflict { code: "service_missing", message })
}
