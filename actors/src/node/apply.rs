//! Folds events into the state. An event that does not fit means a damaged journal, or a decision that should not
//! be.

use xyn_store::projection::{BlueprintRow, BlueprintStatus, DraftRow, DraftStatus, PolicyRow, PolicyStatus};

use super::event::{DraftChange, Event};
use super::state::State;

/// An event that cannot follow on the state.
#[derive(Debug, thiserror::Error)]
#[error("`{event}` cannot follow: {reason}")]
pub struct IllegalEvent {
    /// The event's name.
    event: &'static str,
    /// What does not fit.
    reason: &'static str,
}

impl State {
    /// Folds `event`.
    pub fn apply(&mut self, event: &Event) -> Result<(), IllegalEvent> {
        self.admits(event).map_err(|reason| IllegalEvent { event: event.name(), reason })?;
        match event {
            Event::Started { .. } => self.is_up = true,
            Event::Stopped => self.is_up = false,
            Event::Draft(_, row) => self.draft = Some((**row).clone()),
            Event::BlueprintActivated(row) | Event::BlueprintDeprecated(row) => {
                self.blueprint = Some((**row).clone());
            }
            Event::PolicyActivated(row) | Event::PolicyDeprecated(row) => self.policy = Some((**row).clone()),
        }
        Ok(())
    }

    /// Whether `event` may follow. A start may follow a start: the program was killed in between.
    fn admits(&self, event: &Event) -> Result<(), &'static str> {
        match event {
            Event::Started { .. } => Ok(()),
            Event::Stopped => require(self.is_up, "the node is not up"),
            Event::Draft(change, row) => self.admits_draft(*change, row),
            Event::BlueprintActivated(row) => {
                let before = self.blueprint.as_ref();
                admits_version(before.map(version_of_blueprint), version_of_blueprint(row), true)
            }
            Event::BlueprintDeprecated(row) => {
                let before = self.blueprint.as_ref();
                admits_version(before.map(version_of_blueprint), version_of_blueprint(row), false)
            }
            Event::PolicyActivated(row) => {
                let before = self.policy.as_ref();
                admits_version(before.map(version_of_policy), version_of_policy(row), true)
            }
            Event::PolicyDeprecated(row) => {
                let before = self.policy.as_ref();
                admits_version(before.map(version_of_policy), version_of_policy(row), false)
            }
        }
    }

    fn admits_draft(&self, change: DraftChange, row: &DraftRow) -> Result<(), &'static str> {
        let before = self.draft.as_ref();
        let is_frozen = before.is_some_and(|before| before.status == DraftStatus::Promoted);
        require(!is_frozen, "the draft is promoted")?;
        let revision = before.map_or(0, |before| before.revision);
        match change {
            DraftChange::Saved => require(row.revision == revision + 1, "revisions count up by one"),
            DraftChange::Validated | DraftChange::ValidationFailed => {
                require(before.is_some() && row.revision == revision, "it is not the newest revision")
            }
            DraftChange::Promoted => {
                let is_valid = before.is_some_and(|before| before.status == DraftStatus::Validated);
                require(is_valid && row.revision == revision, "this revision was not validated")
            }
        }
    }
}

/// A version, and whether it is active.
type Version = (u32, bool);

fn version_of_blueprint(row: &BlueprintRow) -> Version {
    (row.version, row.status == BlueprintStatus::Active)
}

fn version_of_policy(row: &PolicyRow) -> Version {
    (row.version, row.status == PolicyStatus::Active)
}

/// A version is activated behind one that is not active any more, and deprecated while it is.
fn admits_version(before: Option<Version>, now: Version, activates: bool) -> Result<(), &'static str> {
    require(now.1 == activates, "the row says otherwise")?;
    if activates {
        let is_free = before.is_none_or(|(_, is_active)| !is_active);
        require(is_free, "another version is active")?;
        require(now.0 == before.map_or(0, |(version, _)| version) + 1, "versions count up by one")
    } else {
        require(before == Some((now.0, true)), "this version is not active")
    }
}

fn require(holds: bool, otherwise: &'static str) -> Result<(), &'static str> {
    if holds { Ok(()) } else { Err(otherwise) }
}
