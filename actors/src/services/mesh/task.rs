//! The task that runs the mesh, and starts it again when it ends.
//!
//! Owns the life of a mesh: started with the world as it is then, attended, and replaced after ever longer
//! waits. Invariant: until the node stops, there is a mesh or a next attempt.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use xyn_net::driver::{Config, EXPLICIT_MAX, Event as Notice, INCOMING_MAX, Mesh, World};
use xyn_net::records::known_of;
use xyn_store::audit::log;
use xyn_store::ids::StreamId;
use xyn_store::projection::{ContactRow, VouchedRow, WitnessRow};
use xyn_store::timeline::feed::FeedId;
use xyn_store::{Reader, StoreError, ids};

use super::follower::Follower;
use super::port::{Desk, Trays};
use super::{Event, MeshError, Shared, gather, invite};
use crate::node::actor::by_node;
use crate::record::Record;
use crate::runtime::{Inner, Recording};

/// How long the first wait between two starts is.
const WAIT_FIRST: Duration = Duration::from_secs(1);
/// And the longest.
const WAIT_MAX: Duration = Duration::from_secs(60);
/// How long a mesh must have run for the waits to begin anew.
const STEADY: Duration = Duration::from_secs(60);
/// How long a mesh may take to stop.
const STOP_TIMEOUT: Duration = Duration::from_secs(3);
/// How long a message may take to arrive.
const MESSAGE_TIMEOUT: Duration = Duration::from_secs(30);

/// A mesh that runs.
pub(super) struct Running {
    mesh: Mesh,
    task: JoinHandle<()>,
    trays: Trays,
    follower: Follower,
    news: watch::Receiver<u64>,
}

/// Starts a mesh with the world as it is.
pub(super) fn start(shared: &Arc<Shared>) -> Result<Running, MeshError> {
    let inner = shared.inner().ok_or_else(|| StoreError::Unavailable("the node is stopping".into()))?;
    let timeline = inner.timeline()?;
    // Before the world is read, so that nothing is missed behind it.
    let news = timeline.news();
    let reader = inner.store.read()?;
    let world = world(&inner, &reader)?;
    let (desk, trays) = Desk::new(Arc::clone(shared));
    let config = config(shared, &inner);
    let (mesh, task) = Mesh::start(config, inner.store.key(), inner.clock.clone(), world.clone(), desk)?;
    let follower = Follower::new(Arc::clone(&inner), mesh.clone(), &world)?;
    shared.mesh.store(Some(Arc::new(mesh.clone())));
    Ok(Running { mesh, task, trays, follower, news })
}

fn config(shared: &Shared, inner: &Inner) -> Config {
    let settings = &shared.settings;
    Config {
        listen: settings.listen.clone(),
        peers: settings.peers.clone(),
        relays: settings.relays.clone(),
        is_relay: settings.is_relay,
        reach: settings.reach,
        // Whoever listens on this machine only has nobody to find.
        discover: !settings.listen.iter().all(|address| invite::is_loopback(address)),
        seed: inner.store.incarnation().id,
        message_timeout: MESSAGE_TIMEOUT,
        explicit_max: EXPLICIT_MAX,
        incoming_max: INCOMING_MAX,
    }
}

fn world(inner: &Inner, reader: &Reader) -> Result<World, StoreError> {
    let timeline = inner.timeline()?;
    let rows = reader.feeds()?;
    let feeds = rows.iter().map(|row| Ok((row.feed, known_of(reader, row)?)));
    let feeds = feeds.collect::<Result<_, StoreError>>()?;
    // All of them: a log that this node forgot it had vouched for could be rewritten.
    let vouched = reader.all::<VouchedRow>()?;
    let contacts = reader.all::<ContactRow>()?;
    Ok(World {
        roster: timeline.roster(),
        feeds,
        vouched: vouched.into_iter().map(|VouchedRow(checkpoint)| checkpoint).collect(),
        contacts: contacts.into_iter().map(|row| (row.node, row.addresses)).collect(),
        blobs: inner.store.blobs().clone(),
    })
}

