//! Words that people give on other nodes: who is believed, when they count, and that they count once.

mod carried;
mod crashes;
mod lives;
mod people;
mod refusals;
mod stories;

use std::collections::BTreeMap;

use xyn_net::wire::Payload;
use xyn_store::Timestamp;
use xyn_store::audit::key::NodeKey;
use xyn_store::audit::signature::PublicKey;
use xyn_store::projection::{GateRow, GateStatus, IntentRow, IntentStatus, StepKey};
use xyn_store::scope::{Principal, Stage};
use xyn_store::tables::Key;
use xyn_store::timeline::admit::Verdict;
use xyn_store::timeline::approval::{Approvals, Matter, Question, Word};
use xyn_store::timeline::entry::{Branch, Entry, Kind, Note, Refs};
use xyn_store::timeline::feed::FeedId;
use xyn_store::timeline::{self, Saying};
use xyn_store::trust::{Certificate, Claim, Head, Revocation, Role, Seat, Statement};
use xyn_store::{Order, ids};

use super::timeline::{bring, newcomer};
use super::*;
use crate::services::approvals::arrive::position_name;
use crate::services::timeline::Sent;

const HOUR: Duration = Duration::from_secs(3600);

/// A gate that needs two owners within an hour.
const TWO_OWNERS: &str = r#"
id: bp.two
name: Two
trigger: { event_type: test.two }
plan:
  - kind: gate
    id: ok
    mode: manual
    prompt: "Ship it?"
    approvers: ["role:OwnerAdmin"]
    min: 2
    timeout: 1h
"#;

pub(super) fn noon() -> Timestamp {
    "2026-03-01T12:00:00Z".parse().expect("an instant")
}

/// The node that founded the environment, and its root.
pub(super) struct Founder {
    pub(super) node: Node,
    root: NodeKey,
}

impl Founder {
    pub(super) async fn start(folder: &Path) -> Self {
        Self::start_at(folder, noon()).await
    }

    async fn start_at(folder: &Path, now: Timestamp) -> Self {
        let node = start_in(folder, actions::builtin(), Clock::manual(now), Environment::default()).await;
        let root = NodeKey::found_root(folder).expect("it founded the environment");
        Self { node, root }
    }

    /// The certificate of `key` for `principal`.
    fn certificate(&self, key: &NodeKey, principal: &str, role: Role, expires: Option<Timestamp>) -> Claim {
        let seat = Seat::Under(self.root.public());
        let consent = seat.agree(self.node.timeline().env(), key);
        let principal = Principal::new(principal);
        Claim::Certificate(Certificate { node: key.public(), seat, principal, role, expires, consent })
    }

    /// Says `claim` in the name of the root.
    async fn states(&self, claim: Claim) {
        self.tells(&self.node, claim).await;
    }

    /// Has `node` say `claim` in the name of the root.
    async fn tells(&self, node: &Node, claim: Claim) {
        let (env, issuer, issued_at) = (self.node.timeline().env(), self.root.public(), noon());
        let statement = Statement { env, issuer, issued_at, claim }.sign(&self.root).expect("signs");
        node.timeline().state(statement).await.expect("is said");
    }

    /// A second node, of `principal`, which knows the founder.
    async fn joined(&self, folder: &Path, principal: &str, role: Role) -> Node {
        let key = newcomer(folder, self.node.timeline().env()).await;
        let now = self.node.runtime.clock().now();
        let node = start_in(folder, actions::builtin(), Clock::manual(now), Environment::default()).await;
        let own = self.certificate(
            self.node.runtime.store().key(),
            Principal::LOCAL_OPERATOR,
            Role::OwnerAdmin,
            None,
        );
        self.tells(&node, own).await;
        self.states(self.certificate(&key, principal, role, None)).await;
        brings(&self.node, &node).await;
        node
    }

    /// An author of `principal`.
    pub(super) async fn author(&self, seed: u8, principal: &str, role: Role) -> Author {
        let author = Author::new(&self.node, seed);
        self.states(self.certificate(&author.key, principal, role, None)).await;
        author
    }

    /// Takes the frames of `author`, and waits until each word in them was decided on.
    async fn hears(&self, author: &Author) -> Vec<Verdict> {
        let sent = |frame: &Vec<u8>| Sent {
            from: author.feed.node,
            frame: Payload::new(frame).expect("is bounded"),
        };
        let frames = author.frames.iter().map(sent).collect();
        let verdicts = self.node.timeline().admit(frames).await.expect("judges");
        self.node.has_heard(author.feed).await;
        verdicts
    }
}

/// Hands all that `from` has to `to`, which takes it.
async fn brings(from: &Node, to: &Node) {
    let verdicts = bring(from, to).await;
    let is_fine = |verdict: &Verdict| matches!(verdict, Verdict::Admitted { .. } | Verdict::Duplicate);
    assert!(verdicts.iter().all(is_fine), "{verdicts:?}");
    to.has_heard(from.timeline().own()).await;
}

/// A member of which only the feed is here.
pub(super) struct Author {
    key: NodeKey,
    pub(super) feed: FeedId,
    timeline: timeline::Timeline,
    pub(super) frames: Vec<Vec<u8>>,
}

impl Author {
    fn new(node: &Node, seed: u8) -> Self {
        Self::alive(node, [seed; 32], 1)
    }

