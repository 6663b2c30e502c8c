//! Stories at the door.

use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use xyn_store::audit::key::NodeKey;
use xyn_store::audit::signature::{PublicKey, Signature};
use xyn_store::scope::Principal;
use xyn_store::timeline::feed::FeedId;
use xyn_store::trust::{
    Certificate, Claim, EnvId, Head, Invitation, NotRedeemed, Place, Placed, Role, Seat, Statement, Ticket,
    TicketId, TicketSecret,
};
use xyn_store::{Digest, Timestamp};

use super::door::Decision;
use super::door::{self, Closing, REDEEM_BYTES_MAX, STRANGER_TIMEOUT, STRANGERS_MAX, TICKETS_BURST};
use super::guest::{self, JOIN_TIMEOUT};
use super::*;
use crate::wire::{self, Join};

const NOW: Timestamp = Timestamp::EPOCH;

fn root() -> NodeKey {
    NodeKey::from_secret([9; 32])
}

fn host() -> NodeKey {
    NodeKey::from_secret([1; 32])
}

fn guest() -> NodeKey {
    NodeKey::from_secret([2; 32])
}

fn env() -> EnvId {
    EnvId::rooted_in(root().public())
}

fn ticket() -> Ticket {
    Ticket {
        id: TicketId([7; 8]),
        env: env(),
        issuer: host().public(),
        addresses: vec!["/ip6/::1/tcp/4311".into()],
        secret: TicketSecret::from_bytes([5; 16]),
        expires: NOW.after(Duration::from_secs(3600)),
    }
}

fn consent(key: &NodeKey) -> Signature {
    Seat::Under(host().public()).agree(env(), key)
}

/// What the guest shows at the door.
fn redeem() -> Join {
    let Ticket { id, secret, .. } = ticket();
    Join::Redeem(wire::Redeem { env: env(), ticket: id, secret, consent: consent(&guest()) })
}

fn certificate(issuer: &NodeKey, node: &NodeKey, place: Option<Place>) -> Placed {
    let seat = Seat::Under(issuer.public());
    let consent = seat.agree(env(), node);
    let principal = Principal::new("someone@home");
    let certificate =
        Certificate { node: node.public(), seat, principal, role: Role::User, expires: None, consent };
    let claim = Claim::Certificate(certificate);
    let statement = Statement { env: env(), issuer: issuer.public(), issued_at: NOW, claim };
    Placed { statement: statement.sign(issuer).expect("rightly made"), place }
}

/// The host and its node: what it knows of the ticket, and whom the root certified.
struct House {
    door: Door,
    invitation: Invitation,
}

impl House {
    fn new() -> Self {
        let invitation = Invitation::of(&ticket(), Principal::new("someone@home"), Role::User);
        Self { door: Door::new(host().public(), NOW), invitation }
    }

    /// What the node does with a ticket that comes through the door.
    fn decide(&mut self, peer: PublicKey, request: &wire::Redeem) -> Decision {
        if request.ticket != self.invitation.id {
            return Err(NotRedeemed::Unknown);
        }
        self.invitation.check(request.env, &request.secret, peer, NOW)?;
        self.invitation = self.invitation.clone().redeemed(peer);
        let feed = FeedId { node: host().public(), incarnation: 1 };
        let place = Place { feed, record: Head { seq: 1, hash: Digest::of(b"record") } };
        let newcomer = if peer == guest().public() { guest() } else { NodeKey::from_secret([3; 32]) };
        Ok(vec![certificate(&root(), &host(), None), certificate(&host(), &newcomer, Some(place))])
    }

    /// Lets `key` show a ticket, and returns what it is told, if anything, and why the door closed.
    fn show(&mut self, key: &NodeKey, ticket: Ticket) -> (Option<Vec<u8>>, Closing) {
        let peer = key.public();
        let mut guest = Guest::new(peer, ticket, consent(key), NOW);
        let Some(guest::Output::Send(message)) = guest.handle(guest::Input::Connected(host().public()), NOW)
        else {
            panic!("a guest shows its ticket");
        };
        self.door.handle(door::Input::Connected(peer), NOW);
        self.say(peer, wire::encode(&message))
    }

