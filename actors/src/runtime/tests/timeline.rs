//! The timeline of a node: what its own work leaves there, what people say, and what two nodes come to.

mod kept;

use std::collections::BTreeSet;

use xyn_net::wire::Payload;
use xyn_store::journal::Append;
use xyn_store::projection::Changes;
use xyn_store::timeline::admit::Verdict;
use xyn_store::timeline::board::{Board, View};
use xyn_store::timeline::entry::{Branch, Entry, Kind};
use xyn_store::timeline::frame::FRAME_MAX_BYTES;
use xyn_store::timeline::{EntryFilter, FeedRow, first_certificate};
use xyn_store::trust::{Cut, EnvId};
use xyn_store::{Order, audit::key::NodeKey};

use super::*;
use crate::projector::Fold;
use crate::services::timeline::Sent;

impl Node {
    pub(super) fn timeline(&self) -> &Timeline {
        self.runtime.timeline().expect("it is running")
    }

    /// Every moment, oldest first.
    pub(super) fn moments(&self) -> Vec<Entry> {
        let reader = self.runtime.store().read().expect("reads");
        reader.entries(&EntryFilter::default(), Order::Ascending, None, 10_000).expect("reads").items
    }

    /// What it knows of each feed.
    pub(super) fn feeds(&self) -> Vec<FeedRow> {
        self.runtime.store().read().expect("reads").feeds().expect("reads")
    }

    pub(super) fn titles(&self) -> Vec<String> {
        self.moments().into_iter().map(|entry| entry.note.title).collect()
    }

    /// Waits until `wanted` moments are on the timeline.
    pub(super) async fn until_moments(&self, wanted: impl Fn(&[Entry]) -> bool) -> Vec<Entry> {
        let mut news = self.timeline().news();
        let seen = async {
            loop {
                let moments = self.moments();
                if wanted(&moments) {
                    return moments;
                }
                news.changed().await.expect("the timeline goes on");
            }
        };
        tokio::time::timeout(PATIENCE, seen).await.expect("it comes to that in time")
    }

    /// Runs a blueprint and waits for its end on the timeline: then all that was before it is there too.
    pub(super) async fn run_to_the_end_of_the_timeline(&self) {
        let run = self.run("bp.chain", json!({ "n": 1 })).await;
        self.end_of(run).await;
        self.until_moments(|moments| moments.iter().any(|entry| entry.note.refs.run == Some(run))).await;
    }
}

#[tokio::test]
async fn what_happened_to_a_run_is_on_the_timeline_and_approvals_name_who_gave_them() {
    let folder = tempfile::tempdir().expect("a folder");
    let node = start(folder.path()).await;
    node.promote(CHAIN).await;
    node.promote(GATED).await;
    let gated = node.run("bp.gated", json!({})).await;
    let answer = json!({ "run_id": gated, "step_id": "ok", "approve": false, "note": "not today" });
    node.submit("gates.answer", answer).await.expect("answers");
    node.end_of(gated).await;
    node.run_to_the_end_of_the_timeline().await;
    let about: Vec<_> =
        node.moments().into_iter().filter(|entry| entry.note.refs.run == Some(gated)).collect();
    let told: Vec<_> = about.iter().map(|entry| (entry.note.kind, entry.note.title.as_str())).collect();
    let [started, rejected] = told.as_slice() else { panic!("{told:?}") };
    assert_eq!(*started, (Kind::Gate, "Gated: started, waits at `ok`"));
    assert_eq!(rejected.0, Kind::Reject);
    assert!(rejected.1.starts_with("Gated: rejected `ok` by operator@local, failed: "), "{}", rejected.1);
    let titles = node.titles();
    assert!(titles.contains(&"Chain: started, completed".to_owned()), "{titles:?}");
    assert!(
        titles.contains(&"bp.chain: version 1 is active on the node of operator@local".to_owned()),
        "{titles:?}"
    );
    node.stop().await;
}

