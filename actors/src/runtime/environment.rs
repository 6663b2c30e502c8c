//! The environment a node serves: what configuration says about it.

use xyn_capsules::workcell::Door;
use xyn_store::scope::Stage;

use crate::blueprint::NodeLimits;
use crate::intake::cron;

/// An environment.
#[derive(Clone, Debug)]
pub struct Environment {
    /// Its id.
    pub env_id: String,
    /// How strict policies are where a target names no stage.
    pub stage: Stage,
    /// Webhooks that may send events.
    pub hooks: Vec<Hook>,
    /// Events that come by the clock.
    pub cron: Vec<cron::Entry>,
    /// Bounds of every blueprint.
    pub limits: NodeLimits,
    /// How this program is started again to be the first process in a workcell; else why it is not, and nothing is built.
    pub door: Result<Door, String>,
    /// When the node dies.
    #[cfg(test)]
    pub(crate) fuse: super::tests::fuse::Fuse,
}

impl Default for Environment {
    fn default() -> Self {
        Self {
            env_id: "local".into(),
            stage: Stage::Dev,
            hooks: Vec::new(),
            cron: Vec::new(),
            limits: NodeLimits::default(),
            door: Err("it was started without a way into one".to_owned()),
            #[cfg(test)]
            fuse: Default::default(),
        }
    }
}

/// A webhook.
#[derive(Clone, Debug)]
pub struct Hook {
    /// Its name in the path.
    pub name: String,
    /// Name of the events it makes.
    pub event_name: String,
    /// Secrets that may sign: `whsec_…`; several while one replaces the other.
    pub secrets: Vec<String>,
}
