//! Milestones: what of the journal the whole team should see.
//!
//! Owns which facts are milestones and how they read. One entry of the journal is one moment at most, whatever
//! it says, because what was appended in one piece happened at once. Invariant: the same entry gives the same
//! moment, and it is always one that can be written.

use uuid::Uuid;
use xyn_store::envelope::Envelope;
use xyn_store::ids::RunId;
use xyn_store::legible::is_disruptive;
use xyn_store::projection::{ApprovalRow, ArtifactRow, GateRow, IntentRow, IntentStatus, RunRow, StepKey};
use xyn_store::scope::{Principal, Stage};
use xyn_store::timeline::Made;
use xyn_store::timeline::approval::{Approvals, Matter};
use xyn_store::timeline::entry::{Branch, Kind, NAME_MAX_CHARS, Note, REFS_MAX, Refs, TITLE_MAX_CHARS};
use xyn_store::{Digest, Order, Reader, StoreError, Timestamp};

use crate::record::Record;
use crate::services::approvals::ask;
use crate::services::approvals::people::People;
use crate::services::capsules::{self, CapsuleName, Found};
use crate::{node, run};

/// Bytes of all artifacts that one moment names.
const MADE_MAX_BYTES: usize = 16 << 10;
/// What one takes beside its texts, at most.
const MADE_REST_BYTES: usize = 64;

/// The moment that `records`, those of `envelope`, are; none when nobody else need know of them.
pub(crate) fn note(
    records: &[Record],
    envelope: &Envelope,
    stage: Stage,
    reader: &Reader,
    people: &People,
) -> Result<Option<Note>, StoreError> {
    let mut sketch = Sketch::new(envelope, people);
    for record in records {
        match record {
            Record::Run(event) => sketch.run(event, reader)?,
            Record::IntentParked(row, _) => {
                sketch.approvals.asks.extend(ask::of_intent(row, people));
                sketch.say(Kind::Gate, &row.action, "waits for approval");
            }
            Record::IntentAnswered(row) => sketch.answered(row),
            Record::IntentEnded(row) if row.status == IntentStatus::Denied => {
                sketch.approvals.settled.push(Matter::Intent(row.intent_id));
                sketch.say(Kind::Gate, &row.action, "expired without approval");
            }
            Record::Capsule(event) if is_told(event, reader)? => sketch.capsule(event),
            Record::ArtifactCreated(row) => sketch.made.push(made(row)),
            Record::Node(node::Event::BlueprintActivated(row)) => {
                sketch.refs.stage = Some(stage);
                // Each node has blueprints of its own.
                let whose = people.own().map(|own| format!(" on the node of {own}")).unwrap_or_default();
                let phrase = format!("version {} is active{whose}", row.version);
                sketch.say(Kind::Promote, &row.blueprint_id, &phrase);
            }
            _ => {}
        }
    }
    sketch.finish(reader)
}

/// A moment in the making.
struct Sketch<'a> {
    people: &'a People,
    run: RunId,
    at: Timestamp,
    principal: Principal,
    kind: Option<Kind>,
    subject: Option<String>,
    phrases: Vec<String>,
    refs: Refs,
    made: Vec<Made>,
    approvals: Approvals,
}

impl<'a> Sketch<'a> {
    fn new(envelope: &Envelope, people: &'a People) -> Self {
        Self {
            people,
            run: RunId::from(Uuid::from(envelope.stream)),
            at: envelope.at,
            principal: people.outward(&envelope.attribution.actor),
            kind: None,
            subject: None,
            phrases: Vec::new(),
            refs: Refs::default(),
            made: Vec::new(),
            approvals: Approvals::default(),
        }
    }

    /// What happened, with the weightiest kind of what happened at once.
    fn happened(&mut self, kind: Kind, phrase: String) {
        if self.kind.is_none_or(|before| weight(kind) >= weight(before)) {
            self.kind = Some(kind);
        }
        if self.phrases.last() != Some(&phrase) {
            self.phrases.push(phrase);
        }
    }

    fn say(&mut self, kind: Kind, subject: &str, phrase: &str) {
        self.subject = Some(subject.to_owned());
        self.happened(kind, phrase.to_owned());
    }

