//! A word on what another node asks: it becomes a moment of the timeline, signed with this node's feed.
//!
//! Refuses at once what the node that asks would refuse, as far as this node knows: who may not answer,
//! what is late or decided, and a second word of one person. Invariant: the word is given in the name that
//! the roster certifies this node for, and what it brings about is said by the node that asks.

use std::sync::Arc;

use serde_json::json;
use xyn_store::ids::{self, EntryId};
use xyn_store::timeline::approval::{Approvals, Matter, Question, Word, open_questions};
use xyn_store::timeline::entry::{Branch, Kind, Note, REFS_MAX, Refs, TITLE_MAX_CHARS};
use xyn_store::trust::Roster;

use super::{approve_of, note_of};
use crate::governance::approval::{self, Answer, Approval, Outcome as Verdicted, Verdict};
use crate::governance::{Approvals as Demanded, Approver, Identity};
use crate::runtime::{Accept, Inner, Intent, Outcome, Refusal};
use crate::services::timeline::milestone::fitting;
use crate::services::timeline::{Deed, record};

/// What a word on `matter`, which is not this node's, is answered when nobody waits for it any more.
fn settled(matter: &Matter) -> Refusal {
    let (code, message) = match matter {
        Matter::Gate(..) => ("no_open_gate", "the step has no open gate".to_owned()),
        Matter::Intent(id) => ("not_parked", format!("intent {id} does not wait for approval")),
    };
    Refusal::Conflict { code, message }
}

/// Gives a word on `matter`, which another node asks about; `missing` when none does.
pub(super) async fn answer(
    inner: &Arc<Inner>,
    intent: &Intent,
    accept: Accept,
    matter: Matter,
    missing: Refusal,
) -> Result<Outcome, Refusal> {
    let (timeline, now) = (inner.timeline()?, accept.now);
    let (own, roster) = (timeline.own().node, timeline.roster());
    let said = inner.store.read()?.said_of(&matter)?;
    // A word that came from elsewhere is not handed on.
    if accept.elsewhere.is_some() || !said.iter().any(|entry| entry.ask(&matter).is_some()) {
        return Err(missing);
    }
    let member = roster.admit(own, now).map_err(|error| Refusal::Forbidden {
        code: "not_a_member",
        message: format!("{error}: what it says does not count elsewhere"),
    })?;
    let approve = approve_of(&intent.input);
    let answer = Answer {
        identity: Identity::of_member(member.principal.clone(), member.role),
        verdict: if approve { Verdict::Approve } else { Verdict::Reject },
        at: now,
        note: note_of(&intent.input),
    };
    let mut questions = open_questions(&matter, &said, &roster);
    questions.retain(|question| question.node != own);
    let verdicts = questions.iter().map(|question| approval::decide(&so_far(question, &roster), &answer));
    // Whoever asks in the name of another's run is answered as well: it changes nothing there.
    let verdict = verdicts.reduce(|one, other| one.or(other)).ok_or_else(|| settled(&matter))?;
    let verdict = verdict
        .map_err(|refusal| Refusal::Forbidden { code: "approval_refused", message: refusal.to_string() })?;
    let entry_id: EntryId = ids::derived(now, &[accept.seed().as_bytes(), b"entry"]);
    let remaining = match verdict {
        Verdicted::Recorded { remaining } => remaining,
        Verdicted::Approved | Verdicted::Rejected => 0,
    };
    let nodes: Vec<_> = questions.iter().map(|question| question.node).collect();
    let output = json!({ "status": "given", "remaining": remaining, "entry_id": entry_id, "nodes": nodes });
    let deed = Deed::say((entry_id, word(matter, &questions, answer))).answering(output);
    record(inner, intent, accept, deed).await
}

/// The approval that `question` waits for, with the words that are known here. Those that its own node was
/// given are known to that node alone.
fn so_far(question: &Question, roster: &Roster) -> Approval {
    let ask = &question.ask;
    // One that cannot be read names nobody; without any, everybody would be named.
    let nobody = || Approver::Principal(String::new());
    let demanded = Demanded {
        min: ask.min,
        from_any_of: ask.approvers.iter().map(|text| text.parse().unwrap_or_else(|_| nobody())).collect(),
        allow_requester: ask.allow_requester,
        expires_in_s: None,
    };
    let mut collected = Approval::new(demanded, ask.requester.clone(), ask.stage, ask.expires_at);
    for word in &question.words {
        let Some(member) = roster.member(word.node) else { continue };
        let answer = Answer {
            identity: Identity::of_member(word.principal.clone(), member.role),
            verdict: if word.approve { Verdict::Approve } else { Verdict::Reject },
            at: word.at.at,
            note: word.note.clone(),
        };
        if approval::decide(&collected, &answer).is_ok() {
            approval::apply(&mut collected, answer.into());
        }
    }
    collected
}

/// The moment that says `answer` to `questions` about `matter`.
fn word(matter: Matter, questions: &[Question], answer: Answer) -> Note {
    let (kind, verb) = match answer.verdict {
        Verdict::Approve => (Kind::Approve, "approved"),
        Verdict::Reject => (Kind::Reject, "rejected"),
    };
    let asked = questions.first().map(|question| &question.ask);
    let title = asked.map(|ask| ask.title.as_str()).unwrap_or_default();
    let title = format!("{title}: {verb} by {}", answer.identity.principal);
    let run = match &matter {
        Matter::Gate(run, _) => Some(*run),
        Matter::Intent(_) => None,
    };
    let word = Word { matter, note: answer.note };
    Note {
        principal: answer.identity.principal,
        branch: Branch::main(),
        kind,
        title: fitting(&title, TITLE_MAX_CHARS),
        refs: Refs {
            run,
            stage: asked.map(|ask| ask.stage),
            parents: questions.iter().map(|question| question.entry_id).take(REFS_MAX).collect(),
            approvals: Some(Box::new(Approvals { word: Some(word), ..Approvals::default() })),
            ..Refs::default()
        },
    }
}
