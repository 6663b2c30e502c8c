//! `xyn capsule`: apps sealed at a moment, in one file that anyone can verify. What is done with files needs no node.

pub(super) mod attest;
mod deploy;
mod diff;
mod export;
mod gc;
mod hand_in;
mod keys;
mod leave;
mod look;
mod merge;
mod node;
mod pack;
mod place;
mod private;
mod rebuild;
mod ring;
mod sign;
mod source;

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use clap::Subcommand;
use xyn_capsules::age::NotOpened;
use xyn_capsules::container::ContainerError;
use xyn_capsules::manifest::{InvalidManifest, Line};
use xyn_capsules::proof::NotTrusted;
use xyn_capsules::sign::{NotVerified, PublicKey};
use xyn_capsules::tree::TreeError;

pub(super) use keys::{Judge, Trust, secret};
pub(super) use node::short;

use super::Context;
use crate::failure::{Exit, Failure, file_hint, with_causes};
use crate::shell;

/// Digits of a key by which people tell keys apart.
const SHOWN_DIGITS: usize = 12;
/// What helps with a capsule that was damaged, changed, or packed wrongly.
const GET_IT_AGAIN: &str = "get the capsule again from who packed it";

/// What can be done with capsules.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Make a key that signs capsules
    Keygen(keys::Keygen),
    /// Seal a folder or a moment, as its `capsule.json` says, into one signed file
    Pack(Box<pack::Pack>),
    /// List the capsules of the environment: those that are here, and those that members offer
    List(node::List),
    /// Show what the node knows of a capsule
    Show(node::Show),
    /// Fetch a capsule from members, verified; prints its digest
    Pull(node::Pull),
    /// Hand a file to the node, which verifies it and offers it to members; prints its digest
    Push(node::Push),
    /// Let a capsule serve in a stage, in place of what serves there; prints where
    Deploy(deploy::Deploy),
    /// Let what served before serve again; prints where
    Rollback(deploy::Rollback),
    /// Let go of old capsules that nothing needs any more
    Gc(gc::Gc),
    /// Show what a capsule says of itself; verifies nothing
    Inspect(look::Inspect),
    /// Check who signed a capsule, and every byte of it
    Verify(look::Verify),
    /// Verify a capsule and lay out its files in a new folder
    Unpack(look::Unpack),
    /// Verify a capsule and build it in a sandbox, to see whether that comes to what its packer built
    Rebuild(rebuild::Arguments),
    /// Rebuild a capsule, run it, and compare what it answers with what was recorded
    Replay(rebuild::Arguments),
    #[command(hide = true)]
    Enter(place::Enter),
    /// Put what was found out about a capsule into it, so that it travels along
    Attest(attest::Attest),
    /// Sign leave to install an older capsule
    Leave(leave::Leave),
    /// Add a signature to a capsule
    Sign(sign::Sign),
    /// Say who may do what in an environment, in a signed file
    #[command(subcommand)]
    Ring(ring::Command),
    /// Show what differs between two capsules
    Diff(diff::Diff),
    /// Bring two capsules together that began as one
    Merge(merge::Merge),
    /// Write a capsule in a form that others read
    Export(export::Export),
    /// Make a capsule of what was exported
    Import(export::Import),
}

