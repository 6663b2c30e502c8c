//! Who belongs, as intents; and the mesh's task.

mod task;
mod tell;

use xyn_store::Timestamp;
use xyn_store::audit::key::NodeKey;
use xyn_store::audit::signature::PublicKey;
use xyn_store::trust::{
    Certificate, Claim, Role, Roster, Seat, SignedStatement, Standing, Statement, Ticket,
};

use super::*;
use crate::projector::Fold;
use crate::services::mesh::{Invite, Reach, Service, Settings};

impl Node {
    fn mesh(&self) -> &Service {
        self.runtime.mesh().expect("it takes part")
    }

    fn key(&self) -> PublicKey {
        self.runtime.store().key().public()
    }

    fn roster(&self) -> Arc<Roster> {
        self.runtime.timeline().expect("it runs").roster()
    }

    /// All that was said of who belongs. (The length of the feed says less: the node's own upkeep adds to it.)
    fn statements(&self) -> Vec<xyn_store::trust::Placed> {
        let env = self.runtime.timeline().expect("it runs").env();
        self.runtime.store().read().expect("reads").statements(env).expect("reads")
    }

    fn mint(&self, role: Role, lifetime: Duration) -> Invite {
        let env = self.runtime.timeline().expect("it runs").env();
        let expires = self.runtime.clock().now().after(lifetime);
        Invite::mint(env, self.key(), &[], &Principal::new("ada@lab"), role, expires).expect("randomness")
    }

    async fn invite(&self) -> Ticket {
        let Invite { ticket, input } = self.mint(Role::User, HOUR);
        self.submit("peer.invite", input).await.expect("invites");
        ticket
    }

    /// `key` shows `ticket`.
    async fn show(&self, ticket: &Ticket, key: &NodeKey) -> Result<Outcome, Refusal> {
        let consent = Seat::Under(self.key()).agree(ticket.env, key);
        let node = key.public();
        let input = json!({ "ticket_id": ticket.id.to_string(), "node": node, "consent": consent });
        self.submit("peer.join", input).await
    }
}

const HOUR: Duration = Duration::from_secs(3600);

fn key(seed: u8) -> NodeKey {
    NodeKey::from_secret([seed; 32])
}

#[tokio::test]
async fn an_invitation_lets_in_one_key_also_when_two_come_at_once_and_after_a_restart() {
    let folder = tempfile::tempdir().expect("a folder");
    let node = start(folder.path()).await;
    let ticket = node.invite().await;
    let (one, other) = (key(1), key(2));
    let both = futures::join!(node.show(&ticket, &one), node.show(&ticket, &other));
    let (first, second) = if both.0.is_ok() { (&one, &other) } else { (&other, &one) };
    assert!(both.0.is_ok() != both.1.is_ok(), "{both:?}");
    node.stop().await;

    let node = start(folder.path()).await;
    let late = node.show(&ticket, second).await;
    assert!(matches!(late, Err(Refusal::Conflict { code: "ticket_used", .. })), "{late:?}");
    let said = node.statements();
    node.show(&ticket, first).await.expect("the first answer may have been lost");
    assert_eq!(node.statements(), said, "nothing is said twice");
    let roster = node.roster();
    let member = roster.member(first.public()).expect("it is in");
    assert_eq!((member.role, member.issuer, member.standing()), (Role::User, node.key(), Standing::Active));
    assert!(roster.member(second.public()).is_none());
    node.stop().await;
}

