//! Words that were given on other nodes and arrive: each becomes the intent that it would have been here.
//!
//! Follows the feeds of all other nodes, each from where it had come. Owns who is believed: a node speaks
//! only for the principal it is certified for, as long as its certificate held when it spoke. Invariant:
//! the position in a feed never passes a word that was not decided on nor one that does not count, and a
//! word that is met again after a crash brings nothing about: its intent and its key are derived from its
//! moment.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use uuid::Uuid;
use xyn_store::audit::signature::PublicKey;
use xyn_store::ids::{self, EventId};
use xyn_store::journal::AppendError;
use xyn_store::projection::{IntentRow, RunRow};
use xyn_store::scope::Principal;
use xyn_store::timeline::FeedRow;
use xyn_store::timeline::approval::{Matter, Word};
use xyn_store::timeline::entry::{Entry, Kind};
use xyn_store::timeline::feed::FeedId;
use xyn_store::trust::Roster;
use xyn_store::{Reader, StoreError, Timestamp};

use super::people;
use crate::governance::Identity;
use crate::governance::approval::Elsewhere;
use crate::runtime::{Inner, Intent, Origin, Recording, Refusal};

/// Records of a feed looked at in one go.
const SCAN: u64 = 2_048;
/// How long the follower rests when a word cannot be decided on.
const RETRY_DELAY: Duration = Duration::from_secs(1);
/// How often a word is tried while nothing is known against it. Then what it is about is broken in itself,
/// and others must not wait for it.
const ATTEMPTS: u32 = 10;

/// Hears what has come, once.
pub(crate) async fn hear(inner: Arc<Inner>) {
    if let Err(error) = Follower::default().catch_up(&inner).await {
        tracing::warn!(%error, "words from other nodes are not heard yet");
    }
}

/// Hears what comes until the node stops.
pub(crate) async fn follow(inner: Arc<Inner>) {
    let Ok(timeline) = inner.timeline() else { return };
    let (mut news, mut follower) = (timeline.news(), Follower::default());
    loop {
        news.mark_unchanged();
        if let Err(error) = follower.catch_up(&inner).await {
            tracing::warn!(%error, "words from other nodes are not heard for now");
            tokio::time::sleep(RETRY_DELAY).await;
        } else if news.changed().await.is_err() {
            return;
        }
    }
}

/// How far each feed was heard.
#[derive(Default)]
struct Follower {
    positions: BTreeMap<FeedId, u64>,
    /// The word that could not be decided on, and how often it was tried.
    held_up: Option<(FeedId, u64, u32)>,
}

/// A word from elsewhere, as the intent that it is here.
struct Arrival {
    intent: Intent,
    /// Why it does not count, when that is known before anybody is asked.
    judged: Result<Elsewhere, Refusal>,
}

impl Follower {
    async fn catch_up(&mut self, inner: &Arc<Inner>) -> Result<(), Refusal> {
        let own = inner.timeline()?.own();
        for row in inner.store.read()?.feeds()? {
            if row.feed != own {
                self.hear_feed(inner, &row).await?;
            }
        }
        Ok(())
    }

    async fn hear_feed(&mut self, inner: &Arc<Inner>, row: &FeedRow) -> Result<(), Refusal> {
        let (feed, name) = (row.feed, position_name(&row.feed));
        let mut position = match self.positions.get(&feed) {
            Some(position) => *position,
            None => inner.store.read()?.position(&name)?,
        };
        // What is past the cut does not count, unless the cut is moved.
        let end = row.head.seq.min(row.limit.counts);
        while position < end {
            let next = end.min(position + SCAN);
            for (seq, entry) in words(inner, feed, position + 1, next).await? {
                self.take(inner, &feed, seq, &entry).await?;
            }
            position = next;
            advance(inner, &feed, position, Recording::default()).await?;
            self.positions.insert(feed, position);
        }
        self.positions.insert(feed, position);
        Ok(())
    }

    /// Has the word in record `seq` of `feed` decided on. An error leaves it for another time.
    async fn take(
        &mut self,
        inner: &Arc<Inner>,
        feed: &FeedId,
        seq: u64,
        entry: &Entry,
    ) -> Result<(), Refusal> {
        let Some(arrival) = read(inner, feed, seq, entry)? else { return Ok(()) };
        let refusal = match arrival.judged {
            Ok(elsewhere) => {
                let submitted = inner.submit(arrival.intent.clone(), Origin::Elsewhere(elsewhere)).await;
                match submitted {
                    Ok(_) => return Ok(()),
                    Err(refusal) => refusal,
                }
            }
            Err(refusal) => refusal,
        };
        let is_passing = matches!(
            refusal,
            Refusal::Unavailable(_) | Refusal::Overloaded { .. } | Refusal::InProgress { .. }
        );
        if is_passing && self.is_tried_again(feed, seq) {
            return Err(refusal);
        }
        let (intent, by) = (&arrival.intent, &arrival.intent.identity.principal);
        let code = refusal.code();
        tracing::warn!(entry = %entry.entry_id, %by, code, %refusal, "a word does not count");
        let mut recording = Recording::default();
        // What a policy denied is recorded already.
        if !matches!(refusal, Refusal::Denied(_)) {
            inner.refused(intent, &refusal, &mut recording);
        }
        advance(inner, feed, seq, recording).await
    }

    fn is_tried_again(&mut self, feed: &FeedId, seq: u64) -> bool {
        let tried = match self.held_up {
            Some((of, number, tried)) if (of, number) == (*feed, seq) => tried + 1,
            _ => 1,
        };
        self.held_up = Some((*feed, seq, tried));
        tried < ATTEMPTS
    }
}

