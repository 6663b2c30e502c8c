//! Keys that sign capsules, as files.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Value, json};
use xyn_capsules::age::Identity;
use xyn_capsules::sign::{PublicKey, Quorum, Ring, SecretKey};
use xyn_store::{Clock, Timestamp};

use super::{Context, ring};
use crate::cli::input;
use crate::failure::{Exit, Failure};
use crate::shell;

#[derive(Debug, Args)]
pub(in crate::cli) struct Keygen {
    /// Where the secret key goes; the public one goes beside it, with `.pub` behind the name. `capsule.key` when
    /// left out, or `capsule.agekey`
    file: Option<PathBuf>,
    /// Make a key that capsules are encrypted to, in the form of age
    #[arg(long)]
    age: bool,
}

/// Whose signatures count.
#[derive(Debug, Args)]
pub(in crate::cli) struct Trust {
    /// A public key whose signature counts, or its file; may be given again
    #[arg(long = "pub", value_name = "KEY|FILE")]
    keys: Vec<String>,
    /// How many of them must have signed
    #[arg(long, value_name = "N", default_value_t = 1)]
    threshold: u32,
    /// The key ring that says whose signatures count, in the place of keys; made with `xyn capsule ring new`
    #[arg(long, value_name = "FILE", conflicts_with_all = ["keys", "threshold"])]
    ring: Option<PathBuf>,
}

/// Whose signatures count, as they were read.
pub(in crate::cli) enum Judge {
    Keys(Quorum),
    Ring(Box<Ring>, Timestamp),
}

impl Judge {
    pub(in crate::cli) fn trust(&self) -> xyn_capsules::sign::Trust<'_> {
        match self {
            Self::Keys(quorum) => quorum.into(),
            Self::Ring(ring, now) => xyn_capsules::sign::Trust::Ring(ring, *now),
        }
    }
}

pub(super) fn keygen(arguments: &Keygen, context: &Context) -> Result<Exit, Failure> {
    let mut secret = [0; 32];
    getrandom::fill(&mut secret)
        .map_err(|error| Failure::failed("randomness", format!("the system gives no randomness: {error}")))?;
    let file = arguments.file.clone();
    if arguments.age {
        return age_keygen(&file.unwrap_or("capsule.agekey".into()), Identity::from_bytes(secret), context);
    }
    let hex: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
    let (file, public) = (file.unwrap_or("capsule.key".into()), SecretKey::from_bytes(&secret).public());
    let beside = public_file(&file);
    write(&file, 0o600, &hex)?;
    write(&beside, 0o644, &public.to_string())?;
    let (key, id) = (public.to_string(), public.id().to_string());
    context.out.answer(&json!({ "public_key": key, "key_id": id, "file": file }), |_| key.clone())?;
    context.out.hint(&format!(
        "keep {} to yourself, and give {} to whoever is to verify; pack with: xyn capsule pack DIR --key {0}",
        shell::word(&file),
        shell::word(&beside)
    ));
    Ok(Exit::Done)
}

fn age_keygen(file: &Path, identity: Identity, context: &Context) -> Result<Exit, Failure> {
    let (recipient, beside) = (identity.recipient().to_string(), public_file(file));
    write(file, 0o600, &format!("# public key: {recipient}\n{}", identity.secret_text()))?;
    write(&beside, 0o644, &recipient)?;
    context.out.answer(&json!({ "recipient": recipient, "file": file }), |_| recipient.clone())?;
    context.out.hint(&format!(
        "keep {} to yourself; whoever packs for you says --recipient {recipient}, and you open it with --identity {0}",
        file.display()
    ));
    Ok(Exit::Done)
}

fn public_file(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".pub");
    name.into()
}

/// Writes a file that is not there yet: nobody's key is ever overwritten.
fn write(path: &Path, mode: u32, text: &str) -> Result<(), Failure> {
    let mut options = OpenOptions::new();
    let made = options.write(true).create_new(true).mode(mode).open(path);
    let written = made.and_then(|mut file| {
        file.write_all(format!("{text}\n").as_bytes())?;
        file.sync_all()
    });
    written.map_err(|error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => {
            let message = format!("`{}` is there already, and a key is never overwritten", path.display());
            Failure::new(Exit::Conflict, "exists", message).hint("name another file")
        }
        _ => Failure::file("write", path, &error),
    })
}

/// The secret key in a file.
pub(in crate::cli) fn secret(path: &Path) -> Result<SecretKey, Failure> {
    let text = input::text(path).map_err(|failure| match failure.exit {
        Exit::NotFound => failure.hint("make one with: xyn capsule keygen"),
        _ => failure,
    })?;
    text.trim_end().parse().map_err(|error: xyn_capsules::sign::InvalidKey| {
        Failure::failed("invalid_key", error.to_string())
            .at(path.display().to_string())
            .hint("name the file that `xyn capsule keygen` wrote, the one without `.pub`")
    })
}

impl Trust {
    /// Whose signatures count; nothing when nobody was named.
    pub(super) fn judge(&self) -> Result<Option<Judge>, Failure> {
        if let Some(path) = &self.ring {
            let now = Clock::system().now();
            return Ok(Some(Judge::Ring(Box::new(ring::read(path, now)?), now)));
        }
        if self.keys.is_empty() {
            return Ok(None);
        }
        let quorum = Quorum::new(self.keys()?, self.threshold);
        let quorum = quorum.map_err(|error| {
            Failure::usage(error.to_string()).at(format!("--threshold {}", self.threshold))
        })?;
        Ok(Some(Judge::Keys(quorum)))
    }

    /// The same, where there is no doing without.
    pub(in crate::cli) fn required(&self) -> Result<Judge, Failure> {
        let nobody = || {
            let failure = Failure::usage("nobody was named whose signature counts");
            failure.hint("name a key with --pub KEY, or a key ring with --ring FILE")
        };
        self.judge()?.ok_or_else(nobody)
    }

    /// The keys that were given.
    fn keys(&self) -> Result<Vec<PublicKey>, Failure> {
        self.keys.iter().map(|given| public(given)).collect()
    }

    /// What a node is told of them; nothing where none is given: then it knows whom it believes.
    pub(super) fn fields(&self) -> Result<Value, Failure> {
        if let Some(ring) = &self.ring {
            let failure = Failure::usage("a node has the key ring that is in force");
            let failure = failure.at(format!("--ring {}", ring.display()));
            return Err(
                failure.hint("put this one into force with: xyn capsule ring use FILE; or leave it out")
            );
        }
        let keys: Vec<String> = self.keys()?.iter().map(ToString::to_string).collect();
        Ok(if keys.is_empty() { json!({}) } else { json!({ "keys": keys, "threshold": self.threshold }) })
    }

    /// Any of `keys`.
    pub(super) fn in_any(keys: Vec<String>) -> Self {
        Self { keys, threshold: 1, ring: None }
    }
}

/// A public key: itself, or the file that it is in.
pub(super) fn public(given: &str) -> Result<PublicKey, Failure> {
    let invalid = |error: xyn_capsules::sign::InvalidKey| {
        Failure::failed("invalid_key", error.to_string())
            .at(format!("--pub {given}"))
            .hint("give 64 hex digits, or the file that they are in")
    };
    match given.parse() {
        Ok(key) => Ok(key),
        Err(error) if !Path::new(given).exists() => Err(invalid(error)),
        Err(_) => input::text(Path::new(given))?.trim_end().parse().map_err(invalid),
    }
}
