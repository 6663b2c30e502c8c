//! A rebuild reads nothing that it is about to make: whatever is missing, and wherever it was cut short, it comes to
//! the rows that stood there.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::node::{Node, all};
use super::world::{Author, entries, env, moment};
use crate::audit::key::NodeKey;
use crate::envelope::Envelope;
use crate::projection::Changes;
use crate::rebuild::{self, Projector};
use crate::scope::Principal;
use crate::simulation::{Dice, Disk, Survival};
use crate::tables::Table;
use crate::timeline::feed::FeedId;
use crate::timeline::fork::Proof;
use crate::timeline::record::{Body, Record};
use crate::timeline::recut::STEP;
use crate::timeline::{Bytes, first_certificate};
use crate::trust::{
    Certificate, Claim, Cut, EnvId, Head, Placed, Revocation, Role, Roster, Seat, SignedStatement, Statement,
};
use crate::{StoreError, Timestamp};

/// The journal has nothing to say here.
struct Silent;

impl Projector for Silent {
    fn project(
        &mut self,
        _: u64,
        _: &Envelope,
        _: &mut Changes,
    ) -> Result<Vec<Cow<'static, str>>, StoreError> {
        Ok(Vec::new())
    }
}

fn root() -> NodeKey {
    NodeKey::from_secret([200; 32])
}

fn environment() -> EnvId {
    EnvId::rooted_in(env())
}

fn say(author: &mut Author, statement: &SignedStatement) -> Record {
    author.write(moment(1), Body::Statement(Bytes(statement.as_bytes().to_vec())))
}

fn claim(issuer: &Author, claim: Claim) -> SignedStatement {
    let key = issuer.key();
    let statement = Statement { env: environment(), issuer: key.public(), issued_at: moment(1).at, claim };
    statement.sign(&key).expect("signs")
}

fn invite(issuer: &Author, node: &NodeKey) -> SignedStatement {
    let seat = Seat::Under(issuer.key().public());
    let consent = seat.agree(environment(), node);
    let principal = Principal::new("p@home");
    let seated =
        Certificate { node: node.public(), seat, principal, role: Role::User, expires: None, consent };
    claim(issuer, Claim::Certificate(seated))
}

fn revoke(issuer: &Author, node: &NodeKey, last: BTreeMap<FeedId, Head>) -> SignedStatement {
    let revocation = Revocation { node: node.public(), last, reason: "lost laptop".into() };
    claim(issuer, Claim::Revocation(revocation))
}

/// A node of a team: Bob was revoked behind his second moment, Carol wrote two records under one number, of Dave only
/// the certificate is known that the node was told of, and the node itself was put out before it wrote anything.
fn team(disk: &Disk) -> Node {
    let mut node = Node::on(disk.opener());
    let [mut ada, mut bob, mut carol, dave] = [1, 2, 3, 4].map(|secret| Author::new(secret, 1));
    let first = first_certificate(&root(), &ada.key(), Principal::local_operator(), Timestamp::EPOCH);
    let moments = entries(&mut bob, 4);
    let second = Head { seq: 2, hash: moments[1].hash };
    let statements = [
        first.expect("signs"),
        invite(&ada, &bob.key()),
        invite(&ada, &carol.key()),
        invite(&ada, node.store.key()),
        revoke(&ada, &bob.key(), [(bob.feed, second)].into()),
        revoke(&ada, node.store.key(), BTreeMap::new()),
    ];
    let mut said: Vec<Record> = statements.iter().map(|statement| say(&mut ada, statement)).collect();
    said.extend([ada.entry(moment(20), "by ada")]);
    let late = invite(&ada, &dave.key());
    let place = say(&mut ada, &late);
    let record = Head { seq: place.seq, hash: place.hash };
    let told = Placed { statement: late, place: Some(crate::trust::Place { feed: ada.feed, record }) };
    let before = carol.entry(moment(21), "by carol");
    let mut twin = carol.clone();
    let branches = [carol.entry(moment(22), "one"), twin.entry(moment(22), "other")];
    let [one, other] = branches.each_ref().map(|end| carol.frame(std::slice::from_ref(end)));
    let proof = Proof::new(&env(), one, other).expect("they contradict");
    node.admit(&[ada.frame(&said), bob.frame(&moments), carol.frame(&[before, branches[0].clone()])]);
    let reader = node.store.read().expect("reads");
    let (mut changes, _) =
        node.timeline.admit_proof(&reader, &proof, node.now, |_| Cut::Nowhere).expect("keeps it");
    drop(reader);
    changes.put_environment(environment());
    changes.put_told(&told);
    node.commit(changes);
    let roster = roster(&node);
    let reader = node.store.read().expect("reads");
    let recut = node.timeline.recut(&reader, |feed| roster.cut(*feed), STEP).expect("recuts");
    drop(reader);
    assert!(recut.is_done);
    node.commit(recut.changes);
    let silenced = node.timeline.silence();
    node.commit(silenced);
    assert!(roster.member(dave.key().public()).is_some() && roster.is_out(node.store.key().public()));
    assert_eq!(all(&node), ["entry 0", "entry 1", "by ada", "by carol"]);
    node
}

fn roster(node: &Node) -> Roster {
    node.store.read().expect("reads").roster(environment()).expect("reads")
}

#[test]
fn a_rebuild_needs_no_row_that_it_makes() {
    let node = team(&Disk::default());
    let (rows, members) = (node.rows(), roster(&node));
    let each = Table::TIMELINE_DERIVED.iter().map(std::slice::from_ref);
    // All of them empty, and the marker: what a kill leaves right after they were emptied.
    for tables in each.chain([Table::TIMELINE_DERIVED.as_slice()]) {
        let engine = node.store.engine().expect("open");
        rebuild::clear(&engine, tables).expect("clears");
        node.store.rebuild(&mut Silent, |_| {}).expect("rebuilds");
        assert!(node.rows() == rows, "without {tables:?}");
        assert_eq!(roster(&node), members);
        assert!(!node.store.is_half_rebuilt().expect("reads"));
    }
}

#[test]
fn a_rebuild_that_was_cut_short_is_known_as_such_and_a_second_one_ends_it() {
    let disk = Disk::default();
    let node = team(&disk);
    let rows = node.rows();
    let mut folder = node.shut_down();
    let image = disk.after_power_cut(Survival::All, &mut Dice::new(0));
    let (mut cut, mut halves) = (1, 0);
    loop {
        let disk = Disk::holding(image.clone());
        let node = Node::in_folder(folder, disk.opener());
        let from = disk.operations();
        disk.cut_at(from + cut);
        let result = node.store.rebuild(&mut Silent, |_| {});
        folder = node.shut_down();
        let is_dark = disk.is_dark();
        assert!(is_dark || result.is_ok(), "with power it ends: {result:?}");
        let disk = Disk::holding(disk.after_power_cut(Survival::None, &mut Dice::new(cut)));
        let node = Node::in_folder(folder, disk.opener());
        if node.store.is_half_rebuilt().expect("reads") {
            halves += 1;
            node.store.rebuild(&mut Silent, |_| {}).expect("rebuilds");
        }
        assert!(node.rows() == rows, "cut at operation {cut}");
        if !is_dark {
            break;
        }
        folder = node.shut_down();
        cut += 1;
    }
    assert!(halves > 3, "the power went between the steps of a rebuild {halves} times only");
}
