//! Entries of the timeline, as seeds.

use xyn_store::scope::{Principal, Stage};
use xyn_store::timeline::approval::{Approvals, Ask, Matter, Reason, Word};
use xyn_store::timeline::entry::{Branch, Kind, Note, Refs};
use xyn_store::timeline::{Delta, Made, Offer, Visibility};
use xyn_store::{Digest, ids};

use super::now;

fn note(kind: Kind, refs: Refs) -> Note {
    let (principal, branch) = (Principal::new("ana@laptop"), Branch::main());
    Note { principal, branch, kind, title: "the landing page was built".into(), refs }
}

/// Entries that refer to everything there is to refer to, each to some of it.
pub(super) fn entries() -> Vec<Note> {
    let run = Refs {
        run: Some(ids::derived(now(), &[b"run"])),
        before: Some(Digest::of(b"before")),
        after: Some(Digest::of(b"after")),
        workspace: Some("shop".into()),
        ..Refs::default()
    };
    let made = |name: &str| Made {
        artifact_id: ids::derived(now(), &[name.as_bytes()]),
        name: name.into(),
        kind: "file".into(),
        content_type: "text/html".into(),
        byte_length: 300,
        sha256: Digest::of(name.as_bytes()),
    };
    let artifacts = Refs { artifacts: vec![made("a.html"), made("b.html")], ..Refs::default() };
    let gate = Matter::Gate(ids::derived(now(), &[b"run"]), "approve".into());
    let ask = Ask {
        matter: gate.clone(),
        reason: Reason::Policy,
        title: "Deploy?".into(),
        asked_at: now(),
        expires_at: Some(now()),
        approvers: vec!["role:operator".into(), "ben@laptop".into()],
        min: 2,
        allow_requester: Some(false),
        requester: Principal::new("ana@laptop"),
        stage: Stage::Prod,
    };
    let settled = vec![gate.clone(), Matter::Intent(ids::derived(now(), &[b"intent"]))];
    let asks = Approvals { asks: vec![ask], settled, word: None };
    let word = Word { matter: gate, note: Some("so be it".into()) };
    let word = Approvals { word: Some(word), ..Approvals::default() };
    let approvals = |said| Refs { approvals: Some(Box::new(said)), ..Refs::default() };
    let word = Refs { parents: vec![ids::derived(now(), &[&[1]])], ..approvals(word) };
    let offer = Offer {
        capsule: Digest::of(b"capsule"),
        id: "urn:xyn:app:shop@1.0.0".into(),
        generation: 3,
        visibility: Visibility::Lan,
        file: Digest::of(b"file"),
        size_bytes: 1 << 20,
        delta: Some(Delta { base: Digest::of(b"base"), file: Digest::of(b"delta"), size_bytes: 300 }),
    };
    let (capsule, offer) = (Some(Digest::of(b"tree")), Some(Box::new(offer)));
    let offer = Refs { capsule, offer, ..Refs::default() };
    let (env, domain) = (Some("lab".into()), Some("shop.example".into()));
    let served = Refs { env, stage: Some(Stage::Staging), domain, ..Refs::default() };
    let said = [
        (Kind::Run, run),
        (Kind::Run, artifacts),
        (Kind::Gate, approvals(asks)),
        (Kind::Approve, word),
        (Kind::Pack, offer),
        (Kind::Deploy, served),
    ];
    said.into_iter().map(|(kind, refs)| note(kind, refs)).collect()
}
