//! The gates of a deployment, in their order, and what was found at each.
//!
//! Pure. Owns the order and the words. Invariant: a ledger names each gate once, in the order of the gates, and
//! nothing behind one that stopped.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::runtime::Refusal;

/// A gate. The order of the variants is the order in which they are passed; they are append-only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Gate {
    /// The envelope is whole, and every byte is what its tree names.
    Signature,
    /// Who signed it counts here.
    Trust,
    /// It is not older than what served here.
    Generation,
    /// Its rights let it be used here.
    Rights,
    /// It runs on this core and this target.
    Compatibility,
    /// The policies in force allow it.
    Policy,
    /// What it needs is there.
    Services,
    /// What policies want proved of it is proved.
    Evidence,
    /// Whoever asks confirmed what is about to happen.
    Confirmation,
    /// It is well, and takes over.
    Switch,
}

/// What was found at a gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// It was passed.
    Passed,
    /// Nothing was asked there.
    Skipped,
    /// It stopped the deployment.
    Stopped,
}

/// A gate, what was found there, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Which.
    pub gate: Gate,
    /// What was found.
    pub verdict: Verdict,
    /// Why, for people.
    pub why: String,
}

/// What was found at the gates so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Ledger(Vec<Finding>);

impl Gate {
    /// All of them, in their order.
    pub const ALL: [Self; 10] = [
        Self::Signature,
        Self::Trust,
        Self::Generation,
        Self::Rights,
        Self::Compatibility,
        Self::Policy,
        Self::Services,
        Self::Evidence,
        Self::Confirmation,
        Self::Switch,
    ];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Signature => "signature",
            Self::Trust => "trust",
            Self::Generation => "generation",
            Self::Rights => "rights",
            Self::Compatibility => "compatibility",
            Self::Policy => "policy",
            Self::Services => "services",
            Self::Evidence => "evidence",
            Self::Confirmation => "confirmation",
            Self::Switch => "switch",
        }
    }
}

impl fmt::Display for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Ledger {
    /// Passes `gate`, or is stopped there. What stops says at which gate.
    pub(super) fn pass<T>(&mut self, gate: Gate, judged: Result<(T, String), Refusal>) -> Result<T, Refusal> {
        match judged {
            Ok((value, why)) => {
                self.note(gate, Verdict::Passed, why);
                Ok(value)
            }
            Err(refusal) => {
                self.note(gate, Verdict::Stopped, refusal.to_string());
                Err(at(gate, refusal))
            }
        }
    }

    /// Leaves out `gate`, where nothing is asked.
    pub(super) fn skip(&mut self, gate: Gate, why: &str) {
        self.note(gate, Verdict::Skipped, why.to_owned());
    }

    fn note(&mut self, gate: Gate, verdict: Verdict, why: String) {
        debug_assert!(self.0.last().is_none_or(|last| last.gate < gate), "gates are passed in their order");
        self.0.push(Finding { gate, verdict, why });
    }

    /// What was found.
    pub(super) fn findings(self) -> Vec<Finding> {
        self.0
    }
}

/// The refusal with the gate in its words.
fn at(gate: Gate, refusal: Refusal) -> Refusal {
    match refusal {
        Refusal::Conflict { code, message } => {
            Refusal::Conflict { code, message: format!("stopped at the gate `{gate}`: {message}") }
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ledger_ends_where_it_was_stopped_and_the_refusal_says_where_and_why() {
        let mut ledger = Ledger::default();
        ledger.pass(Gate::Signature, Ok(((), "whole".to_owned()))).expect("passed");
        ledger.skip(Gate::Services, "it needs none");
        let why = Refusal::Conflict { code: "unhealthy", message: "nobody said so".to_owned() };
        let refusal = ledger.pass::<()>(Gate::Confirmation, Err(why)).expect_err("stopped");
        assert_eq!(refusal.to_string(), "stopped at the gate `confirmation`: nobody said so");
        let found = ledger.findings();
        let shown: Vec<_> = found.iter().map(|found| (found.gate.as_str(), found.verdict)).collect();
        let wanted = [
            ("signature", Verdict::Passed),
            ("services", Verdict::Skipped),
            ("confirmation", Verdict::Stopped),
        ];
        assert_eq!((shown.as_slice(), found[2].why.as_str()), (&wanted[..], "nobody said so"));
    }
}
