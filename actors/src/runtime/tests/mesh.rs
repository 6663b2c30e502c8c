//! Who belongs, as intents; and the mesh's task.

use xyn_store::audit::key::NodeKey;
use xyn_store::audit::signature::PublicKey;
use xyn_store::trust::{Role, Seat, Standing, Ticket};

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

    fn roster(&self) -> Arc<xyn_store::trust::Roster> {
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
    node.stop().await;
}

#[tokio::test]
async fn invitations_are_the_same_when_the_journal_is_folded_anew() {
    let folder = tempfile::tempdir().expect("a folder");
    let node = start(folder.path()).await;
    let (used, _open) = (node.invite().await, node.invite().await);
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

#[tokio::test]
async fn a_mesh_that_ends_or_panics_is_started_again_and_stops_with_the_node() {
    let folder = tempfile::tempdir().expect("a folder");
    let node = start(folder.path()).await;
    let settings = Settings {
        reach: Reach::Lan,
        listen: vec!["/ip4/127.0.0.1/tcp/0".into()],
        peers: Vec::new(),
        relays: Vec::new(),
        is_relay: false,
    };
    node.runtime.start_mesh(settings).expect("it starts");
    let listening = async || {
        loop {
            match node.mesh().status().await {
                Ok(status) if !status.listening.is_empty() => return status.listening,
                _ => tokio::time::sleep(GLANCE).await,
            }
        }
    };
    let first = tokio::time::timeout(PATIENCE, listening()).await.expect("it listens");
    node.mesh().break_off().await;
    let another = async {
        while listening().await == first {
            tokio::time::sleep(GLANCE).await;
        }
    };
    tokio::time::timeout(PATIENCE, another).await.expect("another one listens");
    assert!(node.mesh().has_panicked(), "the one between the two");
    node.stop().await;
}
