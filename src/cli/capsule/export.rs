//! `xyn capsule export` and `import`: the forms that others read, and back.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use serde_json::json;
use xyn_capsules::exchange::{self, ExchangeError, export_oci, export_zip};
use xyn_capsules::tree::Limits;

use super::source::Source;
use super::{Context, file};
use crate::cli::input;
use crate::cli::output::Unit;
use crate::failure::{Exit, Failure, with_causes};
use crate::shell;

/// How the manifest beside a zip ends.
const SIDE: &str = "capsule.json";

#[derive(Debug, Args)]
pub(in crate::cli) struct Export {
    /// The capsule: a file, or one that the node has
    #[arg(value_name = "FILE|CAPSULE")]
    capsule: PathBuf,
    /// In which form
    #[arg(long = "as", value_name = "FORM")]
    form: Form,
    /// The file to write; that of the capsule with `.zip` or `.oci.tar` when left out, in the current folder for one
    /// that the node has
    #[arg(short, long, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Form {
    /// A zip of the files, and the manifest beside it
    Zip,
    /// An image in the layout of OCI, in a tar
    Oci,
}

impl Form {
    fn word(self) -> &'static str {
        match self {
            Self::Zip => "zip",
            Self::Oci => "oci",
        }
    }
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Import {
    /// A zip or an image that was exported: a tar, or the folder of its layout
    source: PathBuf,
    /// The capsule to write
    #[arg(short, long, value_name = "FILE")]
    out: PathBuf,
}

pub(super) async fn export(arguments: &Export, context: &Context) -> Result<Exit, Failure> {
    let source = Source::find(&arguments.capsule, context).await?;
    let capsule = source.whole()?;
    let bar = context.out.progress("exporting", None, Unit::Time);
    let out =
        |ending: &str| arguments.out.clone().unwrap_or_else(|| source.file_name().with_extension(ending));
    let (out, side) = match arguments.form {
        Form::Oci => (out("oci.tar"), None),
        Form::Zip => {
            let out = out("zip");
            let side = beside(&out);
            (out, Some(side))
        }
    };
    let written = match &side {
        Some(side) => export_zip(&capsule, &out, side),
        None => export_oci(&capsule, &out),
    };
    written.map_err(|error| exchanged(source.given(), &error))?;
    bar.finish_and_clear();
    source.report(json!({ "did": "exported", "form": arguments.form.word() }), context).await;
    context.out.answer(&json!({ "file": out, "manifest": side }), |_| out.display().to_string())?;
    context.out.hint(&match side {
        Some(side) => format!("the manifest is beside it: {}", side.display()),
        None => {
            format!("copy it anywhere with: skopeo copy oci-archive:{} docker://REGISTRY/NAME", out.display())
        }
    });
    Ok(Exit::Done)
}

pub(super) fn import(arguments: &Import, context: &Context) -> Result<Exit, Failure> {
    let (source, target) = (&arguments.source, &arguments.out);
    let side = beside(source);
    let side = match side.is_file() && source.is_file() {
        true => Some(input::text(&side)?),
        false => None,
    };
    let bar = context.out.progress("importing", None, Unit::Time);
    let imported = exchange::import(source, side.as_ref().map(String::as_bytes), target, Limits::default());
    let imported = imported.map_err(|error| exchanged(source, &error))?;
    bar.finish_and_clear();
    let document = json!({
        "file": target, "capsule": imported.digest, "tree": imported.root,
        "size_bytes": imported.sealed.size_bytes,
    });
    context.out.answer(&document, |_| target.display().to_string())?;
    context.out.hint(&format!(
        "who made it was not verified; do it with: xyn capsule verify {} --pub KEY",
        shell::word(target)
    ));
    Ok(Exit::Done)
}

/// Where the manifest lies that belongs to a zip.
fn beside(zip: &Path) -> PathBuf {
    zip.with_extension(SIDE)
}

fn exchanged(path: &Path, error: &ExchangeError) -> Failure {
    match error {
        ExchangeError::Container(error) => file(path, error),
        error => Failure::failed("capsule", with_causes(error)).at(path.display().to_string()),
    }
}
