//! `xyn store`: check and mend the store of a stopped node.

use std::path::Path;

use clap::Subcommand;
use serde_json::{Value, json};
use xyn_actors::actions;
use xyn_actors::projector::Fold;
use xyn_store::verify::{Report, verify};
use xyn_store::{Clock, StoreError};

use super::output::{Paint, Unit};
use super::table::facts;
use super::{Context, folder};
use crate::failure::{Exit, Failure};
use crate::shell;

/// What can be done with a store.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Throw away everything derived and make it anew from the journal; the node must be stopped
    Rebuild,
    /// Check everything that is kept and change nothing: pages, rows, audit chain, artifacts, and whether what is
    /// derived is what the journal says; the node must be stopped
    Verify,
}

pub(super) async fn run(command: Command, context: &Context) -> Result<Exit, Failure> {
    match command {
        Command::Rebuild => rebuild(context).await,
        Command::Verify => check(context).await,
    }
}

/// Checks the folder at `data`, telling `progress` of entries.
pub(super) fn checked(data: &Path, progress: impl FnMut(u64)) -> Result<Report, StoreError> {
    let projector = |store: &xyn_store::Store| Fold::new(store.clone(), actions::builtin());
    verify(data, projector, Clock::system().now(), progress)
}

/// The command that mends what a report names.
pub(super) fn mend(report: &Report, data: &Path) -> Option<String> {
    let data = shell::word(data);
    match (report.is_sound(), report.rebuild_mends) {
        (true, _) => None,
        (false, true) => Some(format!("xyn store rebuild --data {data}")),
        (false, false) => Some(format!("restore {data} from a backup, then: xyn store verify --data {data}")),
    }
}

async fn check(context: &Context) -> Result<Exit, Failure> {
    let data = context.data()?;
    folder::exists(&data)?;
    let bar = context.out.progress("verifying", None, Unit::Entries);
    let (counted, place) = (bar.clone(), data.clone());
    let report = folder::apart(move || checked(&place, |entry| counted.set_position(entry))).await?;
    bar.finish_and_clear();
    let report = report.map_err(|error| folder::failure(&error, &data))?;
    context.out.answer(&document(&data, &report), |paint| render(&data, &report, paint))?;
    Ok(if report.is_sound() { Exit::Done } else { Exit::Failed })
}

fn document(data: &Path, report: &Report) -> Value {
    json!({
        "data": data,
        "is_sound": report.is_sound(),
        "entries": report.entries,
        "rows": report.rows,
        "artifacts": report.artifacts,
        "fault_count": report.fault_count,
        "faults": report.faults,
        "mend": mend(report, data),
    })
}

fn render(data: &Path, report: &Report, paint: Paint) -> String {
    let verdict = if report.is_sound() {
        paint.good("sound: everything that is kept is whole and says the same")
    } else {
        paint.bad(&format!("NOT sound: {} things are wrong", report.fault_count))
    };
    let pairs = [
        ("data", data.display().to_string()),
        ("entries", report.entries.to_string()),
        ("rows", report.rows.to_string()),
        ("artifacts", report.artifacts.to_string()),
        ("verdict", verdict),
    ];
    let mut text = facts(&pairs, paint);
    for fault in &report.faults {
        text += &format!("\n  {}", paint.bad(fault));
    }
    let unnamed = report.fault_count.saturating_sub(report.faults.len() as u64);
    if unnamed > 0 {
        text += &format!("\n  and {unnamed} more");
    }
    if let Some(mend) = mend(report, data) {
        text += &format!("\n{} {mend}", paint.good("mend:"));
    }
    text
}

async fn rebuild(context: &Context) -> Result<Exit, Failure> {
    let data = context.data()?;
    let store = folder::open(&data)?;
    let entries = folder::length(&store)?;
    let bar = context.out.progress("rebuilding", Some(entries), Unit::Entries);
    let counted = bar.clone();
    let rebuilt = folder::apart(move || {
        let mut fold = Fold::new(store.clone(), actions::builtin());
        store.rebuild(&mut fold, |entry| counted.set_position(entry))
    });
    let rebuilt = rebuilt.await?;
    bar.finish_and_clear();
    let entries = rebuilt.map_err(|error| folder::failure(&error, &data))?;
    let document = json!({ "data": data, "entries": entries });
    context
        .out
        .answer(&document, |paint| paint.good(&format!("rebuilt from {entries} entries of the journal")))?;
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_said_with_what_mends_it() {
        let mut report = Report {
            entries: 7,
            rows: 40,
            fault_count: 2,
            faults: vec!["table `runs`: 1 rows are missing".into()],
            rebuild_mends: true,
            ..Report::default()
        };
        insta::assert_snapshot!(render(Path::new("/srv/xyn"), &report, Paint::PLAIN), @r"
        data       /srv/xyn
        entries    7
        rows       40
        artifacts  0
        verdict    NOT sound: 2 things are wrong
          table `runs`: 1 rows are missing
          and 1 more
        mend: xyn store rebuild --data /srv/xyn
        ");
        report.rebuild_mends = false;
        let restore = "restore /srv/xyn from a backup, then: xyn store verify --data /srv/xyn";
        assert_eq!(document(Path::new("/srv/xyn"), &report)["mend"], restore);
        assert_eq!(document(Path::new("/srv/xyn"), &Report::default())["mend"], Value::Null);
    }
}