#[tokio::test]
async fn people_note_label_pin_branch_and_merge_and_the_same_key_does_it_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let node = start(folder.path()).await;
    let note = json!({ "title": "the demo went well" });
    let first = node.submit_with_key("timeline.note", note.clone(), Some("k")).await.expect("notes");
    let again = node.submit_with_key("timeline.note", note, Some("k")).await.expect("answers");
    assert_eq!((&again.output, again.repeated), (&first.output, true));
    let entry_id = first.output["entry_id"].clone();
    let label = json!({ "name": "demo", "entry_id": entry_id });
    node.submit("timeline.label", label.clone()).await.expect("labels");
    node.submit("timeline.pin", json!({ "entry_id": entry_id })).await.expect("pins");
    node.submit("timeline.branch", json!({ "name": "try", "entry_id": entry_id })).await.expect("branches");
    node.submit("timeline.note", json!({ "title": "aside", "branch": "try" })).await.expect("notes");
    node.submit("timeline.merge", json!({ "from": "try" })).await.expect("merges");
    let removed = node.submit("timeline.label", json!({ "name": "nobody" })).await;
    assert!(matches!(removed, Err(Refusal::NotFound { kind: "label", .. })), "{removed:?}");
    let unknown = json!({ "entry_id": "01a1fc90-60f8-7fec-9a7c-7419f45098b0" });
    let unknown = node.submit("timeline.pin", unknown).await;
    assert!(matches!(unknown, Err(Refusal::NotFound { kind: "moment", .. })), "{unknown:?}");
    let itself = node.submit("timeline.merge", json!({ "from": "try", "into": "try" })).await;
    assert!(matches!(itself, Err(Refusal::Conflict { code: "conflict", .. })), "{itself:?}");
    let nowhere = node.submit("timeline.merge", json!({ "from": "nowhere" })).await;
    assert!(matches!(nowhere, Err(Refusal::NotFound { kind: "branch", .. })), "{nowhere:?}");

    let reader = node.runtime.store().read().expect("reads");
    let id = entry_id.as_str().expect("an id").parse().expect("an id");
    let view = |board| reader.board(&board).expect("reads").expect("is there").view;
    assert_eq!(view(Board::Label("demo".into())), View::Label(Some(id)));
    assert_eq!(view(Board::Pin(id)), View::Pin(true));
    let branch: Branch = "try".parse().expect("a name");
    assert!(matches!(view(Board::Branch(branch)), View::Branch { base: Some(base), .. } if base == id));
    let merge = node.moments().into_iter().find(|entry| entry.note.kind == Kind::Merge).expect("merged");
    assert_eq!(merge.note.refs.parents.len(), 2);
    drop(reader);
    node.stop().await;
}

#[tokio::test]
async fn a_text_says_something_and_a_name_looks_like_no_other() {
    let folder = tempfile::tempdir().expect("a folder");
    let node = start(folder.path()).await;
    let said = node.submit("timeline.note", json!({ "title": "one" })).await.expect("notes");
    let entry_id = said.output["entry_id"].clone();
    let label = |name: &str| json!({ "name": name, "entry_id": entry_id });
    let table = [
        ("timeline.note", json!({ "title": " \u{a0}" }), "title", "is blank"),
        ("timeline.note", json!({ "title": "a\u{202e}b" }), "title", "U+202E"),
        ("timeline.comment", json!({ "entry_id": entry_id, "text": "\n \n" }), "text", "is blank"),
        ("timeline.label", label("v\u{200b}1"), "name", "U+200B"),
        ("timeline.label", label(" "), "name", "is blank"),
        ("timeline.branch", label("tr\u{202e}y"), "name", "U+202E"),
    ];
    for (action, input, field, words) in table {
        let refused = node.submit(action, input).await;
        let Err(Refusal::Invalid { path, message, .. }) = refused else { panic!("{action}: {refused:?}") };
        assert!(path == format!("/{field}") && message.contains(words), "{action}: {path}: {message}");
    }
    // One that came from elsewhere is named as it is.
    let gone = node.submit("timeline.label", json!({ "name": "v\u{200b}1" })).await;
    assert!(matches!(gone, Err(Refusal::NotFound { kind: "label", .. })), "{gone:?}");
    node.submit("timeline.note", json!({ "title": "👩\u{200d}💻 שלום\u{200f}" })).await.expect("is no harm");
    node.stop().await;
}

#[tokio::test]
async fn a_branch_keeps_the_moment_it_begins_at_and_nothing_is_put_on_one_that_nobody_began() {
    let folder = tempfile::tempdir().expect("a folder");
    let node = start(folder.path()).await;
    let note = async |title: &str| {
        let said = node.submit("timeline.note", json!({ "title": title })).await.expect("notes");
        said.output["entry_id"].clone()
    };
    let (base, later) = (note("base").await, note("later").await);
    let begin =
        async |at: &Value| node.submit("timeline.branch", json!({ "name": "try", "entry_id": at })).await;
    let begun = begin(&base).await.expect("begins").output;
    let board = || {
        let reader = node.runtime.store().read().expect("reads");
        let feeds = reader.feeds().expect("reads");
        (reader.board(&Board::Branch("try".parse().expect("a name"))).expect("reads"), feeds)
    };
    let before = board();
    let elsewhere = begin(&later).await;
    assert!(matches!(elsewhere, Err(Refusal::Conflict { code: "branch_exists", .. })), "{elsewhere:?}");
    assert_eq!(begin(&base).await.expect("it is so").output, begun);
    assert!(board() == before, "nobody wrote anything");
    assert_eq!(node.events("xyn.timeline.branch.created").len(), 1);

    let aside = async |branch: &str| {
        node.submit("timeline.note", json!({ "title": "aside", "branch": branch })).await
    };
    let typo = aside("tyr").await;
    assert!(matches!(typo, Err(Refusal::NotFound { kind: "branch", .. })), "{typo:?}");
    for branch in ["try", "main"] {
        aside(branch).await.expect("it is there");
    }
    node.stop().await;
}

