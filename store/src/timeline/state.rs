//! What a moment is the state of: the workspace, what is deployed where, and where domains lead.
//!
//! Owns the index of moments that change a state, by what they change, so that the state at any moment is a few
//! look-ups however long the timeline is. Invariant: the state at a moment is what the last change of each
//! thing said, on its branch or, before that began, on the one it began at.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::board::{Board, View};
use super::canonical::Moment;
use super::entry::{Branch, Entry, Kind, Note};
use super::rows;
use crate::Reader;
use crate::error::StoreError;
use crate::ids::EntryId;
use crate::reader::Order;
use crate::scope::Stage;
use crate::tables::{Key, Table};

/// Branches that began at one another, looked at for one state.
const BRANCHES_MAX: usize = 64;
/// Things that one state has.
pub const FACETS_MAX: usize = 4_096;

/// A thing that moments change. Variants are append-only.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Facet {
    /// The tree of files.
    Workspace,
    /// What is deployed in a stage of an environment.
    Deployed(String, Stage),
    /// Where a domain leads.
    Domain(String),
}

/// A state: for each thing, the moment that made it what it is.
pub type State = BTreeMap<Facet, Entry>;

impl Note {
    /// What the moment changes.
    pub fn facets(&self) -> Vec<Facet> {
        let refs = &self.refs;
        let deploys = matches!(self.kind, Kind::Deploy | Kind::Rollback | Kind::Promote);
        let deployed = refs.env.clone().zip(refs.stage).filter(|_| deploys && refs.capsule.is_some());
        let domain = refs.domain.clone().filter(|_| self.kind == Kind::Domain);
        let workspace = refs.after.map(|_| Facet::Workspace);
        let deployed = deployed.map(|(env, stage)| Facet::Deployed(env, stage));
        [workspace, deployed, domain.map(Facet::Domain)].into_iter().flatten().collect()
    }
}

impl Facet {
    /// Before the moments that change it. Its length comes first, so that no facet's key begins with another's.
    fn prefix(&self, branch: &Branch) -> Key {
        let bytes = postcard::to_stdvec(self).expect("plain data always encodes into a growing buffer");
        rows::branch_prefix(branch).u16(bytes.len() as u16).bytes(&bytes)
    }

    /// The key of the row that says that `moment` changes it.
    pub(super) fn key(&self, branch: &Branch, moment: &Moment) -> Key {
        rows::append_moment(self.prefix(branch), moment)
    }
}

impl Reader {
    /// The state at the moment `entry_id`. None when it is not here.
    pub fn state_at(&self, entry_id: EntryId) -> Result<Option<State>, StoreError> {
        let Some(mut moment) = self.place_of(entry_id)? else { return Ok(None) };
        let Some(entry) = self.moment(moment)? else { return Ok(None) };
        let (mut branch, mut state) = (entry.note.branch, State::new());
        for _ in 0..BRANCHES_MAX {
            self.take_changes(&branch, &moment, &mut state)?;
            let base = match self.board(&Board::Branch(branch.clone()))?.map(|row| row.view) {
                Some(View::Branch { base: Some(base), .. }) => self.place_of(base)?,
                _ => None,
            };
            // A branch begins at an earlier moment; what says otherwise leads nowhere.
            let Some(base) = base.filter(|base| *base < moment) else { break };
            let Some(entry) = self.moment(base)? else { break };
            (branch, moment) = (entry.note.branch, base);
        }
        Ok(Some(state))
    }

    /// Adds what was changed last on `branch` up to `moment`, where the state says nothing yet.
    fn take_changes(&self, branch: &Branch, moment: &Moment, state: &mut State) -> Result<(), StoreError> {
        let prefix = rows::branch_prefix(branch);
        let mut after: Option<Vec<u8>> = None;
        while state.len() < FACETS_MAX {
            let mut found = None;
            self.scan(
                Table::TimelineStates,
                prefix.as_bytes(),
                after.as_deref(),
                Order::Ascending,
                |key, _| {
                    let end = key.len().saturating_sub(rows::MOMENT_BYTES);
                    found = Some(key[..end].to_vec());
                    Ok(false)
                },
            )?;
            let Some(facet_prefix) = found else { return Ok(()) };
            let (facet, last) = self.last_change(prefix.as_bytes().len(), &facet_prefix, moment)?;
            if let Some(last) = last
                && !state.contains_key(&facet)
                && let Some(entry) = self.moment(last)?
            {
                state.insert(facet, entry);
            }
            // Behind every moment of this facet.
            after = Some([facet_prefix.as_slice(), &[u8::MAX; rows::MOMENT_BYTES]].concat());
        }
        Ok(())
    }

    fn last_change(
        &self,
        skip: usize,
        facet_prefix: &[u8],
        moment: &Moment,
    ) -> Result<(Facet, Option<Moment>), StoreError> {
        let damaged = || StoreError::Inconsistent("a change of a state cannot be read".into());
        let facet = facet_prefix.get(skip + 2..).ok_or_else(damaged)?;
        let facet = postcard::from_bytes(facet).map_err(|_| damaged())?;
        // The row of `moment` itself is the last that counts: whatever is longer lies behind it.
        let bound = rows::append_moment(Key::new().bytes(facet_prefix), moment).bytes(&[0]);
        let mut last = None;
        self.scan(
            Table::TimelineStates,
            facet_prefix,
            Some(bound.as_bytes()),
            Order::Descending,
            |key, _| {
                last = Some(rows::read_moment(key)?);
                Ok(false)
            },
        )?;
        Ok((facet, last))
    }
}
