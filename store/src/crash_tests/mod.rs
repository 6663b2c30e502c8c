//! Tests that pull the plug: torn writes, lost syncs, full disks, damaged and foreign files.
//!
//! [`disk`] is storage that fails on demand, [`ledger`] what is appended and what must be found afterwards. Rounds
//! are sampled by seed; `XYN_FULL=1` walks all of them. Invariant under test: what was acknowledged is there, whole,
//! and nothing is there by half.

mod decoders;
pub(crate) mod disk;
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

/// splitmix64: a small deterministic generator, seeded by the round.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `end`, which is not 0.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.roll() % end
    }

    fn coin(&mut self) -> bool {
        self.below(2) == 0
    }
}
