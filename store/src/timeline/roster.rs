//! The roster as the timeline's records tell it, and the environment that a folder belongs to.
//!
//! Owns finding statements again and where they stand. What they add up to is for [`Roster::fold`] to say.
//! Invariant: a folder belongs to one environment, and says so in the transaction of its first record.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::Bytes;
use super::draft::Draft;
use super::feed::FeedId;
use super::rows;
use crate::Reader;
use crate::audit::key::NodeKey;
use crate::audit::signature::PublicKey;
use crate::clock::Timestamp;
use crate::digest::Digest;
use crate::error::StoreError;
use crate::projection::{Changes, Row};
use crate::reader::{Order, decode};
use crate::scope::Principal;
use crate::tables::{Key, Table};
use crate::trust::{
    Certificate, Claim, Cut, EnvId, HEADS_MAX, Head, InvalidStatement, Place, Placed, Role, Roster, Seat,
    SignedStatement, Statement,
};

const ENVIRONMENT: &[u8] = b"environment";

impl Changes {
    /// Says which environment this folder belongs to.
    pub fn put_environment(&mut self, env: EnvId) {
        self.put_bytes(Table::Meta, Key::new().bytes(ENVIRONMENT), env.root().as_bytes().to_vec());
    }
}

/// A statement that a newcomer takes at its word until its record is here.
#[derive(Serialize, Deserialize)]
struct Told {
    bytes: Bytes,
    place: Option<Place>,
}

impl Row for Told {
    const TABLE: Table = Table::TimelineTold;

    fn key(&self) -> Key {
        Key::new().bytes(Digest::of(&self.bytes.0).as_bytes())
    }
}

impl Changes {
    /// Keeps what a newcomer is told: the statements by which it sees itself and others as members before it
    /// has a single record.
    pub fn put_told(&mut self, placed: &Placed) {
        self.put(&Told { bytes: Bytes(placed.statement.as_bytes().to_vec()), place: placed.place });
    }
}

impl Reader {
    /// The environment this folder belongs to; none before it founded or joined one.
    pub fn environment(&self) -> Result<Option<EnvId>, StoreError> {
        let Some(bytes) = self.get_raw(Table::Meta, ENVIRONMENT)? else { return Ok(None) };
        let root = <[u8; 32]>::try_from(bytes.as_slice())
            .map_err(|_| StoreError::Inconsistent("an environment's id is not 32 bytes".into()))?;
        Ok(Some(EnvId::rooted_in(PublicKey::from_bytes(root))))
    }

    /// What the statements of `env` that are here add up to.
    pub fn roster(&self, env: EnvId) -> Result<Roster, StoreError> {
        Ok(Roster::fold(env, &self.statements(env)?, self.fork_cuts()?))
    }

    /// Every statement about `env` that is known here, each with the record that carries it, also those that
    /// this node was told and whose records are still to come.
    pub fn statements(&self, env: EnvId) -> Result<Vec<Placed>, StoreError> {
        let mut statements = self.recorded(env)?;
        statements.extend(self.told(env)?);
        Ok(statements)
    }

    /// What is heard in records, also in those of feeds that are cut: what counts is known once all is heard.
    fn recorded(&self, env: EnvId) -> Result<Vec<Placed>, StoreError> {
        let (mut statements, mut after) = (Vec::new(), None::<Key>);
        while let Some(key) = {
            let after = after.as_ref().map(Key::as_bytes);
            self.first_key(Table::TimelineStatements, &[], after, Order::Ascending)?
        } {
            let (feed, _) = rows::read_record_key(&key)?;
            statements.extend(self.stated(env, feed)?.statements);
            // What else it says is not even walked over.
            after = Some(rows::record_key(&feed, u64::MAX));
        }
        Ok(statements)
    }

    /// The statements that this node was told when it joined, and whose records are not here yet.
    fn told(&self, env: EnvId) -> Result<Vec<Placed>, StoreError> {
        let mut told = Vec::new();
        self.scan(Table::TimelineTold, &[], None, Order::Ascending, |_, value| {
            let Told { bytes, place } = decode::<Told>(value)?;
            if let Ok(statement) = SignedStatement::decode(&bytes.0, env) {
                told.push(Placed { statement, place });
            }
            Ok(true)
        })?;
        let heads: BTreeMap<FeedId, u64> =
            self.feeds()?.into_iter().map(|row| (row.feed, row.head.seq)).collect();
        // Where the record is here, it speaks for itself.
        let is_awaited = |place: Place| heads.get(&place.feed).is_none_or(|seq| *seq < place.record.seq);
        told.retain(|placed| placed.place.is_none_or(is_awaited));
        Ok(told)
    }

