//! `xyn capsule leave`: leave to install an older capsule, signed.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use serde_json::json;
use xyn_capsules::container::Cover;
use xyn_capsules::manifest::{Line, Manifest};
use xyn_capsules::sign::{Envelope, Rollback};
use xyn_store::Clock;

use super::{Context, attest, not_trusted, open, unsound};
use crate::failure::{Exit, Failure};
use crate::shell;

/// Seconds of an hour.
const HOUR_S: u64 = 3_600;

#[derive(Debug, Args)]
pub(in crate::cli) struct Leave {
    /// The older capsule
    file: PathBuf,
    /// The environment where it may be installed, as the refusal names it
    #[arg(long)]
    env: Line,
    /// The generation that is left: the highest seen there. As soon as there is a newer one, the leave is spent
    #[arg(long, value_name = "GENERATION")]
    from: u64,
    /// Why
    #[arg(long)]
    reason: Line,
    /// For how long
    #[arg(long, value_name = "HOURS", default_value_t = 24)]
    hours: u32,
    /// The key that signs
    #[arg(long, value_name = "FILE", default_value = "capsule.key")]
    key: PathBuf,
    /// Where the leave goes; `CAPSULE.leave.json` when left out
    #[arg(short, long, value_name = "FILE")]
    out: Option<PathBuf>,
}

pub(super) fn run(arguments: &Leave, context: &Context) -> Result<Exit, Failure> {
    let Leave { file, env, from, reason, hours, key, out } = arguments;
    let refused = |error: xyn_capsules::proof::NotTrusted| not_trusted(file, &error);
    let cover = Cover::read(open(file)?).map_err(|error| refused(error.into()))?;
    let envelope = Envelope::read(cover.manifest()).map_err(|error| unsound(file, &error.into()))?;
    let manifest = Manifest::read(envelope.unverified()).map_err(|error| unsound(file, &error.into()))?;
    let now = Clock::system().now();
    let leave = Rollback {
        app: manifest.id.app.clone(),
        env: env.clone(),
        from: *from,
        to: manifest.generation,
        issued_at: now,
        expires: now.after(Duration::from_secs(u64::from(*hours) * HOUR_S)),
        reason: reason.clone(),
    };
    let target = out.clone().unwrap_or_else(|| attest::beside(file, "leave"));
    let document = json!({ "app": leave.app, "from": leave.from, "to": leave.to, "expires": leave.expires, "leave": target });
    attest::write(&manifest, leave, key, &target)?;
    context.out.answer(&document, |paint| {
        format!(
            "{} leave to go back from generation {from} to {} in {}",
            paint.good("ok"),
            manifest.generation,
            target.display()
        )
    })?;
    context.out.hint(&format!(
        "put it into the capsule with: xyn capsule attest {} {}",
        shell::word(file),
        shell::word(&target)
    ));
    Ok(Exit::Done)
}
