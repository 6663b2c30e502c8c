//! A release: a capsule made ready to serve on a target.
//!
//! Owns the way from a capsule that is here to what answers requests. Invariant: what is made ready is the tree of the
//! capsule that was asked for, with what was built of it, and it answered its health check.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use xyn_capsules::container::{BlobSource, Cover};
use xyn_capsules::manifest::Manifest;
use xyn_capsules::sign::Envelope;
use xyn_capsules::tree::{self, Limits, Seen, Wish};
use xyn_store::projection::{CapsuleRow, DeploymentRow, Release, Target};
use xyn_store::{Digest, Store};

use super::front::Serving;
use super::name::Place;
use super::needs::{self, Given};
use super::process::{self, Instance, Rooms};
use super::seeds::Ground;
use super::site::{NoSite, Site};
use crate::runtime::{Inner, Refusal};
use crate::services::blocking;

/// Where in the data folder what runs is laid out.
const FOLDER: &str = "deployments";
/// The end of the name of a folder in which a capsule is being laid out.
const NEW: &str = "new";
/// The end of the name of a folder that was put aside for another one.
const OLD: &str = "old";
/// Characters of the name of a folder that was laid out: the first of the digest of what is in it.
const APP_NAME_CHARS: usize = 32;

/// Why a release does not serve.
pub(super) enum NotReady {
    /// It was made to, and is not well.
    Unwell {
        /// Why, with what it said.
        why: String,
        /// What was found.
        found: String,
        /// How its process ended, where it did.
        exit: Option<String>,
    },
    /// It did not come to that.
    Refused(Refusal),
}

impl From<Refusal> for NotReady {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl NotReady {
    /// What whoever wanted `release` is told.
    pub(super) fn refusal(self, release: &Release) -> Refusal {
        let why = match self {
            Self::Unwell { why, .. } => why,
            Self::Refused(refusal) => return refusal,
        };
        let message = format!(
            "`{}` is not well: {why}; what served before still does. Mend it and pack it again, or name another \
             page with `health`",
            release.id
        );
        Refusal::Conflict { code: "unhealthy", message }
    }
}

/// Makes `release` ready again, which served before.
pub(super) async fn again(
    inner: &Arc<Inner>,
    row: &DeploymentRow,
    release: &Release,
) -> Result<Serving, Refusal> {
    let manifest = described(inner, release).await?;
    let place = Place::of(row);
    let (given, _) = needs::given(inner, &place, &manifest, &row.services).await?;
    ready(inner, &place, release, manifest, &given).await.map_err(|why| why.refusal(release))
}

/// What the capsule of `release`, which is here, says of itself.
pub(super) async fn described(inner: &Arc<Inner>, release: &Release) -> Result<Manifest, Refusal> {
    let (reading, capsule) = (inner.clone(), release.capsule);
    blocking(move || {
        let row = reading.store.read()?.get::<CapsuleRow>(&CapsuleRow::key_of(&capsule))?;
        let row = row.ok_or_else(|| Refusal::NotFound { kind: "capsule", id: capsule.to_string() })?;
        manifest(&reading, &row)
    })
    .await
}

/// Makes `release` ready, of which what serves is in the store and which `manifest` describes.
pub(super) async fn ready(
    inner: &Arc<Inner>,
    place: &Place,
    release: &Release,
    manifest: Manifest,
    given: &Given,
) -> Result<Serving, NotReady> {
    let serving = match place.target {
        Target::Static => {
            let (reading, tree) = (inner.clone(), release.served);
            let site = blocking(move || {
                Site::open(reading.store.blobs(), &tree, &manifest).map_err(|error| match error {
                    NoSite::Tree(error) => Refusal::Unavailable(error.to_string()),
                    error => unfit(error.to_string()),
                })
            });
            Serving::Site(Arc::new(site.await?))
        }
        Target::Process => {
            let plan = process::plan(&manifest, &given.env);
            let plan = plan.map_err(|error| unfit(error.to_string()))?;
            let (laying, rooms, tree) = (inner.clone(), rooms(inner, place, &release.served), release.served);
            let rooms = blocking(move || lay_out(&laying, rooms, &tree)).await?;
            let started = Instance::start(plan, rooms, &release.health, given.scrub.clone()).await;
            Serving::Process(started.map_err(|error| NotReady::Unwell {
                why: error.to_string(),
                found: error.found(),
                exit: error.exit().map(str::to_owned),
            })?)
        }
    };
    let probed = serving.probe(&release.health).await;
    probed.map_err(|why| NotReady::Unwell { found: why.clone(), why, exit: None })?;
    Ok(serving)
}

/// The folder of what runs at `place`.
pub(super) fn folder(inner: &Inner, place: &Place) -> PathBuf {
    inner.store.folder().join(FOLDER).join(place.to_string())
}

/// Where the data of `place` is.
pub(super) fn ground(inner: &Inner, place: &Place) -> Ground {
    let folder = folder(inner, place);
    Ground { data: folder.join("data"), notes: folder.join("seeds"), aside: folder.join("aside") }
}

fn rooms(inner: &Inner, place: &Place, served: &Digest) -> Rooms {
    let folder = folder(inner, place);
    Rooms { app: folder.join(app_name(served)), data: ground(inner, place).data, log: log(inner, place) }
}

/// The log of what runs at `place`.
pub(super) fn log(inner: &Inner, place: &Place) -> PathBuf {
    folder(inner, place).join("app.log")
}

fn app_name(served: &Digest) -> String {
    served.to_string().chars().take(APP_NAME_CHARS).collect()
}

/// Lays out the tree of a capsule. What stands there from before stays if it is the tree, whole and with nothing beside
/// it, so that what runs is what was proved; what an app keeps is elsewhere, among its data.
fn lay_out(inner: &Inner, rooms: Rooms, tree: &Digest) -> Result<Rooms, Refusal> {
    let done = fs::create_dir_all(&rooms.data).map_err(|error| error.to_string());
    let done = done.and_then(|()| lay_out_app(inner, &rooms.app, tree));
    match done {
        Ok(()) => Ok(rooms),
        Err(error) => Err(Refusal::Unavailable(format!("cannot lay out `{}`: {error}", rooms.app.display()))),
    }
}

/// Sees to it that the folder `app` is the tree `root`. What stands there instead may be where a process serves, and is
/// put aside.
fn lay_out_app(inner: &Inner, app: &Path, root: &Digest) -> Result<(), String> {
    let limits = Limits::default();
    if app.exists() {
        match tree::is_exactly(app, root, limits) {
            Ok(true) => return Ok(()),
            Ok(false) => {}
            // An app may leave there what nobody can read, and serves from elsewhere then.
            Err(error) => tracing::warn!(%error, path = %app.display(), "a release is laid out anew"),
        }
    }
    let new = app.with_extension(NEW);
    match fs::remove_dir_all(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.to_string()),
        _ => {}
    }
    let wish = Wish { root: *root, base: None, force: false, remove: false };
    let (blobs, now) = (inner.store.blobs(), inner.clock.now());
    let done = tree::restore(blobs, &new, &wish, &Seen::default(), now, limits);
    done.map_err(|error| error.to_string())?;
    let mut names = (0u32..).map(|number| app.with_extension(format!("{number}.{OLD}")));
    let old = names.find(|name| !name.exists()).unwrap_or_else(|| app.with_extension(OLD));
    match fs::rename(app, &old) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.to_string()),
        _ => {}
    }
    fs::rename(&new, app).map_err(|error| error.to_string())?;
    if !process::is_within(&old) {
        // What stays is tidied up later.
        let _ = fs::remove_dir_all(&old);
    }
    Ok(())
}

