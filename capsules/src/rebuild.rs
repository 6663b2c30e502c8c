//! Building what a capsule holds, as its manifest says, and comparing what comes of it.
//!
//! Owns the order: the files are laid out in a room of a workcell, the steps run one after the other, and
//! what then stands in `outDir` is looked at as a tree, without running anything of it. Refuses a build that
//! asks for a part of the network, which no workcell can hold it to. Invariant: what is compared is all that
//! stands there, and nothing from outside.

mod record;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufReader};
use std::path::Path;

use tempfile::TempDir;
use xyn_store::blobs::Blobs;
use xyn_store::legible::is_hidden;
use xyn_store::{Digest, Timestamp};

use crate::container::{ContainerError, Cover, Options, pack};
use crate::manifest::{App, Build, Line, Network};
use crate::sign::Resource;
use crate::tree::folder::Folder;
use crate::tree::{
    Descent, Limits, Listing, Looked, Overlay, RelPath, Seen, TreeError, Wish, diff, graft, list, look_whole,
    restore, snapshot_whole,
};
use crate::workcell::{Ended, Room, Workcell, WorkcellError};

pub use record::NotRecorded;

/// Files of a build that a capsule lists; of more, only the tree is known.
const LISTED_MAX: u64 = 10_000;

/// Lines of what a failed step said that are told.
const SAID_LINES: usize = 10;
/// Lines of a comparison that are.
const EXPLAINED_LINES: usize = 60;
/// The capsule that nobody else sees.
const PACKED: &str = "app.caps";
/// How two builds are compared, and how that ends when they differ.
const DIFFOSCOPE: &str = "exec diffoscope --no-progress --max-text-report-size 8192 first second";
const DIFFERENT: i32 = 1;

/// How a tree becomes what runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipe {
    steps: Vec<Line>,
    out_dir: RelPath,
    /// In seconds since the Unix epoch.
    epoch: u64,
    network: Network,
    env: BTreeMap<String, String>,
}

/// What was built. The room is there until this is dropped.
#[derive(Debug)]
pub struct Built {
    /// What stands in `outDir`.
    pub output: Looked,
    room: Room,
}

/// What a capsule of a folder would hold, by way of one that nobody else sees: so exactly what would be packed is laid
/// out.
pub(crate) struct Packed {
    /// Of its tree.
    pub(crate) root: Digest,
    /// Where the capsule is, as long as this is there.
    place: TempDir,
}

