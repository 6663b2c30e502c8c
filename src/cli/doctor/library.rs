//! What can be wrong with the node itself: its version, its blueprints and policies, its runs.

use std::time::Duration;

use serde_json::Value;
use xyn_actors::{actions, blueprint, governance};
use xyn_store::{Clock, Timestamp};

use super::Finding;
use crate::cli::policy::sources_in_force;
use crate::cli::table::text;
use crate::client::{Client, route};
use crate::config::Loaded;
use crate::failure::{Exit, Failure};

/// Most blueprints and runs that are looked at.
const MAX_ROWS: usize = 1000;
/// How much longer than it may work a run may be under way before it counts as stuck.
const GRACE: Duration = Duration::from_secs(60);

/// Everything that the node or its folder is asked about.
pub(super) async fn all(client: &Client, loaded: Option<&Loaded>) -> Vec<Finding> {
    let limits = loaded.and_then(|loaded| loaded.settings.limits.node_limits().ok()).unwrap_or_default();
    let mut findings = Vec::new();
    if client.address().is_some() {
        match version(client).await {
            Ok(finding) => findings.push(finding),
            // Who does not answer this answers nothing else, and for the same reason.
            Err(failure) => return vec![unasked("node", &failure)],
        }
        findings.push(mesh(client).await.unwrap_or_else(|failure| unasked("mesh", &failure)));
    }
    findings
        .push(blueprints(client, &limits).await.unwrap_or_else(|failure| unasked("blueprints", &failure)));
    findings.push(policies(client).await.unwrap_or_else(|failure| unasked("policies", &failure)));
    findings.push(runs(client, limits.wall_clock).await.unwrap_or_else(|failure| unasked("runs", &failure)));
    findings
}

/// What was asked for and not answered. Whoever reads this has asked the doctor.
pub(super) fn unasked(check: &'static str, failure: &Failure) -> Finding {
    let hint = failure.hint.clone().filter(|hint| !hint.contains("xyn doctor"));
    let mend = hint.unwrap_or_else(|| match failure.exit {
        Exit::Unreachable => {
            "start the node there with: xyn up; or name another address with --url".to_owned()
        }
        _ => "see what the node logs: XYN_LOG=debug xyn up".to_owned(),
    });
    Finding::broken(check, failure.message.clone(), mend)
}

async fn version(client: &Client) -> Result<Finding, Failure> {
    let health = client.get("/health").await?;
    let (theirs, own) = (text(&health, "version"), env!("CARGO_PKG_VERSION"));
    let address = client.address().unwrap_or_default();
    if theirs == own {
        return Ok(Finding::ok("node", format!("{address} answers, version {theirs}")));
    }
    let message = format!("{address} runs version {theirs}, this program is {own}");
    Ok(Finding::warning("node", message, "stop the node and start it again with this program: xyn up"))
}

/// How the node takes part in the mesh.
async fn mesh(client: &Client) -> Result<Finding, Failure> {
    let (mesh, peers) = (client.get("/mesh").await?, client.list("/peers", &[], MAX_ROWS).await?);
    Ok(meeting(&mesh, &peers))
}

fn meeting(mesh: &Value, peers: &Value) -> Finding {
    let others = |peer: &&Value| peer["is_self"] == false && peer["standing"] == "active";
    let others = peers["items"].as_array().into_iter().flatten().filter(others).count();
    if let Some(why) = turned_out(peers) {
        return Finding::broken(
            "mesh",
            why,
            "ask a member for an invitation, and join anew: xyn peer join TICKET --data DIR",
        );
    }
    let mode = text(mesh, "mode");
    let here = mesh["peers_connected"].as_u64().unwrap_or_default();
    if mode == "off" && others > 0 {
        let message = format!("off, and {others} other nodes belong to the environment");
        return Finding::warning("mesh", message, "start the node with: xyn up --mesh on");
    }
    if mode == "off" {
        return Finding::ok("mesh", "off: the node works alone");
    }
    if mesh["listening"].as_array().is_none_or(Vec::is_empty) {
        return Finding::broken("mesh", "it listens nowhere", "see why in the log: XYN_LOG=info xyn up");
    }
    let lag = mesh["lag_records"].as_u64().unwrap_or_default();
    let message = format!("{mode}, {here} of {others} other nodes connected, {lag} records behind");
    if here == 0 && others > 0 {
        let mend = "see who was refused and why: xyn peer trace --no-follow; a node that was revoked while it was away \
                    hears nothing of it: ask a member for its line in xyn peer list";
        return Finding::warning("mesh", message, mend);
    }
    Finding::ok("mesh", message)
}