    /// The last records of a node that others have from here, by feed; it goes, or went, by these `keys`. Of more feeds
    /// than a statement names those with the most records, and `present` before all others; the rest do not count any
    /// more. A node begins a feed with each life of its folder, so whoever has so many made them up, and must not be
    /// safe behind them.
    pub fn last_records(
        &self,
        keys: &BTreeSet<PublicKey>,
        present: Option<FeedId>,
    ) -> Result<BTreeMap<FeedId, Head>, StoreError> {
        let mut last = Vec::new();
        for row in self.feeds()?.into_iter().filter(|row| keys.contains(&row.feed.node)) {
            last.extend(self.last_shared(&row)?.map(|head| (row.feed, head)));
        }
        last.sort_by_key(|(feed, head)| Reverse((Some(*feed) == present, head.seq)));
        if last.len() > HEADS_MAX {
            tracing::warn!(
                feeds = last.len(),
                named = HEADS_MAX,
                "what is in the shortest feeds of a node does not count any more"
            );
        }
        last.truncate(HEADS_MAX);
        Ok(last.into_iter().collect())
    }

    /// Where feeds end because their author wrote two records under one number.
    pub fn fork_cuts(&self) -> Result<BTreeMap<FeedId, Cut>, StoreError> {
        let forked = self.feeds()?.into_iter().filter_map(|row| Some((row.feed, row.fork?)));
        // The fork is proved for a feed, not for an environment, and a hash is read without one.
        let draft = Draft::new(PublicKey::from_bytes([0; 32]), self);
        let cut = |(feed, seq): (FeedId, u64)| {
            let Some(last) = seq.checked_sub(1).filter(|last| *last > 0) else {
                return Ok(Some((feed, Cut::Everything)));
            };
            // The proof may be here before the records: then the feed's own limit holds until they come.
            let hash = draft.hash(&feed, last)?;
            Ok(hash.map(|hash| (feed, Cut::After { seq: last, hash })))
        };
        forked.filter_map(|fork| cut(fork).transpose()).collect()
    }
}

/// The first certificate of an environment: by its `root`, for the node that founds it. The root writes no
/// feed, so nobody could write a record that counts before this one.
pub fn first_certificate(
    root: &NodeKey,
    node: &NodeKey,
    principal: Principal,
    now: Timestamp,
) -> Result<SignedStatement, InvalidStatement> {
    let env = EnvId::rooted_in(root.public());
    let seat = Seat::Under(root.public());
    let consent = seat.agree(env, node);
    let certificate =
        Certificate { node: node.public(), seat, principal, role: Role::OwnerAdmin, expires: None, consent };
    let claim = Claim::Certificate(certificate);
    Statement { env, issuer: root.public(), issued_at: now, claim }.sign(root)
}

#[cfg(test)]
mod tests {
    use super::super::fork::Proof;
    use super::super::heard::STATEMENTS_PER_FEED;
    use super::super::log::{Saying, Timeline};
    use super::super::record::Body;
    use super::super::tests::node::{Node, admitted};
    use super::super::tests::world::{self, Author, entries, moment};
    use super::*;

    fn key(seed: u8) -> NodeKey {
        NodeKey::from_secret([seed; 32])
    }

    #[test]
    fn records_before_a_fork_are_taken_also_when_its_proof_came_first() {
        let mut author = Author::new(3, 1);
        let before = entries(&mut author, 4);
        let (mut one, mut other) = (author.clone(), author.clone());
        let ends = [one.entry(moment(9), "one"), other.entry(moment(9), "other")];
        let frames = ends.map(|end| author.frame(&[end]));
        let [one, other] = frames;
        let proof = Proof::new(&world::env(), one, other).expect("they contradict");
        let mut node = Node::new();
        let reader = node.store.read().expect("reads");
        let (changes, _) =
            node.timeline.admit_proof(&reader, &proof, node.now, |_| Cut::Nowhere).expect("keeps it");
        drop(reader);
        node.commit(changes);
        let cuts = node.store.read().expect("reads").fork_cuts().expect("reads");
        node.recut(&cuts);
        assert_eq!(admitted(&node.admit(&[author.frame(&before)])[0]), (1, 4));
        let last = Cut::After { seq: 4, hash: before[3].hash };
        let cuts = node.store.read().expect("reads").fork_cuts().expect("reads");
        assert_eq!(cuts, BTreeMap::from([(author.feed, last)]));
    }

