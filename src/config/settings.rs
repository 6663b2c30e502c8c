//! What the keys mean: from a merged tree to typed settings.
//!
//! Invariant: settings that exist are valid; a fault names the key and where its value stands.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use config::{Map, Value};
use serde::Deserialize;
use xyn_actors::blueprint::{NodeLimits, check_event_name};
use xyn_actors::intake::cron::{Definition, Entry as CronEntry};
use xyn_actors::runtime;
use xyn_store::scope::Stage;

use super::tree::Tree;
use super::{ConfigError, Entry, Environment, MeshMode, MeshSettings, layer};

/// What holds.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// The data folder.
    pub data: PathBuf,
    /// Addresses to listen on.
    pub listen: Vec<SocketAddr>,
    /// The environment the node belongs to.
    pub env_id: String,
    /// How strict policies are where a target names no stage.
    pub stage: Stage,
    /// Whether and how the node takes part in the mesh.
    pub mesh: MeshSettings,
    /// Where the catalogue of capsules for the local network is served; nowhere when there is none.
    pub lan_catalogue: Vec<SocketAddr>,
    /// Webhooks.
    pub hooks: Vec<HookSettings>,
    /// Schedules.
    pub cron: Vec<Definition>,
    /// What the node allows any blueprint.
    pub limits: LimitSettings,
}

/// A webhook: what is posted to it becomes an event.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct HookSettings {
    /// Last part of its path.
    pub name: String,
    /// Name of the event.
    pub event_name: String,
    /// Environment variables that hold its secrets, newest first.
    pub secrets_env: Vec<String>,
}

/// What the node allows any blueprint. Durations are written like `60m`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct LimitSettings {
    /// Steps of a plan.
    pub max_steps: u32,
    /// Time a run may work.
    pub wall_clock: String,
    /// Runs that work at once.
    pub concurrency: u32,
    /// Runs that may stand in one line before more are refused.
    pub run_line: u32,
    /// Items of one step at once.
    pub max_parallel: u32,
    /// Attempts of one step.
    pub max_attempts: u32,
    /// Longest wait.
    pub max_wait: String,
    /// Entries that may wait to be dispatched before events are refused.
    pub event_backlog: u64,
    /// How long they may wait before events are refused.
    pub event_backlog_age: String,
    /// Requests of an address, and intents of a principal, each second; 0 limits neither.
    pub requests_per_second: u32,
    /// How many of them may come at once.
    pub request_burst: u32,
    /// Bytes of artifacts that the node keeps.
    pub artifact_store_bytes: u64,
}

impl Default for LimitSettings {
    fn default() -> Self {
        let node = NodeLimits::default();
        let minutes = |time: Duration| format!("{}m", time.as_secs() / 60);
        let days = |time: Duration| format!("{}d", time.as_secs() / 86_400);
        Self {
            max_steps: node.max_steps,
            wall_clock: minutes(node.wall_clock),
            concurrency: node.concurrency,
            run_line: node.run_line,
            max_parallel: node.max_parallel,
            max_attempts: node.max_attempts,
            max_wait: days(node.max_wait),
            event_backlog: node.event_backlog,
            event_backlog_age: days(node.event_backlog_age),
            requests_per_second: node.requests_per_second,
            request_burst: node.request_burst,
            artifact_store_bytes: xyn_store::Options::default().blob_quota_bytes,
        }
    }
}

impl Settings {
    /// What the Runtime is told about its environment. Reads the secrets that hooks refer to.
    pub fn environment(&self, variables: Environment<'_>) -> Result<runtime::Environment, ConfigError> {
        let hook = |hook: &HookSettings| {
            Ok(runtime::Hook {
                name: hook.name.clone(),
                event_name: hook.event_name.clone(),
                secrets: hook.secrets(variables)?,
            })
        };
        Ok(runtime::Environment {
            env_id: self.env_id.clone(),
            stage: self.stage,
            hooks: self.hooks.iter().map(hook).collect::<Result<_, _>>()?,
            cron: self.cron_entries()?,
            limits: self.limits.node_limits()?,
            ..runtime::Environment::default()
        })
    }

    /// The same without what comes from outside: enough to read.
    pub fn quiet_environment(&self) -> runtime::Environment {
        runtime::Environment {
            env_id: self.env_id.clone(),
            stage: self.stage,
            ..runtime::Environment::default()
        }
    }

    fn cron_entries(&self) -> Result<Vec<CronEntry>, ConfigError> {
        let entry = |(index, definition): (usize, &Definition)| {
            CronEntry::new(definition.clone())
                .map_err(|error| invalid(&format!("cron[{index}]"), error.to_string()))
        };
        self.cron.iter().enumerate().map(entry).collect()
    }
}

