//! The Runtime: the one authority that executes and owns state.
//!
//! Everything that wants something done hands it an [`Intent`]. It checks session and scope, asks the policies,
//! records the decision, and lets a service carry it out. Invariant: what the Runtime cannot see did not happen.

mod intent;

pub use intent::{Intent, Outcome, Refusal};
