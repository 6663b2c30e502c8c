//! Questions and words on the timeline: what is open follows from what was said, and bounds are kept.

use std::collections::BTreeMap;

use super::node::Node;
use super::world::{Author, moment};
use crate::audit::key::NodeKey;
use crate::clock::Timestamp;
use crate::ids::{self, RunId};
use crate::scope::{Principal, Stage};
use crate::timeline::approval::{
    Approvals, Ask, Matter, NOTE_MAX_BYTES, Reason, SAID_MAX, Word, open_questions,
};
use crate::timeline::entry::tests::note;
use crate::timeline::entry::{Entry, EntryError, Kind, Note, REFS_MAX};
use crate::timeline::first_certificate;
use crate::trust::{EnvId, Placed, Roster};

fn matter() -> Matter {
    let run: RunId = ids::derived(Timestamp::EPOCH, &[b"run"]);
    Matter::Gate(run, "ok".into())
}

fn asks() -> Note {
    let ask = Ask {
        matter: matter(),
        reason: Reason::Manual,
        title: "Ship it?".into(),
        asked_at: Timestamp::EPOCH,
        expires_at: None,
        approvers: vec!["role:OwnerAdmin".into()],
        min: 1,
        allow_requester: None,
        requester: Principal::local_operator(),
        stage: Stage::Prod,
    };
    with(Kind::Gate, Approvals { asks: vec![ask], ..Approvals::default() })
}

fn settles() -> Note {
    with(Kind::Approve, Approvals { settled: vec![matter()], ..Approvals::default() })
}

fn answers() -> Note {
    let word = Word { matter: matter(), note: None };
    with(Kind::Approve, Approvals { word: Some(word), ..Approvals::default() })
}

fn with(kind: Kind, approvals: Approvals) -> Note {
    let mut note = note("about a gate");
    (note.kind, note.refs.approvals) = (kind, Some(Box::new(approvals)));
    note
}

/// A roster that certifies `keys` for `operator@local`.
fn roster(keys: &[NodeKey]) -> Roster {
    let root = NodeKey::from_secret([200; 32]);
    let placed: Vec<Placed> = keys
        .iter()
        .map(|key| first_certificate(&root, key, Principal::local_operator(), Timestamp::EPOCH))
        .map(|statement| Placed { statement: statement.expect("signs"), place: None })
        .collect();
    Roster::fold(EnvId::rooted_in(root.public()), &placed, BTreeMap::new())
}

#[test]
fn what_is_open_follows_from_what_was_said_in_whatever_order_it_came() {
    let (mut asker, mut other) = (Author::new(1, 1), Author::new(2, 1));
    let asked_id = asker.entry_id("asked");
    let asked = asker.note(moment(0), asked_id, &asks());
    let mut answer = answers();
    answer.refs.parents = vec![asked_id];
    let answered = other.note(moment(1), other.entry_id("answered"), &answer);
    // Nobody settles what another node asks, and nobody speaks for whom the roster does not know.
    let meddled = other.note(moment(2), other.entry_id("meddled"), &settles());
    let mut stranger = Author::new(3, 1);
    let strange = stranger.note(moment(3), stranger.entry_id("strange"), &answer);
    let known = roster(&[asker.key(), other.key()]);
    let settled = asker.note(moment(4), asker.entry_id("settled"), &settles());

    let frames = [
        asker.frame(&[asked, settled.clone()]),
        other.frame(&[answered, meddled]),
        stranger.frame(&[strange]),
    ];
    for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0]] {
        let mut node = Node::new();
        for index in order {
            node.admit(&[frames[index].clone()]);
        }
        let reader = node.store.read().expect("reads");
        let said = reader.said_of(&matter()).expect("reads");
        assert_eq!(said.len(), 5);
        assert!(open_questions(&matter(), &said, &known).is_empty(), "it is settled");
        let before: Vec<Entry> = said.into_iter().filter(|entry| entry.at != settled.content.hlc).collect();
        let open = open_questions(&matter(), &before, &known);
        let [question] = open.as_slice() else { panic!("{open:?}") };
        assert_eq!((question.node, question.entry_id), (asker.feed.node, asked_id));
        let words: Vec<_> = question.words.iter().map(|word| (word.node, word.approve)).collect();
        assert_eq!(words, [(other.feed.node, true)]);
        let elsewhere = reader.questions_elsewhere(other.feed.node, &known, None, 10).expect("reads");
        assert!(elsewhere.items.is_empty() && elsewhere.next.is_none());
        let words = reader.words(super::world::env(), &other.feed, 1, 2).expect("reads");
        assert_eq!(words.iter().map(|(seq, _)| *seq).collect::<Vec<_>>(), [1]);
        drop(reader);
        let rows = node.rows();
        node.rebuild();
        assert_eq!(node.rows(), rows);
    }
}

