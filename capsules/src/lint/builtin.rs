//! The checks that every pack has.
//!
//! Invariant: a veto is only for what cannot work where the capsule goes.

use xyn_store::legible::quoted;

use super::{Entry, Finding, Lint, Pack, Severity};
use crate::tree::RelPath;

/// From this length on, a file is likely not meant to be packed.
pub const HUGE_BYTES: u64 = 100 << 20;
/// Directories that are made from what is packed, and where to have them again.
const OUTPUTS: [(&str, &str); 9] = [
    ("node_modules", "the lock file installs it"),
    ("target", "cargo builds it"),
    (".venv", "the lock file installs it"),
    ("venv", "the lock file installs it"),
    ("__pycache__", "Python writes it"),
    (".next", "next builds it"),
    (".pytest_cache", "the tests write it"),
    (".terraform", "terraform installs it"),
    (".gradle", "gradle writes it"),
];
/// Names that the file of a licence begins with.
const LICENSES: [&str; 5] = ["licence", "license", "copying", "unlicense", "notice"];
/// Files that say how the application runs.
const SETTINGS: [&str; 10] =
    [".json", ".toml", ".yaml", ".yml", ".ini", ".cfg", ".conf", ".env", ".properties", ".service"];
/// Folders of one person's machine.
const HOMES: [&str; 5] = ["/home/", "/Users/", "/root/", "C:\\Users\\", "C:/Users/"];
/// Findings that one check tells of one file.
const FINDINGS_MAX: usize = 5;

/// The checks that every pack has.
pub fn builtin() -> Vec<Box<dyn Lint>> {
    vec![
        Box::new(LicenseFile),
        Box::new(AbsolutePath),
        Box::new(WorldWritable),
        Box::new(HugeFile),
        Box::new(BuildOutput),
        Box::new(BrokenLink),
        Box::new(MissingPart),
    ]
}

fn finding(lint: &dyn Lint, path: &RelPath, severity: Severity, message: impl Into<String>) -> Finding {
    Finding { path: path.clone(), line: None, lint: lint.name(), severity, message: message.into() }
}

/// A licence that whoever gets the capsule must be able to read.
struct LicenseFile;

impl Lint for LicenseFile {
    fn name(&self) -> &'static str {
        "license-file"
    }

    fn pack(&self, pack: &Pack) -> Vec<Finding> {
        let is_license = |path: &RelPath| {
            let name = path.as_str().to_ascii_lowercase();
            name.starts_with("licenses/") || LICENSES.iter().any(|license| name.starts_with(license))
        };
        let has_one = pack.entries.iter().any(|(path, entry)| *entry != Entry::Directory && is_license(path));
        // A licence of one's own has its text nowhere else.
        let severity = if pack.license.contains("LicenseRef-") { Severity::Warn } else { Severity::Note };
        let message =
            format!("the rights name `{}` and no file has its text; add `LICENSE`", quoted(&pack.license));
        let is_missing = !has_one && !pack.license.is_empty();
        is_missing.then(|| finding(self, &RelPath::root(), severity, message)).into_iter().collect()
    }
}

/// A path of the machine that packs, where settings are.
struct AbsolutePath;

impl Lint for AbsolutePath {
    fn name(&self) -> &'static str {
        "absolute-path"
    }

    fn file(&self, path: &RelPath, text: &str) -> Vec<Finding> {
        let name = path.name().unwrap_or_default();
        if !SETTINGS.iter().any(|ending| name.ends_with(ending)) {
            return Vec::new();
        }
        let home = |line: &str| {
            HOMES.iter().find(|home| {
                line.match_indices(**home).any(|(at, _)| {
                    !line[..at]
                        .ends_with(|c: char| c.is_alphanumeric() || matches!(c, '.' | '/' | '-' | '_' | '~'))
                })
            })
        };
        let lines = text.lines().enumerate().filter_map(|(index, line)| home(line).map(|home| (index, home)));
        let told = lines.map(|(index, home)| Finding {
            line: Some(index as u64 + 1),
            ..finding(
                self,
                path,
                Severity::Warn,
                format!("names a folder below `{home}`, which other machines lack"),
            )
        });
        told.take(FINDINGS_MAX).collect()
    }
}

/// A file that everyone may write to.
struct WorldWritable;