/// Attends to `running`, and to those after it, until the node stops.
pub(super) async fn supervise(shared: Arc<Shared>, running: Running, mut stop: watch::Receiver<bool>) {
    let (mut next, mut wait) = (Some(running), WAIT_FIRST);
    loop {
        if let Some(running) = next.take() {
            let began = Instant::now();
            let ended = attend(&shared, running, &mut stop).await;
            shared.mesh.store(None);
            let Some(why) = ended else { return };
            tracing::error!(%why, "the mesh ended; it is started again");
            if began.elapsed() >= STEADY {
                wait = WAIT_FIRST;
            }
        }
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
        wait = (wait * 2).min(WAIT_MAX);
        match start(&shared) {
            Ok(running) => next = Some(running),
            Err(error) => tracing::error!(%error, "the mesh did not start; it is tried again"),
        }
    }
}

/// Runs a mesh: why it ended; none when it was stopped.
async fn attend(shared: &Arc<Shared>, running: Running, stop: &mut watch::Receiver<bool>) -> Option<String> {
    let Running { mesh, mut task, trays, follower, news } = running;
    let Trays { intake, notices } = trays;
    offer_latest(shared, &mesh).await;
    let why = tokio::select! {
        ended = &mut task => {
            return Some(ended.err().map_or_else(|| "its task ended".to_owned(), |error| error.to_string()));
        }
        lost = follower.follow(news) => Some(lost.to_string()),
        () = gather::serve(shared, intake) => Some("nobody hands anything over".to_owned()),
        () = write_down(shared, notices) => Some("nobody tells anything".to_owned()),
        _ = stop.wait_for(|stop| *stop) => None,
    };
    // It may be gone already.
    let _ = mesh.stop().await;
    if tokio::time::timeout(STOP_TIMEOUT, &mut task).await.is_err() {
        task.abort();
    }
    why
}

/// What was signed before the mesh was there.
async fn offer_latest(shared: &Shared, mesh: &Mesh) {
    let Some(inner) = shared.inner() else { return };
    let Ok(FeedId { node, incarnation }) = inner.timeline().map(|timeline| timeline.own()) else { return };
    let latest = inner.store.read().and_then(|reader| log::latest_checkpoint(&reader));
    match latest {
        // One from before, of another key or another life of the folder, vouches for a log that goes on elsewhere or
        // no more: where it went on, it would look like one that was cut short.
        Ok(Some(latest))
            if (latest.checkpoint.node, latest.checkpoint.incarnation) == (node, incarnation) =>
        {
            // A mesh that is gone is noticed by whoever attends to it.
            let _ = mesh.signed(latest).await;
        }
        Ok(_) => {}
        Err(error) => {
            tracing::warn!(%error, "members are not asked to witness this node's log before its next checkpoint")
        }
    }
}

/// Writes down what peers said about logs, and where they are.
async fn write_down(shared: &Arc<Shared>, mut notices: mpsc::Receiver<Notice>) {
    while let Some(notice) = notices.recv().await {
        let Some(inner) = shared.inner() else { return };
        let mut recording = Recording::default();
        match notice {
            Notice::Witnessed { witness, checkpoint, signature } => {
                recording.changes().put(&WitnessRow { witness, checkpoint, signature });
            }
            Notice::Located { node, addresses } => recording.changes().put(&ContactRow { node, addresses }),
            Notice::Alarm { peer, before, now, why } => {
                let (before, now) = (Box::new(before), Box::new(now));
                let event = Event::Contradicted { peer, before, now, why: why.to_string() };
                let at = inner.clock.now();
                let stream: StreamId = ids::fresh(at);
                recording.entry(stream, 0, at, &by_node(at), &[Record::Mesh(Box::new(event))]);
            }
            _ => continue,
        }
        if let Err(error) = recording.commit(&inner).await {
            tracing::warn!(%error, "what a peer said is not written down");
        }
    }
}
