//! What is told of whom, and what is believed.

use xyn_store::audit::key::NodeKey;
use xyn_store::scope::Principal;
use xyn_store::trust::{Certificate, Claim, EnvId, Placed, Revocation, Role, Seat, Statement};

use super::*;
use crate::proto::conduct::{BYTES_BURST, SCORE_MAX};
use crate::wire::contacts::{ADDRESSES_MAX, Address};

const ME: u8 = 1;
const BOB: u8 = 2;
const CAROL: u8 = 3;

fn key(who: u8) -> NodeKey {
    NodeKey::from_secret([who; 32])
}

fn public(who: u8) -> PublicKey {
    key(who).public()
}

fn at(seconds: u64) -> Timestamp {
    Timestamp::EPOCH.after(Duration::from_secs(seconds))
}

/// The root gave each of `members` a seat.
fn roster(members: impl IntoIterator<Item = u8>) -> Arc<Roster> {
    roster_without(members, None)
}

/// The same, and it revoked one of them.
fn roster_without(members: impl IntoIterator<Item = u8>, revoked: Option<u8>) -> Arc<Roster> {
    let (root, env) = (key(0), EnvId::rooted_in(public(0)));
    let say = |claim| {
        let said = Statement { env, issuer: root.public(), issued_at: Timestamp::EPOCH, claim };
        Placed { statement: said.sign(&root).expect("rightly made"), place: None }
    };
    let certified = |who: u8| {
        let (node, seat, principal) = (public(who), Seat::Under(root.public()), Principal::new("ana@home"));
        let consent = seat.agree(env, &key(who));
        let role = Role::User;
        say(Claim::Certificate(Certificate { node, seat, principal, role, expires: None, consent }))
    };
    let revocation = |who| {
        say(Claim::Revocation(Revocation { node: public(who), last: BTreeMap::new(), reason: "lost".into() }))
    };
    let placed: Vec<Placed> = members.into_iter().map(certified).chain(revoked.map(revocation)).collect();
    Arc::new(Roster::fold(env, &placed, BTreeMap::new()))
}

fn of(who: u8, addresses: &[&str]) -> Contact {
    let addresses = addresses.iter().map(|it| Address::new(it.as_bytes()).expect("short")).collect();
    Contact { node: public(who), addresses: Bounded::new(addresses).expect("few") }
}

fn said(contacts: Vec<Contact>) -> said::Contacts {
    said::Contacts(Bounded::new(contacts).expect("few"))
}

fn send(peer: u8, contacts: Vec<Contact>) -> Output {
    Output::Send { peer: public(peer), message: said(contacts) }
}

fn heard(peer: u8, contacts: Vec<Contact>) -> Input {
    Input::Received { peer: public(peer), bytes: wire::encode(&said(contacts)) }
}

fn early(node: &Contacts) -> usize {
    node.held()[0].size
}

/// A node among members, to whom `connected` are.
fn node(members: &[u8], connected: &[u8]) -> Contacts {
    let mut node = Contacts::new(public(ME), roster(members.iter().copied()), []);
    for peer in connected {
        assert_eq!(node.handle(Input::Connected(public(*peer)), at(0)), []);
    }
    node
}

#[test]
fn where_a_member_is_everybody_else_hears_once_and_it_is_kept() {
    let mut node = node(&[ME, BOB, CAROL], &[BOB, CAROL]);
    let bob = of(BOB, &["b"]);
    let told = [Output::Keep(bob.clone()), send(CAROL, vec![bob.clone()])];
    assert_eq!(node.handle(Input::Known(bob.clone()), at(0)), told);
    assert_eq!(node.handle(Input::Known(bob), at(9)), []);
    assert_eq!(node.handle(Input::Tick, at(9)), [], "nothing is new");
}

