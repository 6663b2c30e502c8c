//! What the timeline commits, told to the mesh.
//!
//! Owns how far this node's own feed was published. Reads what is committed and nothing else. Invariant: what
//! is published is durable, and a roster is told before anything that was written under it; but whoever is put out
//! and is connected hears of it first.

use std::sync::Arc;
use std::time::Duration;
use std::vec;

use tokio::sync::watch;
use xyn_net::driver::{Mesh, Stopped, World};
use xyn_net::records::{known, known_of};
use xyn_net::wire::{Frame, Known, News, Payload};
use xyn_store::StoreError;
use xyn_store::timeline::feed::FeedId;
use xyn_store::timeline::frame::FRAME_MAX_BYTES;
use xyn_store::trust::Roster;

use crate::runtime::Inner;

/// Frames that are published as news in one go: whoever writes more is caught up with.
const NEWS_MAX: usize = 16;

/// How long whoever is put out has to hear of it before the connection is closed.
const PARTING: Duration = Duration::from_millis(250);

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
        let (inner, published) = (Arc::clone(&self.inner), self.published);
        let roster = inner.timeline()?.roster();
        let is_new = !Arc::ptr_eq(&roster, &self.roster);
        let Committed { news, own, known } = read(move || Committed::read(&inner, published)).await?;
        let mut news = news.into_iter();
        if is_new && self.parts(&roster).await? {
            self.publish(&mut news, known).await?;
            tokio::time::sleep(PARTING).await;
        }
        if is_new {
            self.roster = Arc::clone(&roster);
            self.mesh.roster_changed(roster).await?;
            // Read now, for they go on growing, and what peers brought meanwhile is known already.
            let inner = Arc::clone(&self.inner);
            for (feed, known) in read(move || feeds(&inner)).await? {
                self.mesh.grew(feed, known).await?;
            }
        }
        self.publish(&mut news, known).await?;
        self.published = self.published.max(known.seq());
        Ok(self.mesh.grew(own, known).await?)
    }

    /// Whether somebody who is connected is put out by `roster`. It hears so from here, or from nobody: no member
    /// speaks with it any more.
    async fn parts(&self, roster: &Roster) -> Result<bool, Stopped> {
        let peers = self.mesh.status().await?.peers;
        Ok(peers.iter().any(|peer| roster.is_out(peer.node) && !self.roster.is_out(peer.node)))
    }

    async fn publish(&mut self, news: &mut vec::IntoIter<News>, known: Known) -> Result<(), Stopped> {
        for news in news {
            self.published = news.frame.to;
            self.mesh.publish(news, known).await?;
        }
        Ok(())
    }
}

/// What `work` reads of the store, beside the threads that nothing may hold up.
async fn read<T: Send + 'static>(work: impl FnOnce() -> Result<T, Lost> + Send + 'static) -> Result<T, Lost> {
    let read = tokio::task::spawn_blocking(work).await;
    read.map_err(|error| StoreError::Unavailable(error.to_string()))?
}

/// How far every feed is known.
fn feeds(inner: &Inner) -> Result<Vec<(FeedId, Known)>, Lost> {
    let reader = inner.store.read()?;
    let known = reader.feeds()?.into_iter().map(|row| Ok((row.feed, known_of(&reader, &row)?)));
    Ok(known.collect::<Result<_, StoreError>>()?)
}

/// What the mesh is to be told, read in one go: a reader is not held while the mesh makes room.
struct Committed {
    news: Vec<News>,
    own: FeedId,
    /// What is known of its own feed.
    known: Known,
}

impl Committed {
    /// What was committed behind `published` of its own feed.
    fn read(inner: &Inner, published: u64) -> Result<Self, Lost> {
        let (timeline, reader) = (inner.timeline()?, inner.store.read()?);
        let (env, own) = (timeline.env().root(), timeline.own());
        let (known, mut news, mut from) = (known(&reader, own)?, Vec::new(), published + 1);
        while from <= known.seq() && news.len() < NEWS_MAX {
            let Some((to, bytes)) = reader.feed_frame(env, &own, from, FRAME_MAX_BYTES)? else { break };
            let Some(bytes) = Payload::behind(0, bytes) else { break };
            news.push(News { feed: own, frame: Frame { from, to, bytes } });
            from = to + 1;
        }
        Ok(Self { news, own, known })
    }
}