/// Why nothing was built.
#[derive(Debug, thiserror::Error)]
pub enum NotBuilt {
    /// It asks for more than it can be held to.
    #[error(
        "`/build/network`: a workcell gives a build no network, and cannot hold it to a list of hosts, such as \
         `{0}`"
    )]
    Network(Line),
    /// The files were not laid out.
    #[error(transparent)]
    Files(#[from] ContainerError),
    /// The workcell did not do it.
    #[error(transparent)]
    Workcell(#[from] WorkcellError),
    /// A step was ended.
    #[error("step {number} (`{step}`): {source}")]
    Stopped {
        /// Which, from 1.
        number: usize,
        /// What it is.
        step: Line,
        /// Why.
        source: WorkcellError,
    },
    /// A step failed.
    #[error("step {number} (`{step}`) ended with {}{}", ended.code, said(ended))]
    Step {
        /// Which, from 1.
        number: usize,
        /// What it is.
        step: Line,
        /// How it ended, and what it said.
        ended: Ended,
    },
    /// What stands in `outDir` is no tree.
    #[error("what was built into `{out_dir}`: {source}")]
    Output {
        /// Where it should be.
        out_dir: RelPath,
        /// What is wrong with it.
        source: TreeError,
    },
    /// What is run behind the build failed.
    #[error("`{run}`, run behind the build, ended with {}{}", ended.code, said(ended))]
    Run {
        /// What it is.
        run: Line,
        /// How it ended, and what it said.
        ended: Ended,
    },
    /// It is not what was looked at any more.
    #[error("what was built into `{out_dir}` is `{now}` by now, and was `{before}`")]
    Changed {
        /// Where it is.
        out_dir: RelPath,
        /// What it was.
        before: Digest,
        /// What it is.
        now: Digest,
    },
    /// A device, a pipe or a socket.
    #[error("what was built into `{0}` holds a device, a pipe or a socket, and no tree does")]
    Special(RelPath),
}

impl Recipe {
    /// What `build` says, with those variables of `app` that have a value.
    pub fn new(build: &Build, app: &App) -> Self {
        let given = app.env.iter().filter_map(|(name, value)| Some((name.to_string(), value.clone()?)));
        Self {
            steps: build.steps.clone(),
            out_dir: build.out_dir.clone(),
            epoch: build.source_date_epoch,
            network: build.network.clone(),
            env: given.collect(),
        }
    }

    /// Builds what `lay_out` puts into the folder that it is given, and makes.
    pub fn build(
        &self,
        cell: &Workcell,
        lay_out: impl FnOnce(&Path) -> Result<(), ContainerError>,
    ) -> Result<Built, NotBuilt> {
        if let (Network::Allow(hosts), true) = (&self.network, cell.is_walled())
            && let Some(host) = hosts.first()
        {
            return Err(NotBuilt::Network(host.clone()));
        }
        let room = cell.room()?;
        lay_out(&room.tree())?;
        room.hand_over(self.epoch)?;
        let env = self.env();
        for (index, step) in self.steps.iter().enumerate() {
            let (number, step) = (index + 1, step.clone());
            match cell.run(&room, step.as_str(), &env) {
                Ok(ended) if ended.code == 0 => {}
                Ok(ended) => return Err(NotBuilt::Step { number, step, ended }),
                Err(source) => return Err(NotBuilt::Stopped { number, step, source }),
            }
        }
        let output = self.output(&room.tree())?;
        Ok(Built { output, room })
    }

    /// Builds the tree `root` of the chunk store.
    pub fn build_stored(&self, cell: &Workcell, blobs: &Blobs, root: &Digest) -> Result<Built, NotBuilt> {
        self.build(cell, from_store(blobs, root))
    }

    /// Builds what a capsule of the folder `dir` would hold; answers the digest of its tree, too.
    pub fn build_folder(&self, cell: &Workcell, dir: &Path) -> Result<(Digest, Built), NotBuilt> {
        let packed = Packed::of(dir)?;
        let built = self.build(cell, |tree| packed.lay_out(tree))?;
        Ok((packed.root, built))
    }

    /// Runs a command line behind what this built in `cell`; answers the digest of what it prints.
    pub fn replay(&self, cell: &Workcell, built: &Built, run: &Line) -> Result<Digest, NotBuilt> {
        let ended = cell.run(&built.room, run.as_str(), &self.env())?;
        match ended.code {
            0 => Ok(ended.out_digest),
            _ => Err(NotBuilt::Run { run: run.clone(), ended }),
        }
    }

    /// What diffoscope says of two builds, where this machine has it. It looks at what strangers made, so it
    /// does that in `cell`, too.
    pub fn explain(&self, cell: &Workcell, builds: [&Built; 2]) -> Result<Option<String>, NotBuilt> {
        let room = cell.room()?;
        let placed = || -> io::Result<()> {
            fs::create_dir(room.tree())?;
            for (build, name) in builds.iter().zip(["first", "second"]) {
                let output = build.room.tree().join(self.out_dir.as_str());
                fs::rename(output, room.tree().join(name))?;
            }
            Ok(())
        };
        placed()
            .map_err(|source| WorkcellError::Io { action: "put two builds beside each other", source })?;
        room.hand_over(self.epoch)?;
        let ended = cell.run(&room, DIFFOSCOPE, &self.env())?;
        Ok((ended.code == DIFFERENT).then(|| last_lines(&ended.out, EXPLAINED_LINES)))
    }

    /// The time that a build sees, in seconds since the Unix epoch.
    pub(crate) fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The variables that a build sees.
    pub(crate) fn env(&self) -> BTreeMap<String, String> {
        let epoch = ("SOURCE_DATE_EPOCH".to_owned(), self.epoch.to_string());
        self.env.clone().into_iter().chain([epoch]).collect()
    }

    /// What stands where the build leaves it. Whatever was swapped for a link is not followed.
    fn output(&self, tree: &Path) -> Result<Looked, NotBuilt> {
        let out_dir = &self.out_dir;
        let wrong = |source| NotBuilt::Output { out_dir: out_dir.clone(), source };
        let mut descent = Descent::new(Folder::open(tree).map_err(wrong)?);
        let folder = descent.folder(out_dir).map_err(wrong)?;
        match look_whole(folder, Limits::default()).map_err(wrong)? {
            (output, 0) => Ok(output),
            _ => Err(NotBuilt::Special(out_dir.clone())),
        }
    }

    /// Keeps in `blobs` the tree `root` of which `built` was built, with what was built in its place; answers the root of
    /// that. Nobody keeps it yet: it is swept in time.
    pub fn keep(&self, built: &Built, blobs: &Blobs, root: &Digest) -> Result<Digest, NotBuilt> {
        let out_dir = &self.out_dir;
        let wrong = |source| NotBuilt::Output { out_dir: out_dir.clone(), source };
        let kept = || -> Result<Digest, TreeError> {
            let mut descent = Descent::new(Folder::open(&built.room.tree())?);
            snapshot_whole(blobs, descent.folder(out_dir)?, Limits::default())
        };
        let (before, now) = (built.root(), kept().map_err(wrong)?);
        // What was compared is what is kept, whoever else gets at the room.
        if now != before {
            return Err(NotBuilt::Changed { out_dir: out_dir.clone(), before, now });
        }
        graft(blobs, root, out_dir, &now).map_err(wrong)
    }
}

impl Packed {
    /// Packs the folder `dir`.
    pub(crate) fn of(dir: &Path) -> Result<Self, ContainerError> {
        let place = tempfile::tempdir().map_err(ContainerError::io("create a folder for", dir))?;
        let draft = pack(dir, &place.path().join(PACKED), &Options::default())?;
        let root = draft.root();
        draft.seal(&[], &[])?;
        Ok(Self { root, place })
    }

    /// Lays it out in the folder `tree`, which is made.
    pub(crate) fn lay_out(&self, tree: &Path) -> Result<(), ContainerError> {
        let file = self.place.path().join(PACKED);
        let source = File::open(&file).map_err(ContainerError::io("read", &file))?;
        let capsule = Cover::read(BufReader::new(source))?.open(None, Limits::default())?;
        capsule.unpack(tree).map(drop)
    }
}

impl Built {
    /// The tree that came of it.
    pub fn root(&self) -> Digest {
        self.output.root
    }

    /// Its files as an attestation lists them: all of them, or none when there are too many.
    pub fn byproducts(&self) -> Result<Vec<Resource>, TreeError> {
        let listing = self.listing()?;
        if listing.entries.len() as u64 > LISTED_MAX {
            return Ok(Vec::new());
        }
        let named = listing.entries.iter().filter(|(_, entry)| !entry.is_directory());
        let resource = |(path, entry): &(RelPath, crate::tree::Entry)| Resource {
            name: Some(path.to_string()),
            uri: None,
            digest: BTreeMap::from([("sha256".to_owned(), entry.digest.to_string())]),
        };
        Ok(named.map(resource).collect())
    }

    /// Files that are not those that `byproducts` lists: others, missing, or too many.
    pub fn differs_from(&self, byproducts: &[Resource]) -> Result<Vec<RelPath>, TreeError> {
        let listed = byproducts.iter().filter_map(|listed| {
            let path: RelPath = listed.name.as_ref()?.parse().ok()?;
            Some((path, listed.digest.get("sha256")?.clone()))
        });
        let mut left: BTreeMap<RelPath, String> = listed.collect();
        if left.is_empty() {
            return Ok(Vec::new());
        }
        let mut different = Vec::new();
        for (path, entry) in self.listing()?.entries.into_iter().filter(|(_, entry)| !entry.is_directory()) {
            if left.remove(&path) != Some(entry.digest.to_string()) {
                different.push(path);
            }
        }
        different.extend(left.into_keys());
        different.sort();
        Ok(different)
    }

    /// Files that are not as in another build of the same.
    pub fn differs_from_build(&self, other: &Self) -> Result<Vec<RelPath>, TreeError> {
        let shelf = Overlay { above: &self.output.blobs, below: &other.output.blobs };
        let found = diff(&shelf, &other.root(), &self.root(), Limits::default())?;
        Ok(found.into_iter().map(|difference| difference.path).collect())
    }

    fn listing(&self) -> Result<Listing, TreeError> {
        list(&self.output.blobs, &self.output.root, Limits::default())
    }
}

/// Lays out the tree `root` of the chunk store.
pub(crate) fn from_store<'a>(
    blobs: &'a Blobs,
    root: &'a Digest,
) -> impl FnOnce(&Path) -> Result<(), ContainerError> + 'a {
    let wish = Wish { root: *root, base: None, force: false, remove: false };
    move |tree| {
        restore(blobs, tree, &wish, &Seen::default(), Timestamp::EPOCH, Limits::default())?;
        Ok(())
    }
}

/// The end of what a step said, to be put behind a message.
fn said(ended: &Ended) -> String {
    last_lines(if ended.err.trim().is_empty() { &ended.out } else { &ended.err }, SAID_LINES)
}

/// The last lines of a text. What a stranger's program says must not move the cursor of whoever reads it.
pub(crate) fn last_lines(text: &str, limit: usize) -> String {
    let lines: Vec<&str> = text.trim_end().lines().collect();
    let harmless = |c: char| if is_hidden(c) && c != '\t' { '·' } else { c };
    let last = lines.iter().skip(lines.len().saturating_sub(limit));
    last.map(|line| format!("\n  {}", line.chars().map(harmless).collect::<String>())).collect()
}

#[cfg(test)]
mod tests;
