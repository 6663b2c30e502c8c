//! Every redb table of a node, and the one way a row is laid out in it.
//!
//! Owns names and key order. A row is `value ‖ crc32(table ‖ 0 ‖ length of key ‖ key ‖ value)`, because the database
//! itself does not notice a flipped bit: neither one inside a value nor one that moves the border to its key.
//! Invariant: no row is read without its checksum being verified.

mod key;
#[cfg(test)]
mod tests;

use redb::TableDefinition;

pub use key::Key;

/// A table. Keys and values are bytes; keys sort by their bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Table {
    /// Offset (u64) → sealed envelope. The primary record; all others but `Meta` derive from it.
    Log,
    /// Stream ‖ seq (u64) → offset.
    Streams,
    /// Event name ‖ 0 ‖ block of [`NAME_BLOCK`] offsets → (): where to look for events of that name.
    Names,
    /// Correlation id ‖ 0 ‖ stream → ().
    Correlations,
    /// Intent id → intent row.
    Intents,
    /// Ids of intents that wait for approvals → ().
    IntentsParked,
    /// Ids of intents that were accepted or approved and have not ended → ().
    IntentsUnsettled,
    /// Run id → run row.
    Runs,
    /// Status ‖ run id → ().
    RunsByStatus,
    /// Ids of runs that are under way or not begun → ().
    RunsActive,
    /// Run id ‖ step ‖ item → step row.
    Steps,
    /// Run id ‖ step ‖ item → gate row.
    Gates,
    /// Run id ‖ step ‖ item of gates that people can answer → ().
    GatesOpen,
    /// Event pattern ‖ 0 ‖ run id ‖ step ‖ item of gates that wait for an event → ().
    EventWaits,
    /// Artifact id → artifact row.
    Artifacts,
    /// Run id ‖ artifact id → ().
    ArtifactsByRun,
    /// Blueprint id ‖ 0 ‖ version (u32) → blueprint row.
    Blueprints,
    /// Draft id → draft row.
    Drafts,
    /// Policy id ‖ 0 ‖ version (u32) → policy row.
    Policies,
    /// Due (u64 µs) ‖ stream ‖ purpose → timer row.
    Timers,
    /// Idempotency scope and key → claim row.
    Claims,
    /// Digest → bytes of a small blob that came with an append.
    Blobs,
    /// Session id → session row, while it is open.
    Sessions,
    /// Name → workspace row.
    Workspaces,
    /// Digest of a manifest → capsule row.
    Capsules,
    /// App ‖ 0 ‖ generation (u64) ‖ digest of a manifest → ().
    CapsulesByApp,
    /// Root of a tree ‖ digest of a manifest → ().
    CapsulesByTree,
    /// App → the highest generation seen.
    CapsulesHighest,
    /// App ‖ stage ‖ target → deployment row.
    Deployments,
    /// Environment → the key ring that is in force there.
    KeyRings,
    /// Digest → where the chunk stands in its pack.
    Chunks,
    /// Digest of a blob of several chunks, or of one with children → its length, its manifest, its children.
    Objects,
    /// Digest → the chunks of a blob, in their order.
    Manifests,
    /// Number of a pack (u64) → its length.
    Packs,
    /// Digest ‖ holder ‖ 0 of a blob that is to stay → ().
    Pins,
    /// Digest of what nothing leads to → since when.
    Orphans,
    /// Stream → snapshot row; a hint only.
    Snapshots,
    /// Size (u64) → signed checkpoint.
    Checkpoints,
    /// Name of a follower of the log → offset it has come to.
    Positions,
    /// Feed ‖ seq (u64) → hash ‖ content of a timeline record. Primary, as the log is.
    TimelineRecords,
    /// Feed ‖ seq (u64) → the node's signature over the feed up to that record. Primary.
    TimelineSignatures,
    /// Feed → proof that its node wrote two records under one number. Primary.
    TimelineForks,
    /// Feed → where it ends and how much of it counts.
    TimelineFeeds,
    /// Moment (time ‖ entry id ‖ feed ‖ seq) → entry.
    TimelineMoments,
    /// Branch ‖ 0 ‖ moment → ().
    TimelineBranches,
    /// Entry id ‖ moment → ().
    TimelineIds,
    /// Digest of a board's name ‖ feed ‖ seq → ().
    TimelineContributions,
    /// Board → what it shows.
    TimelineBoards,
    /// Feed ‖ seq of records that do not count → ().
    TimelineExcluded,
    /// Feed ‖ seq of records that say who belongs → ().
    TimelineStatements,
    /// Branch, or nothing ‖ 0 ‖ what a moment changes ‖ moment → ().
    TimelineStates,
    /// Entry id ‖ moment that is about it → ().
    TimelineAbout,
    /// Digest → statement that was told when this node joined. Primary until its record is here.
    TimelineTold,
    /// Ticket id → invitation.
    Invitations,
    /// Ticket id → for how long whoever comes in on it belongs.
    InvitationTerms,
    /// Node → where it was said to be reachable.
    Contacts,
    /// Node ‖ incarnation (u64) → the last checkpoint of that log for which this node vouched.
    Vouched,
    /// Size (u64) ‖ node → its word for this node's log of that size.
    Witnesses,
    /// What people are asked about ‖ author ‖ moment that asks, answers or settles it → ().
    TimelineMatters,
    /// Id of an artifact, or a capsule, that a moment names ‖ moment → ().
    TimelineNamed,
    /// Fixed names → format version, incarnation, heads, cursors.
    Meta,
}