    /// What was found out about a capsule, or done with it. One that came or went says so in a moment of its own, which
    /// offers it.
    fn capsule(&mut self, event: &capsules::Event) {
        use capsules::Event as E;
        match event {
            E::Verified { capsule, id } => {
                self.of_capsule(capsule, id, Kind::Verify, "every byte is what was signed");
            }
            E::Rebuilt { capsule, id, is_expected: true, .. } => {
                self.of_capsule(capsule, id, Kind::Verify, "built again, bit for bit");
            }
            E::Rebuilt { capsule, id, is_expected: false, .. } => {
                self.of_capsule(capsule, id, Kind::Reject, "built again, and it came to something else");
            }
            E::Replayed { capsule, id, is_same: true } => {
                self.of_capsule(capsule, id, Kind::Replay, "replayed, and it answers as it did");
            }
            E::Replayed { capsule, id, is_same: false } => {
                self.of_capsule(capsule, id, Kind::Reject, "replayed, and it answers something else");
            }
            E::Exported { capsule, id, form } => {
                self.of_capsule(capsule, id, Kind::Export, &format!("exported as {form}"));
            }
            E::Rejected { what, code, .. } => {
                self.say(Kind::Reject, what, &format!("refused as a capsule: {code}"));
            }
            _ => {}
        }
    }

    fn of_capsule(&mut self, capsule: &Digest, id: &str, kind: Kind, phrase: &str) {
        self.refs.capsule = Some(*capsule);
        self.say(kind, id, phrase);
    }

    fn answered(&mut self, row: &IntentRow) {
        if let Some(word) = row.approvals.last() {
            self.subject = Some(row.action.clone());
            self.word(None, word);
        }
        if row.status != IntentStatus::Parked {
            self.approvals.settled.push(Matter::Intent(row.intent_id));
        }
    }

    /// A person's word on a gate or an intent.
    fn word(&mut self, gate: Option<&str>, word: &ApprovalRow) {
        let (kind, verb) = match word.approve {
            true => (Kind::Approve, "approved"),
            false => (Kind::Reject, "rejected"),
        };
        let object = gate.map(|gate| format!(" `{gate}`")).unwrap_or_default();
        self.principal = self.people.outward(&word.principal);
        self.happened(kind, format!("{verb}{object} by {}", self.principal));
    }

    fn run(&mut self, event: &run::Event, reader: &Reader) -> Result<(), StoreError> {
        use run::Event as E;
        self.refs.run = Some(self.run);
        match event {
            E::Created(created) => {
                self.subject = Some(created.name.clone());
                self.refs.stage = Some(created.stage);
            }
            E::Started => self.happened(Kind::Run, "started".into()),
            E::GateRequested { at, gate: request } => {
                let gate = self.gate(*at, reader)?;
                let Some((gate, ask)) = gate.and_then(|gate| {
                    let ask = ask::of_gate(&gate, request, self.at, self.people)?;
                    Some((gate, ask))
                }) else {
                    return Ok(());
                };
                self.approvals.asks.push(ask);
                self.happened(Kind::Gate, format!("waits at `{}`", gate.step));
            }
            E::GateExpired { at } => {
                if let Some(gate) = self.gate(*at, reader)?.filter(|gate| ask::reason(&gate.mode).is_some()) {
                    self.approvals.settled.push(ask::matter(&gate));
                    self.happened(Kind::Gate, format!("`{}` expired", gate.step));
                }
            }
            E::GateAnswered { at, answer }
            | E::GateApproved { at, answer: Some(answer) }
            | E::GateRejected { at, answer } => {
                let gate = self.gate(*at, reader)?;
                if !matches!(event, E::GateAnswered { .. }) {
                    self.approvals.settled.extend(gate.as_ref().map(ask::matter));
                }
                self.word(gate.as_ref().map(|gate| gate.step.as_str()), answer);
            }
            E::Completed { .. } => self.happened(Kind::Run, "completed".into()),
            E::Failed { fault } => self.happened(Kind::Run, format!("failed: {}", fault.code)),
            E::Cancelled => self.happened(Kind::Run, "cancelled".into()),
            _ => {}
        }
        Ok(())
    }

