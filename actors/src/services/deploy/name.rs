//! How people name a deployment: `APP.STAGE`, or `APP.STAGE.TARGET` where an app has two targets in a stage.

use std::fmt;
use std::str::FromStr;

use serde_json::Value;
use xyn_capsules::manifest::Slug;
use xyn_store::legible::quoted;
use xyn_store::projection::{DeploymentRow, Target};
use xyn_store::scope::Stage;
use xyn_store::{Order, Reader, StoreError};

use crate::runtime::Refusal;

/// Where an app is deployed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Which app.
    pub app: String,
    /// In which stage.
    pub stage: Stage,
    /// How it is served.
    pub target: Target,
}

/// A deployment, as people name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeploymentName {
    app: Slug,
    stage: Stage,
    target: Option<Target>,
}

/// A text that names no deployment.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` names no deployment; write `APP.STAGE`, such as `shop.staging`, or `APP.STAGE.TARGET`")]
pub struct InvalidDeploymentName(String);

impl Place {
    /// Where `row` is of.
    pub fn of(row: &DeploymentRow) -> Self {
        Self { app: row.app.clone(), stage: row.stage, target: row.target }
    }

    /// The row, if something is deployed there.
    pub(super) fn row(&self, reader: &Reader) -> Result<Option<DeploymentRow>, StoreError> {
        reader.get(&DeploymentRow::key_of(&self.app, self.stage, self.target))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.app, self.stage.as_str(), self.target)
    }
}

impl DeploymentName {
    /// The deployment that an input names by `app`, `stage` and perhaps `target`.
    pub(super) fn of(input: &Value) -> Result<Self, Refusal> {
        let text = |name: &str| input.get(name).and_then(Value::as_str);
        let fault = |name: &str, fault: String| Refusal::invalid("invalid_input", format!("/{name}"), fault);
        let app = text("app").unwrap_or_default().parse();
        let app =
            app.map_err(|error: xyn_capsules::manifest::InvalidWord| fault("app", error.to_string()))?;
        let stage = super::stage(input).ok_or_else(|| fault("stage", "the stage is missing".to_owned()))?;
        let target = text("target").map(str::parse).transpose();
        let target = target
            .map_err(|error: xyn_store::projection::InvalidTarget| fault("target", error.to_string()))?;
        Ok(Self { app, stage, target })
    }

    /// The deployment of this name.
    pub fn find(&self, reader: &Reader) -> Result<Option<DeploymentRow>, StoreError> {
        let prefix = DeploymentRow::prefix(self.app.as_str(), self.stage);
        let is_meant = |row: &DeploymentRow| self.target.is_none_or(|target| row.target == target);
        let rows = reader.page(&prefix, Order::Ascending, None, 2, is_meant)?.items;
        // Of two, none is meant before the other.
        Ok(<[DeploymentRow; 1]>::try_from(rows).ok().map(|[row]| row))
    }
}

impl fmt::Display for DeploymentName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.app, self.stage.as_str())?;
        self.target.map_or(Ok(()), |target| write!(f, ".{target}"))
    }
}

impl FromStr for DeploymentName {
    type Err = InvalidDeploymentName;

    fn from_str(text: &str) -> Result<Self, InvalidDeploymentName> {
        let invalid = || InvalidDeploymentName(quoted(text));
        let mut parts = text.split('.');
        let (app, stage, target) = (parts.next(), parts.next(), parts.next());
        let app = app.and_then(|app| app.parse().ok()).ok_or_else(invalid)?;
        let stage = stage.and_then(|stage| stage.parse().ok()).ok_or_else(invalid)?;
        let target = target.map(str::parse).transpose().map_err(|_| invalid())?;
        match parts.next() {
            None => Ok(Self { app, stage, target }),
            Some(_) => Err(invalid()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deployment_is_named_by_app_and_stage_and_where_need_be_by_target() {
        for text in ["shop.staging", "shop.prod.static", "a-b.dev.process"] {
            assert_eq!(text.parse::<DeploymentName>().expect(text).to_string(), text);
        }
        assert_eq!("shop.test".parse::<DeploymentName>().expect("an alias").to_string(), "shop.staging");
        for text in ["", "shop", "shop.", ".dev", "Shop.dev", "shop.moon", "shop.dev.vm", "shop.dev.static.x"]
        {
            assert!(text.parse::<DeploymentName>().is_err(), "{text}");
        }
    }
}
