//! The first five gates: what a capsule is, before anybody asks whether it may.
//!
//! Reads and changes nothing but the chunk store, which takes in the tree. Blocks. Invariant: what comes out was
//! signed by keys that count now, and when its bytes were asked for, every one of them was read.

use std::collections::BTreeSet;
use std::sync::Arc;

use semver::Version;
use serde_json::Value;
use xyn_capsules::manifest::{Manifest, Scope};
use xyn_capsules::sign::{Admitted, Mark, NotVerified, Seen, Step};
use xyn_store::blobs::Pins;
use xyn_store::projection::{CapsuleRow, DeploymentRow, Target};
use xyn_store::scope::Stage;
use xyn_store::{Reader, Timestamp};

use super::gates::{Gate, Ledger};
use super::name::Place;
use super::needs::{self, Attached, Given};
use super::release::unfit;
use super::seeds;
use crate::governance::Proof;
use crate::runtime::{Held, Inner, Refusal};
use crate::services::capsules::evidence::Leave;
use crate::services::capsules::generation::step;
use crate::services::capsules::prove::{self, Content, Proved, admit, prove};
use crate::services::capsules::trust::{self, Basis, Counting};
use crate::services::capsules::{CapsuleName, catalogue, evidence, verify};

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
    /// Which secret is the address of which service.
    pub(super) services: Attached,
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
    /// The highest of the app that served in the stage, on whichever target.
    highest: Option<Mark>,
    counting: Counting,
    /// Keeps its tree until a row does.
    pub(super) _pins: Pins,
}

impl Judged {
    /// What it is given there: what was attached before, and what `wish` attaches.
    pub(super) async fn given(&self, inner: &Arc<Inner>, wish: &Wish) -> Result<(Given, String), Refusal> {
        needs::given(inner, &self.place, &self.manifest, &self.attached(wish)).await
    }

    /// Whether what policies want proved of it is.
    pub(super) fn evidence(
        &self,
        inner: &Inner,
        wanted: &BTreeSet<Proof>,
        ledger: &mut Ledger,
    ) -> Result<(), Refusal> {
        if wanted.is_empty() {
            ledger.skip(Gate::Evidence, "no policy asks for any");
            return Ok(());
        }
        let (envelopes, now) = (evidence::of(inner.store.blobs(), &self.row)?, inner.clock.now());
        let Self { row, manifest, counting, .. } = self;
        let proved = |proof: &Proof| evidence::proves(&envelopes, *proof, row, manifest, &counting.ring, now);
        let missing: Vec<String> = wanted
            .iter()
            .filter_map(|proof| proved(proof).err().map(|why| lacks(*proof, why, &self.place.app)))
            .collect();
        let words: Vec<&str> = wanted.iter().map(|proof| proof.as_str()).collect();
        let judged = match missing.is_empty() {
            true => Ok(((), format!("attested: {}", words.join(", ")))),
            false => Err(Refusal::Conflict { code: "evidence_missing", message: missing.join("; ") }),
        };
        ledger.pass(Gate::Evidence, judged)
    }

    /// Keeps others away from its place. Refused when one of them was there since: its generation and what it replaces
    /// were judged by what was there before.
    pub(super) fn turn(&self, inner: &Inner) -> Result<Held, Refusal> {
        let (turn, reader) = (super::hold(inner, &self.place)?, inner.store.read()?);
        let Place { app, .. } = &self.place;
        if self.place.row(&reader)? != self.before {
            let message = format!("something else was deployed to `{}` meanwhile; ask again", self.place);
            Err(super::busy(message))
        } else if reader.get::<CapsuleRow>(&CapsuleRow::key_of(&self.row.capsule))?.is_none() {
            Err(super::busy(format!("the capsule of `{app}` was let go of meanwhile; import it again")))
        } else {
            self.still_follows(&reader).map(|()| turn)
        }
    }

    /// Refuses it when another capsule that is not older began to serve in its stage since it was judged, be it on the
    /// other target.
    pub(super) fn still_follows(&self, reader: &Reader) -> Result<(), Refusal> {
        let own = Mark { generation: self.row.generation, capsule: self.row.capsule };
        match highest(reader, &self.place)? {
            found if found == self.highest => Ok(()),
            Some(found) if found != own && found.generation >= own.generation => {
                let Place { app, stage, .. } = &self.place;
                Err(Refusal::Conflict {
                    code: "capsule_generation",
                    message: format!(
                        "generation {} of `{app}` began to serve in {} meanwhile, and this is {}; ask again, or \
                         pack a newer one",
                        found.generation,
                        stage.as_str(),
                        own.generation
                    ),
                })
            }
            _ => Ok(()),
        }
    }

