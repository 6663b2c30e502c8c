//! What is said when a node changes its key, and what the root says, as the service of the timeline says it.

use std::collections::BTreeMap;

use xyn_store::Timestamp;
use xyn_store::audit::key::NodeKey;
use xyn_store::audit::signature::PublicKey;
use xyn_store::timeline::feed::FeedId;
use xyn_store::trust::{
    Certificate, Claim, Head, Placed, Roster, Seat, SignedStatement, Statement, Succession,
};
use xyn_store::{Reader, StoreError};

use super::Shelf;
#[cfg(test)]
use super::flaws::Deaf;

/// The word that gives a key the seat of another.
pub(crate) struct Confirmation {
    pub(crate) bytes: Vec<u8>,
    /// What counts of the old key.
    pub(crate) last: BTreeMap<FeedId, Head>,
    /// Whether the root says it, and not a member.
    pub(crate) is_roots: bool,
}

impl Shelf {
    /// The last word under this node's key: that `next` takes its seat. None where it has none, or cannot be read.
    pub(crate) fn farewell(&self, next: &NodeKey, now: Timestamp) -> Option<Vec<u8>> {
        let old = self.key.public();
        let member = self.roster.admit(old, now).ok()?;
        let certificate = member.farewell_to((self.env, &self.key, next), self.last_of(old)?, old);
        Some(self.state(&self.key, certificate, now)?.as_bytes().to_vec())
    }

    /// The last records that are here of whoever goes, or went, by `key`. None where they cannot be read.
    pub(crate) fn last_of(&self, key: PublicKey) -> Option<BTreeMap<FeedId, Head>> {
        self.base.read().and_then(|reader| reader.last_records(&self.roster.succession(key), None)).ok()
    }

    /// The word that confirms the last one of `old`, where there is one: this node's where it ranks above that, else
    /// the `root`'s.
    pub(crate) fn confirmation(
        &self,
        old: PublicKey,
        root: &NodeKey,
        now: Timestamp,
    ) -> Option<Confirmation> {
        let statements = self.heard(&self.base.read().ok()?).ok()?;
        let is_roots = !self.roster.ranks_above(self.key.public(), old);
        let issuer = if is_roots { root } else { &self.key };
        let certificate = self.roster.confirmation(&statements, old, issuer.public())?;
        let Seat::Succeeding(Succession { last, .. }) = certificate.seat.clone() else { return None };
        let signed = self.state(issuer, certificate, now)?;
        Some(Confirmation { bytes: signed.as_bytes().to_vec(), last, is_roots })
    }

    /// Who belongs, and what the root said that this node is to say too.
    pub(super) fn members(&self, reader: &Reader) -> Result<(Roster, Vec<SignedStatement>), StoreError> {
        let (statements, forks) = (self.heard(reader)?, reader.fork_cuts()?);
        let roster = |forks| Roster::fold(self.env, self.certificates.iter().chain(&statements), forks);
        #[cfg(test)]
        let forks = self.flaws.cuts(forks, roster, &self.roster);
        let roster = roster(forks);
        #[cfg(test)]
        if self.flaws.is_mum {
            return Ok((roster, Vec::new()));
        }
        let unsaid = roster.unsaid(&statements, self.own).into_iter().cloned().collect();
        Ok((roster, unsaid))
    }

    fn state(&self, key: &NodeKey, certificate: Certificate, now: Timestamp) -> Option<SignedStatement> {
        let claim = Claim::Certificate(certificate);
        Statement { env: self.env, issuer: key.public(), issued_at: now, claim }.sign(key).ok()
    }

    /// The statements that are here.
    pub(super) fn heard(&self, reader: &Reader) -> Result<Vec<Placed>, StoreError> {
        #[cfg(test)]
        if self.flaws.deaf != Deaf::No {
            let heard = reader.statements(self.env)?.into_iter();
            return Ok(heard.filter(|placed| self.flaws.deaf.hears(placed)).collect());
        }
        reader.statements(self.env)
    }
}