/// Offsets summarised by one row of [`Table::Names`].
pub const NAME_BLOCK: u64 = 256;

impl Table {
    /// Every table, in the order a transaction writes them.
    pub const ALL: [Self; 61] = [
        Self::Log,
        Self::Streams,
        Self::Names,
        Self::Correlations,
        Self::Intents,
        Self::IntentsParked,
        Self::IntentsUnsettled,
        Self::Runs,
        Self::RunsByStatus,
        Self::RunsActive,
        Self::Steps,
        Self::Gates,
        Self::GatesOpen,
        Self::EventWaits,
        Self::Artifacts,
        Self::ArtifactsByRun,
        Self::Blueprints,
        Self::Drafts,
        Self::Policies,
        Self::Timers,
        Self::Claims,
        Self::Blobs,
        Self::Sessions,
        Self::Workspaces,
        Self::Capsules,
        Self::CapsulesByApp,
        Self::CapsulesByTree,
        Self::CapsulesHighest,
        Self::Deployments,
        Self::KeyRings,
        Self::Chunks,
        Self::Objects,
        Self::Manifests,
        Self::Packs,
        Self::Pins,
        Self::Orphans,
        Self::Snapshots,
        Self::Checkpoints,
        Self::Positions,
        Self::TimelineRecords,
        Self::TimelineSignatures,
        Self::TimelineForks,
        Self::TimelineFeeds,
        Self::TimelineMoments,
        Self::TimelineBranches,
        Self::TimelineIds,
        Self::TimelineContributions,
        Self::TimelineBoards,
        Self::TimelineExcluded,
        Self::TimelineStatements,
        Self::TimelineStates,
        Self::TimelineAbout,
        Self::TimelineTold,
        Self::Invitations,
        Self::InvitationTerms,
        Self::Contacts,
        Self::Vouched,
        Self::Witnesses,
        Self::TimelineMatters,
        Self::TimelineNamed,
        Self::Meta,
    ];

    /// Tables that `store rebuild` empties and fills again from the log.
    pub const DERIVED: [Self; 29] = [
        Self::Names,
        Self::Correlations,
        Self::Intents,
        Self::IntentsParked,
        Self::IntentsUnsettled,
        Self::Runs,
        Self::RunsByStatus,
        Self::RunsActive,
        Self::Steps,
        Self::Gates,
        Self::GatesOpen,
        Self::EventWaits,
        Self::Artifacts,
        Self::ArtifactsByRun,
        Self::Blueprints,
        Self::Drafts,
        Self::Policies,
        Self::Timers,
        Self::Claims,
        Self::Sessions,
        Self::Invitations,
        Self::InvitationTerms,
        Self::Workspaces,
        Self::Capsules,
        Self::CapsulesByApp,
        Self::CapsulesByTree,
        Self::CapsulesHighest,
        Self::Deployments,
        Self::KeyRings,
    ];

    /// Tables that `store rebuild` only empties: what they hold saves work and says nothing new.
    pub const HINTS: [Self; 1] = [Self::Snapshots];
    /// Tables that are emptied and filled again from the records of the timeline.
    pub const TIMELINE_DERIVED: [Self; 12] = [
        Self::TimelineFeeds,
        Self::TimelineMoments,
        Self::TimelineBranches,
        Self::TimelineIds,
        Self::TimelineContributions,
        Self::TimelineBoards,
        Self::TimelineExcluded,
        Self::TimelineStatements,
        Self::TimelineStates,
        Self::TimelineMatters,
        Self::TimelineAbout,
        Self::TimelineNamed,
    ];

