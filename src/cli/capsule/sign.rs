//! `xyn capsule sign`: one more signature on a capsule that somebody made.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;
use xyn_capsules::container::Base;
use xyn_capsules::countersign::countersign;

use super::{Context, base, keys, not_trusted};
use crate::failure::{Exit, Failure};

#[derive(Debug, Args)]
pub(in crate::cli) struct Sign {
    /// The capsule; it is replaced by the one with the signature
    file: PathBuf,
    /// The key that signs
    #[arg(long, value_name = "FILE", default_value = "capsule.key")]
    key: PathBuf,
    /// The capsule that a delta was written against
    #[arg(long, value_name = "CAPSULE")]
    base: Option<PathBuf>,
}

pub(super) fn run(arguments: &Sign, context: &Context) -> Result<Exit, Failure> {
    let (path, key) = (&arguments.file, keys::secret(&arguments.key)?);
    let base = base(arguments.base.as_ref())?;
    let signed = countersign(path, &key, base.as_ref().map(|base| base as &dyn Base))
        .map_err(|error| not_trusted(path, &error))?;
    let signers = signed.signers.iter().map(ToString::to_string).collect::<Vec<_>>();
    let document = json!({
        "file": path, "id": signed.manifest.id, "capsule": signed.digest,
        "signers": signers, "added": signed.is_new,
    });
    context.out.answer(&document, |_| match signed.is_new {
        true => format!("{} signatures: {}", signers.len(), signers.join(", ")),
        false => "this key has signed it already".to_owned(),
    })?;
    context.out.hint(&format!(
        "{} signatures that count are demanded with: xyn capsule verify {} --pub KEY --pub KEY --threshold {0}",
        signers.len(),
        path.display()
    ));
    Ok(Exit::Done)
}
