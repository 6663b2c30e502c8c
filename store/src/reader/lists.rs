//! Lists of the projections: pages of runs, steps, gates, intents and artifacts; what is due; what is awaited.

use super::{Order, PageBuilder, Reader, decode, offset_of, tail_id};
use crate::clock::Timestamp;
use crate::digest::Digest;
use crate::error::StoreError;
use crate::ids::{IntentId, RunId};
use crate::projection::{
    ArtifactRow, CapsuleRow, Cursor, GateRow, IntentRow, Page, Row, RunFilter, RunRow, StepKey, StepRow,
    TimerRow,
};
use crate::tables::{Key, Table};

/// Steps of a plan among which a step is looked for by its name.
const PLAN_STEPS_MAX: u16 = 1000;

impl Reader {
    /// Runs, newest first.
    pub fn runs(
        &self,
        filter: &RunFilter,
        cursor: Option<&Cursor>,
        limit: usize,
    ) -> Result<Page<RunRow>, StoreError> {
        let admit = |row: &RunRow| filter.admits(row);
        match filter.status {
            Some(status) => {
                let prefix = RunRow::status_prefix(status);
                self.page_by_index(Table::RunsByStatus, &prefix, Order::Descending, cursor, limit, admit)
            }
            None => self.page(&Key::new(), Order::Descending, cursor, limit, admit),
        }
    }

    /// Ids of up to `limit` runs that are under way or not begun, oldest first, behind `after`.
    pub fn active_runs(&self, after: Option<RunId>, limit: usize) -> Result<Vec<RunId>, StoreError> {
        let mut ids = Vec::new();
        let after = after.as_ref().map(|id| id.as_bytes().as_slice());
        self.scan(Table::RunsActive, &[], after, Order::Ascending, |key, _| {
            ids.extend(tail_id(key).map(RunId::from));
            Ok(ids.len() < limit)
        })?;
        Ok(ids)
    }

    /// Steps and items of `run_id`, in the plan's order.
    pub fn steps(
        &self,
        run_id: RunId,
        cursor: Option<&Cursor>,
        limit: usize,
    ) -> Result<Page<StepRow>, StoreError> {
        let prefix = Key::new().bytes(run_id.as_bytes());
        self.page(&prefix, Order::Ascending, cursor, limit, |_| true)
    }

    /// The step of `run_id` called `name`, or the item of its fan-out called `step.index`.
    pub fn step(&self, run_id: RunId, name: &str) -> Result<Option<StepRow>, StoreError> {
        let (step, item) = match name.rsplit_once('.') {
            Some((step, item)) => (step, item.parse().ok()),
            None => (name, None),
        };
        for index in 0..PLAN_STEPS_MAX {
            let row: Option<StepRow> = self.get(&StepRow::key_of(run_id, StepKey::step(index)))?;
            match row {
                Some(row) if row.name == name => return Ok(Some(row)),
                Some(row) if row.name == step => {
                    let key = item.map(|item| StepRow::key_of(run_id, StepKey::item(index, item)));
                    return key.map_or(Ok(None), |key| self.get(&key));
                }
                // A step that has not begun may have no row yet, while a later one has.
                _ => {}
            }
        }
        Ok(None)
    }

    /// Gates that people can answer, oldest run first.
    pub fn open_gates(&self, cursor: Option<&Cursor>, limit: usize) -> Result<Page<GateRow>, StoreError> {
        self.page_by_index(Table::GatesOpen, &Key::new(), Order::Ascending, cursor, limit, |_| true)
    }

    /// Intents that wait for approvals, oldest first.
    pub fn parked_intents(
        &self,
        cursor: Option<&Cursor>,
        limit: usize,
    ) -> Result<Page<IntentRow>, StoreError> {
        self.page_by_index(Table::IntentsParked, &Key::new(), Order::Ascending, cursor, limit, |_| true)
    }

    /// Ids of up to `limit` intents that were accepted or approved and have not ended, behind `after`.
    pub fn unsettled_intents(
        &self,
        after: Option<IntentId>,
        limit: usize,
    ) -> Result<Vec<IntentId>, StoreError> {
        let mut ids = Vec::new();
        let after = after.as_ref().map(|id| id.as_bytes().as_slice());
        self.scan(Table::IntentsUnsettled, &[], after, Order::Ascending, |key, _| {
            ids.extend(tail_id(key).map(IntentId::from));
            Ok(ids.len() < limit)
        })?;
        Ok(ids)
    }

    /// Artifacts of `run_id`, or all of them, by when they were made.
    pub fn artifacts(
        &self,
        run_id: Option<RunId>,
        order: Order,
        cursor: Option<&Cursor>,
        limit: usize,
    ) -> Result<Page<ArtifactRow>, StoreError> {
        match run_id {
            Some(run_id) => {
                let prefix = ArtifactRow::run_prefix(run_id);
                self.page_by_index(Table::ArtifactsByRun, &prefix, order, cursor, limit, |_| true)
            }
            None => self.page(&Key::new(), order, cursor, limit, |_| true),
        }
    }

