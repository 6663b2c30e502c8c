//! All fronts of a node: what of the rows is served, and why something is not.
//!
//! Rows say what should serve; after a start it is brought about from them. Invariant: what is served at a place is
//! what its row says, but for the instant between the append and the switch.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use xyn_store::StoreError;
use xyn_store::projection::DeploymentRow;

use super::front::{Front, Serving};
use super::name::Place;
use super::release;
use crate::runtime::{Inner, Refusal};

/// How long what cannot be served rests until it is tried again.
const REST: Duration = Duration::from_secs(5);

/// What is served where.
#[derive(Default)]
pub(crate) struct Fronts {
    places: Mutex<BTreeMap<Place, Held>>,
    switch: tokio::sync::Mutex<()>,
}

/// A place that should serve.
enum Held {
    Open(Arc<Front>),
    Faulty(String),
}

/// Whether a deployment is served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Served {
    /// At this address.
    At(String),
    /// Not, and why.
    Not(String),
}

impl Fronts {
    /// The front of `place`, if it is open.
    pub(super) fn front(&self, place: &Place) -> Option<Arc<Front>> {
        match self.held().get(place) {
            Some(Held::Open(front)) => Some(front.clone()),
            _ => None,
        }
    }

    /// Keeps `front` for `place`; answers the one that was there.
    pub(super) fn keep(&self, place: Place, front: Front) -> Option<Arc<Front>> {
        match self.held().insert(place, Held::Open(Arc::new(front))) {
            Some(Held::Open(front)) => Some(front),
            _ => None,
        }
    }

    /// Whether `place` is served.
    pub(crate) fn served(&self, place: &Place) -> Served {
        match self.held().get(place) {
            Some(Held::Open(front)) => Served::At(url(front.port())),
            Some(Held::Faulty(why)) => Served::Not(why.clone()),
            None => Served::Not("the node is starting, or stopped".to_owned()),
        }
    }

    /// Closes every port.
    pub(crate) async fn close(&self) {
        let held = std::mem::take(&mut *self.held());
        let fronts = held.into_values().filter_map(|held| match held {
            Held::Open(front) => Some(front),
            Held::Faulty(_) => None,
        });
        futures::future::join_all(fronts.map(|front| async move { front.close().await })).await;
    }

    /// Keeps others from recording that something serves, until it is let go of.
    pub(super) async fn switching(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.switch.lock().await
    }

    fn held(&self) -> MutexGuard<'_, BTreeMap<Place, Held>> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The address of what is served at `port`.
pub(super) fn url(port: u16) -> String {
    format!("http://localhost:{port}/")
}

/// Serves what the rows say, and tries again what cannot be served, until the node stops.
pub(crate) async fn serve(inner: Arc<Inner>) {
    loop {
        if let Err(error) = serve_all(&inner).await {
            tracing::warn!(%error, "deployments cannot be looked up");
        }
        tokio::time::sleep(REST).await;
    }
}

/// Serves whatever the rows say and is not served.
pub(crate) async fn serve_all(inner: &Arc<Inner>) -> Result<(), StoreError> {
    for row in inner.store.read()?.all::<DeploymentRow>()? {
        let place = Place::of(&row);
        if inner.fronts.front(&place).is_some() {
            continue;
        }
        // Whoever deploys there right now brings it about.
        let Some(_turn) = inner.progress.take(&super::turn(&place)) else { continue };
        let Some(row) = place.row(&inner.store.read()?)?.filter(|_| inner.fronts.front(&place).is_none())
        else {
            continue;
        };
        let (held, why) = match open(inner, &row).await {
            Ok(front) => (Held::Open(Arc::new(front)), None),
            Err(refusal) => (Held::Faulty(refusal.to_string()), Some(refusal)),
        };
        inner.fronts.held().insert(place.clone(), held);
        match why {
            Some(why) => tracing::warn!(%place, %why, "a deployment is not served"),
            None => release::tidy(inner, row).await,
        }
    }
    Ok(())
}

async fn open(inner: &Arc<Inner>, row: &DeploymentRow) -> Result<Front, Refusal> {
    let serving: Serving = release::again(inner, row, &row.current).await?;
    bind(Some(row.port), serving).await
}

/// Opens a port for `serving`.
pub(super) async fn bind(port: Option<u16>, serving: Serving) -> Result<Front, Refusal> {
    Front::open(port, serving).await.map_err(|error| {
        let what = port.map_or_else(|| "a port".to_owned(), |port| format!("port {port}"));
        Refusal::Conflict {
            code: "port_taken",
            message: format!("{what} of this machine cannot be opened: {error}"),
        }
    })
}
