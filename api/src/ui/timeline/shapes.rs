//! The shapes of moments: one for each kind of thing that happens, around its own middle.

use xyn_store::timeline::entry::Kind;

/// The word for a kind and the shape that it has, around its middle.
pub(super) fn drawing(kind: Kind) -> (&'static str, &'static str) {
    const DISC: &str = "M-5.5 0a5.5 5.5 0 1 0 11 0a5.5 5.5 0 1 0-11 0z";
    const DOT: &str = "M-3.5 0a3.5 3.5 0 1 0 7 0a3.5 3.5 0 1 0-7 0z";
    const BOX: &str = "M-5.5-5.5H5.5V5.5H-5.5z";
    const PLAY: &str = "M-4.5-6.5L6.5 0L-4.5 6.5z";
    const UP: &str = "M0-7.5L6.5 0H3V6.5H-3V0H-6.5z";
    match kind {
        Kind::Generate => ("generate", DISC),
        Kind::Edit => ("edit", DISC),
        Kind::Run => ("run", PLAY),
        Kind::Replay => ("replay", "M-6.5-5.5L0 0L-6.5 5.5zM0-5.5L6.5 0L0 5.5z"),
        Kind::Gate => ("gate", "M-6.5 0L-3.2-6H3.2L6.5 0L3.2 6H-3.2z"),
        Kind::Approve => ("approve", "M-7 0L-4.5-2.5L-2 0L4.5-6L7-3.5L-2 5z"),
        Kind::Reject => {
            ("reject", "M-6-3.5L-3.5-6L0-2.5L3.5-6L6-3.5L2.5 0L6 3.5L3.5 6L0 2.5L-3.5 6L-6 3.5L-2.5 0z")
        }
        Kind::Pack => ("pack", BOX),
        Kind::Verify => ("verify", BOX),
        Kind::Import => ("import", BOX),
        Kind::Export => ("export", BOX),
        Kind::Deploy => ("deploy", UP),
        Kind::Promote => ("promote", UP),
        Kind::Rollback => ("rollback", "M-7.5 0L0-6.5V-3H6.5V3H0V6.5z"),
        Kind::Domain => ("domain", "M-6.5 2.5V-2.5H6.5V2.5z"),
        Kind::Replicate => ("replicate", "M-6.5-6.5H2.5V-2.5H6.5V6.5H-2.5V2.5H-6.5z"),
        Kind::Note => ("note", DOT),
        Kind::Merge => ("merge", "M0-7.5L7.5 0L0 7.5L-7.5 0z"),
    }
}
