//! Rows of steps and of the items of a fan-out.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Cursor, Fault, Row, Waiting};
use crate::clock::Timestamp;
use crate::ids::{ArtifactId, RunId};
use crate::json::Json;
use crate::tables::{Key, Table};

/// Where a step stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepStatus {
    /// Known, not begun.
    Created,
    /// Begun; `waiting_on` says what it waits for, if it does.
    Running,
    /// Ended well.
    Completed,
    /// Ended badly.
    Failed,
    /// Not done, because its condition was false.
    Skipped,
}

/// A step, or one item of its fan-out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct StepKey {
    /// Index in the plan.
    pub step: u16,
    /// Item of the fan-out, from 0; none for the step itself.
    pub item: Option<u32>,
}

impl StepKey {
    /// The step itself.
    pub fn step(step: u16) -> Self {
        Self { step, item: None }
    }

    /// Item `item` of the step's fan-out.
    pub fn item(step: u16, item: u32) -> Self {
        Self { step, item: Some(item) }
    }

    /// Appends the key's bytes: the step itself sorts before its items.
    pub fn append_to(self, key: Key) -> Key {
        key.u16(self.step).u32(self.item.map_or(0, |item| item.saturating_add(1)))
    }
}

impl fmt::Display for StepKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.item {
            Some(item) => write!(f, "{}.{item}", self.step),
            None => write!(f, "{}", self.step),
        }
    }
}

/// A step as lists and readers see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepRow {
    /// The run.
    pub run_id: RunId,
    /// Which step or item.
    pub position: StepKey,
    /// The step's id in the blueprint; an item adds `.index`.
    pub name: String,
    /// `action_task`, `transform` or `gate`.
    pub kind: String,
    /// Attempts begun.
    pub attempt: u32,
    /// Where it stands.
    pub status: StepStatus,
    /// What it waits for.
    pub waiting_on: Option<Waiting>,
    /// When it began.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub completed_at: Option<Timestamp>,
    /// Its log.
    pub logs_artifact_id: Option<ArtifactId>,
    /// What it was given, redacted.
    pub inputs: Option<Json>,
    /// What it gave.
    pub outputs: Option<Json>,
    /// Why it failed.
    pub error: Option<Fault>,
}

impl Row for StepRow {
    const TABLE: Table = Table::Steps;

    fn key(&self) -> Key {
        Self::key_of(self.run_id, self.position)
    }
}

impl StepRow {
    /// Where a page of the steps of `run_id` begins that goes on behind `position`.
    pub fn cursor(run_id: RunId, position: StepKey) -> Cursor {
        Cursor::from_bytes(Self::key_of(run_id, position).into_bytes())
    }

    /// The position behind which a page of the steps of `run_id` begins with `cursor`; none of a cursor of another list.
    pub fn position(run_id: RunId, cursor: &Cursor) -> Option<StepKey> {
        let rest = cursor.as_bytes().strip_prefix(run_id.as_bytes())?;
        let (step, item) = rest.split_first_chunk()?;
        let item = u32::from_be_bytes(item.try_into().ok()?).checked_sub(1);
        Some(StepKey { step: u16::from_be_bytes(*step), item })
    }

    /// The key of a step's row.
    pub fn key_of(run_id: RunId, position: StepKey) -> Key {
        position.append_to(Key::new().bytes(run_id.as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids;

    #[test]
    fn a_place_in_the_steps_of_a_run_is_read_back_and_one_in_another_list_is_none() {
        let [one, other]: [RunId; 2] = [b"one", b"two"].map(|name| ids::derived(Timestamp::EPOCH, &[name]));
        for position in [StepKey::step(0), StepKey::step(u16::MAX), StepKey::item(3, 0), StepKey::item(3, 7)]
        {
            let cursor = StepRow::cursor(one, position);
            assert_eq!(StepRow::position(one, &cursor), Some(position));
            assert_eq!(StepRow::position(other, &cursor), None);
            let cut = Cursor::from_bytes(cursor.as_bytes()[..20].to_vec());
            assert_eq!(StepRow::position(one, &cut), None);
        }
    }
}