#[test]
fn who_comes_hears_where_all_the_others_are_in_messages_that_fit() {
    let members = 100;
    let book = (2..members).map(|who| of(who, &["there"]));
    let mut node = Contacts::new(public(ME), roster(1..members), book);
    let told = node.handle(Input::Connected(public(BOB)), at(0));
    let lengths = told.iter().map(|output| match output {
        Output::Send { peer, message } if *peer == public(BOB) => {
            assert!(message.0.iter().all(|contact| contact.node != public(BOB)));
            message.0.len()
        }
        other => panic!("{other:?}"),
    });
    assert_eq!(lengths.collect::<Vec<_>>(), [CONTACTS_MAX, 97 - CONTACTS_MAX]);
}

#[test]
fn where_this_node_listens_everybody_hears_at_once_and_whoever_comes_later_too() {
    let mut node = node(&[ME, BOB, CAROL], &[BOB]);
    let me = of(ME, &["m"]);
    assert_eq!(node.handle(Input::Here(me.addresses.clone()), at(0)), [send(BOB, vec![me.clone()])]);
    assert_eq!(node.handle(Input::Connected(public(CAROL)), at(1)), [send(CAROL, vec![me.clone()])]);
    assert_eq!(node.handle(Input::Here(me.addresses), at(9)), [], "it is where it was");
    assert_eq!(node.handle(Input::Roster(roster([BOB, CAROL])), at(9)), []);
    let moved = of(ME, &["m", "relayed"]);
    let told = [send(BOB, vec![moved.clone()]), send(CAROL, vec![moved.clone()])];
    let mut heard = node.handle(Input::Here(moved.addresses), at(9));
    heard.sort_by_key(|output| *output != told[0]);
    assert_eq!(heard, told);
}

#[test]
fn what_a_peer_says_of_itself_is_no_rumour() {
    let mut node = node(&[ME, BOB, CAROL], &[BOB]);
    let contacts = vec![of(BOB, &["b"]), of(CAROL, &["c"]), of(ME, &["m"])];
    let told =
        [Output::Introduced(of(BOB, &["b"])), Output::Try { peer: public(BOB), contact: of(CAROL, &["c"]) }];
    assert_eq!(node.handle(heard(BOB, contacts), at(0)), told);
}

#[test]
fn two_nodes_alone_have_nothing_to_tell_each_other() {
    let mut node = node(&[ME, BOB], &[BOB]);
    assert_eq!(node.handle(Input::Known(of(BOB, &["b"])), at(0)), [Output::Keep(of(BOB, &["b"]))]);
    assert_eq!(node.handle(Input::Connected(public(BOB)), at(1)), []);
}

#[test]
fn a_member_that_moves_all_the_time_is_told_of_now_and_then() {
    let mut node = node(&[ME, BOB, CAROL], &[CAROL]);
    let soonest = SPREAD_SOONEST.as_secs();
    let mut told = 0;
    for second in 0..4 * soonest {
        let now = second.to_string();
        let outputs = [Input::Known(of(BOB, &[&now])), Input::Tick].map(|it| node.handle(it, at(second)));
        let outputs = outputs.concat();
        told += outputs.len();
        if let Some(first) = outputs.first() {
            assert_eq!(first, &Output::Keep(of(BOB, &[&now])), "the newest");
        }
    }
    assert_eq!(told, 2 * 4);
}

#[test]
fn what_a_peer_says_of_others_is_tried_and_neither_kept_nor_told_further() {
    let mut node = node(&[ME, BOB, CAROL, 4], &[BOB, 4]);
    let carol = of(CAROL, &["c"]);
    let tried = node.handle(heard(BOB, vec![of(ME, &["m"]), carol.clone()]), at(0));
    assert_eq!(tried, [Output::Try { peer: public(BOB), contact: carol }]);
    assert_eq!(node.handle(Input::Tick, at(9)), []);
    assert_eq!(node.handle(Input::Connected(public(4)), at(9)), []);
}

