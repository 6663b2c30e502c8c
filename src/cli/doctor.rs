//! `xyn doctor`: look for what is wrong, and say which command mends it.
//!
//! Owns the list of findings. Mends nothing by itself. Invariant: each finding that is not `ok` says what mends it.

mod folder;
mod library;
mod setting;

use clap::Args;
use serde_json::{Value, json};

use super::Context;
use super::output::Paint;
use crate::client::{Client, Need, node_file};
use crate::config;
use crate::failure::{Exit, Failure};
pub(super) use library::turned_out;

#[derive(Debug, Args)]
pub(super) struct Arguments {}

/// How something stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Ok,
    Warning,
    Broken,
}

/// What was looked at, and how it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Finding {
    check: &'static str,
    state: State,
    message: String,
    /// What mends it; empty when nothing needs to be.
    mend: String,
}

impl Finding {
    fn ok(check: &'static str, message: impl Into<String>) -> Self {
        Self { check, state: State::Ok, message: message.into(), mend: String::new() }
    }

    fn warning(check: &'static str, message: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { check, state: State::Warning, message: message.into(), mend: mend.into() }
    }

    fn broken(check: &'static str, message: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { check, state: State::Broken, message: message.into(), mend: mend.into() }
    }
}

pub(super) async fn run(_: Arguments, context: &Context) -> Result<Exit, Failure> {
    let mut findings = Vec::new();
    let loaded = config::load(&context.flags(), &config::process_environment);
    findings.push(setting::config(&loaded, context));
    let client = if context.is_elsewhere() {
        // Nothing can be said about a folder on another machine.
        context.client(Need::Node).await
    } else {
        let data = context.data()?;
        let runs = node_answers(context).await;
        findings.extend(folder::all(&data, runs));
        if let Ok(loaded) = &loaded {
            findings.extend(setting::all(&loaded.settings, runs, &data));
        }
        if !data.join(xyn_store::DATABASE_FILE).exists() {
            return report(&findings, context);
        }
        context.client(Need::Read).await
    };
    match client {
        Ok(client) => findings.extend(library::all(&client, loaded.ok().as_ref()).await),
        // What keeps the folder from being read was found already, and is not said twice.
        Err(_)
            if findings.iter().any(|finding| finding.check == "store" && finding.state == State::Broken) => {}
        Err(failure) => findings.push(library::unasked("node", &failure)),
    }
    report(&findings, context)
}

/// Whether a node of this folder answers.
async fn node_answers(context: &Context) -> bool {
    let Ok(data) = context.data() else { return false };
    if node_file(&data).is_none() {
        return false;
    }
    let client: Result<Client, _> = context.client(Need::Node).await;
    client.is_ok()
}

fn report(findings: &[Finding], context: &Context) -> Result<Exit, Failure> {
    context.out.answer(&document(findings), |paint| render(findings, paint))?;
    let broken = findings.iter().any(|finding| finding.state == State::Broken);
    Ok(if broken { Exit::Failed } else { Exit::Done })
}

fn word(state: State) -> &'static str {
    match state {
        State::Ok => "ok",
        State::Warning => "warning",
        State::Broken => "broken",
    }
}

fn document(findings: &[Finding]) -> Value {
    let finding = |finding: &Finding| {
        let mend = Some(&finding.mend).filter(|mend| !mend.is_empty());
        json!({ "check": finding.check, "state": word(finding.state), "message": finding.message, "mend": mend })
    };
    json!({ "findings": findings.iter().map(finding).collect::<Vec<_>>() })
}

fn render(findings: &[Finding], paint: Paint) -> String {
    let width = findings.iter().map(|finding| finding.check.len()).max().unwrap_or_default();
    let mut lines = Vec::new();
    for Finding { check, state, message, mend } in findings {
        let mark = paint.status(word(*state));
        let gap = " ".repeat("warning".len() - word(*state).len());
        lines.push(format!("{mark}{gap}  {check:width$}  {message}"));
        if !mend.is_empty() {
            lines.push(format!("{:9}{:width$}  {} {mend}", "", "", paint.good("mend:")));
        }
    }
    let count = |state| findings.iter().filter(|finding| finding.state == state).count();
    lines.push(match (count(State::Broken), count(State::Warning)) {
        (0, 0) => paint.good("everything is well"),
        (broken, warnings) => format!("{broken} broken, {warnings} to look at"),
    });
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn findings_say_what_mends_them() {
        let findings = [
            Finding::ok("folder", "/srv/xyn can be written"),
            Finding::warning("disk", "1 GiB is free", "free some space"),
            Finding::broken("node key", "mode 644", "chmod 600 /srv/xyn/node.key"),
        ];
        insta::assert_snapshot!(render(&findings, Paint::PLAIN), @r"
        ok       folder    /srv/xyn can be written
        warning  disk      1 GiB is free
                           mend: free some space
        broken   node key  mode 644
                           mend: chmod 600 /srv/xyn/node.key
        1 broken, 1 to look at
        ");
        assert_eq!(document(&findings)["findings"][2]["mend"], "chmod 600 /srv/xyn/node.key");
    }
}
