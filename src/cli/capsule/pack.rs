//! `xyn capsule pack`: a folder into a signed file.

use std::fmt::Display;
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;
use xyn_capsules::checks::{Checked, Checks, NotChecked};
use xyn_capsules::compare::Edition;
use xyn_capsules::container::{self, Base, Options};
use xyn_capsules::inspection::{Findings, Inspection, Origin};
use xyn_capsules::lint::Severity;
use xyn_capsules::make::{Made, Maker, NotMade, Why, make};
use xyn_capsules::manifest::{AUTHORED, Authored};
use xyn_capsules::rebuild::{NotRecorded, Recipe};
use xyn_capsules::secrets::{ALLOW_FILE, Allow};
use xyn_capsules::sign::Resource;
use xyn_capsules::tree::RelPath;
use xyn_store::ids::EntryId;
use xyn_store::{Clock, Digest, Timestamp};

use super::place::{Place, helped, not_built};
use super::source::Source;
use super::{Context, diff, keys, packer, private};
use crate::cli::input;
use crate::cli::output::Unit;
use crate::failure::{Exit, Failure, with_causes};
use crate::shell;

/// Findings that are told one by one.
const SECRETS_TOLD: usize = 20;

#[derive(Debug, Args)]
pub(in crate::cli) struct Pack {
    /// The folder of the app; what its ignore files name is left out
    #[arg(default_value = ".", conflicts_with_all = ["at", "workspace"])]
    dir: PathBuf,
    /// Pack the files of this moment of the timeline instead; the node signs
    #[arg(long, value_name = "MOMENT", visible_alias = "moment")]
    pub(super) at: Option<EntryId>,
    /// Pack this workspace of the node as it is now, or as it was at the moment
    #[arg(long, value_name = "NAME")]
    pub(super) workspace: Option<String>,
    /// The file to write; `NAME-VERSION.caps` when left out
    #[arg(short, long, value_name = "FILE")]
    pub(super) out: Option<PathBuf>,
    /// The key that signs, made with `xyn capsule keygen`
    #[arg(long, value_name = "FILE", default_value = "capsule.key", conflicts_with_all = ["at", "workspace"])]
    key: PathBuf,
    /// Encrypt it to this recipient, so that nobody else can read it; may be given again
    #[arg(long = "recipient", value_name = "KEY|FILE", conflicts_with_all = ["at", "workspace"])]
    recipients: Vec<String>,
    /// What the author says of the app; the `capsule.json` in the folder when left out
    #[arg(long, value_name = "FILE")]
    pub(super) manifest: Option<PathBuf>,
    /// Why it is packed, told by its provenance; of a moment, its title when left out
    #[arg(short, long, value_name = "TEXT")]
    pub(super) message: Option<String>,
    /// Its place among the capsules of the app: one above the parent, or 1
    #[arg(long, value_name = "N", conflicts_with_all = ["at", "workspace"])]
    generation: Option<u64>,
    /// The capsule that this one comes after, a file or one that the node has: what it changes of that is signed with it
    #[arg(long, value_name = "FILE|CAPSULE", conflicts_with_all = ["at", "workspace"])]
    parent: Option<PathBuf>,
    /// Write only what differs from this capsule, a file or one that the node has; the receiver has it
    #[arg(long, value_name = "FILE|CAPSULE", conflicts_with_all = ["at", "workspace"])]
    delta_from: Option<PathBuf>,
    /// Take the instant from SOURCE_DATE_EPOCH, so that packing again gives the same bytes
    #[arg(long, conflicts_with_all = ["at", "workspace"])]
    reproducible: bool,
    /// Build it once in a sandbox, so that the capsule says what a build of it should come to
    #[arg(long)]
    pub(super) build: bool,
    #[command(flatten)]
    pub(super) place: Place,
}

