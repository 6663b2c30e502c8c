//! What moments are the states of, and going along them.

use std::time::Duration;

use super::node::Node;
use super::world::{Author, moment};
use crate::clock::Timestamp;
use crate::digest::Digest;
use crate::ids::{self, EntryId};
use crate::reader::Order;
use crate::scope::Stage;
use crate::timeline::board::{Board, Edit};
use crate::timeline::entry::tests::note;
use crate::timeline::entry::{Branch, Entry, Kind, Note, Refs};
use crate::timeline::hlc::Hlc;
use crate::timeline::{EntryFilter, FACETS_MAX, Facet, Saying, State, Track};

fn branch(name: &str) -> Branch {
    name.parse().expect("a name")
}

/// Ten seconds after the moment before, says `note`; its title names it.
fn say(node: &mut Node, note: Note) -> EntryId {
    node.now = node.now.after(Duration::from_secs(10));
    let entry_id = ids::derived(Timestamp::EPOCH, &[note.title.as_bytes()]);
    let sayings = vec![Saying::Entry(entry_id, Box::new(note))];
    let written = node.timeline.say(node.store.key(), node.now, sayings).expect("fits");
    node.commit(written.changes);
    entry_id
}

/// An edit of `workspace` on branch `on`, which leaves the root that `title` names.
fn edit(node: &mut Node, on: &str, workspace: &str, title: &str) -> EntryId {
    let refs = Refs {
        workspace: Some(workspace.into()),
        after: Some(Digest::of(title.as_bytes())),
        ..Refs::default()
    };
    say(node, Note { branch: branch(on), kind: Kind::Edit, refs, ..note(title) })
}

fn deploy(node: &mut Node, on: &str, kind: Kind, stage: Stage, title: &str) -> EntryId {
    let refs = Refs {
        env: Some("shop".into()),
        stage: Some(stage),
        capsule: Some(Digest::of(title.as_bytes())),
        ..Refs::default()
    };
    say(node, Note { branch: branch(on), kind, refs, ..note(title) })
}

fn map(node: &mut Node, domain: &str, title: &str) -> EntryId {
    let capsule = Some(Digest::of(title.as_bytes()));
    let refs = Refs { domain: Some(domain.into()), capsule, ..Refs::default() };
    say(node, Note { kind: Kind::Domain, refs, ..note(title) })
}

fn open(node: &mut Node, name: &str, base: EntryId) {
    node.edit(&Board::Branch(branch(name)), &[Edit::Open(base)]);
}

fn state(node: &Node, at: EntryId) -> State {
    node.store.read().expect("reads").state_at(at).expect("reads").expect("is here")
}

/// Each thing, and the title of the moment that made it what it is.
fn shown(state: &State) -> Vec<String> {
    let line = |(facet, entry): (&Facet, &Entry)| {
        let what = match facet {
            Facet::Workspace(name) => name.clone().unwrap_or_default(),
            Facet::Deployed(env, stage) => format!("{env}/{}", stage.as_str()),
            Facet::Domain(domain) => domain.clone(),
        };
        let title = &entry.note.title;
        assert_eq!(facet.digest(entry), Some(Digest::of(title.as_bytes())));
        format!("{what}={title}")
    };
    state.made.iter().map(line).collect()
}

#[test]
fn a_moment_gives_back_the_workspaces_the_deployments_and_the_domains_as_they_were() {
    let mut node = Node::new();
    let before = say(&mut node, note("nothing yet"));
    edit(&mut node, "main", "site", "s1");
    edit(&mut node, "main", "api", "a1");
    deploy(&mut node, "main", Kind::Deploy, Stage::Staging, "d1");
    let middle = deploy(&mut node, "main", Kind::Promote, Stage::Prod, "d1 goes live");
    map(&mut node, "shop.example", "m1");
    edit(&mut node, "main", "site", "s2");
    let last = deploy(&mut node, "main", Kind::Rollback, Stage::Prod, "d0 is back");
    assert_eq!(shown(&state(&node, before)), [""; 0]);
    let halfway = ["api=a1", "site=s1", "shop/staging=d1", "shop/prod=d1 goes live"];
    assert_eq!(shown(&state(&node, middle)), halfway);
    let end = ["api=a1", "site=s2", "shop/staging=d1", "shop/prod=d0 is back", "shop.example=m1"];
    assert_eq!(shown(&state(&node, last)), end);
    let nobody = ids::derived(Timestamp::EPOCH, &[b"nobody"]);
    assert_eq!(node.store.read().expect("reads").state_at(nobody).expect("reads"), None);
    node.rebuild();
    assert_eq!(shown(&state(&node, last)), end);
}

