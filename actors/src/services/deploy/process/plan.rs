//! What a process is started with.
//!
//! Pure. Owns the environment: what the app is given, and what every program needs; nothing of the node's own comes
//! along. Invariant: a plan has a program.

use std::collections::BTreeMap;

use xyn_capsules::manifest::Manifest;

/// Where programs are looked for.
const PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// What is run, and with which environment. That holds secrets, so it is not shown.
#[derive(Clone)]
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
}

/// What to run for `manifest`, which is given the variables `given`.
pub(in super::super) fn plan(manifest: &Manifest, given: &BTreeMap<String, String>) -> Result<Plan, NoPlan> {
    let mut command = manifest.app.command.iter().map(ToString::to_string);
    let program = command.next().ok_or(NoPlan::Command)?;
    let mut env =
        BTreeMap::from([("PATH".to_owned(), PATH.to_owned()), ("LANG".to_owned(), "C.UTF-8".to_owned())]);
    env.extend(given.clone());
    Ok(Plan { program, arguments: command.collect(), env })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(app: &str) -> Manifest {
        let text = format!(
            r#"{{"formatVersion": 1, "id": "urn:xyn:app:web-shop@1.0.0", "name": "The shop", "version": "1.0.0",
            "generation": 1, "createdAt": "2026-01-01T00:00:00Z", "app": {app},
            "createdBy": {{"name": "ada", "keyId": "{id}"}},
            "build": {{"outDir": ".", "sourceDateEpoch": 0}},
            "rights": {{}}, "tree": "{id}"}}"#,
            id = "0".repeat(64)
        );
        Manifest::read(text.as_bytes()).expect("a manifest")
    }

    #[test]
    fn a_process_gets_what_it_is_given_and_nothing_of_the_nodes_own() {
        let app = r#"{"command": ["./server", "--quiet"]}"#;
        let given =
            [("MODE", "shop"), ("DB_URL", "db:")].map(|(name, value)| (name.to_owned(), value.to_owned()));
        let plan = plan(&manifest(app), &given.into()).expect("a plan");
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
        let refused = plan(&manifest("{}"), &BTreeMap::new()).err().expect("refused").to_string();
        assert!(refused.contains("`/app/command`"));
    }
}
