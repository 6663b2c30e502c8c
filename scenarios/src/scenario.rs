//! Scenarios: a world and its troubles as a file that people write.
//!
//! Owns the format and its limits. Invariant: what reads without an error can be run.

mod ties;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::fault::{Fault, Planned};
use crate::network::Weather;
use crate::span::Span;
use crate::tally::Tally;

/// The most nodes of a world.
pub const NODES_MAX: usize = 4096;
/// The most faults of a schedule.
pub const FAULTS_MAX: usize = 4096;
/// The longest file.
pub const FILE_BYTES_MAX: usize = 1 << 20;
/// The longest content that a moment names.
pub const CONTENT_KIB_MAX: u64 = 4096;
/// The longest safety phase: enough for a year offline.
const DURATION_MAX: Span = Span::secs(400 * 86_400);

/// A world, what is done in it and what goes wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// What it is called.
    pub name: String,
    /// What it shows.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub about: String,
    /// From which every chance follows.
    pub seed: u64,
    /// How many nodes there are, numbered from 0.
    pub nodes: usize,
    /// Who tries to be connected with whom.
    pub topology: Topology,
    /// Who knows from the start where whom is: of these pairs the greater number the smaller, which invited it. The
    /// rest learn by what members tell each other. Left out, all know where their neighbours are, and nobody tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub knows: Option<Topology>,
    /// What nodes keep their records in.
    #[serde(default)]
    pub keeping: Keeping,
    /// What links do to messages when nothing is wrong.
    #[serde(default)]
    pub weather: Weather,
    /// How long people work and faults come: the safety phase.
    pub lasts: Span,
    /// How soon after that all must agree: the liveness phase.
    #[serde(default = "settle")]
    pub settles_within: Span,
    /// What people do.
    #[serde(default)]
    pub work: Vec<Work>,
    /// How often nodes sign their logs, for others to witness; never when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoints: Option<Span>,
    /// Who comes later.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub joins: Vec<Join>,
    /// What goes wrong.
    #[serde(default)]
    pub faults: Vec<Planned>,
    /// What must happen, and how often at least: a world without it shows nothing of what it is about.
    #[serde(default, skip_serializing_if = "Tally::is_empty")]
    pub expect: Tally,
}

fn settle() -> Span {
    Span::secs(20 * 60)
}

/// What nodes keep their records in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Keeping {
    /// The store's database on a disk in memory.
    #[default]
    Database,
    /// The same rows in sorted maps: for a thousand nodes.
    Rows,
}

/// Who tries to be connected with whom.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Topology {
    /// Everybody with everybody.
    Full,
    /// Everybody with node 0.
    Star,
    /// Each with the next, the last with the first.
    Ring,
    /// Each with the next.
    Line,
    /// A ring, and each with so many others in all.
    Random(usize),
    /// These.
    Links(Vec<[usize; 2]>),
}

/// What people at nodes do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Work {
    /// At which nodes; at all of them when left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub nodes: Vec<usize>,
    /// How often, on average.
    pub every: Span,
    /// How many entries at a time, at most.
    #[serde(default = "one")]
    pub batch: u64,
    /// How many times in a hundred a board is edited instead.
    #[serde(default)]
    pub boards: u64,
    /// How many times in a hundred the last entry names content, and whoever works looks for some of it.
    #[serde(default)]
    pub content: u64,
    /// How long such content is, at most.
    #[serde(default = "some")]
    pub content_kib: u64,
}

/// A node that does not belong yet and comes with a ticket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Join {
    /// Which node.
    pub node: usize,
    /// Which of its neighbours gives out the ticket.
    pub by: usize,
    /// When.
    pub at: Span,
    /// How long the ticket is good.
    #[serde(default = "hour")]
    pub good_for: Span,
    /// How much later it is shown.
    #[serde(default)]
    pub after: Span,
    /// Not its own ticket is shown, but that of this node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket_of: Option<usize>,
}

fn hour() -> Span {
    Span::secs(3600)
}

fn one() -> u64 {
    1
}

fn some() -> u64 {
    64
}

/// Why a text is no scenario.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidScenario {
    /// It does not parse, or a value is not what it should be.
    #[error("line {line}, column {column}: {message}")]
    Text {
        /// The line, from 1.
        line: u64,
        /// The column, from 1.
        column: u64,
        /// What is wrong there.
        message: String,
    },
    /// It reads, but cannot be run.
    #[error("{0}")]
    Unfit(String),
}

impl Scenario {
    /// Reads a scenario file.
    pub fn parse(text: &str) -> Result<Self, InvalidScenario> {
        if text.len() > FILE_BYTES_MAX {
            return Err(InvalidScenario::Unfit(format!("the file is longer than {FILE_BYTES_MAX} bytes")));
        }
        let options = serde_saphyr::options! {
            strict_booleans: true,
            with_snippet: false,
        };
        let scenario: Self = serde_saphyr::from_str_with_options(text, options).map_err(|error| {
            let place = error.location().map_or((1, 1), |at| (at.line().max(1), at.column().max(1)));
            let rendered = error.render_with_formatter(&serde_saphyr::UserMessageFormatter);
            let message = rendered.split(" at line ").next().unwrap_or_default().to_owned();
            InvalidScenario::Text { line: place.0, column: place.1, message }
        })?;
        scenario.check()?;
        Ok(scenario)
    }