#[tokio::test]
async fn what_nobody_may_invite_let_in_or_revoke_is_refused_by_name() {
    let folder = tempfile::tempdir().expect("a folder");
    let node = start(folder.path()).await;
    let refused = async |action: &str, input: Value| {
        node.submit(action, input).await.expect_err("it is refused").code().to_owned()
    };
    let long = node.mint(Role::User, HOUR * 24 * 365);
    assert_eq!(refused("peer.invite", long.input).await, "invalid_input");
    let mut nobody = node.mint(Role::User, HOUR);
    nobody.input["principal"] = json!("webhook:ci");
    assert_eq!(refused("peer.invite", nobody.input).await, "invalid_input");
    let mut pointed = node.mint(Role::User, HOUR);
    pointed.input["valid_for_seconds"] = json!(60.0);
    assert_eq!(refused("peer.invite", pointed.input).await, "invalid_input");
    let twice = node.mint(Role::User, HOUR);
    node.submit("peer.invite", twice.input.clone()).await.expect("invites");
    assert_eq!(refused("peer.invite", twice.input).await, "conflict");

    let unknown = node.mint(Role::User, HOUR).ticket;
    assert_eq!(node.show(&unknown, &key(1)).await.expect_err("unknown").code(), "unknown_ticket");
    let ticket = node.invite().await;
    let elsewhere = Seat::Under(key(7).public()).agree(ticket.env, &key(1));
    let input = json!({ "ticket_id": ticket.id.to_string(), "node": key(1).public(), "consent": elsewhere });
    assert_eq!(refused("peer.join", input).await, "invalid_input");

    let revoke = |node: PublicKey| json!({ "node": node, "reason": "a test" });
    assert_eq!(refused("peer.revoke", revoke(key(1).public())).await, "not_found");
    assert_eq!(refused("peer.revoke", revoke(node.key())).await, "not_above");
    node.show(&ticket, &key(1)).await.expect("comes in");
    node.submit("peer.revoke", revoke(key(1).public())).await.expect("revokes");
    assert_eq!(refused("peer.revoke", revoke(key(1).public())).await, "revoked_already");
    let standing = node.roster().member(key(1).public()).map(|member| member.standing());
    assert_eq!(standing, Some(Standing::Revoked));
    // The root may say so too where it has not.
    let root = NodeKey::found_root(folder.path()).expect("the founder has it");
    let mut rooted = revoke(key(1).public());
    let drafted =
        node.runtime.draft_statement(&node.intent("peer.revoke", rooted.clone())).await.expect("drafts");
    rooted["signed"] = json!(drafted.sign(&root).expect("signs").to_hex());
    node.submit("peer.revoke", rooted.clone()).await.expect("the root says so");
    assert_eq!(refused("peer.revoke", rooted).await, "revoked_already");
    node.stop().await;
}

#[tokio::test]
async fn a_certificate_is_renewed_by_who_is_above_with_another_end_or_role_and_not_otherwise() {
    let folder = tempfile::tempdir().expect("a folder");
    let node = start(folder.path()).await;
    let refused = async |input: Value| {
        node.submit("peer.renew", input).await.expect_err("it is refused").code().to_owned()
    };
    let hour = node.runtime.clock().now().after(HOUR);
    let Invite { ticket, input } = node.mint(Role::User, HOUR).valid_for(HOUR);
    node.submit("peer.invite", input).await.expect("invites");
    node.show(&ticket, &key(1)).await.expect("comes in");
    let member = || node.roster().member(key(1).public()).expect("it is in").clone();
    let before = member();
    assert!(before.expires.is_some_and(|end| end >= hour && end <= hour.after(HOUR)), "{before:?}");

    let (bob, later) = (key(1).public(), hour.after(HOUR));
    node.submit("peer.renew", json!({ "node": bob, "expires_at": later })).await.expect("renews");
    assert_eq!((member().expires, member().role), (Some(later), Role::User));
    node.submit("peer.renew", json!({ "node": bob, "role": "operator" })).await.expect("renews");
    assert_eq!((member().expires, member().role), (Some(later), Role::Operator));
    node.submit("peer.renew", json!({ "node": bob, "expires_at": null })).await.expect("renews");
    assert_eq!((member().expires, member().role), (None, Role::Operator));
    assert!(member().issued_at > before.issued_at && member().issuer == node.key());

    assert_eq!(refused(json!({ "node": bob })).await, "invalid_input");
    assert_eq!(refused(json!({ "node": bob, "role": "king" })).await, "invalid_input");
    let past = json!({ "node": bob, "expires_at": node.runtime.clock().now() });
    assert_eq!(refused(past).await, "invalid_input");
    let never = |node: PublicKey| json!({ "node": node, "expires_at": null });
    assert_eq!(refused(never(key(2).public())).await, "not_found");
    assert_eq!(refused(never(node.key())).await, "not_above");
    node.submit("peer.revoke", json!({ "node": bob, "reason": "a test" })).await.expect("revokes");
    assert_eq!(refused(never(bob)).await, "revoked_already");
    node.stop().await;
}

