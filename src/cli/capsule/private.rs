//! Capsules for few: whom they are encrypted to, and what opens them.

use std::path::{Path, PathBuf};

use clap::Args;
use xyn_capsules::age::{Identity, InvalidAgeKey, Recipient};
use xyn_capsules::manifest::{Authored, Scope};

use crate::cli::input;
use crate::failure::Failure;

/// What opens a capsule that is encrypted.
#[derive(Debug, Args)]
pub(in crate::cli) struct Opening {
    /// The file of a key that an encrypted capsule is for; may be given again
    #[arg(long = "identity", value_name = "FILE")]
    files: Vec<PathBuf>,
}

impl Opening {
    /// The keys in the files.
    pub(super) fn identities(&self) -> Result<Vec<Identity>, Failure> {
        let mut identities = Vec::new();
        for path in &self.files {
            let invalid = |error: InvalidAgeKey| {
                Failure::failed("invalid_key", error.to_string())
                    .at(path.display().to_string())
                    .hint("make one with: xyn capsule keygen --age")
            };
            identities.extend(Identity::read_all(&input::text(path)?).map_err(invalid)?);
        }
        Ok(identities)
    }
}

/// Has a capsule encrypted to `given`, too: recipients, or their files. What is for few is offered to nobody.
pub(super) fn encrypt_to(authored: &mut Authored, given: &[String]) -> Result<(), Failure> {
    for given in given {
        authored.recipients.insert(recipient(given)?);
    }
    if !given.is_empty() && authored.rights.scope == Scope::default() {
        authored.rights.scope = Scope::Private;
    }
    Ok(())
}

fn recipient(given: &str) -> Result<Recipient, Failure> {
    let invalid = |error: InvalidAgeKey| {
        Failure::failed("invalid_key", error.to_string())
            .at(format!("--recipient {given}"))
            .hint("give what `xyn capsule keygen --age` or `age-keygen` prints, or the file that it is in")
    };
    match given.parse() {
        Ok(recipient) => Ok(recipient),
        Err(error) if !Path::new(given).exists() => Err(invalid(error)),
        Err(_) => input::text(Path::new(given))?.trim_end().parse().map_err(invalid),
    }
}
