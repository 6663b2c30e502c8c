//! The capsule that somebody names: a file, or one that the node has, of which a copy is made.
//!
//! Owns which of the two is meant, and what is said where there is neither. Invariant: a copy is gone with its source,
//! and people are told what they named, never where the copy lies.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tempfile::TempDir;
use xyn_actors::services::capsules::CapsuleName;
use xyn_capsules::container::CapsuleFile;
use xyn_capsules::tree::Limits;

use super::keys::{Judge, Trust};
use super::node::{download, short};
use super::{Context, file};
use crate::cli::table::text;
use crate::client::{Need, route};
use crate::failure::{Exit, Failure};

/// A capsule whose bytes can be read.
pub(super) struct Source {
    /// As it was named.
    given: PathBuf,
    /// Of one that the node has.
    copy: Option<Copy>,
}

/// A copy of a capsule that the node has.
struct Copy {
    folder: TempDir,
    /// What the node says of it.
    known: Value,
}

/// The capsule of the node that is meant where no file has the path. The folder of an app is often called as it is.
pub(super) fn named(path: &Path) -> Option<CapsuleName> {
    let name = path.to_str()?.parse().ok()?;
    (!path.is_file()).then_some(name)
}

impl Source {
    /// The capsule that `given` names.
    pub(super) async fn find(given: &Path, context: &Context) -> Result<Self, Failure> {
        let copy = match named(given) {
            Some(name) => Some(Copy::of(&name, given, context).await?),
            None if given.exists() => None,
            None => return Err(nothing(given)),
        };
        Ok(Self { given: given.to_owned(), copy })
    }

    /// The one that `given` names, where one is.
    pub(super) async fn find_any(
        given: Option<&PathBuf>,
        context: &Context,
    ) -> Result<Option<Self>, Failure> {
        match given {
            Some(given) => Self::find(given, context).await.map(Some),
            None => Ok(None),
        }
    }

    /// The file to read.
    pub(super) fn path(&self) -> PathBuf {
        self.copy.as_ref().map_or_else(|| self.given.clone(), Copy::file)
    }

    /// What people are told that it is.
    pub(super) fn given(&self) -> &Path {
        &self.given
    }

    /// What a file of it is called where nobody says it.
    pub(super) fn file_name(&self) -> PathBuf {
        match &self.copy {
            Some(copy) => format!("{}.caps", short(&text(&copy.known, "id")).replace('@', "-")).into(),
            None => self.given.clone(),
        }
    }

    /// Whether the node has it.
    pub(super) fn is_of_node(&self) -> bool {
        self.copy.is_some()
    }

    /// Whose signatures count: of what the node has those that it counted, where nobody else is named.
    pub(super) fn judge(&self, trust: &Trust) -> Result<Judge, Failure> {
        match (&self.copy, trust.judge()?) {
            (_, Some(judge)) => Ok(judge),
            (Some(copy), None) => Trust::in_any(copy.signers()).required(),
            (None, None) => trust.required(),
        }
    }

    /// Has the node record what was done with what it has. A file is nobody's business, and a folder that lies still
    /// records nothing.
    pub(super) async fn report(&self, mut said: Value, context: &Context) {
        let Some(copy) = &self.copy else { return };
        let Ok(client) = context.client(Need::Node).await else { return };
        said["capsule"] = copy.known["capsule"].clone();
        let body = json!({ "action": "capsule.report", "input": said });
        if let Err(failure) = client.post("/intents", &body).await {
            context.out.note(&format!("the node did not record it: {}", failure.message));
        }
    }

    /// Opens it; one that is no delta.
    pub(super) fn whole(&self) -> Result<CapsuleFile, Failure> {
        CapsuleFile::open(&self.path(), Limits::default()).map_err(|error| file(&self.given, &error))
    }
}

impl Copy {
    async fn of(name: &CapsuleName, given: &Path, context: &Context) -> Result<Self, Failure> {
        let path = route(&["capsules", &name.to_string()])?;
        let known = async {
            let client = context.client(Need::Read).await?;
            let known = client.get(&path).await?;
            Ok((client, known))
        };
        let (client, known) = known.await.map_err(|failure| neither(given, failure))?;
        let folder = tempfile::tempdir()
            .map_err(|error| Failure::file("make a folder in", &std::env::temp_dir(), &error))?;
        let copy = Self { folder, known };
        download(&client, &text(&copy.known, "capsule"), &copy.file(), context).await?;
        Ok(copy)
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("capsule.caps")
    }

    fn signers(&self) -> Vec<String> {
        let signers = self.known["proved"]["signers"].as_array().into_iter().flatten();
        signers.filter_map(|signer| signer.as_str().map(str::to_owned)).collect()
    }
}

/// That there is no file `given`, and no capsule can be called so.
fn nothing(given: &Path) -> Failure {
    let message = format!("there is no file `{}`, and no capsule is called so", given.display());
    Failure::new(Exit::NotFound, "not_found", message)
        .hint("check the path; a capsule of the node is named by its digest, APP@VERSION, or APP")
}

/// That there is no file `given`, and why the node gives no capsule of that name.
pub(super) fn neither(given: &Path, failure: Failure) -> Failure {
    let folder = std::env::current_dir().unwrap_or_default();
    let no_file = format!("`{}` is no file in `{}`", given.display(), folder.display());
    let message = match failure.exit {
        Exit::NotFound => format!("{no_file}, and the node knows no capsule of that name"),
        Exit::Unreachable => format!("{no_file}, and there is no node to ask for it: {}", failure.message),
        _ => return failure,
    };
    let hint = match failure.exit {
        Exit::NotFound => Some("see which capsules there are with: xyn capsule list".to_owned()),
        _ => failure.hint,
    };
    Failure { message, hint, ..failure }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_capsule_is_meant_where_there_is_no_such_file_also_beside_a_folder_of_its_name() {
        let is_named = |text: &str| named(Path::new(text)).is_some();
        assert!(is_named("shop@1.4.2") && is_named("src"));
        assert!(!is_named("Cargo.toml") && !is_named("gone.caps") && !is_named("./src"));
    }
}