#[tokio::test]
async fn a_role_is_told_by_one_word_also_where_it_was_asked_for_by_a_former_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let node = start(folder.path()).await;
    for word in ["operator", "Operator"] {
        let mut asked = node.mint(Role::Operator, HOUR);
        asked.input["role"] = json!(word);
        node.submit("peer.invite", asked.input).await.expect("invites");
    }
    let mut king = node.mint(Role::Operator, HOUR);
    king.input["role"] = json!("king");
    assert_eq!(node.submit("peer.invite", king.input).await.expect_err("no role").code(), "invalid_input");
    let told: Vec<Value> =
        node.events("xyn.peer.invited").iter().map(|it| it["data"]["role"].clone()).collect();
    assert_eq!(told, [json!("operator"), json!("operator")]);
    node.stop().await;
}

#[tokio::test]
async fn a_member_for_a_time_lets_nobody_belong_for_longer() {
    let folder = tempfile::tempdir().expect("a folder");
    let node = start(folder.path()).await;
    let root = NodeKey::found_root(folder.path()).expect("the founder has it");
    let (own, bob) = (node.key(), key(1).public());
    let until = async |end: Timestamp| {
        let mut input = json!({ "node": own, "expires_at": end });
        let drafted =
            node.runtime.draft_statement(&node.intent("peer.renew", input.clone())).await.expect("drafts");
        input["signed"] = json!(drafted.sign(&root).expect("signs").to_hex());
        node.submit("peer.renew", input).await.expect("the root says so");
    };
    let end_of_bob = || node.roster().member(bob).expect("it is in").expires;
    let ticket = node.invite().await;
    node.show(&ticket, &key(1)).await.expect("comes in");
    let soon = node.runtime.clock().now().after(HOUR);
    let later = soon.after(HOUR);
    until(soon).await;
    assert_eq!(end_of_bob(), Some(soon));
    for end in [json!(later), json!(null)] {
        let asked = json!({ "node": bob, "expires_at": end });
        assert_eq!(node.submit("peer.renew", asked).await.expect_err("too late").code(), "invalid_input");
    }
    node.submit("peer.renew", json!({ "node": bob, "role": "operator" })).await.expect("renews");
    until(later).await;
    assert_eq!(end_of_bob(), Some(later), "it goes on to end with who let it in");
    node.submit("peer.renew", json!({ "node": bob, "expires_at": soon })).await.expect("renews");
    assert_eq!(end_of_bob(), Some(soon));
    node.stop().await;
}

#[tokio::test]
async fn what_would_not_come_after_a_certificate_of_the_future_is_refused_by_name() {
    let folder = tempfile::tempdir().expect("a folder");
    let node = start(folder.path()).await;
    let (env, own, bob) = (node.roster().env(), node.runtime.store().key(), key(1).public());
    let ticket = node.invite().await;
    node.show(&ticket, &key(1)).await.expect("comes in");
    // Other programs and other clocks date what they say as they like.
    let date = async |issued_at: Timestamp| {
        let seat = Seat::Under(own.public());
        let consent = seat.agree(env, &key(1));
        let (principal, role) = (Principal::new("ada@lab"), Role::User);
        let claim =
            Claim::Certificate(Certificate { node: bob, seat, principal, role, expires: None, consent });
        let statement = Statement { env, issuer: own.public(), issued_at, claim }.sign(own).expect("signs");
        node.runtime.timeline().expect("it runs").state(statement).await.expect("says it");
    };
    let member = || node.roster().member(bob).expect("it is in").clone();
    let day = node.runtime.clock().now().after(24 * HOUR);
    date(day).await;
    let operator = json!({ "node": bob, "role": "operator" });
    let drafted = node.runtime.draft_statement(&node.intent("peer.renew", operator.clone())).await;
    assert_eq!(drafted.expect_err("the root signs nothing so far ahead").code(), "dated_ahead");
    node.submit("peer.renew", operator).await.expect("renews");
    assert!(member().role == Role::Operator && member().issued_at > day, "{:?}", member());
    // Who comes again has the certificate that it then gets.
    let again = node.invite().await;
    node.show(&again, &key(1)).await.expect("comes in");
    assert_eq!(member().role, Role::User);

    date(Timestamp::MAX).await;
    let operator = json!({ "node": bob, "role": "operator" });
    assert_eq!(node.submit("peer.renew", operator).await.expect_err("no later one").code(), "dated_ahead");
    node.submit("peer.revoke", json!({ "node": bob, "reason": "a test" })).await.expect("revokes");
    node.stop().await;
}

