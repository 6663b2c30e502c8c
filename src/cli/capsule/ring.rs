//! `xyn capsule ring`: who may do what in an environment, as a signed file.

mod node;
mod words;

use std::io::Write;
use std::path::Path;
use std::time::Duration;

use serde_json::json;
use xyn_capsules::container::{ContainerError, place};
use xyn_capsules::manifest::Line;
use xyn_capsules::sign::{
    Envelope, InvalidRing, Key, KeyId, NotVerified, PublicKey, Right, Ring, SecretKey, seal,
};
use xyn_store::{Clock, Timestamp};

pub(in crate::cli) use self::words::Command;
use self::words::{New, Signing, Take};
use super::{Context, keys, packer};
use crate::cli::input;
use crate::cli::output::Paint;
use crate::failure::{Exit, Failure};

pub(super) async fn run(command: Command, context: &Context) -> Result<Exit, Failure> {
    let now = Clock::system().now();
    match command {
        Command::New(arguments) => new(&arguments, now, context).await,
        Command::Add(arguments) => change(&arguments.ring, &arguments.signing, now, context, |ring| {
            let key = Key {
                expires: arguments.key_days.map(|days| later(now, days)),
                ..key(&arguments.public, arguments.name.clone())?
            };
            let right = match (&arguments.role, &arguments.app) {
                (_, Some(app)) => Right::App(app.clone()),
                (Some(role), _) => Right::Role((*role).into()),
                (None, None) => return Err(Failure::usage("nothing was named that the key is let do")),
            };
            ring.grant(right.clone(), key);
            if let Some(threshold) = arguments.threshold {
                ring.require(right, threshold);
            }
            Ok(())
        }),
        Command::Revoke(arguments) => change(&arguments.ring, &arguments.signing, now, context, |ring| {
            known(ring.revoke(arguments.id, now, arguments.reason.clone()), arguments.id)
        }),
        Command::Rotate(arguments) => change(&arguments.ring, &arguments.signing, now, context, |ring| {
            let name = ring.keys.get(&arguments.id).map(|key| key.name.clone());
            let key = key(&arguments.public, name)?;
            known(ring.rotate(arguments.id, key, now, arguments.reason.clone()), arguments.id)
        }),
        Command::Take(arguments) => take(&arguments, now, context),
        Command::Show(arguments) => show(&arguments.ring, now, context),
        Command::Use(arguments) => node::put(&arguments, context).await,
        Command::Current(arguments) => node::current(&arguments, now, context).await,
    }
}

async fn new(arguments: &New, now: Timestamp, context: &Context) -> Result<Exit, Failure> {
    let path = &arguments.ring;
    if path.symlink_metadata().is_ok() {
        let message = format!("`{}` is there already", path.display());
        let failure = Failure::new(Exit::Conflict, "exists", message);
        return Err(failure.hint("change it with: xyn capsule ring add"));
    }
    let secrets = arguments.signing.secrets()?;
    let Some(first) = secrets.first() else { return Err(Failure::usage("no key was named")) };
    let key = Key::new(first.public(), arguments.name.clone().unwrap_or_else(|| packer(first.public())));
    let env = match &arguments.env {
        Some(env) => env.clone(),
        None => node::env(context).await?,
    };
    let ring = Ring::first(env, key, now, later(now, arguments.signing.days));
    let envelope = signed(path, &ring, &secrets)?;
    write(path, &envelope)?;
    show(path, now, context)
}

/// Makes the ring that follows, and puts it in the place of the one that is there.
fn change(
    path: &Path,
    signing: &Signing,
    now: Timestamp,
    context: &Context,
    how: impl FnOnce(&mut Ring) -> Result<(), Failure>,
) -> Result<Exit, Failure> {
    let ring = read(path, now)?;
    let mut next = ring.next(now, later(now, signing.days));
    how(&mut next)?;
    let envelope = signed(path, &next, &signing.secrets()?)?;
    ring.succeed(&envelope, now).map_err(|error| {
        refused(path, &error).hint("sign with the roots of the ring, old and new: --key FILE, once for each")
    })?;
    write(path, &envelope)?;
    show(path, now, context)
}