#[tokio::test]
async fn of_two_who_begin_one_branch_at_once_at_other_moments_one_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let node = start(folder.path()).await;
    let mut at = Vec::new();
    for title in ["one", "two"] {
        let said = node.submit("timeline.note", json!({ "title": title })).await.expect("notes");
        at.push(said.output["entry_id"].clone());
    }
    for round in 0..20 {
        let begin = |at: &Value| json!({ "name": format!("try {round}"), "entry_id": at });
        let both = [begin(&at[0]), begin(&at[1])].map(|input| node.submit("timeline.branch", input));
        let both = futures::future::join_all(both).await;
        assert_eq!(both.iter().filter(|begun| begun.is_ok()).count(), 1, "{both:?}");
    }
    node.stop().await;
}

#[tokio::test]
async fn rebuilding_the_timeline_gives_the_same_rows() {
    let folder = tempfile::tempdir().expect("a folder");
    let node = start(folder.path()).await;
    node.promote(CHAIN).await;
    let note = node.submit("timeline.note", json!({ "title": "a" })).await.expect("notes").output;
    node.submit("timeline.pin", json!({ "entry_id": note["entry_id"] })).await.expect("pins");
    node.run_to_the_end_of_the_timeline().await;
    let env = node.timeline().env();
    node.stop().await;
    let store = Store::open(folder.path(), Options::default()).expect("opens");
    let rows = || {
        let reader = store.read().expect("reads");
        (reader.timeline_digest().expect("reads"), reader.feeds().expect("reads"))
    };
    let before = rows();
    let roster = store.read().expect("reads").roster(env).expect("reads");
    store.rebuild(&mut Fold::new(store.clone(), actions::builtin()), |_| {}).expect("rebuilds");
    assert_eq!(rows(), before);
    assert_eq!(store.read().expect("reads").roster(env).expect("reads"), roster);
}

/// Makes the folder of a node that will belong to `env`.
pub(super) async fn newcomer(folder: &Path, env: EnvId) -> NodeKey {
    let store = Store::open(folder, Options::default()).expect("opens");
    let mut changes = Changes::new();
    changes.put_environment(env);
    let append = Append { changes, ..Append::default() };
    store.journal().expect("open").append(append).await.expect("commits");
    store.close();
    NodeKey::load(folder).expect("it has a key")
}

/// Hands all that `from` has to `to`.
pub(super) async fn bring(from: &Node, to: &Node) -> Vec<Verdict> {
    let mut frames = Vec::new();
    for row in from.feeds() {
        let (env, reader) = (from.timeline().env().root(), from.runtime.store().read().expect("reads"));
        let mut next = 1;
        while let Some((last, bytes)) =
            reader.feed_frame(env, &row.feed, next, FRAME_MAX_BYTES).expect("reads")
        {
            next = last + 1;
            let frame = Payload::behind(0, bytes).expect("is bounded");
            frames.push(Sent { from: from.timeline().own().node, frame });
        }
    }
    to.timeline().admit(frames).await.expect("judges")
}

