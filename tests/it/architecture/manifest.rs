//! Cargo manifests as the rules see them: which dependencies stand where, and on which line.
//!
//! Reads the subset of TOML that the manifests of this workspace are written in, one key a line. It does not
//! resolve anything. Invariant: a dependency written in any table is seen, target-specific ones too.

/// A `Cargo.toml`.
pub(super) struct Manifest {
    pub(super) path: String,
    entries: Vec<Entry>,
}

/// A dependency, the text that follows its name, and where it stands.
pub(super) struct Dependency<'a> {
    pub(super) name: &'a str,
    pub(super) value: &'a str,
    pub(super) line: usize,
}

struct Entry {
    section: String,
    key: String,
    value: String,
    line: usize,
}

impl Manifest {
    pub(super) fn new(path: &str, text: &str) -> Self {
        let mut entries = Vec::new();
        let mut section = String::new();
        for (index, line) in text.lines().map(str::trim).enumerate() {
            if let Some(header) = line.strip_prefix('[') {
                section = header.split(']').next().unwrap_or(header).to_owned();
            } else if let Some(end) = line.find(['.', ' ', '=']).filter(|_| line.contains('=')) {
                let (key, value) = line.split_at(end);
                let (section, key, value) = (section.clone(), key.to_owned(), value.to_owned());
                entries.push(Entry { section, key, value, line: index + 1 });
            }
        }
        Self { path: path.to_owned(), entries }
    }

    /// The folder of the package's code, which is also the name of its floor; `src` for the root.
    pub(super) fn floor(&self) -> &str {
        self.path.strip_suffix("/Cargo.toml").unwrap_or("src")
    }

    /// What the package itself depends on, to build and to test.
    pub(super) fn dependencies(&self) -> impl Iterator<Item = Dependency<'_>> {
        self.dependencies_in(|section| {
            section != "workspace.dependencies" && section.ends_with("dependencies")
        })
    }

    /// What the workspace names for its members.
    pub(super) fn workspace_dependencies(&self) -> impl Iterator<Item = Dependency<'_>> {
        self.dependencies_in(|section| section == "workspace.dependencies")
    }

    /// Whether `[section]` says `key` with a value that ends in `value`.
    pub(super) fn says(&self, section: &str, key: &str, value: &str) -> bool {
        self.entries.iter().any(|e| e.section == section && e.key == key && e.value.ends_with(value))
    }

    fn dependencies_in(&self, wanted: impl Fn(&str) -> bool) -> impl Iterator<Item = Dependency<'_>> {
        self.entries.iter().filter(move |entry| wanted(&entry.section)).map(|entry| Dependency {
            name: &entry.key,
            value: &entry.value,
            line: entry.line,
        })
    }
}
