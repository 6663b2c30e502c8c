//! What production asks back: what is about to happen, restated, and the form that says it again.
//!
//! Invariant: the form confirms what the page shows; when that came to be something else, it is asked anew.

use askama::Template;
use axum::response::Response;
use http::{HeaderMap, header};
use serde_json::Value;

use super::Act;
use crate::error::{ApiError, Fault};
use crate::ui::fault::came_from;
use crate::ui::filters;
use crate::ui::shell::{Shell, render};
use crate::ui::words::app_at_version;

#[derive(Template)]
#[template(path = "confirm.html")]
struct Page {
    shell: Shell,
    /// What will happen, which the button says again.
    what: String,
    replaces: String,
    facts: Vec<(&'static str, String)>,
    capsule: String,
    moment: String,
    build: Vec<String>,
    /// Services that are attached, each with the secret that is its address.
    services: Vec<(String, String)>,
    /// Seeds that are applied again.
    seeds: Vec<String>,
    /// Whether something else was confirmed before.
    is_outdated: bool,
    word: String,
    act: Act,
    back: String,
}

/// The page that asks whether what `fault` restates is meant. `act` is what was asked for.
pub(super) fn page(
    mut shell: Shell,
    mut act: Act,
    fault: &Fault,
    headers: &HeaderMap,
) -> Result<Response, ApiError> {
    let said = &fault.details["restatement"];
    let text = |name: &str| said[name].as_str().unwrap_or_default().to_owned();
    let word = fault.details["confirm"].as_str().unwrap_or_default().to_owned();
    let back = came_from(headers.get(header::REFERER), headers.get(header::HOST));
    let is_outdated = act.fields.iter().any(|(name, _)| name == "confirm");
    act.fields.retain(|(name, _)| name != "confirm");
    act.fields.push(("confirm".to_owned(), word.clone()));
    let (id, stage) = (text("id"), text("stage"));
    shell.here.clone_from(&back);
    let page = Page {
        what: what(&text("verb"), &app_at_version(&id), &stage),
        replaces: app_at_version(&text("replaces")),
        facts: vec![
            ("App", format!("{}, {id}", text("name"))),
            ("Generation", said["generation"].to_string()),
            ("Stage", stage),
            ("Environment", text("env")),
            ("Target", text("target")),
            ("Asked by", text("principal")),
            ("Packed by", text("packed_by")),
            ("Content", text("tree")),
        ],
        capsule: text("capsule"),
        moment: said["moment"][1].as_str().unwrap_or_default().to_owned(),
        build: said["build"].as_array().into_iter().flatten().filter_map(word_of).take(50).collect(),
        services: said["services"].as_object().into_iter().flatten().filter_map(attached).collect(),
        seeds: said["seeds"].as_array().into_iter().flatten().filter_map(word_of).take(50).collect(),
        is_outdated,
        word,
        act,
        back,
        shell,
    };
    // A question is no failure, whatever the code says to programs.
    render(&page)
}

fn word_of(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

fn attached((service, secret): (&String, &Value)) -> Option<(String, String)> {
    Some((service.clone(), secret.as_str()?.to_owned()))
}

/// What will happen, in a few words.
fn what(verb: &str, short: &str, stage: &str) -> String {
    match verb {
        "deploy" => format!("Deploy {short} to {stage}"),
        _ => format!("Roll back to {short} in {stage}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_will_happen_names_app_version_and_stage() {
        assert_eq!(what("deploy", "shop 1.4.2", "prod"), "Deploy shop 1.4.2 to prod");
        assert_eq!(what("roll back to", "shop 1.4.2", "prod"), "Roll back to shop 1.4.2 in prod");
    }
}
