//! Configuration: flag over environment over file over default.
//!
//! Owns the keys, their defaults and the order of the layers. Opens nothing but `config.toml` in the data folder and
//! the files that `XYN_*_FILE` names. Invariant: each value knows where it came from, a key that nobody reads is
//! refused, and no value of a secret is ever shown.

mod keys;
mod layer;
mod mesh;
mod settings;
mod tree;

use std::ffi::OsString;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::failure::file_hint;
use crate::shell;

pub use mesh::{MeshMode, MeshSettings};
pub use settings::{HookSettings, LimitSettings, Settings};

/// Name of the configuration file in the data folder.
pub const CONFIG_FILE: &str = "config.toml";
/// Longest value that an `XYN_*_FILE` file may hold, in bytes.
const MAX_VALUE_BYTES: u64 = 64 << 10;

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A file cannot be read.
    #[error("cannot read `{}`", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// The file is no TOML.
    #[error("`{}` is not TOML: {reason}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// What the reader says, with line and column.
        reason: String,
    },
    /// Keys that nobody reads.
    #[error("{origin}: {}", unknown.join("; "))]
    UnknownKeys {
        /// Where they stand.
        origin: String,
        /// Each with what was perhaps meant.
        unknown: Vec<String>,
    },
    /// A value that the key does not take.
    #[error("`{key}`{origin}: {reason}")]
    Invalid {
        /// The key.
        key: String,
        /// Where the value stands, as ` (from …)`; empty when nobody knows.
        origin: String,
        /// Why not.
        reason: String,
    },
    /// No home folder to keep data in.
    #[error("there is no data folder: neither HOME nor XDG_DATA_HOME is set")]
    Homeless,
}

impl ConfigError {
    /// What mends it.
    pub(crate) fn mend(&self) -> String {
        match self {
            Self::Unreadable { source, .. } if source.kind() == ErrorKind::NotADirectory => {
                "name a folder, and not a file, with --data DIR".to_owned()
            }
            Self::Unreadable { source, .. } => file_hint(source.kind()).to_owned(),
            Self::Syntax { path, .. } => format!("mend it in {}", shell::word(path)),
            Self::UnknownKeys { .. } => "take it out there, or write what was meant".to_owned(),
            Self::Invalid { .. } => "change it there: in the file or the variable that is named".to_owned(),
            Self::Homeless => "name a folder with --data DIR".to_owned(),
        }
    }
}

/// What the command line says; `None` leaves it to the layers below.
#[derive(Clone, Debug, Default)]
pub struct Flags {
    /// `--data`.
    pub data: Option<PathBuf>,
    /// `--listen`, any number of times.
    pub listen: Vec<SocketAddr>,
    /// `--mesh`.
    pub mesh: Option<MeshMode>,
    /// `--mesh-listen`, any number of times.
    pub mesh_listen: Vec<String>,
    /// `--peer`, any number of times.
    pub mesh_peers: Vec<String>,
    /// `--lan-catalogue`, any number of times.
    pub lan_catalogue: Vec<SocketAddr>,
}

/// Where environment variables are looked up.
pub type Environment<'e> = &'e dyn Fn(&str) -> Option<OsString>;

/// The variables of this process.
pub fn process_environment(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

/// A value as `xyn config show` lists it.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Dotted name.
    pub key: String,
    /// What holds.
    pub value: Value,
    /// `flag --listen`, `XYN_LISTEN`, a path, or `default`.
    pub origin: String,
}

/// The configuration that holds, and where each part came from.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// What holds.
    pub settings: Settings,
    /// The same as a list, in the order of the keys.
    pub entries: Vec<Entry>,
}

/// The data folder and where its name came from, by flag, `XYN_DATA`, or the XDG data folder.
pub fn data_folder(flags: &Flags, environment: Environment<'_>) -> Result<(PathBuf, String), ConfigError> {
    if let Some(data) = &flags.data {
        return Ok((data.clone(), "flag --data".to_owned()));
    }
    if let Some(data) = environment("XYN_DATA") {
        return Ok((data.into(), "XYN_DATA".to_owned()));
    }
    if let Some(file) = environment("XYN_DATA_FILE") {
        let value = layer::read_value(Path::new(&file))?;
        return Ok((value.into(), "XYN_DATA_FILE".to_owned()));
    }
    let shared = match (environment("XDG_DATA_HOME"), environment("HOME")) {
        // The XDG base directory specification: relative paths are to be ignored.
        (Some(folder), _) if Path::new(&folder).is_absolute() => PathBuf::from(folder),
        (_, Some(home)) => Path::new(&home).join(".local/share"),
        (_, None) => return Err(ConfigError::Homeless),
    };
    Ok((shared.join("xyn"), "default".to_owned()))
}

/// Reads all layers.
pub fn load(flags: &Flags, environment: Environment<'_>) -> Result<Loaded, ConfigError> {
    let (data, data_origin) = data_folder(flags, environment)?;
    let path = data.join(CONFIG_FILE);
    let tree = layer::merge(flags, environment, &path)?;
    let (settings, mut entries) = settings::read(tree, &data, &path)?;
    entries.insert(0, Entry { key: "data".into(), value: json!(data), origin: data_origin });
    Ok(Loaded { settings, entries })
}

/// Writes a commented file into the data folder where there is none; says whether it did.
pub fn write_template(data: &Path) -> Result<bool, std::io::Error> {
    use std::io::Write as _;
    std::fs::create_dir_all(data)?;
    match std::fs::OpenOptions::new().write(true).create_new(true).open(data.join(CONFIG_FILE)) {
        Ok(mut file) => file.write_all(TEMPLATE.as_bytes()).map(|()| true),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error),
    }
}

/// The commented file that a first start leaves behind.
pub const TEMPLATE: &str = include_str!("config/template.toml");

#[cfg(test)]
mod tests;
