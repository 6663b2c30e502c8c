//! What a moment is the state of: the workspaces, what is deployed where, and where domains lead.
//!
//! Owns the index of moments that change a state, by what they change, so that the state at any moment is a few
//! look-ups however long the timeline is. Files belong to a branch; what is deployed and mapped is a fact of the
//! world, whichever branch it was done from. Invariant: the state at a moment is what the last change of each
//! thing said, for files on the moment's branch or, before that began, on the one it began at.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::board::{Board, View};
use super::canonical::Moment;
use super::entry::{Branch, Entry, Kind, Note};
use super::rows;
use crate::Reader;
use crate::digest::Digest;
use crate::error::StoreError;
use crate::ids::EntryId;
use crate::reader::Order;
use crate::scope::Stage;
use crate::tables::{Key, Table};

/// Branches that began at one another, looked at for one state.
const BRANCHES_MAX: usize = 64;
/// Things looked at for one state; of more, the rest is left out and the state says so.
pub const FACETS_MAX: usize = 4_096;

/// A thing that moments change. Variants are append-only.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Facet {
    /// The files of a workspace; none names the only one.
    Workspace(Option<String>),
    /// What is deployed in a stage of an environment.
    Deployed(String, Stage),
    /// Where a domain leads.
    Domain(String),
}

/// A state.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// For each thing, the moment that made it what it is.
    pub made: BTreeMap<Facet, Entry>,
    /// Whether there are more things than [`FACETS_MAX`], and some are left out.
    pub is_cut_short: bool,
}

impl Note {
    /// What the moment changes.
    pub fn facets(&self) -> Vec<Facet> {
        let refs = &self.refs;
        let deploys = matches!(self.kind, Kind::Deploy | Kind::Rollback | Kind::Promote);
        let deployed = refs.env.clone().zip(refs.stage).filter(|_| deploys && refs.capsule.is_some());
        let domain = refs.domain.clone().filter(|_| self.kind == Kind::Domain);
        let workspace = refs.after.map(|_| Facet::Workspace(refs.workspace.clone()));
        let deployed = deployed.map(|(env, stage)| Facet::Deployed(env, stage));
        [workspace, deployed, domain.map(Facet::Domain)].into_iter().flatten().collect()
    }
}

impl Facet {
    /// Before the moments that change it. Its length comes first, so that no facet's key begins with another's.
    fn prefix(&self, branch: &Branch) -> Key {
        let bytes = postcard::to_stdvec(self).expect("plain data always encodes into a growing buffer");
        let line = match self {
            Self::Workspace(_) => rows::branch_prefix(branch),
            Self::Deployed(..) | Self::Domain(_) => world(),
        };
        line.u16(bytes.len() as u16).bytes(&bytes)
    }

    /// The key of the row that says that `moment` changes it.
    pub(super) fn key(&self, branch: &Branch, moment: &Moment) -> Key {
        rows::append_moment(self.prefix(branch), moment)
    }

    /// What `entry`, which changed it, made of it: the root of the files, or a capsule.
    pub fn digest(&self, entry: &Entry) -> Option<Digest> {
        match self {
            Self::Workspace(_) => entry.note.refs.after,
            Self::Deployed(..) | Self::Domain(_) => entry.note.refs.capsule,
        }
    }
}

/// The line of what belongs to no branch: no branch has an empty name.
fn world() -> Key {
    Key::new().text("")
}

impl Reader {
    /// The state at the moment `entry_id`. None when it is not here.
    pub fn state_at(&self, entry_id: EntryId) -> Result<Option<State>, StoreError> {
        let Some(moment) = self.place_of(entry_id)? else { return Ok(None) };
        let Some(entry) = self.moment(moment)? else { return Ok(None) };
        self.state_of(moment, entry.note.branch, &mut { FACETS_MAX }).map(Some)
    }