fn take(arguments: &Take, now: Timestamp, context: &Context) -> Result<Exit, Failure> {
    let (path, next) = (&arguments.ring, &arguments.next);
    let envelope = envelope(next)?;
    read(path, now)?.succeed(&envelope, now).map_err(|error| {
        refused(next, &error).hint("take every ring in turn; ask whoever sent it for those between")
    })?;
    write(path, &envelope)?;
    show(path, now, context)
}

fn show(path: &Path, now: Timestamp, context: &Context) -> Result<Exit, Failure> {
    let ring = read(path, now)?;
    context.out.answer(&json!(ring), |paint| told(&ring, now, paint))?;
    Ok(Exit::Done)
}

fn told(ring: &Ring, now: Timestamp, paint: Paint) -> String {
    let over = if ring.expires <= now { paint.bad(", which is over") } else { String::new() };
    let mut text = format!("{} version {}, until {}{over}\n", ring.env, ring.version, ring.expires);
    for (id, key) in &ring.keys {
        let rights = match (&key.revoked, key.expires) {
            (Some(revoked), _) => paint.bad(&format!("revoked at {}: {}", revoked.at, revoked.reason)),
            (None, Some(at)) if at <= now => paint.bad(&format!("expired at {at}")),
            (None, until) => {
                let until = until.map(|at| format!(", until {at}")).unwrap_or_default();
                format!("{}{until}", ring.rights(*id).join(", "))
            }
        };
        text.push_str(&format!("{} {}: {rights}\n", paint.dim(&id.to_string()), key.name));
    }
    for (right, grant) in ring.grants().filter(|(_, grant)| grant.threshold > 1) {
        text.push_str(&format!("{right} needs {} signatures\n", grant.threshold));
    }
    text.trim_end().to_owned()
}

/// The ring in a file of this machine.
pub(super) fn read(path: &Path, now: Timestamp) -> Result<Ring, Failure> {
    Ring::kept(&envelope(path)?, now).map_err(|error| refused(path, &error))
}

fn envelope(path: &Path) -> Result<Envelope, Failure> {
    let text = input::text(path)?;
    Envelope::read(text.trim_end().as_bytes()).map_err(|error| refused(path, &error.into()))
}

fn signed(path: &Path, ring: &Ring, secrets: &[SecretKey]) -> Result<Envelope, Failure> {
    let Some((first, others)) = secrets.split_first() else { return Err(Failure::usage("no key was named")) };
    let mut envelope = seal(ring, first).map_err(|error| refused(path, &error))?;
    for other in others {
        envelope.sign(other).map_err(|error| refused(path, &error.into()))?;
    }
    Ok(envelope)
}

fn write(path: &Path, envelope: &Envelope) -> Result<(), Failure> {
    let bytes = [envelope.to_bytes(), b"\n".to_vec()].concat();
    let written = place(path, |file| file.write_all(&bytes).map_err(ContainerError::Read));
    written.map_err(|error| super::file(path, &error))
}

fn refused(path: &Path, error: &NotVerified) -> Failure {
    let failure = Failure::failed("ring", error.to_string()).at(path.display().to_string());
    match error {
        NotVerified::Ring(InvalidRing::TooFew { .. }) => {
            failure.hint("let another key do it first, or lower it: xyn capsule ring add … --threshold N")
        }
        NotVerified::Envelope(_) | NotVerified::Type { .. } => {
            failure.hint("name the file of a key ring; one is made with: xyn capsule ring new")
        }
        _ => failure,
    }
}

fn known(is_known: bool, id: KeyId) -> Result<(), Failure> {
    let failure = || Failure::new(Exit::NotFound, "no_key", format!("there is no key `{id}` in the ring"));
    is_known.then_some(()).ok_or_else(|| failure().hint("see the keys with: xyn capsule ring show"))
}

fn key(given: &str, name: Option<Line>) -> Result<Key, Failure> {
    let key: PublicKey = keys::public(given)?;
    Ok(Key::new(key, name.unwrap_or_else(|| packer(key))))
}

fn later(now: Timestamp, days: u32) -> Timestamp {
    now.after(Duration::from_secs(u64::from(days) * 86_400))
}
