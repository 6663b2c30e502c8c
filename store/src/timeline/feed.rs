//! Which feed: the records of one life of one node.

use serde::{Deserialize, Serialize};

use crate::audit::signature::PublicKey;

/// The name of a feed: a node's key and the incarnation of its folder. A restored or cloned folder has a new
/// one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct FeedId {
    /// The node that signs the feed.
    pub node: PublicKey,
    /// The life of its folder.
    pub incarnation: u64,
}
