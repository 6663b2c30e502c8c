//! What a file is for, by its name: what counts as a value differs between code, settings and lists of hashes.
//!
//! Invariant: a name alone never keeps keys and tokens from being looked for.

/// What a file is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// An environment file: each value may be a secret.
    Env,
    /// Settings: values stand without quotes.
    Settings,
    /// A lock file: full of hashes.
    Lock,
    /// Anything else: a value is a literal in quotes.
    Other,
}

/// Key stores and files of passwords.
const SECRET_ENDINGS: [&str; 6] = [".p12", ".pfx", ".jks", ".keystore", ".kdbx", ".agekey"];
const SECRET_NAMES: [&str; 4] = [".netrc", "_netrc", ".pgpass", ".git-credentials"];
/// Endings of environment files that show how one looks.
const ENV_PATTERNS: [&str; 8] =
    [".example", ".sample", ".template", ".tmpl", ".dist", ".defaults", ".schema", ".test"];
const LOCKS: [&str; 19] = [
    "bun.lock",
    "cargo.lock",
    "composer.lock",
    "deno.lock",
    "flake.lock",
    "gemfile.lock",
    "go.sum",
    "go.work.sum",
    "gradle.lockfile",
    "mix.lock",
    "npm-shrinkwrap.json",
    "package-lock.json",
    ".package-lock.json",
    "pdm.lock",
    "pipfile.lock",
    "pnpm-lock.yaml",
    "poetry.lock",
    "uv.lock",
    "yarn.lock",
];
/// Files of hashes beside the packages that a registry hands out.
const CHECKSUMS: [&str; 4] = [".cargo-checksum.json", "record", "sha256sums", "sha512sums"];
const SETTINGS_ENDINGS: [&str; 18] = [
    ".bash",
    ".bashrc",
    ".cfg",
    ".cnf",
    ".conf",
    ".env",
    ".fish",
    ".ini",
    ".npmrc",
    ".properties",
    ".profile",
    ".pypirc",
    ".service",
    ".sh",
    ".tfvars",
    ".toml",
    ".yaml",
    ".yml",
];
const SETTINGS_NAMES: [&str; 4] = ["credentials", "dockerfile", "containerfile", ".zshrc"];

impl Kind {
    /// By the last part of a path.
    pub(super) fn of(name: &str) -> Self {
        let name = name.to_ascii_lowercase();
        let ends = |endings: &[&str]| endings.iter().any(|ending| name.ends_with(ending));
        let is_env = name == ".env" || name.starts_with(".env.") || name.ends_with(".env");
        match name.as_str() {
            _ if is_env && !ends(&ENV_PATTERNS) => Self::Env,
            name if LOCKS.contains(&name) || CHECKSUMS.contains(&name) => Self::Lock,
            name if is_env || ends(&SETTINGS_ENDINGS) || SETTINGS_NAMES.contains(&name) => Self::Settings,
            _ => Self::Other,
        }
    }
}

/// Whether a file of this name is a secret as a whole.
pub(super) fn is_secret_file(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    SECRET_NAMES.contains(&name.as_str()) || SECRET_ENDINGS.iter().any(|ending| name.ends_with(ending))
}