/// Records that `feed` was heard up to record `position`, with what else is in `recording`.
async fn advance(
    inner: &Inner,
    feed: &FeedId,
    position: u64,
    mut recording: Recording,
) -> Result<(), Refusal> {
    recording.changes().put_position(&position_name(feed), position);
    match recording.commit(inner).await {
        // The refusal stands already: its append succeeded, though the answer was lost.
        Err(AppendError::Conflict { .. }) => {
            let mut recording = Recording::default();
            recording.changes().put_position(&position_name(feed), position);
            Ok(recording.commit(inner).await.map(drop)?)
        }
        done => Ok(done.map(drop)?),
    }
}

/// Name of the position in `feed`.
pub(crate) fn position_name(feed: &FeedId) -> String {
    format!("words/{}/{:x}", feed.node, feed.incarnation)
}

async fn words(inner: &Arc<Inner>, feed: FeedId, from: u64, to: u64) -> Result<Vec<(u64, Entry)>, Refusal> {
    let (env, store) = (inner.timeline()?.env(), inner.store.clone());
    let read = tokio::task::spawn_blocking(move || store.read()?.words(env.root(), &feed, from, to)).await;
    Ok(read.map_err(|error| StoreError::Unavailable(error.to_string()))??)
}

/// The word of `entry`, which is record `seq` of `feed`, as an intent; none when it is about nothing of
/// this node.
fn read(inner: &Inner, feed: &FeedId, seq: u64, entry: &Entry) -> Result<Option<Arrival>, StoreError> {
    let Some(word) = entry.word() else { return Ok(None) };
    let (reader, timeline) = (inner.store.read()?, inner.timeline()?);
    let is_here = match &word.matter {
        Matter::Gate(run, _) => reader.get::<RunRow>(&RunRow::key_of(*run))?.is_some(),
        Matter::Intent(id) => reader.get::<IntentRow>(&IntentRow::key_of(*id))?.is_some(),
    };
    if !is_here {
        return Ok(None);
    }
    let roster = timeline.roster();
    let (member, names) = (roster.member(feed.node), timeline.people());
    let identity = match member {
        Some(member) => Identity::of_member(names.inward(&member.principal), member.role),
        None => Identity::bare(names.inward(&entry.note.principal)),
    };
    let asked_at = asked_at(&reader, &roster, timeline.own().node, entry, word)?;
    let judged = match (member, asked_at) {
        (Some(member), Some(asked_at)) => judge(entry, &member.principal, member.expires, asked_at),
        (None, _) => Err(not_a_member(entry)),
        (_, None) => Err(Refusal::Conflict {
            code: "not_asked",
            message: "it answers no question of this node".to_owned(),
        }),
    };
    let (action, input) = intent_input(word, entry.note.kind == Kind::Approve);
    let cause = EventId::from(Uuid::from(entry.entry_id));
    let place = [feed.node.as_bytes().as_slice(), &feed.incarnation.to_be_bytes(), &seq.to_be_bytes()];
    let intent = Intent {
        intent_id: ids::derived(asked_at.unwrap_or(entry.at.at), &[b"word", place[0], place[1], place[2]]),
        action: action.to_owned(),
        input,
        stage: None,
        identity,
        session: None,
        correlation_id: cause.into(),
        causation_id: Some(cause),
        depth: 0,
        idempotency_key: Some(entry.entry_id.to_string()),
    };
    Ok(Some(Arrival { intent, judged }))
}

/// Whether whoever is certified as `principal` until `expires` is believed to have said what `entry` says.
fn judge(
    entry: &Entry,
    principal: &Principal,
    expires: Option<Timestamp>,
    asked_at: Timestamp,
) -> Result<Elsewhere, Refusal> {
    let (claimed, made_at) = (&entry.note.principal, entry.at.at);
    if claimed != principal || principal.as_str() == people::FOUNDER {
        let message = format!("its node is certified for `{principal}` and cannot speak for `{claimed}`");
        return Err(Refusal::Forbidden { code: "forged_principal", message });
    }
    match expires {
        Some(expires) if made_at >= expires => Err(not_a_member(entry)),
        _ => Ok(Elsewhere { made_at, asked_at }),
    }
}

fn not_a_member(entry: &Entry) -> Refusal {
    let message = format!("node `{}` was no member when it said this", entry.node);
    Refusal::Forbidden { code: "not_a_member", message }
}

/// When this node asked what `entry` answers with `word`.
fn asked_at(
    reader: &Reader,
    roster: &Roster,
    own: PublicKey,
    entry: &Entry,
    word: &Word,
) -> Result<Option<Timestamp>, StoreError> {
    let said = reader.said_of(&word.matter)?;
    // Also under a key that it had before.
    let asked = said.iter().filter(|asker| roster.heir(asker.node) == own);
    let mut asked = asked.filter(|asker| entry.note.refs.parents.contains(&asker.entry_id));
    Ok(asked.find_map(|asker| asker.ask(&word.matter)).map(|ask| ask.asked_at))
}

fn intent_input(word: &Word, approve: bool) -> (&'static str, Value) {
    let (action, mut input) = match &word.matter {
        Matter::Gate(run, step) => ("gates.answer", json!({ "run_id": run, "step_id": step })),
        Matter::Intent(id) => ("intents.answer", json!({ "intent_id": id })),
    };
    input["approve"] = approve.into();
    if let Some(note) = &word.note {
        input["note"] = note.as_str().into();
    }
    (action, input)
}
