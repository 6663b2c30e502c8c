//! The network: which nodes can reach each other, and what happens to messages on the way.
//!
//! Owns links, their weather and their blockades. Looks into no message. Invariant: what is sent within one
//! session is delivered within that session, or never.

mod shape;

use std::time::Duration;

use serde::{Deserialize, Serialize};
use xyn_net::proto::dial::Place;
use xyn_store::Timestamp;
use xyn_store::simulation::Dice;

use crate::span::Span;
pub(crate) use shape::Shape;

/// How long a side believes in a connection on which nothing comes any more.
pub(crate) const KEEP_ALIVE: Duration = Duration::from_secs(20);
/// Thousandths.
const WHOLE: u64 = 1000;
/// The longest latency and the longest jitter.
const WAY_MAX: Span = Span::secs(3600);

/// What a link does to messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Weather {
    /// The least time a message takes.
    pub latency: Span,
    /// What comes on top of it: how much, as the shape has it.
    pub jitter: Span,
    /// How what comes on top is spread.
    pub shape: Shape,
    /// Messages in a thousand that are lost.
    pub loss: u64,
    /// Messages in a thousand that come twice.
    pub twice: u64,
    /// Bytes a second each way.
    pub rate: u64,
}

impl Default for Weather {
    fn default() -> Self {
        Self {
            latency: Span::millis(5),
            jitter: Span::millis(20),
            shape: Shape::default(),
            loss: 0,
            twice: 0,
            rate: 10_000_000,
        }
    }
}

impl Weather {
    /// Why no network has it.
    pub(crate) fn unfit(&self) -> Option<String> {
        let Self { latency, jitter, shape, loss, twice, rate } = *self;
        if let Some((name, span)) =
            [("latency", latency), ("jitter", jitter)].into_iter().find(|it| it.1 > WAY_MAX)
        {
            return Some(format!("has a {name} of {span}; a message takes at most {WAY_MAX}"));
        }
        if let Some((name, many)) = [("loss", loss), ("twice", twice)].into_iter().find(|it| it.1 > WHOLE) {
            return Some(format!(
                "has a `{name}` of {many}, which is of a thousand messages; say at most {WHOLE}"
            ));
        }
        if jitter == Span::default() && shape != Shape::default() {
            return Some(
                "has a shape and no jitter that has it; give it a `jitter`, or leave out the `shape`".into(),
            );
        }
        (rate == 0)
            .then(|| "lets no byte through; give it a `rate`, or cut links with the fault `part`".into())
    }
}

/// Where a node is: at the other end of this link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Along(pub(crate) usize);

impl Place for Along {
    /// Nobody is waited for less than on the worst of real networks.
    fn is_local(&self) -> bool {
        false
    }
}

/// Two nodes that try to be connected.
pub(crate) struct Link {
    /// Both ends, the smaller number first.
    pub(crate) ends: [usize; 2],
    pub(crate) weather: Weather,
    /// How many blockades are in the way of what each end sends.
    pub(crate) blocked: [u32; 2],
    /// Which connection this is, counted from 0.
    pub(crate) session: u32,
    /// Which ends believe that they are connected.
    pub(crate) up: [bool; 2],
    /// Until when the way of what each end sends is taken.
    busy: [Timestamp; 2],
    pub(crate) delay: [Duration; 2],
}

impl Link {
    pub(crate) fn new(ends: [usize; 2], weather: Weather) -> Self {
        Self {
            ends,
            weather,
            blocked: [0; 2],
            session: 0,
            up: [false; 2],
            busy: [Timestamp::EPOCH; 2],
            delay: [Duration::ZERO; 2],
        }
    }

    /// Which end `node` is.
    pub(crate) fn end(&self, node: usize) -> usize {
        usize::from(self.ends[1] == node)
    }

    /// Who is on the other end.
    pub(crate) fn other(&self, node: usize) -> usize {
        self.ends[1 - self.end(node)]
    }

    /// Whether messages pass both ways.
    pub(crate) fn is_open(&self) -> bool {
        self.blocked == [0; 2]
    }

    /// When a message of `bytes` that an end sends now arrives: never, once or twice.
    pub(crate) fn carry(
        &mut self,
        end: usize,
        bytes: usize,
        now: Timestamp,
        dice: &mut Dice,
    ) -> Vec<Timestamp> {
        let weather = self.weather;
        let micros = (bytes as u64).saturating_mul(1_000_000) / weather.rate.max(1);
        let sent = self.busy[end].max(now).after(Duration::from_micros(micros));
        self.busy[end] = sent;
        let copies = if dice.below(WHOLE) < weather.twice { 2 } else { 1 };
        let mut arrivals = Vec::with_capacity(copies);
        for _ in 0..copies {
            let is_lost = self.blocked[end] > 0 || dice.below(WHOLE) < weather.loss;
            let jitter = weather.shape.draw(weather.jitter.0, dice);
            if !is_lost {
                let way = weather.latency.0 + jitter + self.delay[end];
                arrivals.push(sent.after(way));
            }
        }
        arrivals
    }

    /// Both ends forget what was under way.
    pub(crate) fn reset(&mut self) {
        self.busy = [Timestamp::EPOCH; 2];
    }
}
