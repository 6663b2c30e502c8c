//! Shrinking: the fewest faults that still break the same law.
//!
//! Owns the search (delta debugging: Zeller and Hildebrandt, 2002). Runs nothing itself. Invariant: what it
//! answers breaks the law that was broken at first.

use std::mem::discriminant;

use crate::check::{Broken, Violation};
use crate::fault::Planned;
use crate::report::Report;
use crate::scenario::Scenario;
use crate::span::Span;

/// Worlds that are tried at most.
pub const TRIES_MAX: usize = 400;

/// Shrinks the world of `failing`, which broke a law, by trying smaller ones with `run`. Answers the smallest
/// that breaks it too.
pub fn shrink(failing: Report, mut run: impl FnMut(Scenario) -> Option<Report>) -> Report {
    let Some(broken) = failing.violation.clone() else {
        return failing;
    };
    // Of a world in which too little happens each smaller one says the same.
    if let Broken::Toothless { .. } = broken.broken {
        return failing;
    }
    let mut tries = 0;
    let mut best = failing;
    let mut attempt = |best: &mut Report, smaller: Scenario| {
        tries += 1;
        let found = if tries <= TRIES_MAX { run(smaller) } else { None };
        match found.filter(|report| is_same(report, &broken)) {
            Some(report) => {
                *best = report;
                true
            }
            None => false,
        }
    };
    fewer_faults(&mut best, &mut attempt);
    let works = best.scenario.work.len();
    for index in (0..works).rev() {
        let mut smaller = best.scenario.clone();
        smaller.work.remove(index);
        attempt(&mut best, smaller);
    }
    shorter(&mut best, &mut attempt);
    best
}

fn is_same(report: &Report, broken: &Violation) -> bool {
    let same = |found: &Violation| discriminant(&found.broken) == discriminant(&broken.broken);
    report.violation.as_ref().is_some_and(same)
}

/// Leaves out half of the faults, then quarters, then one after the other.
fn fewer_faults(best: &mut Report, attempt: &mut impl FnMut(&mut Report, Scenario) -> bool) {
    let mut size = best.scenario.faults.len().div_ceil(2);
    while size > 0 {
        let mut at = 0;
        while at < best.scenario.faults.len() {
            let end = (at + size).min(best.scenario.faults.len());
            let mut smaller = best.scenario.clone();
            let _: Vec<Planned> = smaller.faults.drain(at..end).collect();
            if !attempt(best, smaller) {
                at = end;
            }
        }
        size /= 2;
    }
}

/// Ends the safety phase earlier.
fn shorter(best: &mut Report, attempt: &mut impl FnMut(&mut Report, Scenario) -> bool) {
    loop {
        let lasts = best.scenario.lasts.0.as_secs();
        let smaller = Scenario { lasts: Span::secs(lasts / 2), ..best.scenario.clone() };
        if lasts < 2 || !attempt(best, smaller) {
            return;
        }
    }
}
