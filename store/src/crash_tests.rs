//! Tests that pull the plug: torn writes, lost syncs, full disks, damaged and foreign files.
//!
//! [`Disk`](crate::simulation::Disk) is storage that fails on demand, [`ledger`] what is appended and what must be
//! found afterwards. Rounds are sampled by seed; `XYN_FULL=1` walks all of them. Invariant under test: what was
//! acknowledged is there, whole, and nothing is there by half.

mod decoders;
mod faults;
mod files;
mod folders;
mod golden;
mod latency;
mod ledger;
mod power;
pub(crate) mod samples;
mod verify;

/// Whether the long rounds are wanted.
pub(crate) fn full() -> bool {
    std::env::var_os("XYN_FULL").is_some()
}