#[tokio::test]
async fn what_the_root_signed_is_taken_in_if_it_is_the_root_and_says_what_is_asked() {
    let folder = tempfile::tempdir().expect("a folder");
    let node = start(folder.path()).await;
    let root = NodeKey::found_root(folder.path()).expect("the founder has it");
    let own = node.key();
    let draft =
        async |action: &str, input: Value| node.runtime.draft_statement(&node.intent(action, input)).await;
    let with = |mut input: Value, signed: &SignedStatement| {
        input["signed"] = json!(signed.to_hex());
        input
    };
    let refused = async |action: &str, input: Value| {
        node.submit(action, input).await.expect_err("it is refused").code().to_owned()
    };
    for action in ["peer.join", "peer.invite", "runs.start", "no.action"] {
        let drafted = draft(action, json!({})).await.expect_err("the root has no part in it");
        assert_eq!(drafted.code(), "invalid_input", "{action}");
    }
    let reason = json!({ "node": own, "reason": "stolen" });
    assert!(draft("peer.revoke", json!({ "node": own })).await.is_err(), "no reason");
    assert_eq!(refused("peer.revoke", reason.clone()).await, "not_above");

    let operator = json!({ "node": own, "role": "operator" });
    let drafted = draft("peer.renew", operator.clone()).await.expect("drafts");
    let renewed = drafted.clone().sign(&root).expect("signs");
    let user = json!({ "node": own, "role": "user" });
    assert_eq!(refused("peer.renew", with(user, &renewed)).await, "draft_outdated");
    assert_eq!(refused("peer.revoke", with(reason.clone(), &renewed)).await, "draft_outdated");
    let forged = Statement { issuer: key(1).public(), ..drafted }.sign(&key(1)).expect("signs");
    assert_eq!(refused("peer.renew", with(operator.clone(), &forged)).await, "not_the_root");
    let mut broken = with(operator.clone(), &renewed);
    broken["signed"] = json!("00");
    assert_eq!(refused("peer.renew", broken).await, "invalid_input");
    node.submit("peer.renew", with(operator.clone(), &renewed)).await.expect("the root says so");
    assert_eq!(node.roster().member(own).map(|member| member.role), Some(Role::Operator));
    assert_eq!(refused("peer.renew", with(operator, &renewed)).await, "draft_outdated");

    // What the node wrote since the draft would not count under the new key: it has to be drafted again.
    let rotated = draft("peer.rotate", json!({})).await.expect("drafts").sign(&root).expect("signs");
    node.submit("timeline.note", json!({ "title": "since" })).await.expect("notes");
    assert_eq!(refused("peer.rotate", with(json!({}), &rotated)).await, "draft_outdated");

    let revoked = draft("peer.revoke", reason.clone()).await.expect("drafts").sign(&root).expect("signs");
    node.submit("timeline.note", json!({ "title": "too late" })).await.expect("notes");
    node.submit("peer.revoke", with(reason, &revoked)).await.expect("how much counts is the root's to say");
    let standing = node.roster().member(own).map(|member| member.standing());
    assert_eq!(standing, Some(Standing::Revoked));
    node.stop().await;
}