pub(super) async fn run(arguments: &Pack, context: &Context) -> Result<Exit, Failure> {
    let base = Source::find_any(arguments.delta_from.as_ref(), context).await?;
    let parent = Source::find_any(arguments.parent.as_ref(), context).await?;
    let key = keys::secret(&arguments.key)?;
    let mut authored = authored(arguments)?;
    private::encrypt_to(&mut authored, &arguments.recipients)?;
    if arguments.reproducible {
        authored.created_at = Some(source_date_epoch()?);
    }
    let built = match arguments.build {
        true => Some(build(&mut authored, arguments, context)?),
        false => None,
    };
    let target = arguments.out.clone().unwrap_or_else(|| named(&authored));
    let base = base.as_ref().map(Source::whole).transpose()?;
    let origin = Origin::Folder(arguments.dir.clone());
    let inspection = Inspection::new(allowed(&arguments.dir)?);
    let look = |path: &RelPath, at: u64, bytes: &[u8]| inspection.look(path, at, bytes);
    let options = Options {
        base: base.as_ref().map(|base| base as &dyn Base),
        inspect: Some(&look),
        ..Options::default()
    };
    let bar = context.out.progress("packing", None, Unit::Time);
    let draft =
        container::pack(&arguments.dir, &target, &options).map_err(|error| unpacked(arguments, &error))?;
    if built.as_ref().is_some_and(|(tree, _)| *tree != draft.root()) {
        return Err(changed(arguments, "built"));
    }
    let skipped = draft.skipped();
    let name = packer(key.public());
    let parent = parent.map(|source| Ok::<_, Failure>((source.whole()?, source))).transpose()?;
    let parent = parent
        .as_ref()
        .map(|(file, source)| Edition::of(file).map_err(|error| diff::incomparable(source.given(), &error)));
    let parent = parent.transpose()?;
    let after = parent.as_ref().map_or(1, |parent| parent.manifest.generation.saturating_add(1));
    let maker = Maker {
        key: &key,
        name: &name,
        generation: arguments.generation.unwrap_or(after),
        now: Clock::system().now(),
        version: env!("CARGO_PKG_VERSION"),
        built: built.as_ref().map_or(&[], |(_, files)| files),
        checked: None,
        parent: parent.as_ref(),
        why: &Why { text: arguments.message.clone(), moment: None },
    };
    let found = inspection.finish(&draft, &authored, &origin).map_err(|error| {
        Failure::failed("capsule", with_causes(&error)).at(arguments.dir.display().to_string())
    })?;
    bar.finish_and_clear();
    tell(&found, arguments, context)?;
    let checked = match Checks::of(&mut authored, maker.now) {
        Some(checks) => Some(check(&checks, draft.root(), arguments, context)?),
        None => None,
    };
    let maker = Maker { checked: checked.as_ref(), ..maker };
    let made = make(draft, authored, &found.locks, &maker).map_err(|error| not_made(arguments, &error))?;
    if skipped > 0 {
        context.out.note(&format!("{skipped} devices, pipes or sockets were left out"));
    }
    answer(&made, &found, &target, &maker, context)
}

/// Builds what will be packed, and notes what that comes to; answers its tree, and the files of the build.
fn build(
    authored: &mut Authored,
    arguments: &Pack,
    context: &Context,
) -> Result<(Digest, Vec<Resource>), Failure> {
    let place = || arguments.dir.display().to_string();
    let recipe = Recipe::of(authored, Clock::system().now());
    let cell = arguments.place.workcell()?;
    let bar = context.out.progress("building", None, Unit::Time);
    let built = recipe.build_folder(&cell, &arguments.dir);
    let (tree, built) = built.map_err(|error| not_built(place(), &error))?;
    bar.finish_and_clear();
    let files = recipe.record(&cell, &built, authored).map_err(|error| match error {
        NotRecorded::NotBuilt(error) => not_built(place(), &error),
        NotRecorded::Build { .. } => Failure::failed("build_differs", error.to_string()).at(place()),
        NotRecorded::Output { .. } => Failure::failed("output_differs", error.to_string()).at(place()),
        NotRecorded::Files(error) => unpacked(arguments, &error.into()),
    })?;
    Ok((tree, files))
}

/// Lets the author's own checks look at what was packed as the tree `root`.
fn check(checks: &Checks, root: Digest, arguments: &Pack, context: &Context) -> Result<Checked, Failure> {
    let place = arguments.dir.display().to_string();
    let cell = arguments.place.workcell()?;
    let bar = context.out.progress("checking", None, Unit::Time);
    let checked = checks.run_folder(&cell, &arguments.dir);
    bar.finish_and_clear();
    match checked {
        Ok((tree, checked)) if tree == root => Ok(checked),
        Ok(_) => Err(changed(arguments, "checked")),
        Err(NotChecked::Files(error)) => Err(unpacked(arguments, &error)),
        Err(NotChecked::Workcell(error)) => {
            Err(helped(Failure::failed("workcell", with_causes(&error)).at(place), &error))
        }
        Err(error) => {
            let message = format!("nothing was written, because a check of its own stops the pack:\n{error}");
            Err(Failure::failed("vetoed", message).at(place).hint(
                "mend what it says, or take the check out of `checks` in capsule.json; inside there is only /usr of \
                 this machine, the files in /build, which cannot be changed, a /tmp, and no network",
            ))
        }
    }
}

fn changed(arguments: &Pack, meanwhile: &str) -> Failure {
    Failure::failed("capsule", format!("the folder changed while it was {meanwhile} and packed"))
        .at(arguments.dir.display().to_string())
        .hint("try again when nobody writes to it")
}

fn answer(
    made: &Made,
    found: &Findings,
    target: &Path,
    maker: &Maker<'_>,
    context: &Context,
) -> Result<Exit, Failure> {
    let Made { manifest, digest, sealed } = made;
    let document = json!({
        "file": target,
        "id": manifest.id,
        "generation": manifest.generation,
        "capsule": digest,
        "tree": manifest.tree,
        "build": manifest.expected.build_digest,
        "checks": maker.checked.map(|checked| &checked.passed),
        "size_bytes": sealed.size_bytes,
        "recipients": manifest.recipients,
        "findings": found.lints.iter().map(ToString::to_string).collect::<Vec<_>>(),
    });
    context.out.answer(&document, |_| target.display().to_string())?;
    context.out.hint(&format!(
        "{} generation {}, {} bytes; whoever gets it checks it with: xyn capsule verify {} --pub {}{}",
        manifest.id,
        manifest.generation,
        sealed.size_bytes,
        shell::word(target),
        maker.key.public(),
        if manifest.recipients.is_empty() { "" } else { " --identity FILE" }
    ));
    Ok(Exit::Done)
}