    /// In one of its lives.
    fn alive(node: &Node, secret: [u8; 32], incarnation: u64) -> Self {
        let key = NodeKey::from_secret(secret);
        let feed = FeedId { node: key.public(), incarnation };
        let reader = node.runtime.store().read().expect("reads");
        let timeline = timeline::Timeline::open(&reader, node.timeline().env().root(), feed).expect("opens");
        Self { key, feed, timeline, frames: Vec::new() }
    }

    /// Says `note` at `now`.
    pub(super) fn says(&mut self, now: Timestamp, note: Note) {
        let entry_id = ids::derived(now, &[note.title.as_bytes(), self.key.public().as_bytes()]);
        let saying = Saying::Entry(entry_id, Box::new(note));
        let written = self.timeline.say(&self.key, now, vec![saying]).expect("writes");
        self.frames.extend(written.frames);
    }

    /// Approves what `question` asks at `now`, in the name of `principal`.
    fn approves(&mut self, now: Timestamp, principal: &str, question: &Question) {
        self.says(now, word(principal, question, Kind::Approve));
    }

    fn head(&self) -> Head {
        let head = self.timeline.feed(&self.feed).expect("it wrote").head;
        Head { seq: head.seq, hash: head.hash }
    }

    /// The revocation of this author behind `last`.
    fn revoked(&self, last: Option<Head>) -> Claim {
        let last: BTreeMap<FeedId, Head> = last.map(|last| (self.feed, last)).into_iter().collect();
        Claim::Revocation(Revocation { node: self.key.public(), last, reason: "left".into() })
    }
}

fn word(principal: &str, question: &Question, kind: Kind) -> Note {
    let word = Word { matter: question.ask.matter.clone(), note: None };
    Note {
        principal: Principal::new(principal),
        branch: Branch::main(),
        kind,
        title: "a word".into(),
        refs: Refs {
            parents: vec![question.entry_id],
            approvals: Some(Box::new(Approvals { word: Some(word), ..Approvals::default() })),
            ..Refs::default()
        },
    }
}

impl Node {
    /// Starts a run of [`TWO_OWNERS`] in `stage`, and waits until others can be asked.
    async fn asks(&self, stage: Stage) -> (RunId, Question) {
        self.promote(TWO_OWNERS).await;
        let intent = self.intent("runs.start", json!({ "blueprint": "bp.two" }));
        let started = self.runtime.submit(Intent { stage: Some(stage), ..intent }).await.expect("starts");
        let run = serde_json::from_value(started.output["run_id"].clone()).expect("an id");
        (run, self.question(&Matter::Gate(run, "ok".into())).await)
    }

    /// What this node asks about `matter`, as soon as it is on its timeline.
    async fn question(&self, matter: &Matter) -> Question {
        let asks = |moments: &[Entry]| moments.iter().any(|moment| moment.ask(matter).is_some());
        let moments = self.until_moments(asks).await;
        let moment = moments.iter().find(|moment| moment.ask(matter).is_some()).expect("it asks");
        let ask = moment.ask(matter).expect("it asks").clone();
        Question { entry_id: moment.entry_id, node: moment.node, ask, words: Vec::new() }
    }

    /// Waits until every word of `feed` that counts was decided on.
    async fn has_heard(&self, feed: FeedId) {
        self.until(|node| {
            let reader = node.runtime.store().read().expect("reads");
            let rows = reader.feeds().expect("reads");
            let row = rows.into_iter().find(|row| row.feed == feed);
            let end = row.map_or(0, |row| row.head.seq.min(row.limit.counts));
            reader.position(&position_name(&feed)).expect("reads") >= end
        })
        .await;
    }

    fn gate(&self, run: RunId) -> GateRow {
        let reader = self.runtime.store().read().expect("reads");
        let key = GateRow::key_of(run, StepKey { step: 0, item: None });
        reader.get(&key).expect("reads").expect("is there")
    }

    /// Who answered the gate of `run` so far.
    fn approvers(&self, run: RunId) -> Vec<String> {
        self.gate(run).approvals.iter().map(|word| word.principal.to_string()).collect()
    }

    /// Words that did not count, each with its author, code and message; by author.
    fn refused(&self) -> Vec<(String, String, String)> {
        let reader = self.runtime.store().read().expect("reads");
        let is_refused = |row: &IntentRow| {
            row.action.ends_with(".answer") && row.status == IntentStatus::Denied && row.asked.is_none()
        };
        let rows = reader.page::<IntentRow>(&Key::new(), Order::Ascending, None, 100, is_refused);
        let shown = |row: IntentRow| {
            let fault = row.fault.expect("says why");
            (row.actor.to_string(), fault.code, fault.message)
        };
        let mut refused: Vec<_> = rows.expect("reads").items.into_iter().map(shown).collect();
        refused.sort();
        refused
    }

    fn refusal_codes(&self) -> Vec<String> {
        self.refused().into_iter().map(|(_, code, _)| code).collect()
    }

    /// What the person of this node is answered at the gate of `run`.
    async fn approves(&self, run: RunId) -> Result<Value, Refusal> {
        let word = json!({ "run_id": run, "step_id": "ok", "approve": true });
        self.submit("gates.answer", word).await.map(|outcome| outcome.output)
    }

    /// What others ask, as this node lists it.
    fn asked_elsewhere(&self) -> Vec<Question> {
        let (reader, timeline) = (self.runtime.store().read().expect("reads"), self.timeline());
        let page = reader.questions_elsewhere(timeline.own().node, &timeline.roster(), None, 100);
        page.expect("reads").items
    }
}
