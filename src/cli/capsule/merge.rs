//! `xyn capsule merge`: two capsules that began as one, in one.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;
use xyn_capsules::compare::Edition;
use xyn_capsules::container::{CapsuleFile, Files, Options, Several, lay_out, pack_tree};
use xyn_capsules::make::{Maker, Why, make};
use xyn_capsules::manifest::Manifest;
use xyn_capsules::merge::{Conflict, Joined, NotMerged, Part, merge};
use xyn_capsules::proof::Trusted;
use xyn_capsules::sbom::{self, Lock};
use xyn_capsules::sign::SecretKey;
use xyn_capsules::tree::{Limits, Side, list};
use xyn_store::Clock;

use super::keys::Trust;
use super::source::Source;
use super::{Context, diff, file, keys, not_trusted, open, packer};
use crate::failure::{Exit, Failure, with_causes};
use crate::shell;

#[derive(Debug, Args)]
pub(in crate::cli) struct Merge {
    /// The capsule that both began as: a file, or one that the node has
    #[arg(value_name = "FILE|CAPSULE")]
    base: PathBuf,
    /// One that came of it
    #[arg(value_name = "FILE|CAPSULE")]
    ours: PathBuf,
    /// The other one
    #[arg(value_name = "FILE|CAPSULE")]
    theirs: PathBuf,
    /// The capsule to write
    #[arg(short, long, value_name = "FILE")]
    out: PathBuf,
    /// The key that signs
    #[arg(long, value_name = "FILE", default_value = "capsule.key")]
    key: PathBuf,
    /// Where both sides changed something, lay the merged files out in this new folder, each such text with
    /// the lines of both between markers
    #[arg(long = "to", value_name = "DIR")]
    dir: Option<PathBuf>,
    #[command(flatten)]
    trust: Trust,
    #[command(flatten)]
    word: Word,
}

/// Whose is right where both changed something.
#[derive(Debug, Args)]
struct Word {
    /// Ours is right everywhere
    #[arg(long = "ours", conflicts_with = "theirs_wins")]
    ours_wins: bool,
    /// Theirs is right everywhere
    #[arg(long = "theirs")]
    theirs_wins: bool,
    /// Whose is right at a place; may be given again
    #[arg(long = "side", value_name = "PLACE=ours|theirs")]
    sides: Vec<String>,
}

pub(super) async fn run(arguments: &Merge, context: &Context) -> Result<Exit, Failure> {
    let key = keys::secret(&arguments.key)?;
    let base = trusted(&arguments.base, arguments, context).await?;
    let ours = trusted(&arguments.ours, arguments, context).await?;
    let theirs = trusted(&arguments.theirs, arguments, context).await?;
    let sides = arguments.word.sides()?;
    let side = |place: &str| sides.get(place).copied().or(arguments.word.general());
    let [of_base, of_ours, of_theirs] =
        [&base, &ours, &theirs].map(|(file, manifest)| Part { file, manifest });
    let joined = merge(of_base, of_ours, of_theirs, &side, Limits::default());
    let joined = joined.map_err(|error| not_merged(&arguments.theirs, &error))?;
    let open: Vec<_> = joined.conflicts.iter().filter(|conflict| side(&conflict.place).is_none()).collect();
    let made = joined.tree.blobs();
    let files = Several { made: &made, rest: &[&ours.0, &theirs.0, &base.0] };
    if !open.is_empty() {
        if let Some(dir) = &arguments.dir {
            lay_out(&files, joined.tree.root, dir).map_err(|error| file(dir, &error))?;
        }
        return Err(clashing(arguments, &open));
    }
    let parent = Edition::of(&ours.0).map_err(|error| diff::incomparable(&arguments.ours, &error))?;
    write(arguments, joined, &files, (&key, &parent), context)
}

