//! `xyn timeline show`: a moment, and the state it is.

use clap::Args;
use serde_json::Value;

use super::log::who;
use crate::cli::output::Paint;
use crate::cli::table::{facts, instant, text};
use crate::cli::{Context, moment};
use crate::client::{Need, route};
use crate::failure::{Exit, Failure};

/// A moment.
#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {
    /// The moment's id or label
    moment: String,
}

pub(super) async fn run(arguments: Arguments, context: &Context) -> Result<Exit, Failure> {
    let client = context.client(Need::Read).await?;
    let entry_id = moment::named(&client, &arguments.moment).await?;
    let view = client.get(&route(&["timeline", &entry_id])?).await?;
    context.out.answer(&view, |paint| render(&view, paint))?;
    Ok(Exit::Done)
}

fn render(view: &Value, paint: Paint) -> String {
    let (moment, state) = (&view["moment"], &view["state"]);
    let ahead = if view["is_from_future"] == true { " (its clock is ahead)" } else { "" };
    let labels = view["labels"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let mut pairs = vec![
        ("moment", text(moment, "entry_id")),
        ("at", format!("{}{ahead}", instant(moment, "at"))),
        ("kind", text(moment, "kind")),
        ("branch", text(moment, "branch")),
        ("who", who(moment)),
        ("what", text(moment, "title")),
        ("node", text(moment, "node")),
        ("run", text(&moment["refs"], "run_id")),
        ("labels", labels.collect::<Vec<_>>().join(", ")),
        ("pinned", if view["is_pinned"] == true { "yes".to_owned() } else { String::new() }),
    ];
    pairs.extend(state_facts(state));
    facts(&pairs, paint)
}

/// What a state says, a fact a line.
pub(super) fn state_facts(state: &Value) -> Vec<(&'static str, String)> {
    let mut pairs = Vec::new();
    for files in state["workspaces"].as_array().into_iter().flatten() {
        let [workspace, root] = ["workspace", "root"].map(|key| text(files, key));
        pairs.push(("workspace", format!("{workspace} {root}").trim_start().to_owned()));
    }
    for deployed in state["deployed"].as_array().into_iter().flatten() {
        let [env, stage, capsule] = ["env", "stage", "capsule"].map(|key| text(deployed, key));
        pairs.push(("deployed", format!("{env}/{stage} {capsule}")));
    }
    for mapped in state["domains"].as_array().into_iter().flatten() {
        let [domain, capsule] = ["domain", "capsule"].map(|key| text(mapped, key));
        pairs.push(("domain", format!("{domain} {capsule}").trim_end().to_owned()));
    }
    if state["is_cut_short"] == true {
        pairs.push(("", "… and more than one state shows".to_owned()));
    }
    pairs
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_moment_and_its_state_read_on_many_lines() {
        let moment = json!({
            "entry_id": "e1", "at": "2026-01-31T12:00:00.000042Z", "kind": "approve", "branch": "main",
            "principal": "ada@lab", "by_node": "eve@lab", "title": "Deploy: approved `go` by ada@lab", "refs": { "run_id": "r1" },
        });
        let view = json!({
            "moment": moment, "labels": ["v1"], "is_pinned": true, "is_from_future": true,
            "state": {
                "workspaces": [{ "workspace": "site", "root": "t1" }],
                "deployed": [{ "env": "shop", "stage": "prod", "capsule": "c1" }],
                "domains": [],
            },
        });
        insta::assert_snapshot!(render(&view, Paint::PLAIN), @r"
        moment     e1
        at         2026-01-31 12:00:00 (its clock is ahead)
        kind       approve
        branch     main
        who        ada@lab, by eve@lab's node
        what       Deploy: approved `go` by ada@lab
        run        r1
        labels     v1
        pinned     yes
        workspace  site t1
        deployed   shop/prod c1
        ");
    }
}