/// Tells what was found; what stops the pack is a failure.
fn tell(found: &Findings, arguments: &Pack, context: &Context) -> Result<(), Failure> {
    if !context.out.json {
        found.lints.iter().for_each(|finding| context.out.note(&finding.to_string()));
    }
    if found.may_be_packed() {
        return Ok(());
    }
    let place = arguments.dir.display().to_string();
    if found.secrets.is_empty() {
        let vetoes = found.lints.iter().filter(|finding| finding.severity == Severity::Veto);
        let message = listed("nothing was written, because a check stops the pack", vetoes);
        return Err(Failure::failed("vetoed", message).at(place).hint("mend it, and pack again"));
    }
    let message = match found.secrets.len() {
        1 => "nothing was written, because 1 place looks like a secret".to_owned(),
        more => format!("nothing was written, because {more} places look like secrets"),
    };
    let message = listed(&message, found.secrets.iter().take(SECRETS_TOLD));
    Err(Failure::failed("secrets_found", message)
        .at(place)
        .hint("take each out, or allow it as is said there"))
}

/// A message with a line for each of `findings`.
fn listed(message: &str, findings: impl Iterator<Item = impl Display>) -> String {
    findings.fold(format!("{message}:"), |text, finding| format!("{text}\n  {finding}"))
}

/// What the folder allows that looks like a secret.
fn allowed(dir: &Path) -> Result<Allow, Failure> {
    let path = dir.join(ALLOW_FILE);
    match std::fs::read(&path) {
        Ok(bytes) => Allow::parse(&bytes).map_err(|error| {
            Failure::failed("invalid_allow", error.to_string())
                .at(path.display().to_string())
                .hint("a line is a fingerprint, a path such as docs/**, or a rule and a path")
        }),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Allow::default()),
        Err(error) => Err(Failure::file("read", &path, &error)),
    }
}

/// What the author says.
fn authored(arguments: &Pack) -> Result<Authored, Failure> {
    let path = arguments.manifest.clone().unwrap_or_else(|| arguments.dir.join(AUTHORED));
    let text = input::text(&path).map_err(|failure| match failure.exit {
        Exit::NotFound => failure.hint(
            "write one, such as {\"id\": \"my-app\", \"name\": \"My app\", \"version\": \"1.0.0\"}; what it may hold \
             is shown by: xyn schema capsule",
        ),
        _ => failure,
    })?;
    Authored::read(text.as_bytes()).map_err(|error| invalid_manifest(&path, &error))
}

/// That what the author says, in the file at `path`, does not fit.
pub(super) fn invalid_manifest(path: &Path, error: &dyn Display) -> Failure {
    Failure::failed("invalid_manifest", error.to_string())
        .at(path.display().to_string())
        .hint("what it may hold is shown by: xyn schema capsule")
}

/// What a capsule is called when nobody says it.
fn named(authored: &Authored) -> PathBuf {
    let slug = authored.id.rsplit(':').next().unwrap_or_default().split('@').next().unwrap_or_default();
    let ending = if authored.recipients.is_empty() { "caps" } else { "caps.age" };
    PathBuf::from(format!("{}-{}.{ending}", slug.replace('/', "-"), authored.version))
}

fn source_date_epoch() -> Result<Timestamp, Failure> {
    let text = std::env::var("SOURCE_DATE_EPOCH").unwrap_or_default();
    let seconds: Option<i64> = text.parse().ok().filter(|seconds| *seconds >= 0);
    let micros = seconds.and_then(|seconds| seconds.checked_mul(1_000_000));
    micros.map(Timestamp::from_micros).filter(|at| *at <= Timestamp::MAX).ok_or_else(|| {
        Failure::usage(format!("SOURCE_DATE_EPOCH is `{text}`, and must be seconds since 1970"))
            .at("--reproducible")
            .hint("set it to the time of the last commit, for instance: $(git log -1 --format=%ct)")
    })
}

fn unpacked(arguments: &Pack, error: &container::ContainerError) -> Failure {
    super::file(&arguments.dir, error)
}

fn not_made(arguments: &Pack, error: &NotMade) -> Failure {
    let place = arguments.manifest.clone().unwrap_or_else(|| arguments.dir.join(AUTHORED));
    match error {
        NotMade::File(error) => unpacked(arguments, error),
        NotMade::Author(error) => invalid_manifest(&place, error),
        error => Failure::failed("invalid_manifest", with_causes(error)).at(place.display().to_string()),
    }
}
