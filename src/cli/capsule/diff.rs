//! `xyn capsule diff`: what differs between two capsules.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Value, json};
use xyn_capsules::compare::{Comparison, Edition, Incomparable, compare};
use xyn_capsules::json::shown;
use xyn_capsules::sbom;
use xyn_capsules::tree::{Change, Difference, Limits};

use super::source::Source;
use super::{Context, unsound};
use crate::cli::output::Paint;
use crate::failure::{Exit, Failure, with_causes};

/// Values of fields are shown as far as this.
const VALUE_CHARS: usize = 60;

#[derive(Debug, Args)]
pub(in crate::cli) struct Diff {
    /// The capsule that came first: a file, or one that the node has
    #[arg(value_name = "FILE|CAPSULE")]
    before: PathBuf,
    /// The capsule that is held beside it
    #[arg(value_name = "FILE|CAPSULE")]
    after: PathBuf,
}

pub(super) async fn run(arguments: &Diff, context: &Context) -> Result<Exit, Failure> {
    let before = Source::find(&arguments.before, context).await?;
    let after = Source::find(&arguments.after, context).await?;
    let (before, after) = (before.whole()?, after.whole()?);
    let [one, other] = [(&before, &arguments.before), (&after, &arguments.after)]
        .map(|(capsule, path)| Edition::of(capsule).map_err(|error| incomparable(path, &error)));
    let found = compare(&one?, &other?, Limits::default());
    let found = found.map_err(|error| incomparable(&arguments.after, &error))?;
    context.out.answer(&document(&found), |paint| told(&found, paint))?;
    context
        .out
        .hint("who made either of them was not verified; do it with: xyn capsule verify FILE --pub KEY");
    Ok(Exit::Done)
}

pub(super) fn incomparable(path: &Path, error: &Incomparable) -> Failure {
    match error {
        Incomparable::Manifest(error) => unsound(path, error),
        error => Failure::failed("capsule", with_causes(error)).at(path.display().to_string()),
    }
}

fn document(found: &Comparison) -> Value {
    json!({
        "equal": found.is_empty(),
        "files": found.files.iter().map(|file| json!({
            "path": file.path,
            "change": file.change().as_str(),
            "from": file.from,
            "before": file.before.map(|entry| entry.digest),
            "after": file.after.map(|entry| entry.digest),
        })).collect::<Vec<_>>(),
        "manifest": found.fields.iter().map(|field| json!({
            "field": field.place, "before": field.before, "after": field.after,
        })).collect::<Vec<_>>(),
        "packages": found.packages.iter().map(|(name, difference)| {
            let (before, after) = versions(difference);
            json!({ "package": name, "before": before, "after": after })
        }).collect::<Vec<_>>(),
        "seeds": found.seeds.iter().map(|seed| json!({
            "seed": seed.name, "before": seed.before, "after": seed.after,
        })).collect::<Vec<_>>(),
    })
}

fn versions(difference: &sbom::Difference) -> (Option<&BTreeSet<String>>, Option<&BTreeSet<String>>) {
    match difference {
        sbom::Difference::Added(to) => (None, Some(to)),
        sbom::Difference::Removed(from) => (Some(from), None),
        sbom::Difference::Changed { from, to } => (Some(from), Some(to)),
    }
}

fn told(found: &Comparison, paint: Paint) -> String {
    if found.is_empty() {
        return "nothing differs".to_owned();
    }
    let is_right = |place: &str| place.starts_with("/rights");
    let is_seed = |place: &str| place.starts_with("/seeds");
    let field = |wanted: &dyn Fn(&str) -> bool| -> Vec<String> {
        let fields = found.fields.iter().filter(|field| wanted(&field.place));
        fields.map(|field| changed(paint, &field.place, value(&field.before), value(&field.after))).collect()
    };
    let joined = |versions: Option<&BTreeSet<String>>| {
        versions.map(|versions| shown(&versions.iter().map(String::as_str).collect::<Vec<_>>().join(", ")))
    };
    let packages = found.packages.iter().map(|(name, difference)| {
        let (before, after) = versions(difference);
        changed(paint, &shown(name), joined(before), joined(after))
    });
    let seeds = found.seeds.iter().map(|seed| {
        let [before, after] = [seed.before, seed.after].map(|digest| digest.map(|digest| digest.to_string()));
        changed(paint, &seed.name, before, after)
    });
    let parts: [(&str, Vec<String>); 5] = [
        ("files", found.files.iter().map(|difference| line(paint, difference)).collect()),
        ("manifest", field(&|place| !is_right(place) && !is_seed(place))),
        ("rights", field(&is_right)),
        ("packages", packages.collect()),
        ("seeds", seeds.collect()),
    ];
    let mut text = String::new();
    for (name, lines) in parts.iter().filter(|(_, lines)| !lines.is_empty()) {
        text.push_str(&format!("{}\n", paint.bold(name)));
        lines.iter().for_each(|line| text.push_str(&format!("  {line}\n")));
    }
    text.trim_end().to_owned()
}

fn line(paint: Paint, difference: &Difference) -> String {
    let path = &difference.path;
    match (difference.change(), &difference.from) {
        (Change::Added, _) => paint.good(&format!("+ {path}")),
        (Change::Removed, _) => paint.bad(&format!("- {path}")),
        (Change::Renamed, Some(from)) => format!("> {from} is now {path}"),
        (Change::Mode, _) => format!("~ {path} can be run, or no longer"),
        (Change::Changed | Change::Renamed, _) => {
            let size = |entry: Option<xyn_capsules::tree::Entry>| entry.map_or(0, |entry| entry.size_bytes);
            format!("~ {path} {} → {} bytes", size(difference.before), size(difference.after))
        }
    }
}

fn changed(paint: Paint, name: &str, before: Option<String>, after: Option<String>) -> String {
    match (before, after) {
        (None, after) => paint.good(&format!("+ {name} {}", after.unwrap_or_default())),
        (Some(before), None) => paint.bad(&format!("- {name} {before}")),
        (Some(before), Some(after)) => format!("~ {name} {before} → {after}"),
    }
}

/// A value as it can be shown.
fn value(value: &Option<Value>) -> Option<String> {
    let text = value.as_ref().map(ToString::to_string)?;
    let cut: String = text.chars().take(VALUE_CHARS).collect();
    Some(if cut.len() < text.len() { format!("{}…", shown(&cut)) } else { shown(&cut) })
}