    /// The text of a file that reads back as this.
    pub fn to_text(&self) -> String {
        // What JSON says, YAML says too.
        serde_json::to_string_pretty(self).expect("plain data has a text")
    }

    fn check(&self) -> Result<(), InvalidScenario> {
        let unfit = |message: String| Err(InvalidScenario::Unfit(message));
        if !(1..=NODES_MAX).contains(&self.nodes) {
            return unfit(format!("a world has 1 to {NODES_MAX} nodes, not {}", self.nodes));
        }
        if self.faults.len() > FAULTS_MAX {
            return unfit(format!("a schedule has at most {FAULTS_MAX} faults, not {}", self.faults.len()));
        }
        if self.lasts > DURATION_MAX || self.settles_within > DURATION_MAX {
            return unfit(format!("a world lasts at most {DURATION_MAX}"));
        }
        let mut named: BTreeSet<usize> = self.faults.iter().flat_map(|it| it.fault.nodes()).collect();
        named.extend(self.work.iter().flat_map(|work| &work.nodes));
        named.extend(self.joins.iter().flat_map(|join| [join.node, join.by]));
        for topology in [Some(&self.topology), self.knows.as_ref()].into_iter().flatten() {
            if let Topology::Links(links) = topology {
                named.extend(links.iter().flatten());
            }
        }
        if let Some(stranger) = named.into_iter().find(|node| *node >= self.nodes) {
            return unfit(format!("there is no node {stranger}: they are numbered 0 to {}", self.nodes - 1));
        }
        if self.work.iter().any(|work| work.every == Span::default() || work.batch == 0) {
            return unfit("work is done every so often, and at least one entry at a time".into());
        }
        if let Some([node, other]) = self.out_of_reach() {
            return unfit(format!(
                "node {node} cannot know where node {other} is: no link of the topology is between them; leave the \
                 pair out of `knows`, or give them a link"
            ));
        }
        let links = if self.joins.is_empty() { Vec::new() } else { self.links() };
        for Join { node, by, ticket_of, .. } in &self.joins {
            let is_host = |of: &usize| self.joins.iter().any(|it| it.node == *of && it.by == *by);
            let is_linked = links.binary_search(&[*node.min(by), *node.max(by)]).is_ok();
            if !is_linked || !ticket_of.iter().all(is_host) {
                return unfit(format!("node {node} cannot come to node {by} with that ticket"));
            }
        }
        if self.work.iter().any(|work| work.content_kib > CONTENT_KIB_MAX) {
            return unfit(format!("content has at most {CONTENT_KIB_MAX} KiB"));
        }
        let storms = self.faults.iter().enumerate().filter_map(|(index, planned)| match &planned.fault {
            Fault::Storm { weather, .. } => Some((format!("the storm that is fault {}", index + 1), weather)),
            _ => None,
        });
        let weathers = storms.chain([("the weather of the world".to_owned(), &self.weather)]);
        let unfit_weather =
            |(whose, weather): (String, &Weather)| Some(format!("{whose} {}", weather.unfit()?));
        if let Some(message) = weathers.into_iter().find_map(unfit_weather) {
            return unfit(message);
        }
        if let Some(message) = self.never_confirmed().or_else(|| self.unheeded()) {
            return unfit(message);
        }
        if self.faults.iter().any(|it| it.every == Some(Span::default())) {
            return unfit("a fault that comes again needs some time in between".into());
        }
        Ok(())
    }

    /// Whether a node's folder is copied at some time: what one copy did the other does not know.
    pub(crate) fn is_cloned(&self, node: usize) -> bool {
        self.faults.iter().any(|planned| planned.fault == Fault::Swap { node })
    }

    /// The first node that is there from the start, honest, and stays what it is.
    pub(crate) fn steady(&self) -> Option<usize> {
        let unsteady = |planned: &Planned| match planned.fault {
            Fault::Turn { node, .. } | Fault::Revoke { node, .. } | Fault::Swap { node } => Some(node),
            Fault::Rotate { node, .. } => Some(node),
            _ => None,
        };
        let turned = self.faults.iter().filter_map(unsteady);
        let unsteady: BTreeSet<usize> = turned.chain(self.joins.iter().map(|join| join.node)).collect();
        (0..self.nodes).find(|node| !unsteady.contains(node))
    }

    /// Nodes that turn bad at some time, and are known to.
    pub(crate) fn bad(&self) -> BTreeSet<usize> {
        let turned = |planned: &Planned| match planned.fault {
            Fault::Turn { node, unnoticed: false, .. } => Some(node),
            _ => None,
        };
        self.faults.iter().filter_map(turned).collect()
    }
}
