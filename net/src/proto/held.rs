//! What a core holds of that which has a limit.
//!
//! Owns the shape in which it is told, so that whoever watches over limits need not know them. Invariant: each core
//! names all that others can make it hold.

/// Something that a core holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// What it is, in the plural.
    pub what: &'static str,
    /// How much of it; of several that have the limit each, the most that one has.
    pub size: usize,
    /// How much may be.
    pub limit: usize,
}

impl Held {
    pub(super) fn new(what: &'static str, size: usize, limit: usize) -> Self {
        Self { what, size, limit }
    }

    /// The same of several that have the limit each.
    pub(super) fn most(what: &'static str, sizes: impl Iterator<Item = usize>, limit: usize) -> Self {
        Self::new(what, sizes.max().unwrap_or_default(), limit)
    }
}
