//! What a capsule's manifest says, as a page shows it.

use xyn_capsules::manifest::{Manifest, Network, SeedKind, ServiceKind};
use xyn_store::Digest;

/// What a capsule says of itself.
pub(super) struct Said {
    pub(super) app: Vec<(&'static str, String)>,
    pub(super) rights: Vec<(&'static str, String)>,
    pub(super) build: Vec<(&'static str, String)>,
    pub(super) services: Vec<(String, &'static str)>,
    pub(super) seeds: Vec<Seed>,
}

/// Data that an app starts with.
pub(super) struct Seed {
    pub(super) name: String,
    pub(super) kind: &'static str,
    pub(super) path: String,
    pub(super) digest: Digest,
}

/// Of long lists as many are shown.
const LIST_MAX: usize = 100;

impl Said {
    pub(super) fn of(manifest: &Manifest) -> Self {
        let service = |service: &xyn_capsules::manifest::Service| {
            let kind = match service.kind {
                ServiceKind::Postgres => "PostgreSQL",
                ServiceKind::Edge => "edge",
                ServiceKind::Worker => "worker",
                ServiceKind::Kv => "keys and values",
                ServiceKind::Sqlite => "SQLite",
            };
            (service.name.to_string(), kind)
        };
        let seed = |seed: &xyn_capsules::manifest::Seed| Seed {
            name: seed.name.to_string(),
            kind: match seed.kind {
                SeedKind::Sql => "SQL, in one transaction",
                SeedKind::Crdt => "merged into what is there",
                SeedKind::Files => "files, laid out",
            },
            path: seed.path.to_string(),
            digest: seed.digest,
        };
        Self {
            app: app(manifest),
            rights: rights(manifest),
            build: build(manifest),
            services: manifest.services.iter().take(LIST_MAX).map(service).collect(),
            seeds: manifest.seeds.iter().take(LIST_MAX).map(seed).collect(),
        }
    }
}

fn app(manifest: &Manifest) -> Vec<(&'static str, String)> {
    let app = &manifest.app;
    let mut facts = vec![("Framework", app.framework.to_string())];
    facts.extend(app.runtime.as_ref().map(|runtime| ("Runtime", runtime.to_string())));
    if !app.command.is_empty() {
        let words: Vec<_> = app.command.iter().map(|word| word.as_str()).collect();
        facts.push(("Command", words.join(" ")));
    }
    let variable = |(name, value): (&xyn_capsules::manifest::Variable, &Option<String>)| match value {
        Some(value) => format!("{name}={value}"),
        None => format!("{name} (given when it is installed)"),
    };
    if !app.env.is_empty() {
        facts.push(("Variables", joined(app.env.iter().map(variable))));
    }
    facts.extend(manifest.min_core.as_ref().map(|core| ("Needs core", format!("{core} or newer"))));
    facts
}

fn rights(manifest: &Manifest) -> Vec<(&'static str, String)> {
    let rights = &manifest.rights;
    let may = |yes: bool| if yes { "yes" } else { "no" }.to_owned();
    let mut facts = vec![
        ("Licence", rights.license.to_string()),
        ("Resale", may(rights.resale_allowed)),
        ("Attribution", may(rights.attribution)),
    ];
    facts.extend(rights.resale_terms.as_ref().map(|terms| ("Terms", terms.to_string())));
    facts
}

fn build(manifest: &Manifest) -> Vec<(&'static str, String)> {
    let build = &manifest.build;
    let steps = match build.steps.as_slice() {
        [] => "none: what is packed is what runs".to_owned(),
        steps => joined(steps.iter().map(ToString::to_string)),
    };
    let network = match &build.network {
        Network::None => "none".to_owned(),
        Network::Allow(hosts) => joined(hosts.iter().map(ToString::to_string)),
    };
    let mut facts = vec![("Steps", steps), ("Comes to", build.out_dir.to_string()), ("Network", network)];
    facts.extend(manifest.expected.build_digest.map(|digest| ("Expected", digest.to_string())));
    facts
}

/// A list in a line, as far as it is shown.
fn joined(items: impl ExactSizeIterator<Item = String>) -> String {
    let more = items.len().saturating_sub(LIST_MAX);
    let shown: Vec<_> = items.take(LIST_MAX).collect();
    let rest = if more == 0 { String::new() } else { format!(" and {more} more") };
    format!("{}{rest}", shown.join(", "))
}
