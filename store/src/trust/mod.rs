//! Who belongs to an environment: certificates, revocations, and what follows from them.
//!
//! Owns the roster, a pure function of the statements that are known. Invariant: whoever knows the same statements
//! sees the same members and the same cuts, in whatever order they came.

mod cut;

pub use cut::Cut;