    /// The table's name on disk.
    pub fn name(self) -> &'static str {
        match self {
            Self::Log => "log",
            Self::Streams => "streams",
            Self::Names => "names",
            Self::Correlations => "correlations",
            Self::Intents => "intents",
            Self::IntentsParked => "intents_parked",
            Self::IntentsUnsettled => "intents_unsettled",
            Self::Runs => "runs",
            Self::RunsByStatus => "runs_by_status",
            Self::RunsActive => "runs_active",
            Self::Steps => "steps",
            Self::Gates => "gates",
            Self::GatesOpen => "gates_open",
            Self::EventWaits => "event_waits",
            Self::Artifacts => "artifacts",
            Self::ArtifactsByRun => "artifacts_by_run",
            Self::Blueprints => "blueprints",
            Self::Drafts => "drafts",
            Self::Policies => "policies",
            Self::Timers => "timers",
            Self::Claims => "claims",
            Self::Blobs => "blobs",
            Self::Sessions => "sessions",
            Self::Workspaces => "workspaces",
            Self::Capsules => "capsules",
            Self::CapsulesByApp => "capsules_by_app",
            Self::CapsulesByTree => "capsules_by_tree",
            Self::CapsulesHighest => "capsules_highest",
            Self::Deployments => "deployments",
            Self::KeyRings => "key_rings",
            Self::Chunks => "chunks",
            Self::Objects => "objects",
            Self::Manifests => "manifests",
            Self::Packs => "packs",
            Self::Pins => "pins",
            Self::Orphans => "orphans",
            Self::Snapshots => "snapshots",
            Self::Checkpoints => "checkpoints",
            Self::Positions => "positions",
            Self::TimelineRecords => "timeline_records",
            Self::TimelineSignatures => "timeline_signatures",
            Self::TimelineForks => "timeline_forks",
            Self::TimelineFeeds => "timeline_feeds",
            Self::TimelineMoments => "timeline_moments",
            Self::TimelineBranches => "timeline_branches",
            Self::TimelineIds => "timeline_ids",
            Self::TimelineContributions => "timeline_contributions",
            Self::TimelineBoards => "timeline_boards",
            Self::TimelineExcluded => "timeline_excluded",
            Self::TimelineStatements => "timeline_statements",
            Self::TimelineStates => "timeline_states",
            Self::TimelineAbout => "timeline_about",
            Self::TimelineTold => "timeline_told",
            Self::Invitations => "invitations",
            Self::InvitationTerms => "invitation_terms",
            Self::Contacts => "contacts",
            Self::Vouched => "vouched",
            Self::Witnesses => "witnesses",
            Self::TimelineMatters => "timeline_matters",
            Self::TimelineNamed => "timeline_named",
            Self::Meta => "meta",
        }
    }

    /// The table's definition in the database.
    pub(crate) fn definition(self) -> TableDefinition<'static, &'static [u8], &'static [u8]> {
        TableDefinition::new(self.name())
    }
}

/// A stored row whose checksum does not fit: the disk or a stranger changed it.
#[derive(Debug, thiserror::Error)]
#[error("table `{}` holds a damaged row at key {}", table.name(), hex(key))]
pub struct DamagedRow {
    /// The table.
    pub table: Table,
    /// The row's key.
    pub key: Vec<u8>,
}

const CHECKSUM_BYTES: usize = 4;

/// Appends the checksum of `value` under `key`.
pub(crate) fn seal(table: Table, key: &[u8], mut value: Vec<u8>) -> Vec<u8> {
    let sum = checksum(table, key, &value);
    value.extend_from_slice(&sum);
    value
}

/// The value of a sealed row, after its checksum was verified.
pub(crate) fn unseal<'a>(table: Table, key: &[u8], row: &'a [u8]) -> Result<&'a [u8], DamagedRow> {
    let damaged = || DamagedRow { table, key: key.to_vec() };
    let (value, sum) = row.split_at_checked(row.len().wrapping_sub(CHECKSUM_BYTES)).ok_or_else(damaged)?;
    if checksum(table, key, value) == sum { Ok(value) } else { Err(damaged()) }
}

fn checksum(table: Table, key: &[u8], value: &[u8]) -> [u8; CHECKSUM_BYTES] {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(table.name().as_bytes());
    hasher.update(&[0]);
    hasher.update(&(key.len() as u64).to_le_bytes());
    hasher.update(key);
    hasher.update(value);
    hasher.finalize().to_le_bytes()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