    fn say(&mut self, peer: PublicKey, bytes: Vec<u8>) -> (Option<Vec<u8>>, Closing) {
        let mut told = None;
        let mut outputs = self.door.handle(door::Input::Received { peer, bytes }, NOW);
        loop {
            let mut next = Vec::new();
            for output in outputs {
                match output {
                    door::Output::Redeem { peer, request } => {
                        let decision = self.decide(peer, &request);
                        next.extend(self.door.handle(door::Input::Decided { peer, decision }, NOW));
                    }
                    door::Output::Send { message, .. } => told = Some(wire::encode(&message)),
                    door::Output::Close { reason, .. } => return (told, reason),
                }
            }
            assert!(!next.is_empty(), "the door always closes");
            outputs = next;
        }
    }
}

/// What a guest with the right ticket makes of an answer.
fn hear(answer: Vec<u8>) -> guest::Output {
    let mut newcomer = Guest::new(guest().public(), ticket(), consent(&guest()), NOW);
    newcomer.handle(guest::Input::Received(answer), NOW).expect("an answer is the end")
}

fn refusal(answer: (Option<Vec<u8>>, Closing)) -> NotRedeemed {
    assert_eq!(answer.1, Closing::Answered);
    match hear(answer.0.expect("an answer")) {
        guest::Output::Failed(guest::NotJoined::Refused(reason)) => reason,
        other => panic!("a refusal, not {other:?}"),
    }
}

#[test]
fn a_guest_with_a_ticket_becomes_a_member_and_sees_the_roster() {
    let (told, closing) = House::new().show(&guest(), ticket());
    assert_eq!(closing, Closing::Answered);
    let guest::Output::Joined { statements, roster } = hear(told.expect("a welcome")) else {
        panic!("it is let in");
    };
    assert_eq!(statements.len(), 2);
    assert_eq!(roster.member(guest().public()).map(|member| member.rank), Some(2));
}

#[test]
fn a_guest_whose_answer_was_lost_asks_again_and_nobody_else_comes_in_on_its_ticket() {
    let mut house = House::new();
    let first = house.show(&guest(), ticket());
    assert_eq!(house.show(&guest(), ticket()), first);
    assert_eq!(refusal(house.show(&NodeKey::from_secret([3; 32]), ticket())), NotRedeemed::Used);
}

#[test]
fn each_wrong_ticket_is_refused_by_name() {
    let guess = Ticket { secret: TicketSecret::from_bytes([6; 16]), ..ticket() };
    assert_eq!(refusal(House::new().show(&guest(), guess)), NotRedeemed::Secret);
    let made_up = Ticket { id: TicketId([8; 8]), ..ticket() };
    assert_eq!(refusal(House::new().show(&guest(), made_up)), NotRedeemed::Unknown);
    let mut late = House::new();
    late.invitation.expires = NOW;
    assert_eq!(refusal(late.show(&guest(), ticket())), NotRedeemed::Expired);
}

#[test]
fn a_key_that_did_not_agree_to_the_seat_is_sent_away_unheard() {
    let mut house = House::new();
    let elsewhere = Ticket { env: EnvId::rooted_in(host().public()), ..ticket() };
    assert_eq!(house.show(&guest(), elsewhere), (None, Closing::Unproved));
    // A stranger with somebody else's consent.
    let thief = NodeKey::from_secret([4; 32]).public();
    let request =
        wire::Redeem { env: env(), ticket: ticket().id, secret: ticket().secret, consent: consent(&guest()) };
    house.door.handle(door::Input::Connected(thief), NOW);
    assert_eq!(house.say(thief, wire::encode(&Join::Redeem(request))), (None, Closing::Unproved));
}

#[test]
fn the_door_has_limits_and_each_has_a_name() {
    let mut house = House::new();
    for n in 0..STRANGERS_MAX {
        assert_eq!(house.door.handle(door::Input::Connected(PublicKey::from_bytes([n as u8; 32])), NOW), []);
    }
    let one_more = PublicKey::from_bytes([255; 32]);
    let crowded = door::Output::Close { peer: one_more, reason: Closing::Crowded };
    assert_eq!(house.door.handle(door::Input::Connected(one_more), NOW), [crowded]);
    let late = house.door.handle(door::Input::Tick, NOW.after(STRANGER_TIMEOUT));
    assert_eq!(late.len(), STRANGERS_MAX, "those who say nothing make room");

    let mut house = House::new();
    let rude = [vec![], vec![0; REDEEM_BYTES_MAX + 1], wire::encode(&Join::Refused(NotRedeemed::Used))];
    for bytes in rude {
        house.door.handle(door::Input::Connected(guest().public()), NOW);
        assert_eq!(house.say(guest().public(), bytes), (None, Closing::Rude));
    }

    let guess = || Ticket { secret: TicketSecret::from_bytes([6; 16]), ..ticket() };
    for _ in 0..TICKETS_BURST {
        assert_eq!(house.show(&guest(), guess()).1, Closing::Answered);
    }
    assert_eq!(house.show(&guest(), guess()), (None, Closing::Hasty));
}

