//! What can be wrong with the configuration, the environment and the addresses.

use std::net::TcpListener;
use std::path::Path;

use xyn_actors::intake::webhook::Secret;

use super::Finding;
use crate::cli::{Context, Failure};
use crate::config::{self, CONFIG_FILE, ConfigError, HookSettings, Loaded, Settings};
use crate::failure::with_causes;
use crate::shell;

/// Whether the configuration can be read.
pub(super) fn config(loaded: &Result<Loaded, ConfigError>, context: &Context) -> Finding {
    let file = context.data().map(|data| data.join(CONFIG_FILE)).unwrap_or_default();
    match loaded {
        Ok(_) if file.exists() => Finding::ok("config", format!("{} is valid", file.display())),
        Ok(_) => Finding::ok("config", "the defaults hold, there is no file"),
        Err(error) => Finding::broken("config", with_causes(error), error.mend()),
    }
}

/// Addresses and hooks.
pub(super) fn all(settings: &Settings, runs: bool, data: &Path) -> Vec<Finding> {
    let mut findings: Vec<_> = settings.hooks.iter().map(hook).collect();
    if !runs {
        findings.extend(settings.listen.iter().map(|address| match TcpListener::bind(address) {
            Ok(_) => Finding::ok("address", format!("{address} is free")),
            Err(error) => {
                let message = format!("{address} cannot be listened on: {error}");
                Finding::broken("address", message, shell::up_elsewhere(data))
            }
        }));
    }
    findings
}

/// Whether a hook's secrets are there and of the right shape. Says nothing about what they are.
fn hook(hook: &HookSettings) -> Finding {
    let name = &hook.name;
    let secrets = match hook.secrets(&config::process_environment) {
        Ok(secrets) => secrets,
        Err(error) => {
            let message = format!("hook `{name}`: {}", Failure::from(error).message);
            let variables = hook.secrets_env.iter().map(|variable| format!("export {variable}=whsec_…"));
            return Finding::broken("hook", message, variables.collect::<Vec<_>>().join("; "));
        }
    };
    match secrets.iter().find_map(|secret| secret.parse::<Secret>().err()) {
        None => Finding::ok("hook", format!("hook `{name}` has its secrets")),
        Some(error) => Finding::broken(
            "hook",
            format!("hook `{name}`: {error}"),
            "make one: echo whsec_$(head -c 32 /dev/urandom | base64)",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::State;
    use super::*;

    #[test]
    fn a_secret_that_is_not_set_is_named_with_what_sets_it() {
        let settings = HookSettings {
            name: "ci".into(),
            event_name: "ci.done".into(),
            secrets_env: vec!["XYN_TEST_NEVER_SET".into()],
        };
        let finding = hook(&settings);
        assert_eq!(finding.state, State::Broken);
        assert!(finding.message.contains("XYN_TEST_NEVER_SET"), "{finding:?}");
        assert_eq!(finding.mend, "export XYN_TEST_NEVER_SET=whsec_…");
    }
}
