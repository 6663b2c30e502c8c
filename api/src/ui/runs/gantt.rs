//! When the steps of a run worked, as bars on one axis: numbers only.

use xyn_store::Timestamp;
use xyn_store::projection::StepRow;

use crate::ui::words;

/// Units that the axis is long.
pub(super) const LENGTH: i64 = 1000;
/// A bar is never thinner, so that a step which took no time is seen.
const BAR_MIN: i64 = 4;
/// Parts that the axis is divided into.
const PARTS: i64 = 4;

/// The time that is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Axis {
    from: Timestamp,
    to: Timestamp,
}

/// The time that a step took, on an axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bar {
    pub(super) start: i64,
    pub(super) length: i64,
    /// How much of it, at its end, was waiting.
    pub(super) waited: i64,
}

impl Axis {
    /// The axis from `from` to `to`.
    pub(super) fn new(from: Timestamp, to: Timestamp) -> Self {
        Self { from, to: to.max(from) }
    }

    /// What stands at the axis: how long after its beginning each part of it ends. Nothing at one that is too
    /// short to be told in milliseconds.
    pub(super) fn marks(&self) -> Vec<String> {
        let micros = self.to.as_micros() - self.from.as_micros();
        if micros < PARTS * 1_000 {
            return Vec::new();
        }
        let mark = |part: i64| Timestamp::from_micros(self.from.as_micros() + micros / PARTS * part);
        (1..=PARTS).map(|part| words::took(self.from, mark(part))).collect()
    }

    /// The bar of `step`, whose end is that of the axis while it is under way; none before it has begun.
    pub(super) fn bar(&self, step: &StepRow) -> Option<Bar> {
        let (started, ended) = (step.started_at?, step.completed_at.unwrap_or(self.to));
        let start = self.place(started).min(LENGTH - BAR_MIN);
        let length = (self.place(ended) - start).max(BAR_MIN);
        let waits = step.waiting_on.as_ref().filter(|_| step.completed_at.is_none());
        let waited = waits.map_or(0, |waits| start + length - self.place(waits.since).max(start));
        Some(Bar { start, length, waited: waited.clamp(0, length) })
    }

    fn place(&self, at: Timestamp) -> i64 {
        let all = i128::from(self.to.as_micros() - self.from.as_micros()).max(1);
        let part = i128::from(at.as_micros() - self.from.as_micros());
        i64::try_from(part * i128::from(LENGTH) / all).unwrap_or(LENGTH).clamp(0, LENGTH)
    }
}

#[cfg(test)]
mod tests {
    use xyn_store::projection::{StepKey, StepStatus, WaitKind, Waiting};

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_micros(second * 1_000_000)
    }

    fn step(started: Option<i64>, ended: Option<i64>, waits_since: Option<i64>) -> StepRow {
        StepRow {
            run_id: "0190f5fe-7c00-7a00-8000-000000000001".parse().expect("an id"),
            position: StepKey::step(0),
            name: "step".into(),
            kind: "transform".into(),
            attempt: 1,
            status: StepStatus::Running,
            waiting_on: waits_since.map(|since| Waiting {
                kind: WaitKind::Gate,
                since: at(since),
                until: None,
            }),
            started_at: started.map(at),
            completed_at: ended.map(at),
            logs_artifact_id: None,
            inputs: None,
            outputs: None,
            error: None,
        }
    }

    #[test]
    fn bars_stand_where_their_steps_worked() {
        let axis = Axis::new(at(100), at(200));
        let bar = |step| axis.bar(&step).map(|bar| (bar.start, bar.length, bar.waited));
        assert_eq!(bar(step(Some(100), Some(150), None)), Some((0, 500, 0)));
        assert_eq!(bar(step(Some(150), None, None)), Some((500, 500, 0)));
        assert_eq!(bar(step(Some(150), None, Some(175))), Some((500, 500, 250)));
        assert_eq!(bar(step(None, None, None)), None);
    }

    #[test]
    fn a_step_that_took_no_time_is_seen_wherever_it_is() {
        let axis = Axis::new(at(100), at(200));
        for moment in [100, 150, 200, 900] {
            let bar = axis.bar(&step(Some(moment), Some(moment), None)).expect("a bar");
            assert!(bar.length >= BAR_MIN && bar.start + bar.length <= LENGTH, "{bar:?}");
        }
        let instant = Axis::new(at(100), at(100));
        assert!(instant.bar(&step(Some(100), Some(100), None)).is_some());
    }

    #[test]
    fn the_axis_says_how_long_after_its_beginning() {
        assert_eq!(Axis::new(at(0), at(40)).marks(), ["10.0 s", "20.0 s", "30.0 s", "40.0 s"]);
        assert!(Axis::new(at(0), at(0)).marks().is_empty());
    }
}