#[test]
fn files_are_of_a_branch_and_deployments_are_of_the_world() {
    let mut node = Node::new();
    let base = edit(&mut node, "main", "site", "s1");
    edit(&mut node, "main", "site", "s2");
    open(&mut node, "try", base);
    let aside = say(&mut node, Note { branch: branch("try"), ..note("look") });
    assert_eq!(shown(&state(&node, aside)), ["site=s1"], "as it was where the branch began");
    let twig = edit(&mut node, "try", "site", "t1");
    open(&mut node, "twig", twig);
    let far = say(&mut node, Note { branch: branch("twig"), ..note("look again") });
    assert_eq!(shown(&state(&node, far)), ["site=t1"]);
    deploy(&mut node, "try", Kind::Deploy, Stage::Dev, "d1");
    let on_main = say(&mut node, note("main goes on"));
    assert_eq!(shown(&state(&node, on_main)), ["site=s2", "shop/dev=d1"]);
    assert_eq!(shown(&state(&node, aside)), ["site=s1"], "nothing that came later");
}

#[test]
fn what_is_written_after_a_restart_is_later_than_what_came_from_a_faster_clock_before_it() {
    let (mut node, mut ahead, mut wrong) = (Node::new(), Author::new(1, 1), Author::new(2, 1));
    let refs = Refs { after: Some(Digest::of(b"s1")), ..Refs::default() };
    let base = ahead.entry_id("s1");
    let at = Hlc::at(node.now.after(Duration::from_secs(50)));
    let record = ahead.note(at, base, &Note { kind: Kind::Edit, refs, ..note("s1") });
    let far = wrong.entry(moment(30_000_000_000), "far");
    node.admit(&[ahead.frame(&[record]), wrong.frame(&[far])]);
    node.reopen();
    open(&mut node, "try", base);
    let twig = say(&mut node, Note { branch: branch("try"), ..note("look") });
    assert_eq!(shown(&state(&node, twig)), ["=s1"]);
}

#[test]
fn a_branch_that_claims_to_begin_at_itself_or_in_its_future_leads_nowhere() {
    let mut node = Node::new();
    let one = edit(&mut node, "a", "site", "s1");
    let other = edit(&mut node, "b", "api", "a1");
    open(&mut node, "a", other);
    open(&mut node, "b", other);
    assert_eq!(shown(&state(&node, one)), ["site=s1"]);
    assert_eq!(shown(&state(&node, other)), ["api=a1"]);
}

#[test]
fn a_state_with_too_many_things_says_that_some_are_left_out() {
    let mut node = Node::new();
    let sayings = (0..=FACETS_MAX).map(|n| {
        let refs = Refs { domain: Some(format!("{n}.example")), ..Refs::default() };
        let entry_id = ids::derived(Timestamp::EPOCH, &[&n.to_be_bytes()]);
        Saying::Entry(entry_id, Box::new(Note { kind: Kind::Domain, refs, ..note("mapped") }))
    });
    let sayings = sayings.collect();
    let written = node.timeline.say(node.store.key(), node.now, sayings).expect("fits");
    node.commit(written.changes);
    let last = ids::derived(Timestamp::EPOCH, &[&FACETS_MAX.to_be_bytes()]);
    let state = state(&node, last);
    assert_eq!((state.made.len(), state.is_cut_short), (FACETS_MAX, true));
    // Each of them costs more than a page may, together: the page ends early and goes on.
    let reader = node.store.read().expect("reads");
    let page = reader.scrub(&Track::default(), None, 50).expect("reads");
    assert!((1..50).contains(&page.items.len()) && page.next.is_some(), "{} stops", page.items.len());
}

fn stops(node: &Node, track: &Track, limit: usize) -> Vec<(String, Vec<String>)> {
    let reader = node.store.read().expect("reads");
    let (mut stops, mut cursor) = (Vec::new(), None);
    loop {
        let page = reader.scrub(track, cursor.as_ref(), limit).expect("reads");
        assert!(page.items.len() <= limit);
        stops.extend(page.items.into_iter().map(|stop| (stop.entry.note.title, shown(&stop.state))));
        match page.next {
            Some(next) => cursor = Some(next),
            None => return stops,
        }
    }
}

#[test]
fn scrubbing_shows_each_moment_with_its_state_and_a_step_takes_the_last_of_each_piece_of_time() {
    let mut node = Node::new();
    // The clock begins at a whole multiple of the steps below.
    node.now = Timestamp::from_micros(1_700_000_040_000_000);
    let start = node.now;
    for n in 1..=8 {
        let on = if n % 4 == 0 { "try" } else { "main" };
        edit(&mut node, on, "site", &format!("s{n}"));
    }
    for limit in [1, 3, 50] {
        let all = stops(&node, &Track::default(), limit);
        let expected: Vec<_> = (1..=8).map(|n| (format!("s{n}"), vec![format!("site=s{n}")])).collect();
        assert_eq!(all, expected);
        let step = Some(Duration::from_secs(30));
        let titles =
            |track: &Track| stops(&node, track, limit).into_iter().map(|stop| stop.0).collect::<Vec<_>>();
        assert_eq!(titles(&Track { step, ..Track::default() }), ["s2", "s5", "s8"]);
        let on_main = Track { step, branch: Some(Branch::main()), ..Track::default() };
        assert_eq!(titles(&on_main), ["s2", "s5", "s7"]);
        let at = |n: u64| Some(start.after(Duration::from_secs(10 * n)));
        let bounded = Track { since: at(2), until: at(5), ..Track::default() };
        assert_eq!(titles(&bounded), ["s2", "s3", "s4"]);
        assert_eq!(titles(&Track { step, ..bounded }), ["s2", "s4"]);
        assert_eq!(titles(&Track { step: Some(Duration::ZERO), ..Track::default() }).len(), 8);
        assert_eq!(titles(&Track { step: Some(Duration::MAX), ..Track::default() }), ["s8"]);
    }
}