#[test]
fn who_says_ever_so_much_about_a_matter_hides_nothing_that_others_say() {
    let (mut asker, mut other, mut bore) = (Author::new(2, 1), Author::new(3, 1), Author::new(1, 1));
    let asked_id = asker.entry_id("asked");
    let asked = asker.note(moment(5), asked_id, &asks());
    let mut answer = answers();
    answer.refs.parents = vec![asked_id];
    let answered = other.note(moment(6), other.entry_id("answered"), &answer);
    // All of it before the question, by its own clock; and one word behind it.
    let mut noise: Vec<_> =
        (0..=SAID_MAX).map(|n| bore.note(moment(0), bore.entry_id(&n.to_string()), &answers())).collect();
    noise.push(bore.note(moment(7), bore.entry_id("word"), &answer));
    let mut node = Node::new();
    node.admit(&[bore.frame(&noise), asker.frame(&[asked]), other.frame(&[answered])]);
    let known = roster(&[asker.key(), other.key(), bore.key()]);
    let reader = node.store.read().expect("reads");
    assert_eq!(reader.said_of(&matter()).expect("reads").len(), SAID_MAX + 2);
    let page = reader.questions_elsewhere(node.store.key().public(), &known, None, 10).expect("reads");
    let [question] = page.items.as_slice() else { panic!("{page:?}") };
    let words: Vec<_> = question.words.iter().map(|word| word.node).collect();
    assert_eq!((question.entry_id, words), (asked_id, vec![other.feed.node, bore.feed.node]));
}

#[test]
fn a_page_of_questions_goes_on_where_the_last_one_ended_and_leaves_out_the_readers_own() {
    let mut asker = Author::new(1, 1);
    let known = roster(&[asker.key()]);
    let records: Vec<_> = (0..5_u8)
        .map(|n| {
            let mut note = asks();
            let run: RunId = ids::derived(Timestamp::from_micros(i64::from(n) * 1_000_000), &[&[n]]);
            for ask in note.refs.approvals.iter_mut().flat_map(|approvals| &mut approvals.asks) {
                ask.matter = Matter::Gate(run, "ok".into());
                ask.title = format!("{n}");
            }
            let entry_id = asker.entry_id(&format!("{n}"));
            asker.note(moment(i64::from(n)), entry_id, &note)
        })
        .collect();
    let mut node = Node::new();
    node.admit(&[asker.frame(&records)]);
    let reader = node.store.read().expect("reads");
    let (mut titles, mut cursor) = (Vec::new(), None);
    loop {
        let page = reader.questions_elsewhere(node.store.key().public(), &known, cursor.as_ref(), 2);
        let page = page.expect("reads");
        titles.extend(page.items.into_iter().map(|question| question.ask.title));
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(titles, ["4", "3", "2", "1", "0"], "newest first");
    let own = reader.questions_elsewhere(asker.feed.node, &known, None, 10).expect("reads");
    assert!(own.items.is_empty());
}

#[test]
fn what_is_out_of_bounds_is_refused_by_name() {
    type Spoil = fn(&mut Note);
    fn approvals(note: &mut Note) -> &mut Approvals {
        note.refs.approvals.as_mut().expect("it has some")
    }
    let cases: [(&str, Note, Spoil); 5] = [
        ("word", answers(), |note| note.kind = Kind::Note),
        ("word", answers(), |note| {
            let word = approvals(note).word.as_mut().expect("a word");
            word.note = Some("x".repeat(NOTE_MAX_BYTES + 1));
        }),
        ("list of questions", asks(), |note| approvals(note).asks[0].title = "a\x1b[2Jb".into()),
        ("list of questions", asks(), |note| {
            approvals(note).asks[0].approvers = vec!["role:User".into(); REFS_MAX + 1];
        }),
        ("list of what is settled", settles(), |note| approvals(note).settled = vec![matter(); REFS_MAX + 1]),
    ];
    for (what, mut note, spoil) in cases {
        let bytes = note.encode().expect("fits");
        assert_eq!(Note::decode(&bytes).expect("own bytes"), note);
        spoil(&mut note);
        assert_eq!(note.encode(), Err(EntryError::Unfit(what)));
    }
}
