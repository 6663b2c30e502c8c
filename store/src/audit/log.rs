//! The journal as an audit log: checkpoints, proofs, and the check of the whole.
//!
//! Reads the journal and nothing else; changes nothing but the kept checkpoints.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Range;

use crate::audit::checkpoint::{Checkpoint, SignedCheckpoint};
use crate::audit::merkle::Frontier;
use crate::audit::proof::{self, InvalidProof};
use crate::audit::signature::PublicKey;
use crate::audit::tiles;
use crate::ids::StreamId;
use crate::journal::Head;
use crate::projection::{Changes, Row, WitnessRow};
use crate::tables::{Key, Table};
use crate::{Digest, Order, Reader, Store, StoreError, Timestamp, envelope};

/// Faults that a report names; more are only counted.
const FAULT_LIMIT: usize = 100;

impl Row for SignedCheckpoint {
    const TABLE: Table = Table::Checkpoints;

    fn key(&self) -> Key {
        Key::new().u64(self.checkpoint.size)
    }
}

/// What a check of the whole journal came to.
#[derive(Clone, Debug, Default, serde::Serialize)]
pub struct Report {
    /// Entries read.
    pub entries: u64,
    /// Root of the tree over them.
    pub root: Option<Digest>,
    /// Checkpoints whose signature and root fit.
    pub checkpoints: u64,
    /// Words of witnesses that do: members, now or before, saw the log as it is, up to there.
    pub witnessed: u64,
    /// What does not fit, as far as it is named.
    pub faults: Vec<String>,
    /// How many things do not fit.
    pub fault_count: u64,
}

impl Report {
    /// Whether everything fits.
    pub fn is_sound(&self) -> bool {
        self.fault_count == 0
    }

    fn fault(&mut self, fault: String) {
        self.fault_count += 1;
        if self.faults.len() < FAULT_LIMIT {
            self.faults.push(fault);
        }
    }
}

/// Why there is no proof.
#[derive(Debug, thiserror::Error)]
pub enum ProofError {
    /// The journal cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The sizes or the index do not fit the log.
    #[error(transparent)]
    Invalid(#[from] InvalidProof),
}

/// Size and root of the log as it stands.
pub fn state(reader: &Reader) -> Result<(u64, Digest), StoreError> {
    let head = Head::read(reader)?;
    Ok((head.len, head.frontier.root()))
}

/// The newest kept checkpoint.
pub fn latest_checkpoint(reader: &Reader) -> Result<Option<SignedCheckpoint>, StoreError> {
    Ok(reader.page(&Key::new(), Order::Descending, None, 1, |_| true)?.items.pop())
}

/// Signs the log as it stands. The caller keeps the checkpoint through the journal.
pub fn checkpoint(store: &Store, now: Timestamp) -> Result<SignedCheckpoint, StoreError> {
    let (size, root) = state(&store.read()?)?;
    let (node, incarnation) = (store.key().public(), store.incarnation().id);
    Ok(Checkpoint { node, incarnation, size, root, at: now }.sign(store.key()))
}

impl Changes {
    /// Keeps a checkpoint.
    pub fn keep_checkpoint(&mut self, checkpoint: &SignedCheckpoint) {
        self.put(checkpoint);
    }
}

/// The proof that entry `offset` is in the log of `size` entries: its leaf and the hashes beside its path.
pub fn inclusion(reader: &Reader, offset: u64, size: u64) -> Result<(Digest, Vec<Digest>), ProofError> {
    let plan = proof::inclusion_plan(offset, size)?;
    let leaf = reader.look_at(Table::Log, &offset.to_be_bytes(), envelope::leaf)?;
    let missing = || StoreError::Inconsistent(format!("entry {offset} is missing"));
    Ok((leaf.ok_or_else(missing)?, roots(reader, plan)?))
}

/// The proof that the log of `new_size` entries continues the one of `old_size`.
pub fn consistency(reader: &Reader, old_size: u64, new_size: u64) -> Result<Vec<Digest>, ProofError> {
    Ok(roots(reader, proof::consistency_plan(old_size, new_size)?)?)
}

fn roots(reader: &Reader, plan: Vec<Range<u64>>) -> Result<Vec<Digest>, StoreError> {
    plan.into_iter().map(|range| tiles::root(reader, range)).collect()
}

/// Checks the whole journal: checksums, order of the log and of each stream, the tree, every kept checkpoint and every
/// word of a witness. `progress` is told of entries read.
pub fn verify(store: &Store, mut progress: impl FnMut(u64)) -> Result<Report, StoreError> {
    let reader = store.read()?;
    let head = Head::read(&reader)?;
    let checkpoints = reader.all::<SignedCheckpoint>()?.into_iter();
    let mut checkpoints: HashMap<_, _> = checkpoints.map(|signed| (signed.checkpoint.size, signed)).collect();
    let mut report = Report::default();
    let keys = Keys::read(&reader, store.key().public())?;
    let mut words = Words::read(&reader)?;
    let mut frontier = Frontier::default();
    let mut streams: HashMap<StreamId, u64> = HashMap::new();
    let read = reader.log_bytes(0, |offset, bytes| {
        if offset != report.entries {
            report.fault(format!("entry {} is missing", report.entries));
            report.entries = offset;
        }
        match envelope::decode(bytes) {
            Ok(entry) => {
                let last = streams.insert(entry.stream, entry.seq).unwrap_or(0);
                if entry.seq != last + 1 {
                    let (stream, seq) = (entry.stream, entry.seq);
                    report.fault(format!("entry {offset}: stream {stream} goes from {last} to {seq}"));
                }
            }
            Err(error) => report.fault(format!("entry {offset}: {error}")),
        }
        frontier.push(envelope::leaf(bytes));
        report.entries += 1;
        if let Some(signed) = checkpoints.remove(&report.entries) {
            match fault(&signed, &frontier, &keys.own) {
                None => report.checkpoints += 1,
                Some(why) => report.fault(format!("the checkpoint at {} {why}", report.entries)),
            }
        }
        words.check(&frontier, &keys, &mut report);
        progress(report.entries);
        Ok(true)
    });
    if let Err(error) = read {
        report.fault(error.to_string());
    }
    if (report.entries, frontier.root()) != (head.len, head.frontier.root()) {
        report.fault(format!(
            "the log has {} entries with root {}, its head says {} with root {}",
            report.entries,
            frontier.root(),
            head.len,
            head.frontier.root()
        ));
    }
    for size in checkpoints.into_keys().filter(|&size| size > 0) {
        report.fault(format!("the checkpoint at {size} is beyond the log"));
    }
    words.check_left(&mut report);
    report.root = Some(frontier.root());
    Ok(report)
}

/// Whose signatures count.
struct Keys {
    /// Those that the node went by, one after the other.
    own: BTreeSet<PublicKey>,
    /// Of all who are members, or were.
    members: BTreeSet<PublicKey>,
}

impl Keys {
    fn read(reader: &Reader, node: PublicKey) -> Result<Self, StoreError> {
        let Some(env) = reader.environment()? else {
            return Ok(Self { own: BTreeSet::from([node]), members: BTreeSet::new() });
        };
        let roster = reader.roster(env)?;
        let members = roster.members().map(|(member, _)| member).collect();
        Ok(Self { own: roster.heritage(node), members })
    }

