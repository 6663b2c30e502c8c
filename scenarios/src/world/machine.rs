//! A machine: a disk, a clock, and the node that may be running on it.
//!
//! Owns what outlives a process. Invariant: at most one process has the disk.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use xyn_net::proto::dial::{Dialer, Whom};
use xyn_net::proto::join::Guest;
use xyn_store::audit::key::NodeKey;
use xyn_store::audit::signature::PublicKey;
use xyn_store::simulation::{Base, Dice};
use xyn_store::timeline::feed::FeedId;
use xyn_store::trust::{EnvId, Placed, Seat, Ticket};
use xyn_store::{StoreError, Timestamp};

use crate::fault::{Manner, Unsynced};
use crate::network::Along;
use crate::node::{Chest, Intake, Process, Shelf};

/// A node that runs.
pub(crate) struct Running {
    pub(crate) shelf: Shelf,
    pub(crate) process: Process,
    pub(crate) chest: Chest,
    /// Records that wait for others to be judged with.
    pub(crate) intake: Vec<Intake>,
}

impl Running {
    /// Whether it talks to `peer` now.
    pub(crate) fn admits(&self, peer: PublicKey, now: Timestamp) -> bool {
        self.process.seats.admit(self.shelf.roster(), peer, now).is_ok()
            && !self.process.shunned.contains(peer, now)
    }
}

/// A folder of a machine that is not running.
pub(crate) struct Folder {
    pub(crate) base: Box<dyn Base>,
    pub(crate) chest: Chest,
    pub(crate) incarnation: u64,
    /// How far each feed was committed, for sure.
    pub(crate) sure: BTreeMap<FeedId, u64>,
}

/// A machine.
pub(crate) struct Machine {
    pub(crate) key: Arc<NodeKey>,
    /// The key that is prepared in its folder, to take over.
    pub(crate) next: Option<Arc<NodeKey>>,
    pub(crate) running: Option<Box<Running>>,
    /// None while it is in use.
    pub(crate) base: Option<Box<dyn Base>>,
    /// Empty while it is in use.
    pub(crate) chest: Chest,
    pub(crate) incarnation: u64,
    pub(crate) sure: BTreeMap<FeedId, u64>,
    /// The other copy of its folder.
    pub(crate) copy: Option<Folder>,
    /// How often it was started.
    pub(crate) life: u32,
    /// For how many reasons it is off.
    pub(crate) off: u32,
    /// What becomes of unsynced writes when its power goes.
    pub(crate) unsynced: Unsynced,
    pub(crate) manner: Option<Manner>,
    /// With what it will be let in, or was.
    pub(crate) ticket: Option<Ticket>,
    /// Where it is not let in yet, what it runs instead of a node.
    pub(crate) guest: Option<Guest>,
    /// Whom what runs on it dials, and when.
    pub(crate) dialer: Dialer<Along>,
    /// How far the wall clock is ahead, or behind, in microseconds.
    pub(crate) wall_micros: i64,
    /// The same of the clock that the running process goes by.
    pub(crate) clock_micros: i64,
    pub(crate) dice: Dice,
    /// Messages it heard, for those who send them again.
    pub(crate) heard: Vec<crate::world::queue::Parcel>,
}

impl Machine {
    pub(crate) fn new(key: Arc<NodeKey>, base: Box<dyn Base>, dice: Dice) -> Self {
        Self {
            key,
            next: None,
            running: None,
            base: Some(base),
            chest: Chest::default(),
            incarnation: 1,
            sure: BTreeMap::new(),
            copy: None,
            life: 0,
            off: 0,
            unsynced: Unsynced::default(),
            manner: None,
            ticket: None,
            guest: None,
            dialer: Dialer::new(0),
            wall_micros: 0,
            clock_micros: 0,
            dice,
            heard: Vec::new(),
        }
    }

    /// The feed it writes.
    pub(crate) fn feed(&self) -> FeedId {
        FeedId { node: self.key.public(), incarnation: self.incarnation }
    }

    /// Its content, wherever that is.
    pub(crate) fn chest(&mut self) -> &mut Chest {
        match &mut self.running {
            Some(running) => &mut running.chest,
            None => &mut self.chest,
        }
    }