fn write(
    arguments: &Merge,
    joined: Joined,
    files: &Several<'_>,
    (key, parent): (&SecretKey, &Edition<'_>),
    context: &Context,
) -> Result<Exit, Failure> {
    let (out, root) = (&arguments.out, joined.tree.root);
    let failed = |error: &dyn std::error::Error| {
        Failure::failed("capsule", with_causes(error)).at(out.display().to_string())
    };
    let locks = locks(files, &root).map_err(|error| failed(error.as_ref()))?;
    let draft = pack_tree(files, root, out, &Options::default()).map_err(|error| file(out, &error))?;
    let name = packer(key.public());
    let why = Why { text: Some("a merge".to_owned()), moment: None };
    let maker = Maker {
        key,
        name: &name,
        generation: joined.generation,
        now: Clock::system().now(),
        version: env!("CARGO_PKG_VERSION"),
        built: &[],
        checked: None,
        parent: Some(parent),
        why: &why,
    };
    let made = make(draft, joined.authored, &locks, &maker).map_err(|error| failed(&error))?;
    let document = json!({
        "file": out, "id": made.manifest.id, "generation": made.manifest.generation,
        "capsule": made.digest, "tree": made.manifest.tree, "size_bytes": made.sealed.size_bytes,
        "decided": joined.conflicts.iter().map(|conflict| &conflict.place).collect::<Vec<_>>(),
    });
    context.out.answer(&document, |_| out.display().to_string())?;
    context.out.hint(&format!(
        "{} generation {}; see what came of it with: xyn capsule diff {} {}",
        made.manifest.id,
        made.manifest.generation,
        shell::word(&arguments.ours),
        shell::word(out)
    ));
    Ok(Exit::Done)
}

/// A capsule, and what it says of itself, which those signed who count.
async fn trusted(
    given: &Path,
    arguments: &Merge,
    context: &Context,
) -> Result<(CapsuleFile, Manifest), Failure> {
    let source = Source::find(given, context).await?;
    let judge = source.judge(&arguments.trust)?;
    let trusted = Trusted::read(open(&source.path())?, judge.trust());
    let manifest = trusted.map_err(|error| not_trusted(given, &error))?.manifest().clone();
    Ok((source.whole()?, manifest))
}

/// The packages that the lock files of a tree name.
fn locks(files: &dyn Files, root: &xyn_store::Digest) -> Result<Vec<Lock>, Box<dyn std::error::Error>> {
    let mut locks = Vec::new();
    for (path, entry) in list(files, root, Limits::default())?.entries {
        if entry.mode.is_file() && sbom::is_lock(&path) {
            let bytes = files.read(&entry.digest, sbom::LOCK_MAX_BYTES as u64)?;
            locks.extend(sbom::read(&path, &bytes).transpose()?);
        }
    }
    Ok(locks)
}

fn not_merged(path: &Path, error: &NotMerged) -> Failure {
    let failure =
        Failure::new(Exit::Conflict, "not_merged", with_causes(error)).at(path.display().to_string());
    match error {
        NotMerged::Apps(..) => failure.hint("see of which app a capsule is with: xyn capsule inspect FILE"),
        _ => failure,
    }
}

/// Names every place where people have to say.
fn clashing(arguments: &Merge, open: &[&Conflict]) -> Failure {
    let why = |conflict: &Conflict| match (conflict.resolver, &conflict.sides) {
        (Some(resolver), _) => format!("take one side, then resolve it again: {resolver}"),
        (None, Some((ours, theirs))) => xyn_capsules::json::shown(&format!("ours {ours}, theirs {theirs}")),
        (None, None) => conflict.clash.as_str().to_owned(),
    };
    let document = |conflict: &&Conflict| {
        let (ours, theirs) = conflict.sides.clone().unzip();
        let (place, resolver) = (&conflict.place, conflict.resolver);
        json!({ "place": place, "clash": why(conflict), "ours": ours, "theirs": theirs, "resolver": resolver })
    };
    let count = if open.len() == 1 { "1 place".to_owned() } else { format!("{} places", open.len()) };
    let (message, hint) = match &arguments.dir {
        Some(dir) => (
            format!("both sides changed {count}; the files are in `{}`, ours but for what is marked", dir.display()),
            format!(
                "put right what is named, and pack it: xyn capsule pack {} --parent {}",
                shell::word(dir),
                shell::word(&arguments.ours)
            ),
        ),
        None => (
            format!("nothing was written, because both sides changed {count}"),
            "say whose is right: --ours, --theirs, or for each place --side PLACE=ours|theirs; or have the lines of \
             both marked in a folder: --to DIR"
                .to_owned(),
        ),
    };
    let mut failure = Failure::new(Exit::Conflict, "conflicts", message);
    failure.conflicts = open.iter().map(document).collect();
    failure.at(arguments.theirs.display().to_string()).hint(hint)
}

impl Word {
    fn general(&self) -> Option<Side> {
        let theirs = self.theirs_wins.then_some(Side::Theirs);
        theirs.or(self.ours_wins.then_some(Side::Ours))
    }

    fn sides(&self) -> Result<BTreeMap<String, Side>, Failure> {
        let side = |given: &String| match given.rsplit_once('=') {
            Some((place, "ours")) => Ok((place.to_owned(), Side::Ours)),
            Some((place, "theirs")) => Ok((place.to_owned(), Side::Theirs)),
            _ => Err(Failure::usage(format!("`{given}` is not PLACE=ours or PLACE=theirs")).at("--side")),
        };
        self.sides.iter().map(side).collect()
    }
}