    /// Capsules that are here, of one app or of all, by app; the highest generation first.
    pub fn capsules(
        &self,
        app: Option<&str>,
        cursor: Option<&Cursor>,
        limit: usize,
    ) -> Result<Page<CapsuleRow>, StoreError> {
        let prefix = app.map(CapsuleRow::app_prefix).unwrap_or_default();
        self.capsules_under(Table::CapsulesByApp, &prefix, Order::Descending, cursor, limit)
    }

    /// Up to `limit` capsules of the content `tree` that are here.
    pub fn capsules_of(&self, tree: &Digest, limit: usize) -> Result<Vec<CapsuleRow>, StoreError> {
        let prefix = CapsuleRow::tree_prefix(tree);
        Ok(self.capsules_under(Table::CapsulesByTree, &prefix, Order::Ascending, None, limit)?.items)
    }

    /// Capsules whose digests end the entries of `index`.
    fn capsules_under(
        &self,
        index: Table,
        prefix: &Key,
        order: Order,
        cursor: Option<&Cursor>,
        limit: usize,
    ) -> Result<Page<CapsuleRow>, StoreError> {
        let mut page = PageBuilder::new(limit);
        self.scan(index, prefix.as_bytes(), cursor.map(Cursor::as_bytes), order, |key, _| {
            let digest = key.last_chunk().copied().map(Digest::from_bytes);
            let row = digest.map_or(Ok(None), |digest| self.get(&CapsuleRow::key_of(&digest)))?;
            Ok(page.offer(key, row))
        })?;
        Ok(page.finish())
    }

    /// Timers due at `now` or before, earliest first, at most `limit`.
    pub fn due_timers(&self, now: Timestamp, limit: usize) -> Result<Vec<TimerRow>, StoreError> {
        let mut due = Vec::new();
        self.scan(Table::Timers, &[], None, Order::Ascending, |_, value| {
            let timer = decode::<TimerRow>(value)?;
            let is_due = timer.due <= now;
            due.extend(is_due.then_some(timer));
            Ok(is_due && due.len() < limit)
        })?;
        Ok(due)
    }

    /// When the earliest timer is due.
    pub fn next_timer(&self) -> Result<Option<Timestamp>, StoreError> {
        let mut next = None;
        self.scan(Table::Timers, &[], None, Order::Ascending, |_, value| {
            next = Some(decode::<TimerRow>(value)?.due);
            Ok(false)
        })?;
        Ok(next)
    }

    /// Whether `timer` is still set.
    pub fn has_timer(&self, timer: &TimerRow) -> Result<bool, StoreError> {
        Ok(self.get::<TimerRow>(&timer.key())?.is_some())
    }

    /// Patterns that gates wait for, each once.
    pub fn awaited_patterns(&self) -> Result<Vec<String>, StoreError> {
        let mut patterns = Vec::new();
        let mut after: Option<Vec<u8>> = None;
        loop {
            let mut found = None;
            self.scan(Table::EventWaits, &[], after.as_deref(), Order::Ascending, |key, _| {
                found = key.iter().position(|&byte| byte == 0).map(|end| key[..end].to_vec());
                Ok(false)
            })?;
            let Some(pattern) = found else { return Ok(patterns) };
            // Skips all other waits for the same pattern.
            after = Some([pattern.as_slice(), &[1]].concat());
            patterns.extend(String::from_utf8(pattern));
        }
    }

    /// Up to `limit` runs with a gate that waits for `pattern`, behind `after`; each once for each gate.
    pub fn runs_awaiting(
        &self,
        pattern: &str,
        after: Option<RunId>,
        limit: usize,
    ) -> Result<Vec<RunId>, StoreError> {
        let prefix = GateRow::wait_prefix(pattern);
        let after = after.map(|id| prefix.clone().bytes(id.as_bytes()).u64(u64::MAX).into_bytes());
        let mut runs = Vec::new();
        self.scan(Table::EventWaits, prefix.as_bytes(), after.as_deref(), Order::Ascending, |key, _| {
            let id = key.get(prefix.as_bytes().len()..).and_then(|rest| rest.first_chunk::<16>());
            runs.extend(id.map(|bytes| RunId::from(uuid::Uuid::from_bytes(*bytes))));
            runs.dedup();
            Ok(runs.len() < limit)
        })?;
        Ok(runs)
    }

    /// How far `follower` of the log has come; 0 for one that never began.
    pub fn position(&self, follower: &str) -> Result<u64, StoreError> {
        let found = self.get_raw(Table::Positions, Key::new().text(follower).as_bytes())?;
        found.map_or(Ok(0), |bytes| offset_of(&bytes))
    }
}