    /// The state at `moment` of `branch`, as far as `looks` at things go.
    pub(super) fn state_of(
        &self,
        moment: Moment,
        branch: Branch,
        looks: &mut usize,
    ) -> Result<State, StoreError> {
        let mut state = State::default();
        self.take_changes(&world(), &moment, looks, &mut state)?;
        for (branch, moment) in self.lineage(branch, moment)? {
            self.take_changes(&rows::branch_prefix(&branch), &moment, looks, &mut state)?;
        }
        Ok(state)
    }

    /// The branches that `moment` of `branch` stands on, itself first, each with the moment up to which it does.
    pub(super) fn lineage(
        &self,
        mut branch: Branch,
        mut moment: Moment,
    ) -> Result<Vec<(Branch, Moment)>, StoreError> {
        let mut lineage = Vec::new();
        while lineage.len() < BRANCHES_MAX {
            lineage.push((branch.clone(), moment));
            // A branch begins at an earlier moment; what says otherwise leads nowhere.
            match self.base_of(&branch)? {
                Some((base, of)) if base < moment => (branch, moment) = (of, base),
                _ => break,
            }
        }
        Ok(lineage)
    }

    /// The moment that `branch` began at, and the branch of that.
    fn base_of(&self, branch: &Branch) -> Result<Option<(Moment, Branch)>, StoreError> {
        let row = self.board(&Board::Branch(branch.clone()))?;
        let Some(View::Branch { base: Some(base), .. }) = row.map(|row| row.view) else { return Ok(None) };
        let Some(base) = self.place_of(base)? else { return Ok(None) };
        Ok(self.moment(base)?.map(|entry| (base, entry.note.branch)))
    }

    /// Adds what was changed last on `line` up to `moment`, where the state says nothing yet.
    fn take_changes(
        &self,
        line: &Key,
        moment: &Moment,
        looks: &mut usize,
        state: &mut State,
    ) -> Result<(), StoreError> {
        let mut after: Option<Vec<u8>> = None;
        while let Some(facet_prefix) = self.facet_behind(line, after.as_deref())? {
            let Some(left) = looks.checked_sub(1) else {
                state.is_cut_short = true;
                return Ok(());
            };
            *looks = left;
            let facet = read_facet(line, &facet_prefix)?;
            if !state.made.contains_key(&facet)
                && let Some(last) = self.last_change(&facet_prefix, moment)?
                && let Some(entry) = self.moment(last)?
            {
                state.made.insert(facet, entry);
            }
            // Behind every moment of this facet.
            after = Some([facet_prefix.as_slice(), &[u8::MAX; rows::MOMENT_BYTES]].concat());
        }
        Ok(())
    }

    /// What the keys of the next facet on `line` begin with.
    fn facet_behind(&self, line: &Key, after: Option<&[u8]>) -> Result<Option<Vec<u8>>, StoreError> {
        let found = self.first_key(Table::TimelineStates, line.as_bytes(), after, Order::Ascending)?;
        Ok(found.map(|mut key| {
            key.truncate(key.len().saturating_sub(rows::MOMENT_BYTES));
            key
        }))
    }

    /// The last moment up to `moment` that changed the facet.
    fn last_change(&self, facet_prefix: &[u8], moment: &Moment) -> Result<Option<Moment>, StoreError> {
        // The row of `moment` itself is the last that counts: whatever is longer lies behind it.
        let bound = rows::append_moment(Key::new().bytes(facet_prefix), moment).bytes(&[0]);
        self.first_moment(Table::TimelineStates, facet_prefix, Some(bound.as_bytes()), Order::Descending)
    }
}

fn read_facet(line: &Key, facet_prefix: &[u8]) -> Result<Facet, StoreError> {
    let bytes = facet_prefix.get(line.as_bytes().len() + 2..);
    let facet = bytes.and_then(|bytes| postcard::from_bytes(bytes).ok());
    facet.ok_or_else(|| StoreError::Inconsistent("a change of a state cannot be read".into()))
}
