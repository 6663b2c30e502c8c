//! Words that do not count, each refused by name and never tried again.

use super::*;

#[tokio::test]
async fn a_word_made_after_the_deadline_is_refused_and_one_made_before_it_counts_when_it_comes_later() {
    let home = tempfile::tempdir().expect("a folder");
    let founder = Founder::start(home.path()).await;
    let (run, question) = founder.node.asks(Stage::Dev).await;
    assert_eq!(question.ask.expires_at, Some(noon().after(HOUR)));
    // By the clock of its author, which is ahead.
    let mut late = founder.author(1, "late@lab", Role::OwnerAdmin).await;
    // Who has not heard the other: what is written behind a word is later than that.
    let mut early = founder.author(2, "early@lab", Role::OwnerAdmin).await;
    late.approves(noon().after(HOUR), "late@lab", &question);
    founder.hears(&late).await;
    early.approves(noon().after(HOUR - Duration::from_secs(1)), "early@lab", &question);
    founder.hears(&early).await;
    assert_eq!(founder.node.approvers(run), ["early@lab"]);
    assert_eq!(founder.node.gate(run).approvals[0].at, noon().after(HOUR - Duration::from_secs(1)));
    let refused = founder.node.refused();
    let [(by, code, message)] = refused.as_slice() else { panic!("{refused:?}") };
    assert_eq!((by.as_str(), code.as_str()), ("late@lab", "approval_refused"));
    assert!(message.starts_with("this expired at 2026-03-01T13:00:00"), "{message}");
    founder.node.stop().await;
}

#[tokio::test]
async fn a_member_who_was_revoked_counts_up_to_the_cut() {
    for counts in [false, true] {
        let home = tempfile::tempdir().expect("a folder");
        let founder = Founder::start(home.path()).await;
        let (run, question) = founder.node.asks(Stage::Dev).await;
        let mut author = founder.author(1, "eve@lab", Role::OwnerAdmin).await;
        author.says(noon(), Note { title: "hello".into(), ..plain("eve@lab") });
        let before = author.head();
        author.approves(noon(), "eve@lab", &question);
        let last = if counts { author.head() } else { before };
        founder.states(author.revoked(Some(last))).await;
        let verdicts = founder.hears(&author).await;
        assert!(matches!(verdicts[0], Verdict::Admitted { .. }), "{verdicts:?}");
        assert_eq!(founder.node.approvers(run).len(), usize::from(counts), "{verdicts:?}");
        assert!(founder.node.refused().is_empty());
        let reader = founder.node.runtime.store().read().expect("reads");
        let excluded = reader.excluded(None, 10).expect("reads").items;
        assert_eq!(excluded.is_empty(), counts, "what does not count is kept and shown as such");
        drop(reader);
        founder.node.stop().await;
    }
}

fn plain(principal: &str) -> Note {
    Note {
        principal: Principal::new(principal),
        branch: Branch::main(),
        kind: Kind::Note,
        title: String::new(),
        refs: Refs::default(),
    }
}

#[tokio::test]
async fn a_word_behind_the_end_of_its_certificate_is_refused() {
    let home = tempfile::tempdir().expect("a folder");
    let founder = Founder::start(home.path()).await;
    let (run, question) = founder.node.asks(Stage::Dev).await;
    let mut author = Author::new(&founder.node, 1);
    let ends = noon().after(Duration::from_secs(60));
    founder.states(founder.certificate(&author.key, "eve@lab", Role::OwnerAdmin, Some(ends))).await;
    author.approves(ends, "eve@lab", &question);
    founder.hears(&author).await;
    assert!(founder.node.approvers(run).is_empty());
    assert_eq!(founder.node.refusal_codes(), ["not_a_member"]);
    founder.node.stop().await;
}

#[tokio::test]
async fn a_node_that_tells_two_stories_has_no_word() {
    let home = tempfile::tempdir().expect("a folder");
    let founder = Founder::start(home.path()).await;
    let (run, question) = founder.node.asks(Stage::Dev).await;
    let mut one = founder.author(1, "eve@lab", Role::OwnerAdmin).await;
    let mut other = Author::new(&founder.node, 1);
    one.approves(noon(), "eve@lab", &question);
    other.says(noon(), word("eve@lab", &question, Kind::Reject));
    // In one batch: neither story is heard before the other is known.
    one.frames.append(&mut other.frames);
    let verdicts = founder.hears(&one).await;
    assert!(matches!(verdicts[1], Verdict::Forked { seq: 1, .. }), "{verdicts:?}");
    assert!(founder.node.approvers(run).is_empty());
    assert_eq!(founder.node.gate(run).status, GateStatus::Requested);
    founder.node.stop().await;
}

#[tokio::test]
async fn a_stranger_and_a_newcomer_without_a_certificate_have_no_word() {
    let homes = [tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder")];
    let founder = Founder::start(homes[0].path()).await;
    let (run, question) = founder.node.asks(Stage::Dev).await;
    let mut stranger = Author::new(&founder.node, 1);
    stranger.approves(noon(), "eve@lab", &question);
    let verdicts = founder.hears(&stranger).await;
    assert!(matches!(verdicts[0], Verdict::Refused(_)), "{verdicts:?}");
    assert!(founder.node.approvers(run).is_empty());
    founder.node.stop().await;
}

#[tokio::test]
async fn what_is_decided_or_was_never_asked_takes_no_word() {
    let home = tempfile::tempdir().expect("a folder");
    let founder = Founder::start(home.path()).await;
    let (run, question) = founder.node.asks(Stage::Dev).await;
    let mut eve = founder.author(1, "eve@lab", Role::OwnerAdmin).await;
    let another = Question { entry_id: ids::derived(noon(), &[b"nothing"]), ..question.clone() };
    eve.approves(noon(), "eve@lab", &another);
    founder.hears(&eve).await;
    assert_eq!(founder.node.refusal_codes(), ["not_asked"]);
    eve.says(noon(), Note { title: "another word".into(), ..word("eve@lab", &question, Kind::Reject) });
    founder.hears(&eve).await;
    assert_eq!(founder.node.end_of(run).await.status, RunStatus::Failed);
    let mut bob = founder.author(2, "bob@lab", Role::OwnerAdmin).await;
    bob.approves(noon(), "bob@lab", &question);
    founder.hears(&bob).await;
    assert_eq!(founder.node.refusal_codes(), ["run_ended", "not_asked"], "of bob, of eve");
    founder.node.stop().await;
}
