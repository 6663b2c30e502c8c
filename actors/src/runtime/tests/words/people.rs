//! Whose word it is: principals are counted, not nodes, and nobody is taken for somebody else.

use super::*;

#[tokio::test]
async fn two_nodes_of_one_person_count_once() {
    let home = tempfile::tempdir().expect("a folder");
    let founder = Founder::start(home.path()).await;
    let (run, question) = founder.node.asks(Stage::Dev).await;
    for seed in [1, 2] {
        let mut device = founder.author(seed, "bob@lab", Role::OwnerAdmin).await;
        device.approves(noon(), "bob@lab", &question);
        founder.hears(&device).await;
    }
    assert_eq!(founder.node.approvers(run), ["bob@lab"]);
    let refused = founder.node.refused();
    let [(by, code, message)] = refused.as_slice() else { panic!("{refused:?}") };
    assert_eq!((by.as_str(), code.as_str()), ("bob@lab", "approval_refused"));
    assert_eq!(message, "`bob@lab` has already answered");
    founder.node.stop().await;
}

#[tokio::test]
async fn the_roster_says_what_a_person_may_answer() {
    let home = tempfile::tempdir().expect("a folder");
    let founder = Founder::start(home.path()).await;
    let (run, question) = founder.node.asks(Stage::Dev).await;
    for (seed, name, role) in
        [(1, "uwe@lab", Role::User), (2, "pia@lab", Role::Operator), (3, "eve@lab", Role::OwnerAdmin)]
    {
        let mut author = founder.author(seed, name, role).await;
        author.approves(noon(), name, &question);
        founder.hears(&author).await;
    }
    assert_eq!(founder.node.approvers(run), ["eve@lab"]);
    let refused: Vec<_> = founder.node.refused().into_iter().map(|(by, _, message)| (by, message)).collect();
    let refusal = |who: &str| (who.to_owned(), format!("`{who}` is not among those who may approve this"));
    assert_eq!(refused, [refusal("pia@lab"), refusal("uwe@lab")]);
    founder.node.stop().await;
}

#[tokio::test]
async fn the_requester_counts_in_dev_alone_also_from_another_device() {
    for (stage, counts) in [(Stage::Dev, true), (Stage::Staging, false)] {
        let home = tempfile::tempdir().expect("a folder");
        let founder = Founder::start(home.path()).await;
        let (run, question) = founder.node.asks(stage).await;
        let mut phone = founder.author(1, Principal::LOCAL_OPERATOR, Role::OwnerAdmin).await;
        phone.approves(noon(), Principal::LOCAL_OPERATOR, &question);
        founder.hears(&phone).await;
        assert_eq!(founder.node.approvers(run).len(), usize::from(counts), "{stage:?}");
        let refused = founder.node.refused();
        assert_eq!(refused.is_empty(), counts, "{refused:?}");
        if let [(_, _, message)] = refused.as_slice() {
            assert_eq!(message, "`operator@local` asked for this and may not approve it");
        }
        founder.node.stop().await;
    }
}

#[tokio::test]
async fn the_founder_is_not_taken_for_the_person_of_the_node_that_asks() {
    let homes = [tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder")];
    let founder = Founder::start(homes[0].path()).await;
    let ada = founder.joined(homes[1].path(), "ada@lab", Role::OwnerAdmin).await;
    let (run, question) = ada.asks(Stage::Staging).await;
    assert_eq!(question.ask.requester.as_str(), "ada@lab", "not what her node calls her");
    brings(&ada, &founder.node).await;
    founder.node.approves(run).await.expect("is given");
    let own = ada.approves(run).await;
    assert!(matches!(own, Err(Refusal::Forbidden { code: "approval_refused", .. })), "{own:?}");
    brings(&founder.node, &ada).await;
    assert_eq!(ada.approvers(run), ["operator@founder"]);
    let told = |moments: &[Entry]| {
        moments.iter().any(|moment| moment.note.title == "Two: approved `ok` by operator@local")
    };
    ada.until_moments(told).await;
    founder.node.stop().await;
    ada.stop().await;
}

#[tokio::test]
async fn a_node_speaks_for_nobody_but_whom_it_is_certified_for() {
    let home = tempfile::tempdir().expect("a folder");
    let founder = Founder::start(home.path()).await;
    let (run, question) = founder.node.asks(Stage::Dev).await;
    let mut liar = founder.author(1, "eve@lab", Role::OwnerAdmin).await;
    liar.approves(noon(), "ada@lab", &question);
    founder.hears(&liar).await;
    let refused = founder.node.refused();
    let [(by, code, message)] = refused.as_slice() else { panic!("{refused:?}") };
    assert_eq!((by.as_str(), code.as_str()), ("eve@lab", "forged_principal"));
    assert_eq!(message, "its node is certified for `eve@lab` and cannot speak for `ada@lab`");
    assert!(founder.node.approvers(run).is_empty());
    founder.node.stop().await;
}