impl LimitSettings {
    /// The bounds for the checker.
    pub fn node_limits(&self) -> Result<NodeLimits, ConfigError> {
        Ok(NodeLimits {
            max_steps: self.max_steps,
            wall_clock: duration("limits.wall_clock", &self.wall_clock)?,
            concurrency: self.concurrency,
            run_line: self.run_line,
            max_parallel: self.max_parallel,
            max_attempts: self.max_attempts,
            max_wait: duration("limits.max_wait", &self.max_wait)?,
            event_backlog: self.event_backlog,
            event_backlog_age: duration("limits.event_backlog_age", &self.event_backlog_age)?,
            requests_per_second: self.requests_per_second,
            request_burst: self.request_burst,
        })
    }
}

impl HookSettings {
    /// The secrets, from the variables or the files that `…_FILE` names; a variable without a value is an error.
    pub fn secrets(&self, environment: Environment<'_>) -> Result<Vec<String>, ConfigError> {
        self.secrets_env.iter().map(|name| secret(name, environment)).collect()
    }
}

fn secret(name: &str, environment: Environment<'_>) -> Result<String, ConfigError> {
    if let Some(value) = environment(name) {
        return value.into_string().map_err(|_| invalid(name, "the value is not UTF-8"));
    }
    match environment(&format!("{name}_FILE")) {
        Some(file) => layer::read_value(Path::new(&file)),
        None => Err(invalid(name, "the environment variable is not set")),
    }
}

/// The settings in `tree`, which was merged for the folder `data`, and each value with its origin.
pub(super) fn read(
    tree: Map<String, Value>,
    data: &Path,
    file: &Path,
) -> Result<(Settings, Vec<Entry>), ConfigError> {
    let mut tree = Tree::new(tree, file);
    let settings = Settings {
        data: data.to_owned(),
        listen: tree.take("listen")?,
        env_id: tree.take("env_id")?,
        stage: tree.take_stage()?,
        mesh: MeshSettings {
            mode: tree.take_mesh()?,
            listen: tree.take("mesh_listen")?,
            peers: tree.take("mesh_peers")?,
            relays: tree.take("mesh_relays")?,
            is_relay: tree.take("mesh_relay")?,
        },
        lan_catalogue: tree.take("lan_catalogue")?,
        hooks: tree.take("hooks")?,
        cron: tree.take("cron")?,
        limits: tree.take_limits()?,
    };
    check(&settings)?;
    Ok((settings, tree.into_entries()))
}

fn invalid(key: &str, reason: impl Into<String>) -> ConfigError {
    ConfigError::Invalid { key: key.to_owned(), origin: String::new(), reason: reason.into() }
}

fn duration(key: &str, text: &str) -> Result<Duration, ConfigError> {
    let parsed: Result<jiff::Span, _> = text.parse();
    let span = parsed.map_err(|_| invalid(key, format!("`{text}` is no duration such as `60m`")))?;
    // A day of a limit is 24 hours wherever the node stands.
    let relative = jiff::SpanRelativeTo::days_are_24_hours();
    span.to_duration(relative)
        .ok()
        .and_then(|duration| Duration::try_from(duration).ok())
        .ok_or_else(|| invalid(key, format!("`{text}` is not a length of time in days or less, above zero")))
}

/// What types alone cannot say.
fn check(settings: &Settings) -> Result<(), ConfigError> {
    if settings.listen.is_empty() {
        return Err(invalid("listen", "there must be at least one address"));
    }
    if settings.mesh.mode != MeshMode::Off && settings.mesh.listen.is_empty() {
        return Err(invalid("mesh_listen", "there must be at least one address"));
    }
    if settings.env_id.is_empty() || !settings.env_id.bytes().all(is_id_byte) {
        return Err(invalid("env_id", "an environment's id is made of letters, digits, `-`, `_` and `.`"));
    }
    settings.limits.node_limits()?;
    for (index, hook) in settings.hooks.iter().enumerate() {
        let key = |field: &str| format!("hooks[{index}].{field}");
        if hook.name.is_empty() || !hook.name.bytes().all(is_id_byte) {
            return Err(invalid(&key("name"), "a hook's name is made of letters, digits, `-`, `_` and `.`"));
        }
        if settings.hooks[..index].iter().any(|other| other.name == hook.name) {
            return Err(invalid(&key("name"), format!("there are two hooks called `{}`", hook.name)));
        }
        if hook.secrets_env.is_empty() || !hook.secrets_env.iter().all(|name| is_variable(name)) {
            // What stands there may be a secret: it is not repeated.
            let reason =
                "names of environment variables such as `CHECKMK_HOOK_SECRET` are wanted, at least one";
            return Err(invalid(&key("secrets_env"), reason));
        }
        check_name(&key("event_name"), &hook.event_name)?;
    }
    for (index, definition) in settings.cron.iter().enumerate() {
        if settings.cron[..index].iter().any(|other| other.name == definition.name) {
            let reason = format!("there are two entries called `{}`", definition.name);
            return Err(invalid(&format!("cron[{index}].name"), reason));
        }
    }
    settings.cron_entries().map(drop)
}

fn check_name(key: &str, name: &str) -> Result<(), ConfigError> {
    check_event_name(name).map_err(|reason| invalid(key, reason.to_string()))
}

fn is_id_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.')
}

fn is_variable(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|first: char| first.is_ascii_digit())
        && name.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
}