#[tokio::test]
async fn two_nodes_that_exchange_frames_by_hand_show_the_same_bytes() {
    let homes = [tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder")];
    let one = start(homes[0].path()).await;
    let env = one.timeline().env();
    let key = newcomer(homes[1].path(), env).await;
    let root = NodeKey::found_root(homes[0].path()).expect("the root key is there");
    let other = start(homes[1].path()).await;
    for node in [&one, &other] {
        node.promote(CHAIN).await;
        node.run_to_the_end_of_the_timeline().await;
    }
    let strange = bring(&other, &one).await;
    assert!(strange.iter().all(|verdict| matches!(verdict, Verdict::Refused(_))), "{strange:?}");

    let strange = bring(&one, &other).await;
    assert!(strange.iter().all(|verdict| matches!(verdict, Verdict::Refused(_))), "{strange:?}");
    // A newcomer is told the root's word on the founder when it joins: nobody else can tell it whom to hear.
    let now = one.runtime.clock().now();
    let founder = first_certificate(&root, one.runtime.store().key(), Principal::local_operator(), now);
    other.timeline().state(founder.expect("signs")).await.expect("is said");
    let certificate = first_certificate(&root, &key, Principal::new("ada@lab"), now);
    one.timeline().state(certificate.expect("signs")).await.expect("is said");
    assert_eq!(one.timeline().roster().cut(other.timeline().own()), Cut::Nowhere);
    for (from, to) in [(&one, &other), (&other, &one)] {
        let verdicts = bring(from, to).await;
        let is_fine = |verdict: &Verdict| matches!(verdict, Verdict::Admitted { .. } | Verdict::Duplicate);
        assert!(verdicts.iter().all(is_fine), "{verdicts:?}");
    }
    let shown = |node: &Node| serde_json::to_string(&node.moments()).expect("renders");
    assert_eq!(shown(&one), shown(&other));
    let nodes: BTreeSet<_> = one.moments().iter().map(|entry| entry.node).collect();
    assert_eq!(nodes.len(), 2, "both are heard");
    let digest = |node: &Node| node.runtime.store().read().expect("reads").timeline_digest().expect("reads");
    assert_eq!(digest(&one), digest(&other));
    other.submit("timeline.note", json!({ "title": "I may speak" })).await.expect("it is a member now");
    one.stop().await;
    other.stop().await;
}

#[tokio::test]
async fn a_folder_keeps_its_environment_when_the_root_key_is_taken_away() {
    let folder = tempfile::tempdir().expect("a folder");
    let node = start(folder.path()).await;
    let env = node.timeline().env();
    node.stop().await;
    std::fs::remove_file(folder.path().join("root.key")).expect("it was there");
    let node = start(folder.path()).await;
    assert_eq!(node.timeline().env(), env);
    node.submit("timeline.note", json!({ "title": "still here" })).await.expect("notes");
    assert!(!folder.path().join("root.key").exists());
    node.stop().await;
}

#[tokio::test]
async fn people_comment_review_and_give_a_verdict_that_is_a_moment() {
    let folder = tempfile::tempdir().expect("a folder");
    let node = start(folder.path()).await;
    let note = node.submit("timeline.note", json!({ "title": "the plan" })).await.expect("notes").output;
    let about = |more: Value| {
        let mut input = json!({ "entry_id": note["entry_id"] });
        input.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        input
    };
    let said =
        node.submit("timeline.comment", about(json!({ "text": "helo" }))).await.expect("comments").output;
    let again = about(json!({ "text": "hello", "comment_id": said["comment_id"] }));
    node.submit("timeline.comment", again).await.expect("rewrites");
    let early = node.submit("timeline.comment", about(json!({ "text": "x", "on": "review" }))).await;
    assert!(matches!(early, Err(Refusal::NotFound { kind: "review", .. })), "{early:?}");
    let settle = about(json!({ "status": "resolved", "text": "fine by me" }));
    let early = node.submit("timeline.review", settle.clone()).await;
    assert!(matches!(early, Err(Refusal::NotFound { kind: "review", .. })), "{early:?}");
    let open = about(json!({ "status": "open", "text": "is it ready?" }));
    node.submit("timeline.review", open.clone()).await.expect("opens");
    let twice = node.submit("timeline.review", open).await;
    assert!(matches!(twice, Err(Refusal::Conflict { code: "unchanged", .. })), "{twice:?}");
    let nearly = json!({ "text": "nearly", "on": "review" });
    node.submit("timeline.comment", about(nearly)).await.expect("comments");
    node.submit("timeline.review", settle).await.expect("settles");
    let verdict = node.submit("timeline.approve", about(json!({ "approve": true, "note": "go" }))).await;
    let verdict = verdict.expect("approves").output["entry_id"].clone();

    let entry_id = note["entry_id"].as_str().expect("an id").parse().expect("an id");
    let reader = node.runtime.store().read().expect("reads");
    let texts = |board| match reader.board(&board).expect("reads").expect("is there").view {
        View::Thread { comments, is_resolved } => {
            (comments.into_iter().map(|comment| comment.text).collect::<Vec<_>>(), is_resolved)
        }
        other => panic!("{other:?}"),
    };
    assert_eq!(texts(Board::Comments(entry_id)), (vec!["hello".to_owned()], false));
    let review = ["is it ready?", "nearly", "fine by me"].map(str::to_owned).to_vec();
    assert_eq!(texts(Board::Review(entry_id)), (review, true));
    let about = reader.entries_about(entry_id, None, 9, |_| true).expect("reads").items;
    assert_eq!(about.iter().map(|entry| json!(entry.entry_id)).collect::<Vec<_>>(), [verdict]);
    assert_eq!(
        (about[0].note.kind, about[0].note.title.as_str()),
        (Kind::Approve, "approved `the plan`: go")
    );
    drop(reader);
    let unknown = json!({ "entry_id": note["entry_id"], "text": "x", "comment_id": note["entry_id"] });
    let unknown = node.submit("timeline.comment", unknown).await;
    assert!(matches!(unknown, Err(Refusal::NotFound { kind: "comment", .. })), "{unknown:?}");
    node.stop().await;
}