#[test]
fn a_guest_tells_its_secret_to_the_ticket_s_node_only_and_believes_nothing_but_the_root() {
    use guest::{NotJoined, Output};
    let new = || Guest::new(guest().public(), ticket(), consent(&guest()), NOW);
    let other = new().handle(guest::Input::Connected(guest().public()), NOW);
    assert!(matches!(other, Some(Output::Failed(NotJoined::OtherNode(..)))));
    assert!(matches!(hear(vec![1, 2]), Output::Failed(NotJoined::Message(Some(_)))));
    let welcome = |placed: &[Placed]| {
        let entries = placed
            .iter()
            .map(|placed| (wire::Payload::new(placed.statement.as_bytes()).expect("short"), placed.place));
        let statements = wire::Bounded::new(entries.collect()).expect("few");
        wire::encode(&Join::Welcome { statements })
    };
    // The host certifies itself into an environment that is not its own.
    let usurped = [certificate(&host(), &guest(), None)];
    assert!(matches!(hear(welcome(&usurped)), Output::Failed(NotJoined::NoMember(_))));
    let mut forged = welcome(&[certificate(&root(), &host(), None)]);
    let middle = forged.len() / 2;
    forged[middle] ^= 1;
    assert!(matches!(hear(forged), Output::Failed(NotJoined::Statement(_) | NotJoined::Message(_))));
    let mut patient = new();
    assert!(patient.handle(guest::Input::Tick, NOW).is_none());
    let late = patient.handle(guest::Input::Tick, NOW.after(JOIN_TIMEOUT));
    assert!(matches!(late, Some(Output::Failed(NotJoined::Timeout))));
    assert!(patient.handle(guest::Input::Connected(host().public()), NOW).is_none(), "it gave up");
}

#[test]
fn a_roster_that_does_not_fit_the_answer_is_not_cut_short_in_silence() {
    let mut house = House::new();
    house.door.handle(door::Input::Connected(guest().public()), NOW);
    let peer = guest().public();
    let asked = house.door.handle(door::Input::Received { peer, bytes: wire::encode(&redeem()) }, NOW);
    assert!(matches!(*asked, [door::Output::Redeem { .. }]));
    let one = certificate(&root(), &host(), None);
    let decision = Ok(vec![one; wire::STATEMENTS_MAX + 1]);
    let outputs = house.door.handle(door::Input::Decided { peer, decision }, NOW);
    assert_eq!(outputs, [door::Output::Close { peer, reason: Closing::Roster }]);
}

#[test]
fn a_decision_for_somebody_who_left_goes_nowhere() {
    let decision = Err(NotRedeemed::Used);
    let mut door = Door::new(host().public(), NOW);
    assert_eq!(door.handle(door::Input::Decided { peer: guest().public(), decision }, NOW), []);
}

#[test]
fn one_who_comes_back_before_the_decision_is_still_on_the_books() {
    let (mut door, peer) = (Door::new(host().public(), NOW), guest().public());
    door.handle(door::Input::Connected(peer), NOW);
    let asked = door.handle(door::Input::Received { peer, bytes: wire::encode(&redeem()) }, NOW);
    assert!(matches!(*asked, [door::Output::Redeem { .. }]));
    door.handle(door::Input::Disconnected(peer), NOW);
    door.handle(door::Input::Connected(peer), NOW);
    let decision = Err(NotRedeemed::Used);
    assert_eq!(door.handle(door::Input::Decided { peer, decision }, NOW), [], "it did not ask");
    assert_eq!(door.held().size, 1);
    let late = door.handle(door::Input::Tick, NOW.after(STRANGER_TIMEOUT));
    assert_eq!(late, [door::Output::Close { peer, reason: Closing::Silent }]);
}

proptest! {
    #[test]
    fn bytes_of_strangers_never_panic(bytes in vec(any::<u8>(), 0..300)) {
        let bytes = [&[1], bytes.as_slice()].concat();
        let mut door = Door::new(host().public(), NOW);
        door.handle(door::Input::Connected(guest().public()), NOW);
        door.handle(door::Input::Received { peer: guest().public(), bytes: bytes.clone() }, NOW);
        hear(bytes);
    }
}
