//! What people say to `xyn capsule ring`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use xyn_capsules::manifest::{Line, Slug};
use xyn_capsules::sign::{KeyId, Role, SecretKey};

use crate::cli::capsule::keys;
use crate::failure::Failure;

/// What can be done with key rings.
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Command {
    /// Make the first ring of an environment, in which one key may do everything
    New(New),
    /// Let a key do something
    Add(Add),
    /// Take all rights from a key
    Revoke(Revoke),
    /// Put a new key in the place of an old one, everywhere
    Rotate(Rotate),
    /// Take the ring that follows the one that is here
    Take(Take),
    /// Show who may do what
    Show(Show),
    /// Put a ring into force on the node: from then on it says whose capsules are verified, fetched and deployed
    Use(Use),
    /// Show the ring that is in force on the node
    Current(Current),
}

#[derive(Debug, Args)]
pub(in crate::cli) struct New {
    /// The ring; a file that is not there yet
    pub(super) ring: PathBuf,
    /// The environment that it is for; that of the node when left out
    #[arg(long)]
    pub(super) env: Option<Line>,
    /// Whose key it is
    #[arg(long)]
    pub(super) name: Option<Line>,
    #[command(flatten)]
    pub(super) signing: Signing,
}

/// Who signs a ring, and how long it holds.
#[derive(Debug, Args)]
pub(in crate::cli) struct Signing {
    /// A key with the role `root`, which signs; may be given again
    #[arg(long = "key", value_name = "FILE", default_value = "capsule.key")]
    pub(super) keys: Vec<PathBuf>,
    /// For how many days the ring holds
    #[arg(long, value_name = "N", default_value_t = 365)]
    pub(super) days: u32,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Add {
    /// The ring
    pub(super) ring: PathBuf,
    /// The public key that is let do something, or its file
    #[arg(long = "pub", value_name = "KEY|FILE")]
    pub(super) public: String,
    /// What it is let do, for every app
    #[arg(long = "as", value_name = "ROLE", required_unless_present = "app")]
    pub(super) role: Option<Part>,
    /// The app that it is let publish, which then only those may who are let publish this app
    #[arg(long, value_name = "APP", conflicts_with = "role")]
    pub(super) app: Option<Slug>,
    /// How many with this right must sign
    #[arg(long, value_name = "N")]
    pub(super) threshold: Option<u32>,
    /// Whose key it is
    #[arg(long)]
    pub(super) name: Option<Line>,
    /// For how many days the key is good; as long as the ring, when nothing is said
    #[arg(long, value_name = "N")]
    pub(super) key_days: Option<u32>,
    #[command(flatten)]
    pub(super) signing: Signing,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Revoke {
    /// The ring
    pub(super) ring: PathBuf,
    /// The id of the key
    pub(super) id: KeyId,
    /// Why, for people
    #[arg(long)]
    pub(super) reason: Line,
    #[command(flatten)]
    pub(super) signing: Signing,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Rotate {
    /// The ring
    pub(super) ring: PathBuf,
    /// The id of the key that goes
    pub(super) id: KeyId,
    /// The public key that comes, or its file; where it becomes a root, it signs as well: give its --key
    #[arg(long = "pub", value_name = "KEY|FILE")]
    pub(super) public: String,
    /// Why, for people
    #[arg(long, default_value = "rotated")]
    pub(super) reason: Line,
    #[command(flatten)]
    pub(super) signing: Signing,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Take {
    /// The ring that is here
    pub(super) ring: PathBuf,
    /// The ring that follows it
    pub(super) next: PathBuf,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Show {
    /// The ring
    pub(super) ring: PathBuf,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Use {
    /// The ring
    pub(super) ring: PathBuf,
    /// The key of the root of the first ring, or its file; may be given again. A ring that follows another needs none
    #[arg(long = "pub", value_name = "KEY|FILE")]
    pub(super) roots: Vec<String>,
    /// How many of them must have signed it
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(super) threshold: u32,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Current {
    /// Write the ring to a file, for another machine
    #[arg(short, long, value_name = "FILE")]
    pub(super) out: Option<PathBuf>,
}

/// A role, as people name it.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum Part {
    Root,
    Publisher,
    Attestor,
    Rollback,
}

impl From<Part> for Role {
    fn from(part: Part) -> Self {
        match part {
            Part::Root => Self::Root,
            Part::Publisher => Self::Publisher,
            Part::Attestor => Self::Attestor,
            Part::Rollback => Self::Rollback,
        }
    }
}

impl Signing {
    /// The keys that sign.
    pub(super) fn secrets(&self) -> Result<Vec<SecretKey>, Failure> {
        self.keys.iter().map(|path| keys::secret(path)).collect()
    }
}