    fn gate(&self, at: StepKey, reader: &Reader) -> Result<Option<GateRow>, StoreError> {
        reader.get(&GateRow::key_of(self.run, at))
    }

    fn finish(mut self, reader: &Reader) -> Result<Option<Note>, StoreError> {
        let Some(kind) = self.kind else { return Ok(None) };
        let subject = match (self.subject.take(), self.refs.run) {
            (Some(subject), _) => subject,
            (None, Some(run)) => {
                reader.get::<RunRow>(&RunRow::key_of(run))?.map(|row| row.name).unwrap_or_default()
            }
            (None, None) => String::new(),
        };
        if let Some(run) = self.refs.run {
            self.made = made_by(run, self.at, reader)?;
        }
        self.refs.artifacts = within_bounds(self.made);
        self.refs.approvals = ask::within_bounds(self.approvals);
        Ok(Some(Note {
            principal: Principal::new(fitting(self.principal.as_str(), NAME_MAX_CHARS)),
            branch: Branch::main(),
            kind,
            title: fitting(&format!("{subject}: {}", self.phrases.join(", ")), TITLE_MAX_CHARS),
            refs: self.refs,
        }))
    }
}

/// Whether others may hear of `event`: not when its capsule is private, or is not known here and may be.
fn is_told(event: &capsules::Event, reader: &Reader) -> Result<bool, StoreError> {
    let Some(Ok(name)) = event.capsule().map(|name| name.parse::<CapsuleName>()) else { return Ok(false) };
    Ok(match capsules::find(reader, &name)? {
        Some(Found::Here(row)) => row.visibility.is_told(),
        Some(Found::Elsewhere(_)) => true,
        None => false,
    })
}

/// What `run` made until `at`.
fn made_by(run: RunId, at: Timestamp, reader: &Reader) -> Result<Vec<Made>, StoreError> {
    let rows = reader.artifacts(Some(run), Order::Ascending, None, REFS_MAX + 1)?.items;
    Ok(rows.iter().filter(|row| row.created_at <= at).map(made).collect())
}

/// What a moment says of an artifact.
fn made(row: &ArtifactRow) -> Made {
    let name = |text: &str, other: &str| match text {
        "" => other.to_owned(),
        text => fitting(text, NAME_MAX_CHARS),
    };
    Made {
        artifact_id: row.artifact_id,
        name: name(&row.name, "artifact"),
        kind: name(&row.kind, "file"),
        content_type: name(&row.content_type, "application/octet-stream"),
        byte_length: row.byte_length,
        sha256: row.sha256,
    }
}

/// The first of `made`, as many as one moment names. What is left out is on the node that made it alone.
fn within_bounds(mut made: Vec<Made>) -> Vec<Made> {
    let (all, mut room) = (made.len(), MADE_MAX_BYTES);
    let fit = made.iter().take(REFS_MAX).take_while(|one| {
        let bytes = one.name.len() + one.kind.len() + one.content_type.len() + MADE_REST_BYTES;
        let fits = bytes <= room;
        room = room.saturating_sub(bytes);
        fits
    });
    let told = fit.count();
    made.truncate(told);
    if told < all {
        tracing::warn!(all, told, "not all that was made is told to other nodes");
    }
    made
}

/// What people did weighs more than what they are asked, and that more than what went on by itself.
fn weight(kind: Kind) -> u8 {
    match kind {
        Kind::Reject => 3,
        Kind::Approve => 2,
        Kind::Gate => 1,
        _ => 0,
    }
}

/// `text` within `max_chars` and on one line: what people wrote elsewhere is no reason to lose a moment.
pub(crate) fn fitting(text: &str, max_chars: usize) -> String {
    let mut flat = text.chars().map(|c| if is_disruptive(c) { ' ' } else { c });
    let mut line: String = flat.by_ref().take(max_chars).collect();
    if flat.next().is_some() {
        line.pop();
        line.push('…');
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_cut_at_a_character_and_shows_that_it_goes_on() {
        assert_eq!(fitting("a\tböse", 6), "a böse");
        assert_eq!(fitting("a\tböser", 6), "a bös…");
        assert_eq!(fitting("a\u{202e}b", 6), "a b");
    }
}