/// What became of the node's own membership, where it ended.
pub(in crate::cli) fn turned_out(peers: &Value) -> Option<String> {
    let own = peers["items"].as_array()?.iter().find(|peer| peer["is_self"] == true)?;
    let because = text(own, "revoked_because");
    let because = if because.is_empty() { because } else { format!(": {because}") };
    match own["standing"].as_str()? {
        "active" | "retired" => None,
        standing => Some(format!("this node is {standing}{because}")),
    }
}

async fn blueprints(client: &Client, limits: &blueprint::NodeLimits) -> Result<Finding, Failure> {
    let list = client.list("/blueprints", &[], MAX_ROWS).await?;
    let (mut count, mut invalid) = (0, Vec::new());
    for row in list["items"].as_array().into_iter().flatten() {
        let id = text(row, "blueprint_id");
        let whole = client.get(&route(&["blueprints", &id])?).await?;
        count += 1;
        let source = text(&whole, "source");
        if blueprint::compile_promoted(source.as_bytes(), &actions::builtin(), limits).is_err() {
            invalid.push(id);
        }
    }
    Ok(match invalid.first() {
        None => Finding::ok("blueprints", format!("{count} are active and valid")),
        Some(first) => Finding::broken(
            "blueprints",
            format!("active and not valid in this version: {}", invalid.join(", ")),
            format!("mend {first} and make it active again: xyn blueprint promote FILE"),
        ),
    })
}

async fn policies(client: &Client) -> Result<Finding, Failure> {
    let sources = sources_in_force(client).await?;
    let invalid = sources.iter().find(|(_, source)| governance::parse(source.as_bytes()).is_err());
    Ok(match invalid {
        None => Finding::ok("policies", format!("{} are in force and valid", sources.len())),
        Some((id, _)) => Finding::broken(
            "policies",
            format!("`{id}` is in force and cannot be read"),
            "mend it and put it into force again: xyn policy activate FILE",
        ),
    })
}

/// Runs that work longer than any run may. A run that waits for something is not stuck.
async fn runs(client: &Client, wall_clock: Duration) -> Result<Finding, Failure> {
    let running = client.list("/runs", &[("status", "running".to_owned())], MAX_ROWS).await?;
    let created = client.list("/runs", &[("status", "created".to_owned())], MAX_ROWS).await?;
    let now = Clock::system().now();
    let all =
        [&running, &created].into_iter().flat_map(|list| list["items"].as_array().into_iter().flatten());
    let stuck: Vec<_> = all.filter(|run| is_stuck(run, now, wall_clock + GRACE)).collect();
    Ok(match stuck.first() {
        None => Finding::ok("runs", "none is stuck"),
        Some(first) => {
            let id = text(first, "run_id");
            let message = format!("{} work longer than any run may, such as {id}", stuck.len());
            Finding::warning("runs", message, format!("xyn run show {id}, then xyn run cancel {id}"))
        }
    })
}

fn is_stuck(run: &Value, now: Timestamp, patience: Duration) -> bool {
    let since = run["started_at"].as_str().or(run["created_at"].as_str());
    let since = since.and_then(|at| at.parse::<Timestamp>().ok());
    run["waiting_on"].is_null() && since.is_some_and(|since| now.since(since) > patience)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_run_that_waits_or_began_just_now_is_not_stuck() {
        let now: Timestamp = "2026-01-31T12:00:00Z".parse().expect("an instant");
        let hour = Duration::from_secs(3600);
        let run = |started: &str, waiting: Value| json!({ "started_at": started, "waiting_on": waiting });
        assert!(is_stuck(&run("2026-01-31T10:00:00Z", Value::Null), now, hour));
        assert!(!is_stuck(&run("2026-01-31T10:00:00Z", json!({ "kind": "gate" })), now, hour));
        assert!(!is_stuck(&run("2026-01-31T11:30:00Z", Value::Null), now, hour));
    }
}
