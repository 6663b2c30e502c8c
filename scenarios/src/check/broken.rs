//! The laws, by how each is broken.
//!
//! Owns the words. Judges nothing. Invariant: each names the nodes it is about.

use serde::Serialize;

/// A law that was broken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum Broken {
    /// Something is kept that its author never signed.
    #[error("node {node} keeps record {seq} of a feed of node {author}, which {author} never signed")]
    Unauthorised {
        /// Who keeps it.
        node: usize,
        /// In whose name.
        author: usize,
        /// Which record.
        seq: u64,
    },
    /// Something counts that the roster does not admit.
    #[error("node {node} counts record {seq} of a feed of node {author}, past its cut at {cut}")]
    PastCut {
        /// Who counts it.
        node: usize,
        /// Whose feed.
        author: usize,
        /// Which record.
        seq: u64,
        /// The last record that counts.
        cut: u64,
    },
    /// Something was refused as past a cut that is not there, or is no more.
    #[error("node {node} refused record {seq} of node {author} as past a cut, and knows of none before it")]
    Misjudged {
        /// Who refused it.
        node: usize,
        /// Whose it is.
        author: usize,
        /// Which record.
        seq: u64,
    },
    /// Something counts that was signed after a key had ended.
    #[error(
        "node {node} counts record {seq} of node {author} under a key of which it knows that it ended with record \
         {last}"
    )]
    Outlived {
        /// Who counts it.
        node: usize,
        /// Whose key it was.
        author: usize,
        /// Which record.
        seq: u64,
        /// The last that the word about the key lets count.
        last: u64,
    },
    /// What was written under a key before it was given up does not count any more.
    #[error(
        "node {node} counts {seq} records of node {author} under a key that it gave up, of which {last} were written"
    )]
    Disowned {
        /// Where they do not count.
        node: usize,
        /// Whose they are.
        author: usize,
        /// How many count.
        seq: u64,
        /// How many there are.
        last: u64,
    },
    /// A node talks to one under a key of which it knows that it ended.
    #[error("node {node} is connected with node {other} under a key of which it knows that it ended")]
    Admitted {
        /// Who.
        node: usize,
        /// With whom.
        other: usize,
    },
    /// Nobody confirmed the key of a node that waits for it.
    #[error("{within} after faults stopped, node {node} still waits for node {by} to confirm its new key")]
    Unconfirmed {
        /// Who waits.
        node: usize,
        /// For whom.
        by: usize,
        /// How long they had.
        within: String,
    },
    /// What was committed is gone.
    #[error(
        "node {node} answered for record {seq} of a feed of node {author}, and does not have it any more"
    )]
    Lost {
        /// Who lost it.
        node: usize,
        /// Whose record.
        author: usize,
        /// Which record.
        seq: u64,
    },
    /// An acknowledged record did not reach a node.
    #[error("record {seq} of node {author} was acknowledged and is not on node {node}")]
    Missing {
        /// Where it is not.
        node: usize,
        /// Whose record.
        author: usize,
        /// Which record.
        seq: u64,
    },
    /// An honest node is taken for one that signs two records under one number.
    #[error("node {node} holds that node {author} forked its feed at record {seq}; it did not")]
    Accused {
        /// Who holds it.
        node: usize,
        /// Of whom.
        author: usize,
        /// Where.
        seq: u64,
    },
    /// An honest node dropped another one for what only a bad one does.
    #[error("node {node} dropped node {other}, which is honest: {why}")]
    Framed {
        /// Who.
        node: usize,
        /// Whom.
        other: usize,
        /// Why.
        why: String,
    },
    /// A limit was passed.
    #[error("node {node} holds {size} {what}, over the limit of {limit}")]
    Overflow {
        /// Who.
        node: usize,
        /// Of what.
        what: &'static str,
        /// How much.
        size: usize,
        /// How much is allowed.
        limit: usize,
    },
    /// Faults stopped, and nodes did not come to the same.
    #[error(
        "{} after faults stopped, node {node} has {has} of a feed of node {author}, and node {other} {others}",
        within
    )]
    Apart {
        /// One.
        node: usize,
        /// The other.
        other: usize,
        /// Whose feed tells them apart.
        author: usize,
        /// What the one has of it.
        has: String,
        /// What the other has of it.
        others: String,
        /// How long they had.
        within: String,
    },
    /// Nodes have the same records and show something else.
    #[error("node {node} and node {other} have the same records and other canonical rows")]
    Differs {
        /// One.
        node: usize,
        /// The other.
        other: usize,
    },
    /// What nodes show is not what the records add up to.
    #[error("the canonical rows of node {node} are not what its records add up to")]
    Misfolded {
        /// Which.
        node: usize,
    },
    /// A node cannot give others what it says it has.
    #[error("node {node} cannot bring the records of a feed of node {author} that it keeps")]
    Unreadable {
        /// Which.
        node: usize,
        /// Whose feed.
        author: usize,
    },
    /// Nodes that agree keep talking.
    #[error("nodes that agree sent {messages} messages in {}, over the limit of {limit}", within)]
    Restless {
        /// How many.
        messages: u64,
        /// How many are allowed.
        limit: u64,
        /// In which time.
        within: String,
    },
    /// A node says that it has content, and has something else.
    #[error("node {node} says it has the content {object}, and has something else")]
    Counterfeit {
        /// Which node.
        node: usize,
        /// What it is not.
        object: String,
    },
    /// A node asks for what it has.
    #[error("node {node} asks for the chunk {chunk}, which it holds")]
    Repeated {
        /// Which node.
        node: usize,
        /// What it has.
        chunk: String,
    },
    /// Content that a neighbour has did not come to a node that wants it.
    #[error("{within} after faults stopped, node {node} lacks the content {root}, which node {holder} has")]
    Unfetched {
        /// Who wants it.
        node: usize,
        /// Who has it.
        holder: usize,
        /// What.
        root: String,
        /// How long they had.
        within: String,
    },
    /// A node holds something else than the capsule on trial.
    #[error("what node {node} has of the capsule does not prove: {why}")]
    Unproved {
        /// Who has it.
        node: usize,
        /// What was found.
        why: String,
    },
    /// A node did not go through all that is done with the capsule on trial.
    #[error("{within} after faults stopped, node {node} has not {lacks} the capsule")]
    Behind {
        /// Which node.
        node: usize,
        /// What it did not do.
        lacks: &'static str,
        /// How long it had.
        within: String,
    },
    /// The capsule on trial came to nobody.
    #[error("node {node} offers the capsule, and no other node could ever have it")]
    Unspread {
        /// Who offers it.
        node: usize,
    },
    /// A ticket let in somebody else than before, or when it was too late.
    #[error("node {node} let node {newcomer} in on a ticket that {}", why)]
    Opened {
        /// Who let in.
        node: usize,
        /// Whom.
        newcomer: usize,
        /// What was wrong with it.
        why: &'static str,
    },
    /// Somebody with a good ticket was sent away.
    #[error("node {node} sent node {newcomer} away, which had a good ticket: {why}")]
    SentAway {
        /// Who did.
        node: usize,
        /// Whom.
        newcomer: usize,
        /// What it said.
        why: String,
    },
    /// Somebody with a ticket was never answered.
    #[error("{within} after faults stopped, node {newcomer} still waits for node {node} to let it in")]
    Outside {
        /// Who is to let it in.
        node: usize,
        /// Who waits.
        newcomer: usize,
        /// How long they had.
        within: String,
    },
    /// Two nodes did not find each other although others know both.
    #[error(
        "{within} after faults stopped, node {node} is not connected with node {other}, of which others told it"
    )]
    Unmet {
        /// Who does not find.
        node: usize,
        /// Whom.
        other: usize,
        /// How long they had.
        within: String,
    },
    /// A node gave its word for two histories of one log.
    #[error(
        "node {node} vouches for {size} records of node {author}, which do not continue what it vouched for"
    )]
    TwoWords {
        /// Who gave it.
        node: usize,
        /// Whose log.
        author: usize,
        /// How long that is.
        size: u64,
    },
    /// An honest node's log is held to be rewritten.
    #[error("node {node} holds that node {author} rewrote its log; it did not: {why}")]
    Suspected {
        /// Who holds it.
        node: usize,
        /// Of whom.
        author: usize,
        /// Why.
        why: String,
    },
    /// A node counts a word that nobody gave.
    #[error("node {node} counts the word of node {witness} for {size} records, which that never gave")]
    Unvouched {
        /// Who counts it.
        node: usize,
        /// Whose word it is said to be.
        witness: usize,
        /// For how much.
        size: u64,
    },
    /// Less happened than the scenario expects: what it is about has no effect.
    #[error("{what} happened {times} times, and {least} times were expected")]
    Toothless {
        /// What.
        what: String,
        /// How often.
        times: u64,
        /// How often at least it was to.
        least: u64,
    },
    /// A base does not open although nothing is wrong with its disk any more.
    #[error("node {node} does not open: {error}")]
    Unopened {
        /// Which.
        node: usize,
        /// Why.
        error: String,
    },
}

/// A law that was broken, and when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Violation {
    /// How many microseconds after the beginning.
    pub at_micros: u64,
    /// After how many events.
    pub step: u64,
    /// Which.
    pub broken: Broken,
}
