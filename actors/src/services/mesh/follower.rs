//! What the timeline commits, told to the mesh.
//!
//! Owns how far this node's own feed was published. Reads what is committed and nothing else. Invariant: what
//! is published is durable, and a roster is told before anything that was written under it.

use std::sync::Arc;

use tokio::sync::watch;
use xyn_net::driver::{Mesh, Stopped, World};
use xyn_net::wire::{Frame, Known, News, Payload};
use xyn_store::timeline::frame::FRAME_MAX_BYTES;
use xyn_store::trust::Roster;
use xyn_store::{Reader, StoreError};

use super::gather::{known, known_of};
use crate::runtime::Inner;
use crate::services::timeline;

/// Frames that are published as news in one go: whoever writes more is caught up with.
const NEWS_MAX: usize = 16;

/// Why nobody follows any more.
#[derive(Debug, thiserror::Error)]
pub(super) enum Lost {
    #[error(transparent)]
    Stopped(#[from] Stopped),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the timeline is gone")]
    Timeline,
}

/// What the mesh was told.
pub(super) struct Follower {
    inner: Arc<Inner>,
    mesh: Mesh,
    roster: Arc<Roster>,
    published: u64,
}

impl Follower {
    /// Goes on behind the `world` that `mesh` was started with.
    pub(super) fn new(inner: Arc<Inner>, mesh: Mesh, world: &World) -> Result<Self, StoreError> {
        let own = inner.timeline()?.own();
        let published = world.feeds.get(&own).map_or(0, Known::seq);
        Ok(Self { inner, mesh, roster: Arc::clone(&world.roster), published })
    }

    /// Tells the mesh what is committed, until one of them is gone. `news` are those since before the world was
    /// read.
    pub(super) async fn follow(mut self, mut news: watch::Receiver<u64>) -> Lost {
        loop {
            if news.changed().await.is_err() {
                return Lost::Timeline;
            }
            if let Err(lost) = self.tell().await {
                return lost;
            }
        }
    }

    async fn tell(&mut self) -> Result<(), Lost> {
        let inner = Arc::clone(&self.inner);
        let timeline = inner.timeline()?;
        let roster = timeline.roster();
        let reader = inner.store.read()?;
        if !Arc::ptr_eq(&roster, &self.roster) {
            self.roster = Arc::clone(&roster);
            self.mesh.roster_changed(roster).await?;
            for row in reader.feeds()? {
                self.mesh.grew(row.feed, known_of(&reader, &row)?).await?;
            }
        }
        self.publish(timeline, &reader).await
    }

    async fn publish(&mut self, timeline: &timeline::Service, reader: &Reader) -> Result<(), Lost> {
        let (env, feed) = (timeline.env().root(), timeline.own());
        let known = known(reader, feed)?;
        for _ in 0..NEWS_MAX {
            if self.published >= known.seq() {
                return Ok(());
            }
            let from = self.published + 1;
            let Some((to, bytes)) = reader.feed_frame(env, &feed, from, FRAME_MAX_BYTES)? else { break };
            let Some(bytes) = Payload::behind(0, bytes) else { break };
            self.published = to;
            self.mesh.publish(News { feed, frame: Frame { from, to, bytes } }, known).await?;
        }
        self.published = known.seq();
        Ok(self.mesh.grew(feed, known).await?)
    }
}