    #[test]
    fn the_founder_is_a_member_whose_whole_feed_counts_and_strangers_have_no_cut_but_everything() {
        let (root, founder) = (key(1), key(2));
        let env = EnvId::rooted_in(root.public());
        let feed = FeedId { node: founder.public(), incarnation: 1 };
        let node = Node::new();
        let reader = node.store.read().expect("reads");
        assert_eq!(reader.environment().expect("reads"), None);
        let mut timeline = Timeline::open(&reader, env.root(), feed).expect("opens");
        let certificate =
            first_certificate(&root, &founder, Principal::local_operator(), Timestamp::EPOCH).expect("signs");
        let saying = Saying::Statement(certificate.as_bytes().to_vec());
        let noise = Saying::Statement(b"noise".to_vec());
        let written = timeline.say(&founder, Timestamp::EPOCH, vec![noise, saying]).expect("writes");
        let mut changes = written.changes;
        changes.put_environment(env);
        node.commit(changes);
        let reader = node.store.read().expect("reads");
        assert_eq!(reader.environment().expect("reads"), Some(env));
        let roster = reader.roster(env).expect("reads");
        assert_eq!(roster.cut(feed), Cut::Nowhere);
        assert_eq!(roster.member(founder.public()).expect("a member").role, Role::OwnerAdmin);
        let stranger = FeedId { node: key(3).public(), incarnation: 1 };
        assert_eq!(roster.cut(stranger), Cut::Everything);
    }

    #[test]
    fn a_member_that_never_stops_stating_is_heard_so_far_in_each_feed_and_the_root_through_it() {
        let (root, mut node) = (key(200), Node::new());
        let env = EnvId::rooted_in(world::env());
        let certificate = |by: &NodeKey, who: &NodeKey| {
            let certificate = first_certificate(&root, who, Principal::local_operator(), Timestamp::EPOCH);
            let Claim::Certificate(said) = certificate.expect("signs").statement().claim.clone() else {
                unreachable!("it was made as one")
            };
            let claim = Claim::Certificate(said);
            let statement = Statement { env, issuer: by.public(), issued_at: Timestamp::EPOCH, claim };
            statement.sign(by).expect("signs").as_bytes().to_vec()
        };
        // Another program than this one may write as many as it likes.
        let mut write = |mut author: Author, noise: usize, last: &[Vec<u8>]| {
            let bodies = std::iter::repeat_n(b"noise".to_vec(), noise).chain(last.iter().cloned());
            let records: Vec<_> =
                bodies.map(|bytes| author.write(moment(1), Body::Statement(Bytes(bytes)))).collect();
            let frames: Vec<_> = records.chunks(1024).map(|records| author.frame(records)).collect();
            node.admit(&frames);
            author.feed
        };
        let (bore, other) = (Author::new(2, 1).key(), Author::new(3, 1).key());
        let (own, roots) = (certificate(&bore, &other), certificate(&root, &bore));
        // The feed with the lowest number was written last, to push out what the key said before.
        let said = write(Author::new(2, 7), STATEMENTS_PER_FEED - 1, &[own.clone(), roots.clone()]);
        let first = write(Author::new(2, 0), STATEMENTS_PER_FEED + 1, std::slice::from_ref(&roots));
        let late = write(Author::new(3, 1), STATEMENTS_PER_FEED, &[roots.clone(), own]);
        // The root's are counted too: whoever carries them may carry one of them again and again.
        let again = write(Author::new(4, 1), 0, &vec![roots; STATEMENTS_PER_FEED + 1]);
        let reader = node.store.read().expect("reads");
        let heard = reader.statements(env).expect("reads");
        let issuers = |feed: FeedId| -> Vec<PublicKey> {
            let places = heard.iter().filter(|it| it.place.is_some_and(|at| at.feed == feed));
            places.map(|it| it.statement.statement().issuer).collect()
        };
        assert_eq!(issuers(said), [bore.public(), root.public()], "the last of its own, and the root's");
        assert_eq!(issuers(first), [], "behind one too many");
        assert_eq!(issuers(late), [root.public()], "its own came one too late");
        assert_eq!(issuers(again).len(), STATEMENTS_PER_FEED);
    }
}