impl Lint for WorldWritable {
    fn name(&self) -> &'static str {
        "world-writable"
    }

    fn pack(&self, pack: &Pack) -> Vec<Finding> {
        let is_open =
            |entry: &Entry| matches!(entry, Entry::File { permissions: Some(mode), .. } if mode & 0o002 != 0);
        let open = pack.entries.iter().filter(|(_, entry)| is_open(entry));
        let message =
            "everyone on this machine may write to it; whoever did, it would be packed: `chmod o-w` it";
        open.map(|(path, _)| finding(self, path, Severity::Warn, message)).collect()
    }
}

/// A file that is likely there by mistake.
struct HugeFile;

impl Lint for HugeFile {
    fn name(&self) -> &'static str {
        "huge-file"
    }

    fn pack(&self, pack: &Pack) -> Vec<Finding> {
        let mut findings = Vec::new();
        for (path, entry) in &pack.entries {
            if let Entry::File { bytes, .. } = entry
                && *bytes >= HUGE_BYTES
            {
                let message =
                    format!("has {} MiB; data of this size is better a seed or an asset", bytes >> 20);
                findings.push(finding(self, path, Severity::Warn, message));
            }
        }
        findings
    }
}

/// A folder that is made from what is packed.
struct BuildOutput;

impl Lint for BuildOutput {
    fn name(&self) -> &'static str {
        "build-output"
    }

    fn pack(&self, pack: &Pack) -> Vec<Finding> {
        let mut findings: Vec<Finding> = Vec::new();
        for (path, _) in pack.entries.iter().filter(|(_, entry)| **entry == Entry::Directory) {
            let is_wanted =
                pack.out_dir.as_ref().is_some_and(|out| path.is_within(out) || out.is_within(path));
            let is_told = findings.iter().any(|told| path.is_within(&told.path));
            let output = OUTPUTS.iter().find(|(name, _)| path.name() == Some(*name));
            if let Some((_, why)) = output.filter(|_| !is_wanted && !is_told) {
                let message = format!("is likely made from the rest ({why}); name it in `.xynignore`");
                findings.push(finding(self, path, Severity::Warn, message));
            }
        }
        findings
    }
}

/// A link to what is not packed.
struct BrokenLink;

impl Lint for BrokenLink {
    fn name(&self) -> &'static str {
        "broken-link"
    }

    fn pack(&self, pack: &Pack) -> Vec<Finding> {
        let mut findings = Vec::new();
        for (path, entry) in &pack.entries {
            let Entry::Link(text) = entry else { continue };
            let reached = path.parent().and_then(|from| reach(&from, text));
            let is_there =
                reached.is_some_and(|reached| reached.is_root() || pack.entries.contains_key(&reached));
            if !is_there {
                let message = format!("leads to `{}`, which is not packed", quoted(text));
                findings.push(finding(self, path, Severity::Warn, message));
            }
        }
        findings
    }
}

/// What the text of a link in `from` leads to, as a path; none when it leaves the tree.
fn reach(from: &RelPath, text: &str) -> Option<RelPath> {
    if text.starts_with('/') {
        return None;
    }
    let mut at = from.clone();
    for name in text.split('/') {
        at = match name {
            "" | "." => at,
            ".." => at.parent()?,
            name => at.join(&name.parse().ok()?),
        };
    }
    Some(at)
}

/// Something that the manifest names and that is not there.
struct MissingPart;

impl Lint for MissingPart {
    fn name(&self) -> &'static str {
        "missing-part"
    }

    fn pack(&self, pack: &Pack) -> Vec<Finding> {
        let missing = pack.seeds.iter().filter(|seed| !pack.entries.contains_key(*seed));
        let message = "the manifest names it as a seed, and it is not packed; is it ignored?";
        let mut findings: Vec<_> = missing.map(|seed| finding(self, seed, Severity::Veto, message)).collect();
        if let Some(out) = pack.out_dir.as_ref().filter(|out| !out.is_root()) {
            let message = match pack.entries.get(out) {
                Some(Entry::Directory) => return findings,
                Some(_) => "the manifest names it as `outDir`, and it is no folder",
                None if pack.is_built => return findings,
                None => "the manifest names it as `outDir`, no step builds it, and it is not packed",
            };
            findings.push(finding(self, out, Severity::Veto, message));
        }
        findings
    }
}