pub(super) async fn run(command: Command, context: &Context) -> Result<Exit, Failure> {
    match command {
        Command::Keygen(arguments) => keys::keygen(&arguments, context),
        Command::Pack(arguments) => match arguments.at.is_some() || arguments.workspace.is_some() {
            true => node::pack(&arguments, context).await,
            false => pack::run(&arguments, context).await,
        },
        Command::List(arguments) => node::list(&arguments, context).await,
        Command::Show(arguments) => node::show(&arguments, context).await,
        Command::Pull(arguments) => node::pull(&arguments, context).await,
        Command::Push(arguments) => node::push(&arguments, context).await,
        Command::Deploy(arguments) => deploy::deploy(&arguments, context).await,
        Command::Rollback(arguments) => deploy::rollback(&arguments, context).await,
        Command::Gc(arguments) => gc::run(&arguments, context).await,
        Command::Inspect(arguments) => look::inspect(&arguments, context).await,
        Command::Verify(arguments) => look::verify(&arguments, context).await,
        Command::Unpack(arguments) => look::unpack(&arguments, context).await,
        Command::Rebuild(arguments) => rebuild::rebuild(&arguments, context).await,
        Command::Replay(arguments) => rebuild::replay(&arguments, context).await,
        Command::Enter(arguments) => place::run(&arguments),
        Command::Attest(arguments) => attest::run(&arguments, context).await,
        Command::Leave(arguments) => leave::run(&arguments, context),
        Command::Sign(arguments) => sign::run(&arguments, context).await,
        Command::Ring(command) => ring::run(command, context).await,
        Command::Diff(arguments) => diff::run(&arguments, context).await,
        Command::Merge(arguments) => merge::run(&arguments, context).await,
        Command::Export(arguments) => export::export(&arguments, context).await,
        Command::Import(arguments) => export::import(&arguments, context),
    }
}

/// What the holder of a key is called when nobody says it: the same for whoever has this key.
fn packer(key: PublicKey) -> Line {
    let id = key.id().to_string();
    format!("key {}", &id[..SHOWN_DIGITS]).parse().expect("words and hex digits are a line")
}

/// Opens the file of a capsule.
pub(super) fn open(path: &Path) -> Result<BufReader<File>, Failure> {
    let file = File::open(path).map_err(|error| Failure::file("read", path, &error))?;
    Ok(BufReader::with_capacity(1 << 20, file))
}

/// What is wrong with the capsule at `path`, or with what was done to it.
fn file(path: &Path, error: &ContainerError) -> Failure {
    let failure = Failure::failed("capsule", with_causes(error)).at(path.display().to_string());
    match error {
        ContainerError::Encrypted => {
            failure.hint(format!("decrypt it with: age --decrypt -i KEYFILE -o FILE.caps {}", path.display()))
        }
        ContainerError::NotCapsule => failure
            .hint("what was exported becomes a capsule again with: xyn capsule import FILE --out FILE.caps"),
        ContainerError::NeedsBase(_) | ContainerError::WrongBase { .. } => {
            failure.hint("name the capsule that this one was written against with: --base FILE")
        }
        ContainerError::Content { .. } => failure.hint(GET_IT_AGAIN),
        ContainerError::Read(source)
        | ContainerError::Io { source, .. }
        | ContainerError::Tree(TreeError::Io { source, .. }) => failure.hint(file_hint(source.kind())),
        _ => failure,
    }
}

/// That what the capsule at `path` says of itself cannot be read.
fn unsound(path: &Path, error: &NotVerified) -> Failure {
    let failure = Failure::failed("capsule", format!("the manifest: {error}")).at(path.display().to_string());
    match error {
        // These say that a newer program is needed.
        NotVerified::Manifest(InvalidManifest::Format(_) | InvalidManifest::Critical(_)) => failure,
        _ => failure.hint(GET_IT_AGAIN),
    }
}

/// Why the capsule at `path` is not taken.
pub(super) fn not_trusted(path: &Path, error: &NotTrusted) -> Failure {
    let failure = Failure::failed("not_trusted", with_causes(error)).at(path.display().to_string());
    match error {
        NotTrusted::File(error) => file(path, error),
        NotTrusted::NotOpened(NotOpened::NoKey) => {
            failure.hint("name the file of the key that it is for: --identity FILE")
        }
        NotTrusted::Manifest(_) => failure
            .hint(format!("see who says to have signed it with: xyn capsule inspect {}", shell::word(path))),
        NotTrusted::NotOpened(NotOpened::OtherKeys) => {
            failure.hint("name the file of another key with: --identity FILE; or have it packed for you")
        }
        NotTrusted::NotOpened(NotOpened::Read(source)) => failure.hint(file_hint(source.kind())),
        NotTrusted::NotMeant(_) | NotTrusted::Attestation { .. } | NotTrusted::Missing { .. } => {
            failure.hint(GET_IT_AGAIN)
        }
        _ => failure,
    }
}