#[test]
fn what_was_said_about_a_moment_is_found_by_it() {
    let mut node = Node::new();
    let deed = say(&mut node, note("deed"));
    let about = |kind| Note { kind, refs: Refs { parents: vec![deed], ..Refs::default() }, ..note("word") };
    let word = say(&mut node, Note { title: "yes".into(), ..about(Kind::Approve) });
    say(&mut node, Note { title: "and more".into(), ..about(Kind::Note) });
    let reader = node.store.read().expect("reads");
    let first = reader.entries_about(deed, None, 1, |_| true).expect("reads");
    assert_eq!(first.items[0].entry_id, word);
    let rest = reader.entries_about(deed, first.next.as_ref(), 9, |_| true).expect("reads");
    assert_eq!((rest.items.len(), rest.items[0].note.title.as_str()), (1, "and more"));
    assert!(reader.entries_about(word, None, 9, |_| true).expect("reads").items.is_empty());
    let notes = |entry: &Entry| entry.note.kind == Kind::Note;
    let found = reader.entries_about(deed, None, 1, notes).expect("reads").items;
    assert_eq!(found[0].note.title, "and more", "what is not looked for takes no room");
}

/// Joins what `from` names into branch `on`.
#[test]
fn a_page_begins_at_any_moment_in_either_direction_also_of_a_branch_that_it_is_not_on() {
    let mut node = Node::new();
    for (title, on) in [("a", "main"), ("b", "try"), ("c", "main"), ("d", "try"), ("e", "main")] {
        edit(&mut node, on, "shop", title);
    }
    let reader = node.store.read().expect("reads");
    let middle = ids::derived(Timestamp::EPOCH, &[b"c"]);
    let titles = |branch: Option<Branch>, order| {
        let place = reader.cursor_at(branch.as_ref(), middle).expect("reads").expect("is here");
        let filter = EntryFilter { branch, ..EntryFilter::default() };
        let page = reader.entries(&filter, order, Some(&place), 9).expect("reads");
        page.items.into_iter().map(|entry| entry.note.title).collect::<String>()
    };
    assert_eq!((titles(None, Order::Descending), titles(None, Order::Ascending)), ("ba".into(), "de".into()));
    let on = |order| titles(Some(branch("try")), order);
    assert_eq!((on(Order::Descending), on(Order::Ascending)), ("b".into(), "d".into()));
    let nowhere = ids::derived(Timestamp::EPOCH, &[b"nowhere"]);
    assert!(reader.cursor_at(None, nowhere).expect("reads").is_none());
}

fn merge(node: &mut Node, on: &str, ours: EntryId, theirs: EntryId, title: &str) -> EntryId {
    let refs = Refs { parents: vec![ours, theirs], ..Refs::default() };
    say(node, Note { branch: branch(on), kind: Kind::Merge, refs, ..note(title) })
}

#[test]
fn two_moments_have_the_newest_moment_in_common_that_both_follow_from() {
    let mut node = Node::new();
    let root = edit(&mut node, "main", "site", "s0");
    let base = edit(&mut node, "main", "site", "s1");
    open(&mut node, "try", base);
    let aside = edit(&mut node, "try", "site", "t1");
    let main = edit(&mut node, "main", "site", "s2");
    open(&mut node, "twig", aside);
    let twig = edit(&mut node, "twig", "site", "w1");
    let common = |node: &Node, one, other| {
        let reader = node.store.read().expect("reads");
        let both = [(one, other), (other, one)].map(|(one, other)| {
            reader.common_ancestor(one, other).expect("reads").map(|entry| entry.entry_id)
        });
        assert_eq!(both[0], both[1]);
        both[0]
    };
    assert_eq!(common(&node, main, aside), Some(base));
    assert_eq!(common(&node, main, twig), Some(base));
    assert_eq!(common(&node, aside, twig), Some(aside));
    assert_eq!(common(&node, root, main), Some(root));
    // What was merged once is common from then on, in either direction.
    let merged = merge(&mut node, "main", main, aside, "m1");
    let more = edit(&mut node, "try", "site", "t2");
    assert_eq!(common(&node, merged, more), Some(aside));
    assert_eq!(common(&node, main, more), Some(base), "before the merge it was not");
    let back = merge(&mut node, "try", more, merged, "m2");
    assert_eq!(common(&node, merged, back), Some(merged));
    let loose = edit(&mut node, "loose", "site", "l1");
    assert_eq!(common(&node, merged, loose), None);
}