#[test]
fn an_address_that_comes_before_its_certificate_is_tried_when_that_is_here() {
    let mut node = node(&[ME, BOB], &[BOB]);
    let carol = of(CAROL, &["c"]);
    assert_eq!(node.handle(heard(BOB, vec![carol.clone()]), at(0)), []);
    let tried = node.handle(Input::Roster(roster([ME, BOB, CAROL])), at(1));
    assert_eq!(tried, [Output::Try { peer: public(BOB), contact: carol }]);
    assert_eq!(early(&node), 0);
}

#[test]
fn of_nodes_that_nobody_knows_few_are_remembered_and_none_when_their_teller_left() {
    let mut node = node(&[ME, BOB], &[BOB]);
    for round in 0..4 {
        let strangers = (0..CONTACTS_MAX).map(|n| {
            let mut bytes = [round; 32];
            bytes[0] = u8::try_from(n).expect("few");
            Contact { node: PublicKey::from_bytes(bytes), ..of(BOB, &["x"; ADDRESSES_MAX]) }
        });
        assert_eq!(node.handle(heard(BOB, strangers.collect()), at(0)), []);
        assert_eq!(early(&node), EARLY_MAX);
    }
    node.handle(Input::Disconnected(public(BOB)), at(0));
    assert_eq!(early(&node), 0);
}

#[test]
fn who_left_the_roster_is_not_told_of() {
    let mut node = node(&[ME, BOB, CAROL], &[]);
    node.handle(Input::Known(of(CAROL, &["c"])), at(0));
    node.handle(Input::Known(of(9, &["stranger"])), at(0));
    node.handle(Input::Roster(roster([ME, BOB])), at(0));
    assert_eq!(node.handle(Input::Connected(public(BOB)), at(0)), []);
    assert_eq!(node.handle(Input::Tick, at(0)), []);
}

#[test]
fn who_was_revoked_is_not_told_of_nor_tried_also_after_a_restart() {
    let left = roster_without([ME, BOB, CAROL], Some(CAROL));
    assert!(left.belongs(public(BOB)) && !left.belongs(public(CAROL)) && !left.belongs(public(9)));
    let mut told = node(&[ME, BOB, CAROL], &[]);
    told.handle(Input::Known(of(CAROL, &["c"])), at(0));
    told.handle(Input::Roster(Arc::clone(&left)), at(0));
    let restarted = Contacts::new(public(ME), left, [of(CAROL, &["c"])]);
    for mut node in [told, restarted] {
        assert_eq!(node.handle(Input::Connected(public(BOB)), at(0)), []);
        assert_eq!(node.handle(heard(BOB, vec![of(CAROL, &["c"])]), at(0)), []);
    }
}

#[test]
fn a_peer_that_floods_or_talks_nonsense_is_dropped() {
    let mut flooded = node(&[ME, BOB], &[BOB]);
    let large = vec![of(CAROL, &["an address of about thirty bytes"; ADDRESSES_MAX]); CONTACTS_MAX];
    let Input::Received { peer, bytes } = heard(BOB, large) else { unreachable!("it was just made") };
    let mut said_bytes = 0;
    let dropped = loop {
        said_bytes += bytes.len() as u64;
        if let [dropped] = flooded.handle(Input::Received { peer, bytes: bytes.clone() }, at(0)).as_slice() {
            break dropped.clone();
        }
    };
    assert_eq!(dropped, Output::Drop { peer, reason: Misdeed::Flood });
    assert!(said_bytes <= BYTES_BURST + bytes.len() as u64);
    assert_eq!(flooded.handle(heard(BOB, vec![]), at(0)), [], "it is not heard any more");

    let mut bored = node(&[ME, BOB], &[BOB]);
    let nonsense = || Input::Received { peer: public(BOB), bytes: b"\x01nonsense".to_vec() };
    for _ in 1..SCORE_MAX / Misdeed::Malformed.weight() {
        assert_eq!(bored.handle(nonsense(), at(0)), []);
    }
    let dropped = Output::Drop { peer: public(BOB), reason: Misdeed::Malformed };
    assert_eq!(bored.handle(nonsense(), at(0)), [dropped]);
}
