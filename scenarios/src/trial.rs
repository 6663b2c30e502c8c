//! A capsule on trial: the file that a world spreads over its nodes, proves at each, rolls out and rolls back.
//!
//! Owns its chunks, once for a whole world, and how much of it a world can hold. Looks into no capsule itself: whoever
//! puts one on trial says how one is proved. Invariant: what is on trial was proved before the world began.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;

use xyn_net::proto::blobs::IN_FLIGHT_MAX;
use xyn_store::Digest;
use xyn_store::blobs::{Cutter, Manifest, Parcel};
use xyn_store::timeline::{Offer, Visibility};

/// The most bytes of the file of a capsule on trial: nodes prove it one at a time, and whole in memory.
pub const TRIAL_BYTES_MAX: u64 = 64 << 20;
/// The most bytes of it that may be under way between all nodes of a world at a time.
pub const UNDER_WAY_BYTES_MAX: u64 = 2 << 30;

/// What is found in a capsule that is proved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proved {
    /// Of its manifest: the name of the capsule.
    pub capsule: Digest,
    /// Which app in which version, as a URN.
    pub id: String,
    /// Its place among the capsules of the app.
    pub generation: u64,
    /// How many files it holds, each proved.
    pub files: u64,
}

/// Proves the bytes of a file; the error is for people.
pub type Judge = Box<dyn Fn(&[u8]) -> Result<Proved, String> + Send + Sync>;

/// A capsule on trial.
pub struct Trial {
    pub(crate) judge: Judge,
    pub(crate) proved: Proved,
    pub(crate) manifest: Arc<Manifest>,
    /// Records of its chunks, as every node keeps them.
    pub(crate) records: BTreeMap<Digest, Arc<[u8]>>,
}

/// Why a capsule cannot be put on trial.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotTried {
    /// It is too large.
    #[error("the capsule has more than {TRIAL_BYTES_MAX} bytes, the most that a world takes")]
    TooLarge,
    /// It does not prove.
    #[error("{0}")]
    Unproved(String),
    /// The world is too large for it.
    #[error(
        "{nodes} nodes may have {bytes} bytes of the capsule under way at a time, and a world holds \
         {UNDER_WAY_BYTES_MAX}"
    )]
    TooMuch {
        /// How many nodes the world has.
        nodes: usize,
        /// What all of them may ask for at a time.
        bytes: u64,
    },
    /// Nobody could offer it.
    #[error("no node of the scenario is there from the start, honest, and stays: none can offer the capsule")]
    NoSource,
}

impl Trial {
    /// Puts the file of a capsule on trial, if `judge` takes it.
    pub fn new(file: &[u8], judge: Judge) -> Result<Self, NotTried> {
        if file.len() as u64 > TRIAL_BYTES_MAX {
            return Err(NotTried::TooLarge);
        }
        let proved = judge(file).map_err(NotTried::Unproved)?;
        let (mut parts, mut records) = (Vec::new(), BTreeMap::new());
        let mut take = |chunk: &[u8]| {
            let digest = Digest::of(chunk);
            parts.push((digest, chunk.len() as u32));
            records.entry(digest).or_insert_with(|| Parcel::of(chunk).into());
            Ok::<_, Infallible>(())
        };
        let mut cutter = Cutter::default();
        let Ok(()) = cutter.write(file, &mut take);
        let Ok((object, _)) = cutter.finish(&mut take);
        Ok(Self { judge, proved, manifest: Arc::new(Manifest::new(object, parts)), records })
    }

    /// Whether so many nodes can have it.
    pub(crate) fn fits(&self, nodes: usize) -> Result<(), NotTried> {
        let bytes = self.manifest.size_bytes().min(IN_FLIGHT_MAX) * nodes as u64;
        if bytes > UNDER_WAY_BYTES_MAX { Err(NotTried::TooMuch { nodes, bytes }) } else { Ok(()) }
    }

    /// Whether `bytes` are, at a node, what was proved before the world began.
    pub(crate) fn judge(&self, bytes: &[u8]) -> Result<(), String> {
        let found = (self.judge)(bytes)?;
        if found == self.proved { Ok(()) } else { Err("it is another capsule".to_owned()) }
    }

    /// The record of a chunk of it, as all nodes share it; none where `record` is something else.
    pub(crate) fn pooled(&self, chunk: &Digest, record: &[u8]) -> Option<Arc<[u8]>> {
        self.records.get(chunk).filter(|known| ***known == *record).cloned()
    }

    /// What a moment says that offers it.
    pub(crate) fn offer(&self) -> Offer {
        Offer {
            capsule: self.proved.capsule,
            id: self.proved.id.clone(),
            generation: self.proved.generation,
            visibility: Visibility::Env,
            file: self.manifest.object(),
            size_bytes: self.manifest.size_bytes(),
            delta: None,
        }
    }
}
