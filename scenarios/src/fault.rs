//! What goes wrong, when, and for how long.
//!
//! Owns the vocabulary of faults and their calendar. Carries nothing out: [`world`](crate::world) does.
//! Invariant: a schedule says everything, so that leaving a fault out leaves the others as they were.

use serde::{Deserialize, Serialize};
use xyn_store::simulation::{Failure, Survival};

use crate::network::Weather;
use crate::span::Span;

/// A fault on the calendar.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Planned {
    /// When it begins.
    pub at: Span,
    /// How long it lasts; for ever, that is until faults stop, when left out.
    #[serde(rename = "for", default, skip_serializing_if = "Option::is_none")]
    pub lasts: Option<Span>,
    /// How often it begins again, until faults stop.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every: Option<Span>,
    /// What it is.
    pub fault: Fault,
}

/// Something that goes wrong. Nodes are named by their number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Fault {
    /// Nothing passes from one group to the other, or back.
    Part {
        /// One group.
        one: Vec<usize>,
        /// The other; everybody else when left out.
        #[serde(default)]
        other: Vec<usize>,
        /// What the other group sends still passes.
        #[serde(default)]
        one_way: bool,
    },
    /// A node is stopped in order, and started when it is over.
    Stop {
        /// Which.
        node: usize,
    },
    /// The power goes in the middle of a node's next commit, and comes back when it is over.
    Crash {
        /// Which.
        node: usize,
        /// What becomes of writes that were not synced.
        #[serde(default)]
        unsynced: Unsynced,
    },
    /// A node's disk does not do what it is told.
    Disk {
        /// Whose.
        node: usize,
        /// What it answers.
        fails: Trouble,
    },
    /// Everything a node sends takes longer.
    Slow {
        /// Which.
        node: usize,
        /// By how much.
        by: Span,
    },
    /// The weather on links changes.
    Storm {
        /// Whose links; everybody's when left out.
        #[serde(default)]
        nodes: Vec<usize>,
        /// To what.
        weather: Weather,
    },
    /// A node's clock is set.
    SetClock {
        /// Whose.
        node: usize,
        /// By how much.
        by: Span,
        /// Back, and not ahead. A running process goes on by the steady clock.
        #[serde(default)]
        back: bool,
    },
    /// A node is stopped, and the other copy of its folder is started in its place; the first time the folder is
    /// copied.
    Swap {
        /// Which.
        node: usize,
    },
    /// A node takes another key: it asks for it, writes nothing until that is confirmed, and starts anew under it.
    Rotate {
        /// Which.
        node: usize,
        /// Who confirms it: with its own key where it let the node in, with the root's where the root did.
        by: usize,
    },
    /// A member says in its feed that another one no longer belongs, under its first key and all that follow.
    Revoke {
        /// Who.
        node: usize,
        /// Who says so.
        by: usize,
        /// It is its own word, and not the root's: as one who let the other in, or those who did.
        #[serde(default)]
        own: bool,
    },
    /// A node turns bad and stays so.
    Turn {
        /// Which.
        node: usize,
        /// In what manner.
        into: Manner,
        /// The laws take it for honest all the same, as a program that is broken: they must notice.
        #[serde(default)]
        unnoticed: bool,
    },
}

/// What becomes of writes that were not synced when the power goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unsynced {
    /// They are lost.
    #[default]
    Lost,
    /// They survive.
    Kept,
    /// The first of them survive.
    Cut,
    /// Any of them survive.
    Some,
    /// Any of their sectors survive.
    Torn,
}

impl From<Unsynced> for Survival {
    fn from(unsynced: Unsynced) -> Self {
        match unsynced {
            Unsynced::Lost => Self::None,
            Unsynced::Kept => Self::All,
            Unsynced::Cut => Self::Prefix,
            Unsynced::Some => Self::Some,
            Unsynced::Torn => Self::Torn,
        }
    }
}

/// What a disk answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trouble {
    /// There is no room.
    Full,
    /// There was room, but the sync fails.
    FullLate,
    /// It neither writes nor syncs.
    Broken,
    /// It does not read.
    Unreadable,
}

impl From<Trouble> for Failure {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Full => Self::NoBlocks,
            Trouble::FullLate => Self::NoSync,
            Trouble::Broken => Self::Broken,
            Trouble::Unreadable => Self::Unreadable,
        }
    }
}

/// How a bad node departs from the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Manner {
    /// Changes a byte of every frame and chunk it sends, lists chunks falsely, and answers without end.
    Liar,
    /// Writes records in the name of others.
    Forger,
    /// Signs as its own what others changed: entries and boards under their actor ids.
    Impostor,
    /// Writes two records under one number and shows each to half of its neighbours.
    Equivocator,
    /// Sends again what it heard before.
    Replayer,
    /// Sends as much as it can.
    Flooder,
    /// Sends bytes that are no message.
    Babbler,
    /// Announces records that nobody wrote, and content of which it gives nothing.
    Braggart,
    /// Never answers a question.
    Mute,
    /// Does not hear that it was revoked, and goes on.
    Defiant,
    /// Changes what its log said at first.
    Rewriter,
    /// Signs with keys that others gave up.
    Thief,
}

impl Fault {
    /// The nodes it is about.
    pub fn nodes(&self) -> Vec<usize> {
        match self {
            Self::Part { one, other, .. } => [one.as_slice(), other].concat(),
            Self::Storm { nodes, .. } => nodes.clone(),
            Self::Revoke { node, by, .. } | Self::Rotate { node, by } => vec![*node, *by],
            Self::Stop { node }
            | Self::Crash { node, .. }
            | Self::Disk { node, .. }
            | Self::Slow { node, .. }
            | Self::SetClock { node, .. }
            | Self::Swap { node }
            | Self::Turn { node, .. } => vec![*node],
        }
    }
}
