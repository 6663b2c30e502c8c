//! What an app is given: the services it needs, and the values of its variables.
//!
//! Owns where each of them comes from: a database that the node keeps in the data of the deployment, an address that
//! is a secret of the node, a variable from a secret, from the node's own environment or from the manifest. Invariant:
//! nothing starts that lacks one of them, and no value is in what is said about them.

mod address;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;
use xyn_capsules::manifest::{Manifest, Service, ServiceKind, Slug};
use xyn_store::legible::quoted;
use xyn_store::projection::Target;
use xyn_store::scope::Stage;

use address::passwords;

use super::name::Place;
use super::release::{self, unfit};
use crate::runtime::{Inner, Refusal};
use crate::services::blocking;
use crate::services::secrets::{Scrub, Secret, SecretName, Secrets};

/// Services that one input attaches.
pub(crate) const SERVICES_MAX: usize = 32;

/// What an app is given.
#[derive(Default)]
pub(super) struct Given {
    /// Variables of its environment.
    pub(super) env: BTreeMap<String, String>,
    /// The databases that its seeds are for.
    pub(super) databases: BTreeMap<Slug, Database>,
    /// Takes the values out of what it says.
    pub(super) scrub: Scrub,
}

/// A database that a seed can be run against.
#[derive(Clone)]
pub(super) enum Database {
    /// A file.
    Sqlite(PathBuf),
    /// At an address.
    Postgres(Secret),
}

/// Which secret is the address of which service.
pub(super) type Attached = Vec<(String, String)>;

/// What an input attaches, which its schema has checked.
pub(super) fn attached(input: &Value) -> Attached {
    let services = input.get("services").and_then(Value::as_object);
    let pairs = services.into_iter().flatten();
    pairs.filter_map(|(name, secret)| Some((name.clone(), secret.as_str()?.to_owned()))).collect()
}

/// What was attached before, and what is now in its place or beside it.
pub(super) fn joined(before: &[(String, String)], now: &[(String, String)]) -> Attached {
    let all: BTreeMap<_, _> = before.iter().chain(now).cloned().collect();
    all.into_iter().collect()
}

/// All that `manifest` needs at `place`; the error says what is missing, and how it is given.
pub(super) async fn given(
    inner: &Arc<Inner>,
    place: &Place,
    manifest: &Manifest,
    attached: &[(String, String)],
) -> Result<(Given, String), Refusal> {
    let reading = inner.clone();
    let secrets = blocking(move || Ok(reading.vault.open()?)).await?;
    let data = release::ground(inner, place).data;
    let from_node = |name: &str| std::env::var(name).ok();
    Search {
        secrets: &secrets,
        place,
        attached,
        data: &data,
        given: Given::default(),
        used: BTreeMap::new(),
        of_node: Vec::new(),
    }
    .all(manifest, from_node)
}

/// What was found so far.
struct Search<'a> {
    secrets: &'a Secrets,
    place: &'a Place,
    attached: &'a [(String, String)],
    data: &'a Path,
    given: Given,
    used: BTreeMap<SecretName, Secret>,
    /// Values that the node's own environment gave, by their names there.
    of_node: Vec<(SecretName, Secret)>,
}