    /// Why the word of `witness` is nobody's: whoever has the journal can make up keys, and has its own.
    fn not_heard(&self, witness: PublicKey) -> Option<String> {
        if self.own.contains(&witness) {
            Some("is the word of the node itself".to_owned())
        } else if !self.members.contains(&witness) {
            Some("is the word of a stranger: no member has this key, or had it".to_owned())
        } else {
            None
        }
    }
}

/// What witnesses saw of the log, by its size then.
struct Words(BTreeMap<u64, Vec<WitnessRow>>);

impl Words {
    fn read(reader: &Reader) -> Result<Self, StoreError> {
        let mut words: BTreeMap<u64, Vec<WitnessRow>> = BTreeMap::new();
        for word in reader.all::<WitnessRow>()? {
            words.entry(word.checkpoint.checkpoint.size).or_default().push(word);
        }
        Ok(Self(words))
    }

    /// Checks what they saw of as many entries as were read.
    fn check(&mut self, frontier: &Frontier, keys: &Keys, report: &mut Report) {
        for word in self.0.remove(&report.entries).unwrap_or_default() {
            let is_its = word.checkpoint.verify_witness(word.witness, &word.signature).is_ok();
            let not_its = (!is_its).then(|| "is not its word".to_owned());
            let why = keys.not_heard(word.witness).or_else(|| fault(&word.checkpoint, frontier, &keys.own));
            match why.or(not_its) {
                None => report.witnessed += 1,
                Some(why) => {
                    report.fault(format!("what {} witnessed at {} {why}", word.witness, report.entries));
                }
            }
        }
    }

    /// What is left when all entries were read.
    fn check_left(self, report: &mut Report) {
        for word in self.0.into_values().flatten().filter(|word| word.checkpoint.checkpoint.size > 0) {
            let size = word.checkpoint.checkpoint.size;
            report.fault(format!("what {} witnessed at {size} is beyond the log", word.witness));
        }
    }
}

/// What is wrong with a checkpoint of the log that comes to `frontier` there. `keys` are those that the node went by, one
/// after the other.
fn fault(signed: &SignedCheckpoint, frontier: &Frontier, keys: &BTreeSet<PublicKey>) -> Option<String> {
    let checkpoint = &signed.checkpoint;
    if signed.verify().is_err() {
        Some("has a signature that does not fit".to_owned())
    } else if !keys.contains(&checkpoint.node) {
        Some(format!("was signed by another node, {}", checkpoint.node))
    } else if checkpoint.root != frontier.root() {
        Some("has another root: the log was changed before that".to_owned())
    } else {
        None
    }
}
