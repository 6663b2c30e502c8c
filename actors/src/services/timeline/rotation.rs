//! A node changes its key: its last word under the old one, and the word of a node above it that makes it count.
//!
//! Owns what must hold before either is signed. Writes nothing: the desk puts statement and event in one append, and
//! the store changes the keys at the node's next start. Invariant: who a member is and what it may do stays as it
//! is, whatever its last word says.

use std::path::Path;

use xyn_store::audit::key::NodeKey;
use xyn_store::audit::signature::PublicKey;
use xyn_store::timeline::feed::FeedId;
use xyn_store::trust::{Claim, Roster};
use xyn_store::{Reader, StoreError, Timestamp};

use super::members::MemberError;
use super::{Service, TimelineError};
use crate::services::mesh::Event;

/// The root's key, where it is kept in `folder`: then nobody else needs to confirm a new key of this node.
pub(super) fn root(folder: &Path, roster: &Roster) -> Result<Option<NodeKey>, StoreError> {
    Ok(NodeKey::root(folder)?.filter(|root| root.public() == roster.env().root()))
}

/// Hands the seat of `key`, which writes the feed `own`, to the key that is prepared in `folder`. Where the root says
/// so it is done; said by `key` it is the node's last word, and waits for one that ranks above it.
pub(super) fn leave(
    reader: &Reader,
    folder: &Path,
    (key, own): (&NodeKey, FeedId),
    roster: &Roster,
    issuer: PublicKey,
    now: Timestamp,
) -> Result<(Claim, Event), TimelineError> {
    let (env, old) = (roster.env(), key.public());
    let member = roster.admit(old, now).map_err(MemberError::from)?;
    let next = NodeKey::prepare_next(folder).map_err(StoreError::from)?;
    // Its last word stands behind what it names of this feed.
    let last = reader.last_records(&roster.succession(old), Some(own))?;
    let certificate = member.farewell_to((env, key, &next), last, issuer);
    Ok((Claim::Certificate(certificate), Event::Rotated { node: old, successor: next.public() }))
}

/// Confirms the last word of `node`: the key that it names takes its seat, as it was.
pub(super) fn confirm(
    reader: &Reader,
    issuer: PublicKey,
    roster: &Roster,
    node: PublicKey,
) -> Result<(Claim, Event), TimelineError> {
    roster.member(node).ok_or(MemberError::Stranger(node))?;
    if !roster.ranks_above(issuer, node) {
        return Err(MemberError::NotAbove(node).into());
    }
    let statements = reader.statements(roster.env())?;
    let certificate = roster.confirmation(&statements, node, issuer).ok_or(MemberError::NotLeaving(node))?;
    let event = Event::Rotated { node, successor: certificate.node };
    Ok((Claim::Certificate(certificate), event))
}

impl Service {
    /// Is done when this node's seat is that of the key prepared in its folder: from then on only a start under
    /// that key goes on.
    pub(crate) async fn handed_over(&self) {
        let mut news = self.news();
        loop {
            news.mark_unchanged();
            let (own, heir) = (self.own().node, self.roster().heir(self.own().node));
            if heir != own {
                match NodeKey::next(self.store.folder()) {
                    Ok(Some(next)) if next.public() == heir => return,
                    Ok(_) => tracing::error!(%heir, "this node's seat is another key's, which is not here"),
                    Err(error) => tracing::error!(%error, "the key that has this node's seat cannot be read"),
                }
            }
            if news.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }
}