impl Search<'_> {
    fn all(
        mut self,
        manifest: &Manifest,
        from_node: impl Fn(&str) -> Option<String>,
    ) -> Result<(Given, String), Refusal> {
        self.services(&manifest.services)?;
        if self.place.target == Target::Process {
            self.variables(manifest, from_node)?;
        }
        let names: Vec<String> = self.used.keys().map(|name| format!("`{name}`")).collect();
        let mut values = self.of_node;
        values.extend(self.used);
        let passwords: Vec<(SecretName, Secret)> = values
            .iter()
            .flat_map(|(name, secret)| passwords(secret).map(move |password| (name.clone(), password)))
            .collect();
        self.given.scrub = Scrub::new(values.iter().chain(&passwords).map(|(name, secret)| (name, secret)));
        let why = match (manifest.services.is_empty(), names.is_empty()) {
            (true, true) => "it needs none".to_owned(),
            (_, true) => "all are served by this node".to_owned(),
            (_, false) => format!("given from the secrets {}", names.join(", ")),
        };
        Ok((self.given, why))
    }

    fn services(&mut self, services: &[Service]) -> Result<(), Refusal> {
        let mut missing = Vec::new();
        for service in services {
            let url = match service.kind {
                // The port of the deployment is one.
                ServiceKind::Edge => continue,
                ServiceKind::Sqlite => {
                    let path = file(service, self.data)?;
                    let url = format!("sqlite://{}", path.display());
                    self.given.databases.insert(service.name.clone(), Database::Sqlite(path));
                    url
                }
                ServiceKind::Postgres | ServiceKind::Worker | ServiceKind::Kv => {
                    let Some(secret) = self.address(service)? else {
                        missing.push(service);
                        continue;
                    };
                    if service.kind == ServiceKind::Postgres {
                        let database = Database::Postgres(secret.clone());
                        self.given.databases.insert(service.name.clone(), database);
                    }
                    secret.expose().to_owned()
                }
            };
            self.given.env.insert(variable(service), url);
        }
        if missing.is_empty() { Ok(()) } else { Err(unattached(&missing, &self.place.app)) }
    }

    /// The address of `service`, where one is attached.
    fn address(&mut self, service: &Service) -> Result<Option<Secret>, Refusal> {
        let Some((_, name)) = self.attached.iter().find(|(of, _)| *of == service.name.as_str()) else {
            return Ok(None);
        };
        let name: SecretName =
            name.parse().map_err(|error: crate::services::secrets::InvalidSecretName| {
                Refusal::invalid("invalid_input", "/services", error.to_string())
            })?;
        if !self.may_be_given(&name) {
            let Place { app, .. } = self.place;
            let why = format!(
                "the secret `{name}` is another app's or another stage's; attach one below `app/{app}`, or one that \
                 is of no app"
            );
            return Err(Refusal::invalid("invalid_input", "/services", why));
        }
        let secret = self.secrets.get(&name).ok_or_else(|| {
            secret_missing(format!(
                "the service `{}` is attached by the secret `{name}`, which this node does not have; keep its \
                 address with: xyn secret put {name}",
                service.name
            ))
        })?;
        self.used.insert(name, secret.clone());
        Ok(Some(secret.clone()))
    }

    /// Whether `name` is of no app, or of this one and of no other stage.
    fn may_be_given(&self, name: &SecretName) -> bool {
        let Place { app, stage, .. } = self.place;
        let Some(of_app) = name.as_str().strip_prefix("app/") else { return true };
        let Some(own) = of_app.strip_prefix(app.as_str()).and_then(|rest| rest.strip_prefix('/')) else {
            return false;
        };
        let of = own.split_once('/').and_then(|(of, _)| of.parse().ok());
        of.is_none_or(|of: Stage| of == *stage)
    }

    fn variables(
        &mut self,
        manifest: &Manifest,
        from_node: impl Fn(&str) -> Option<String>,
    ) -> Result<(), Refusal> {
        let mut missing = BTreeSet::new();
        for (name, default) in &manifest.app.env {
            let name = name.as_str();
            let value = match self.secret(name) {
                Some(secret) => Some(secret.expose().to_owned()),
                None => self.of_node(name, &from_node).or_else(|| default.clone()),
            };
            match value {
                Some(value) => drop(self.given.env.insert(name.to_owned(), value)),
                None if self.given.env.contains_key(name) => {}
                None => drop(missing.insert(name)),
            }
        }
        if missing.is_empty() {
            return Ok(());
        }
        let names: Vec<String> = missing.iter().map(|name| format!("`{name}`")).collect();
        let ways: Vec<String> =
            missing.iter().map(|name| format!("xyn secret put app/{}/{name}", self.place.app)).collect();
        Err(secret_missing(format!(
            "its variables {} have no value; give one to each: {}",
            names.join(", "),
            ways.join("; ")
        )))
    }

    /// The value that the node's own environment has for the variable `name`. It may be a secret as well.
    fn of_node(&mut self, name: &str, from_node: impl Fn(&str) -> Option<String>) -> Option<String> {
        let name = given_as(&self.place.app, name);
        let value = from_node(&name)?;
        if let Ok(name) = name.parse() {
            self.of_node.push((name, Secret::new(value.as_str())));
        }
        Some(value)
    }

    /// The secret that is the value of the variable `name`: that of the stage before that of the app.
    fn secret(&mut self, name: &str) -> Option<Secret> {
        let Place { app, stage, .. } = self.place;
        for path in [format!("app/{app}/{}/{name}", stage.as_str()), format!("app/{app}/{name}")] {
            let Ok(path) = path.parse::<SecretName>() else { continue };
            if let Some(secret) = self.secrets.get(&path) {
                self.used.insert(path, secret.clone());
                return Some(secret.clone());
            }
        }
        None
    }
}

/// The name under which the node's own environment has the value of the variable `name` of `app`.
fn given_as(app: &str, name: &str) -> String {
    format!("XYN_APP_{}_{name}", app.to_ascii_uppercase().replace('-', "_"))
}

/// The variable that tells an app where `service` is.
fn variable(service: &Service) -> String {
    let said = service.config.get("variable").and_then(Value::as_str);
    let own = || format!("{}_URL", service.name.as_str().to_ascii_uppercase().replace('-', "_"));
    said.map_or_else(own, str::to_owned)
}

/// Where the database of `service` is.
fn file(service: &Service, data: &Path) -> Result<PathBuf, Refusal> {
    let said = service.config.get("file").and_then(Value::as_str);
    let name = said.map_or_else(|| format!("{}.db", service.name), str::to_owned);
    let is_name = !name.starts_with('.')
        && !name.is_empty()
        && name.len() <= 100
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'));
    if is_name {
        return Ok(data.join(name));
    }
    Err(unfit(format!(
        "the `file` of its service `{}` is no plain file name: `{}`",
        service.name,
        quoted(&name)
    )))
}

fn unattached(missing: &[&Service], app: &str) -> Refusal {
    let names: Vec<String> =
        missing.iter().map(|service| format!("`{}` ({})", service.name, service.kind.as_str())).collect();
    let ways: Vec<String> = missing
        .iter()
        .map(|service| {
            let name = &service.name;
            format!("xyn secret put app/{app}/{name}, and deploy with --service {name}=app/{app}/{name}")
        })
        .collect();
    let message = format!(
        "it needs {}, and nothing is attached; keep the address with: {}",
        names.join(", "),
        ways.join("; ")
    );
    Refusal::Conflict { code: "service_missing", message }
}

fn secret_missing(message: String) -> Refusal {
    Refusal::Conflict { code: "secret_missing", message }
}

#[cfg(test)]
mod tests;