#[tokio::test]
async fn a_started_node_knows_who_belongs_and_the_folder_of_a_stopped_one_tells_the_same() {
    let folder = tempfile::tempdir().expect("a folder");
    let node = start(folder.path()).await;
    let ticket = node.invite().await;
    node.show(&ticket, &key(1)).await.expect("he is in");
    let reader = node.runtime.store().read().expect("reads");
    let known = node.runtime.roster(&reader).expect("is known").expect("an environment");
    assert!(Arc::ptr_eq(&known, &node.roster()), "nothing is folded for it");
    assert!(known.member(key(1).public()).is_some());
    drop(reader);
    node.stop().await;
    let (store, env) = (store_in(folder.path()), Environment::default());
    let stopped = Runtime::read_only(store.clone(), actions::builtin(), Clock::system(), env);
    let stopped = stopped.expect("answers questions");
    let read = stopped.roster(&store.read().expect("reads")).expect("reads").expect("an environment");
    assert_eq!(read, known);
    drop(stopped);
    store.close();
}

#[tokio::test]
async fn what_policy_denies_is_not_drafted_and_no_key_is_made_for_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let node = start(folder.path()).await;
    let (own, next) = (node.key(), folder.path().join("next.key"));
    let policy = |effect: &str| {
        let rule = |id: &str, action: &str, effect: &str| {
            format!("  - {{ rule_id: {id}, match: {{ action: \"{action}\" }}, {effect} }}\n")
        };
        let head = "policy_id: pol.keys\npolicy_type: governance\nname: Keys\nstatus: active\nversion: 1\n\
                    evaluation_mode: first_match\nrules:\n";
        let rules = [
            rule("rotate", "peer.rotate", effect),
            rule("revoke", "peer.revoke", effect),
            rule("rest", "*", "effect: allow"),
        ];
        json!({ "source": format!("{head}{}", rules.concat()) })
    };
    let draft = async |action: &str, input: Value| {
        let drafted = node.runtime.draft_statement(&node.intent(action, input)).await;
        drafted.map_or_else(|refusal| refusal.code().to_owned(), |_| "drafted".to_owned())
    };
    let reason = json!({ "node": own, "reason": "stolen" });
    node.submit("policies.activate", policy("effect: deny")).await.expect("activates");
    assert_eq!(draft("peer.rotate", json!({})).await, "denied_by_policy");
    assert_eq!(draft("peer.revoke", reason.clone()).await, "denied_by_policy");
    assert_eq!(draft("peer.renew", json!({ "node": own, "role": "operator" })).await, "drafted");
    assert_eq!(node.events("xyn.intent.denied").len(), 2, "as if it had been asked for");
    assert!(!next.exists());

    // An intent would wait for somebody's approval, and the root's word with it; a key is not made before.
    let approvals = "effect: require_approval, requirements: { approvals: { min: 1, from_any_of: \
                     [\"role:Operator\"], expires_in: 1h } }";
    node.submit("policies.activate", policy(approvals)).await.expect("activates");
    assert_eq!(draft("peer.rotate", json!({})).await, "denied_by_policy");
    assert_eq!(draft("peer.revoke", reason).await, "drafted");
    assert!(!next.exists());
    node.submit("policies.activate", policy("effect: allow")).await.expect("activates");
    assert_eq!(draft("peer.rotate", json!({})).await, "drafted");
    assert!(next.exists(), "a draft of its word needs the key");
    node.stop().await;
}

#[tokio::test]
async fn invitations_are_the_same_when_the_journal_is_folded_anew() {
    let folder = tempfile::tempdir().expect("a folder");
    let node = start(folder.path()).await;
    let (used, _open) = (node.invite().await, node.invite().await);
    let ending = node.mint(Role::User, HOUR).valid_for(HOUR);
    node.submit("peer.invite", ending.input).await.expect("invites");
    node.show(&used, &key(1)).await.expect("comes in");
    node.stop().await;
    let store = store_in(folder.path());
    let before = store.read().expect("reads").derived_digest().expect("reads");
    store.rebuild(&mut Fold::new(store.clone(), actions::builtin()), |_| {}).expect("rebuilds");
    assert_eq!(store.read().expect("reads").derived_digest().expect("reads"), before);
    let invitation = store.read().expect("reads").get(&xyn_store::trust::Invitation::key_of(used.id));
    let invitation: xyn_store::trust::Invitation = invitation.expect("reads").expect("is there");
    assert_eq!(invitation.redeemed_by(), Some(key(1).public()));
}
