//! What a process is started with.
//!
//! Pure. Owns the environment: what the manifest names, and what the node adds; nothing of the node's own comes
//! along. Invariant: a variable without a value has one that was given to the node for this app, or nothing starts.

use std::collections::BTreeMap;

use xyn_capsules::manifest::Manifest;

/// Where programs are looked for.
const PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// What is run, and with which environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) struct Plan {
    pub(super) program: String,
    pub(super) arguments: Vec<String>,
    pub(super) env: BTreeMap<String, String>,
}

/// Why nothing can be run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(in super::super) enum NoPlan {
    /// There is no command.
    #[error(
        "its `/app/command` names no program to run; write one, such as [\"./server\"], and pack it again"
    )]
    Command,
    /// It has to be built first.
    #[error("its {0} build steps were not run; pack what they make, without steps")]
    Unbuilt(usize),
    /// Variables have no value.
    #[error(
        "its variables {} have no value; start the node with {}, or write one in `/app/env`",
        quoted(.0.keys()), quoted(.0.values())
    )]
    Unset(BTreeMap<String, String>),
}

fn quoted<'a>(names: impl Iterator<Item = &'a String>) -> String {
    names.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// The name under which the node is given the value of the variable `name` of `app`.
fn given_as(app: &str, name: &str) -> String {
    format!("XYN_APP_{}_{name}", app.to_ascii_uppercase().replace('-', "_"))
}

/// What to run for `manifest`; `given` says what the node was given under a name.
pub(in super::super) fn plan(
    manifest: &Manifest,
    given: impl Fn(&str) -> Option<String>,
) -> Result<Plan, NoPlan> {
    if !manifest.build.steps.is_empty() {
        return Err(NoPlan::Unbuilt(manifest.build.steps.len()));
    }
    let mut command = manifest.app.command.iter().map(ToString::to_string);
    let program = command.next().ok_or(NoPlan::Command)?;
    let app = manifest.id.app.as_str();
    let mut env =
        BTreeMap::from([("PATH".to_owned(), PATH.to_owned()), ("LANG".to_owned(), "C.UTF-8".to_owned())]);
    let mut unset = BTreeMap::new();
    for (name, value) in &manifest.app.env {
        let given_as = given_as(app, name.as_str());
        match given(&given_as).or_else(|| value.clone()) {
            Some(value) => drop(env.insert(name.to_string(), value)),
            None => drop(unset.insert(name.to_string(), given_as)),
        }
    }
    match unset.is_empty() {
        true => Ok(Plan { program, arguments: command.collect(), env }),
        false => Err(NoPlan::Unset(unset)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(app: &str, steps: &str) -> Manifest {
        let text = format!(
            r#"{{"formatVersion": 1, "id": "urn:xyn:app:web-shop@1.0.0", "name": "The shop", "version": "1.0.0",
            "generation": 1, "createdAt": "2026-01-01T00:00:00Z", "app": {app},
            "createdBy": {{"name": "ada", "keyId": "{id}"}},
            "build": {{"steps": {steps}, "outDir": ".", "sourceDateEpoch": 0}},
            "rights": {{}}, "tree": "{id}"}}"#,
            id = "0".repeat(64)
        );
        Manifest::read(text.as_bytes()).expect("a manifest")
    }

    #[test]
    fn a_process_gets_what_its_manifest_names_and_nothing_of_the_nodes_own() {
        let app = r#"{"command": ["./server", "--quiet"], "env": {"MODE": "shop", "DB_URL": null}}"#;
        let given = |name: &str| (name == "XYN_APP_WEB_SHOP_DB_URL").then(|| "db:".to_owned());
        let plan = plan(&manifest(app, "[]"), given).expect("a plan");
        assert_eq!(
            (plan.program.as_str(), plan.arguments.as_slice()),
            ("./server", &["--quiet".to_owned()][..])
        );
        let names: Vec<_> = plan.env.keys().map(String::as_str).collect();
        assert_eq!(names, ["DB_URL", "LANG", "MODE", "PATH"]);
        assert_eq!(plan.env["DB_URL"], "db:");
    }

    #[test]
    fn what_cannot_be_run_says_what_is_missing() {
        let refused =
            |app: &str, steps: &str| plan(&manifest(app, steps), |_| None).expect_err("refused").to_string();
        assert!(refused("{}", "[]").contains("`/app/command`"));
        assert!(refused(r#"{"command": ["x"]}"#, r#"["make"]"#).contains("1 build steps"));
        let unset = refused(r#"{"command": ["x"], "env": {"KEY": null}}"#, "[]");
        assert!(unset.contains("`KEY` have no value") && unset.contains("`XYN_APP_WEB_SHOP_KEY`"), "{unset}");
    }
}
