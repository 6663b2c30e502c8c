//! Statements whose signatures are right: all that a node knows are read whenever who belongs changes, and the two or
//! three signatures in each are most of what that takes.
//!
//! One memory for the process: whether signatures are right follows from the bytes alone. Invariant: what is
//! remembered was verified.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::digest::Digest;

/// Statements that are remembered, of 32 bytes and some room each; of more, all are forgotten and verified again.
const STATEMENTS_MAX: usize = 1 << 17;

static VERIFIED: Mutex<BTreeSet<Digest>> = Mutex::new(BTreeSet::new());

/// Whether the statement with this digest was verified.
pub(super) fn knows(statement: &Digest) -> bool {
    verified().contains(statement)
}

/// The statement with this digest was verified.
pub(super) fn remember(statement: Digest) {
    let mut verified = verified();
    if verified.len() >= STATEMENTS_MAX {
        verified.clear();
    }
    verified.insert(statement);
}

fn verified() -> MutexGuard<'static, BTreeSet<Digest>> {
    VERIFIED.lock().unwrap_or_else(PoisonError::into_inner)
}