    /// Which secret is the address of which service, from now on.
    pub(super) fn attached(&self, wish: &Wish) -> Attached {
        let before = self.before.as_ref().map(|row| row.services.as_slice());
        needs::joined(before.unwrap_or_default(), &wish.services)
    }
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
            services: needs::attached(input),
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
    let counting = Counting::for_deployment(inner, &wish.input, now)?;
    let bytes = prove::Place::Blob(blobs, &row.file);
    let cover = match bytes.cover() {
        Ok(cover) => cover,
        Err(unsound) => return ledger.pass(Gate::Signature, Err(unsound)),
    };
    let is_whole = || "the envelope is whole".to_owned();
    let admitted = match admit(&cover, &counting.ring, now) {
        Ok(admitted) => admitted,
        Err(error) if is_about_trust(&error) => {
            ledger.pass(Gate::Signature, Ok(((), is_whole())))?;
            return ledger.pass(Gate::Trust, Err(counting.refused(error)));
        }
        Err(error) => return ledger.pass(Gate::Signature, Err(counting.refused(error))),
    };
    let leaves = evidence::leaves(cover.attestations(), &row.tree, &counting.ring, now);
    let read = match depth {
        Depth::Manifest => Ok(((), is_whole())),
        Depth::Bytes => prove(bytes, None, Content::Take(blobs), &counting, now)
            .map(|proved| ((), read_to_its_end(&proved))),
    };
    ledger.pass(Gate::Signature, read)?;
    ledger.pass(Gate::Trust, Ok(((), signed(&counting, &admitted, now)?)))?;
    let manifest = admitted.value().clone();
    let target = wish.target.unwrap_or(match manifest.app.framework.as_str() {
        "static" | "astro" | "vite" => Target::Static,
        _ => Target::Process,
    });
    let place = Place { app: row.app.clone(), stage: wish.stage, target };
    let before = place.row(&reader)?;
    let highest = highest(&reader, &place)?;
    ledger.pass(Gate::Generation, generation(highest, &admitted, &leaves, now))?;
    ledger.pass(Gate::Rights, rights(inner, &admitted, counting.basis)?)?;
    let seeds = match depth {
        Depth::Manifest => Ok(()),
        Depth::Bytes => seeds::check(blobs, &row.tree, &manifest),
    };
    ledger.pass(Gate::Compatibility, seeds.and_then(|()| compatibility(&manifest)))?;
    Ok(Judged { row, manifest, place, before, highest, counting, _pins: pins })
}

/// That every byte of a capsule was read, and what is said of it that does not count.
fn read_to_its_end(proved: &Proved) -> String {
    let read = format!("every byte of {} files was read", proved.verified.files);
    [vec![read], proved.ignored()].concat().join("; ")
}

/// What is missing, and how it is made.
fn lacks(proof: Proof, why: &str, app: &str) -> String {
    let (what, how, report) = match proof {
        Proof::Rebuild => (
            "a matching rebuild",
            format!("xyn capsule rebuild {app} --attest capsule.key"),
            format!("{app}.rebuild.json"),
        ),
        Proof::Simulation => (
            "a simulation that passed",
            format!("xyn sim capsule {app}.caps --scenario FILE --key capsule.key"),
            format!("{app}.caps.simulation.json"),
        ),
    };
    format!(
        "a policy wants {what}, and it {why}; make it with: {how}; and bring it with: xyn capsule attest {app} {report}"
    )
}

/// Whether the envelope is sound, and only who signed it does not count.
fn is_about_trust(error: &NotVerified) -> bool {
    use NotVerified::{Future, RingExpired, Threshold};
    matches!(error, Threshold { .. } | Future { .. } | RingExpired { .. })
}

/// Who signed it and counts, and how many of whom had to.
fn signed(counting: &Counting, capsule: &Admitted<Manifest>, now: Timestamp) -> Result<String, Refusal> {
    let keys: Vec<String> = capsule.verified().signers().iter().map(|key| format!("`{key}`")).collect();
    let quorum = counting.ring.publishers(&capsule.value().id.app, now);
    let quorum = quorum.map_err(|error| counting.refused(error))?;
    let right = quorum.right().map(|right| format!(" `{right}`")).unwrap_or_default();
    let (have, need) = (keys.len(), quorum.threshold());
    Ok(format!("signed by {have} of {need} needed{right} keys, by {counting}: {}", keys.join(", ")))
}

/// The highest generation of the app that served in the stage of `place`, on whichever target.
fn highest(reader: &Reader, place: &Place) -> Result<Option<Mark>, Refusal> {
    let mut highest = None;
    for target in [Target::Static, Target::Process] {
        let row = Place { target, ..place.clone() }.row(reader)?;
        highest = highest.max(row.map(|row| row.highest));
    }
    Ok(highest.map(|(generation, capsule)| Mark { generation, capsule }))
}

/// Whether it follows what served in its stage.
fn generation(
    highest: Option<Mark>,
    capsule: &Admitted<Manifest>,
    leaves: &[Leave],
    now: Timestamp,
) -> Result<((), String), Refusal> {
    let seen = Seen { env: capsule.env().clone(), app: capsule.value().id.app.clone(), highest };
    match step(&seen, capsule, leaves, now) {
        Ok(step) => {
            let generation = capsule.value().generation;
            let why = match step {
                Step::Forward(_) => match highest {
                    Some(mark) => format!("{generation} follows {}", mark.generation),
                    None => format!("{generation} is the first here"),
                },
                Step::Again => format!("{generation} is the highest that served here"),
                Step::Back => format!("{generation} is older than what served here, and leave was signed"),
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
    capsule: &Admitted<Manifest>,
    basis: Basis,
) -> Result<Result<((), String), Refusal>, Refusal> {
    let (rights, members) = (&capsule.value().rights, trust::members(inner)?);
    let by_member = capsule.verified().signers().iter().any(|signer| members.contains_key(signer));
    // The key ring is the environment's own.
    let is_ours = by_member || basis == Basis::Ring;
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