    /// The time as its process sees it.
    pub(crate) fn clock(&self, now: Timestamp) -> Timestamp {
        Timestamp::from_micros(now.as_micros().saturating_add(self.clock_micros))
    }

    /// Sets the wall clock. A running process never sees time go back.
    pub(crate) fn set_clock(&mut self, by: Duration, back: bool) {
        let micros = i64::try_from(by.as_micros()).unwrap_or(i64::MAX);
        match back {
            true => self.wall_micros = self.wall_micros.saturating_sub(micros),
            false => self.wall_micros = self.wall_micros.saturating_add(micros),
        }
        if self.running.is_none() || self.wall_micros > self.clock_micros {
            self.clock_micros = self.wall_micros;
        }
    }

    /// Starts the node, if nothing speaks against it.
    pub(crate) fn start(
        &mut self,
        env: EnvId,
        certificates: &Arc<Vec<Placed>>,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        if self.off > 0 || self.running.is_some() {
            return Ok(false);
        }
        let Some(base) = self.base.take() else { return Ok(false) };
        self.clock_micros = self.wall_micros;
        let (key, own) = (Arc::clone(&self.key), self.feed());
        let opened = Shelf::open(base, key, env, own, Arc::clone(certificates), self.clock(now));
        let shelf = match opened {
            Ok(shelf) => shelf,
            Err((error, base)) => {
                self.base = Some(base);
                return Err(error);
            }
        };
        match Process::start(own.node, &shelf, self.clock(now)) {
            Ok(process) => {
                self.life += 1;
                let chest = std::mem::take(&mut self.chest);
                self.running = Some(Box::new(Running { shelf, process, chest, intake: Vec::new() }));
                Ok(true)
            }
            Err(error) => {
                self.base = Some(shelf.into_base());
                Err(error)
            }
        }
    }

    /// Whether its folder says to which environment it belongs.
    pub(crate) fn belongs(&self) -> bool {
        let env = self.base.as_ref().map(|base| base.read().and_then(|reader| reader.environment()));
        // A folder that is in use says so.
        env.is_none_or(|env| matches!(env, Ok(Some(_))))
    }

    /// Starts a guest instead of a node; answers which start of it this is.
    pub(crate) fn knock(&mut self, now: Timestamp) -> Option<u32> {
        let ticket = self.ticket.clone().filter(|_| self.off == 0 && self.guest.is_none())?;
        self.clock_micros = self.wall_micros;
        self.life += 1;
        let consent = Seat::Under(ticket.issuer).agree(ticket.env, &self.key);
        self.guest = Some(Guest::new(self.key.public(), ticket, consent, self.clock(now)));
        Some(self.life)
    }

    /// A plan of dialling for what was just started: it knows the way to each of `peers`.
    pub(crate) fn plan_dials(&mut self, peers: impl Iterator<Item = (PublicKey, Along)>) {
        self.dialer = Dialer::new(self.dice.roll());
        peers.for_each(|(peer, along)| self.dialer.fix(Some(peer), along));
    }

    /// The ways along which it dials somebody now. A guest dials nobody but the member whose ticket it has.
    pub(crate) fn due(&mut self, now: Timestamp) -> Vec<(PublicKey, Vec<Along>)> {
        let (now, host) = (self.clock(now), self.ticket.as_ref().map(|ticket| ticket.issuer));
        let wanted = |peer| match &self.running {
            Some(running) => running.admits(peer, now),
            None => self.guest.is_some() && host == Some(peer),
        };
        let due = self.dialer.due(now, wanted).into_iter();
        due.filter_map(|(whom, ways)| match whom {
            Whom::Node(peer) => Some((peer, ways)),
            Whom::At(_) => None,
        })
        .collect()
    }

    /// Ends the process. Nothing that it did not commit is left.
    pub(crate) fn stop(&mut self) -> bool {
        let running = self.running.take();
        let was_running = running.is_some() || self.guest.take().is_some();
        if let Some(running) = running {
            self.base = Some(running.shelf.into_base());
            self.chest = running.chest;
        }
        was_running
    }
}
