//! The layers and their merging: defaults, file, environment, flags.
//!
//! Invariant: a value that came from anywhere but the file carries its origin.

use std::io::Read;
use std::path::Path;

use config::{Config, File, FileFormat, Map, Source, Value, ValueKind};

use super::keys::KEYS;
use super::{ConfigError, Environment, Flags, MAX_VALUE_BYTES, MeshMode, keys, mesh};

/// Where a node listens when nothing says otherwise.
const DEFAULT_LISTEN: [&str; 2] = ["[::1]:4310", "127.0.0.1:4310"];

/// Those whose values are lists: a variable separates the items by commas.
const LISTS: &[&str] = &["listen", "mesh_listen", "mesh_peers", "mesh_relays", "lan_catalogue"];

/// Keys that a variable can set: all that hold no other keys. The variable is `XYN_` and the key in capitals, dots as `_`.
fn settable() -> impl Iterator<Item = &'static str> {
    let is_below =
        |key: &str, other: &str| other.strip_prefix(key).is_some_and(|rest| rest.starts_with(['.', '[']));
    let holds_keys = move |key: &str| KEYS.iter().any(|other| is_below(key, other));
    KEYS.iter().copied().filter(move |key| !key.contains(['[', '*']) && !holds_keys(key))
}

/// Values with origins.
#[derive(Clone, Debug, Default)]
struct Layer(Map<String, Value>);

impl Source for Layer {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, config::ConfigError> {
        Ok(self.0.clone())
    }
}

impl Layer {
    fn set(&mut self, key: &str, origin: &str, kind: impl Into<ValueKind>) {
        self.0.insert(key.to_owned(), Value::new(Some(&origin.to_owned()), kind));
    }
}

/// All layers as one tree. Values of the file at `path` are those without an origin.
pub(super) fn merge(
    flags: &Flags,
    environment: Environment<'_>,
    path: &Path,
) -> Result<Map<String, Value>, ConfigError> {
    let mut builder = Config::builder().add_source(defaults());
    if let Some(text) = file_text(path)? {
        refuse_unknown_keys(&text, path)?;
        builder = builder.add_source(File::from_str(&text, FileFormat::Toml));
    }
    let merged = builder
        .add_source(variables(environment)?)
        .add_source(said(flags))
        .build()
        .map_err(|error| syntax(path, &error))?;
    merged.cache.into_table().map_err(|error| syntax(path, &error))
}

fn defaults() -> Layer {
    let limits = super::settings::LimitSettings::default();
    let mut layer = Layer::default();
    layer.set("listen", "default", DEFAULT_LISTEN.map(ValueKind::from).to_vec());
    layer.set("env_id", "default", "local");
    layer.set("stage", "default", "dev");
    layer.set("mesh", "default", MeshMode::default().as_str());
    layer.set("mesh_listen", "default", mesh::DEFAULT_LISTEN.map(ValueKind::from).to_vec());
    layer.set("mesh_peers", "default", Vec::<String>::new());
    layer.set("mesh_relays", "default", Vec::<String>::new());
    layer.set("mesh_relay", "default", false);
    layer.set("lan_catalogue", "default", Vec::<String>::new());
    layer.set("hooks", "default", Vec::<String>::new());
    layer.set("cron", "default", Vec::<String>::new());
    layer.set("limits.max_steps", "default", limits.max_steps);
    layer.set("limits.wall_clock", "default", limits.wall_clock);
    layer.set("limits.concurrency", "default", limits.concurrency);
    layer.set("limits.run_line", "default", limits.run_line);
    layer.set("limits.max_parallel", "default", limits.max_parallel);
    layer.set("limits.max_attempts", "default", limits.max_attempts);
    layer.set("limits.max_wait", "default", limits.max_wait);
    layer.set("limits.event_backlog", "default", limits.event_backlog);
    layer.set("limits.event_backlog_age", "default", limits.event_backlog_age);
    layer.set("limits.requests_per_second", "default", limits.requests_per_second);
    layer.set("limits.request_burst", "default", limits.request_burst);
    layer.set("limits.artifact_store_bytes", "default", limits.artifact_store_bytes);
    layer
}

fn file_text(path: &Path) -> Result<Option<String>, ConfigError> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(ConfigError::Unreadable { path: path.to_owned(), source }),
    }
}

fn refuse_unknown_keys(text: &str, path: &Path) -> Result<(), ConfigError> {
    let alone = Config::builder().add_source(File::from_str(text, FileFormat::Toml)).build();
    let unknown = keys::unknown(&alone.map_err(|error| syntax(path, &error))?.cache);
    if unknown.is_empty() {
        return Ok(());
    }
    Err(ConfigError::UnknownKeys { origin: path.display().to_string(), unknown })
}

fn variables(environment: Environment<'_>) -> Result<Layer, ConfigError> {
    let mut layer = Layer::default();
    for key in settable() {
        let name = format!("XYN_{}", key.to_uppercase().replace('.', "_"));
        let (origin, text) = match (environment(&name), environment(&format!("{name}_FILE"))) {
            (Some(value), _) => {
                let text = value.into_string().map_err(|_| ConfigError::Invalid {
                    key: key.to_owned(),
                    origin: format!(" (from {name})"),
                    reason: "the value is not UTF-8".to_owned(),
                })?;
                (name, text)
            }
            (None, Some(file)) => (format!("{name}_FILE"), read_value(Path::new(&file))?),
            (None, None) => continue,
        };
        if LISTS.contains(&key) {
            let items: Vec<ValueKind> = text.split(',').map(|item| item.trim().into()).collect();
            layer.set(key, &origin, items);
        } else {
            layer.set(key, &origin, text);
        }
    }
    Ok(layer)
}

fn said(flags: &Flags) -> Layer {
    let mut layer = Layer::default();
    let [listen, lan_catalogue] = [&flags.listen, &flags.lan_catalogue]
        .map(|addresses| addresses.iter().map(ToString::to_string).collect::<Vec<_>>());
    let lists = [
        ("listen", "flag --listen", &listen),
        ("mesh_listen", "flag --mesh-listen", &flags.mesh_listen),
        ("mesh_peers", "flag --peer", &flags.mesh_peers),
        ("lan_catalogue", "flag --lan-catalogue", &lan_catalogue),
    ];
    for (key, origin, items) in lists.into_iter().filter(|(_, _, items)| !items.is_empty()) {
        layer.set(key, origin, items.iter().map(|item| item.as_str().into()).collect::<Vec<ValueKind>>());
    }
    if let Some(mode) = flags.mesh {
        layer.set("mesh", "flag --mesh", mode.as_str());
    }
    layer
}

/// The value that a file holds: its text without line ends at its end.
pub(super) fn read_value(path: &Path) -> Result<String, ConfigError> {
    let unreadable = |source| ConfigError::Unreadable { path: path.to_owned(), source };
    let mut text = String::new();
    let file = std::fs::File::open(path).map_err(unreadable)?;
    file.take(MAX_VALUE_BYTES).read_to_string(&mut text).map_err(unreadable)?;
    text.truncate(text.trim_end_matches(['\r', '\n']).len());
    Ok(text)
}

fn syntax(path: &Path, error: &config::ConfigError) -> ConfigError {
    let reason = match error {
        config::ConfigError::FileParse { cause, .. } => cause.to_string(),
        other => other.to_string(),
    };
    ConfigError::Syntax { path: path.to_owned(), reason: reason.trim_end().to_owned() }
}