/// Removes what was laid out at a place, is neither what serves nor what served before, and has no process in it. Whoever
/// calls has the turn at the place: what is laid out next there is in no row yet.
pub(super) async fn tidy(inner: &Arc<Inner>, row: DeploymentRow) {
    let inner = inner.clone();
    if let Err(error) = tokio::task::spawn_blocking(move || remove_old(&inner, &row)).await {
        tracing::error!(%error, "old releases stay");
    }
}

fn remove_old(inner: &Inner, row: &DeploymentRow) {
    let kept =
        [Some(&row.current), row.previous.as_ref()].map(|release| release.map(|it| app_name(&it.served)));
    for path in entries(&folder(inner, &Place::of(row))) {
        let name = path.file_name().and_then(|name| name.to_str()).map(str::to_owned);
        let is_app = |name: &String| {
            let end = Path::new(name).extension();
            name.len() == APP_NAME_CHARS || end.is_some_and(|end| end == NEW || end == OLD)
        };
        let is_old = name.as_ref().is_some_and(is_app) && !kept.contains(&name);
        if is_old
            && !process::is_within(&path)
            && let Err(error) = fs::remove_dir_all(&path)
        {
            tracing::warn!(%error, path = %path.display(), "an old release stays");
        }
    }
}

/// Ends the processes that a node left behind which was killed.
pub(crate) fn end_orphans(store: &Store) {
    entries(&store.folder().join(FOLDER)).iter().for_each(|place| process::end_orphans(place));
}

/// What is in `folder`, which may not be there.
pub(super) fn entries(folder: &Path) -> Vec<PathBuf> {
    let found = fs::read_dir(folder).and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect());
    found.unwrap_or_else(|error: io::Error| {
        if error.kind() != io::ErrorKind::NotFound {
            tracing::warn!(%error, path = %folder.display(), "what was left here cannot be looked at");
        }
        Vec::new()
    })
}

/// The manifest of a capsule that is here. It was proved when it came; only the disk could have changed it since.
pub(super) fn manifest(inner: &Inner, row: &CapsuleRow) -> Result<Manifest, Refusal> {
    let damaged = |error: String| Refusal::Conflict { code: "capsule_unsound", message: error };
    let content = inner.store.blobs().content(&row.file).map_err(xyn_store::StoreError::from)?;
    let cover = Cover::read(BlobSource::from(content)).map_err(|error| damaged(error.to_string()))?;
    let envelope = Envelope::read(cover.manifest()).map_err(|error| damaged(error.to_string()))?;
    if envelope.digest() != row.capsule {
        return Err(damaged("the capsule is another one than was kept".to_owned()));
    }
    Manifest::read(envelope.unverified()).map_err(|error| damaged(error.to_string()))
}

/// A capsule that cannot be deployed so.
pub(super) fn unfit(message: String) -> Refusal {
    Refusal::Conflict { code: "deploy_unfit", message }
}
