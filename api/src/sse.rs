//! Event streams: the journal as server-sent events, from a place on, without a gap.
//!
//! Owns resuming, the bound on open streams, and their end when the node stops. A stream holds one batch
//! and reads the next when the reader took it, so a slow reader slows nobody else down. Invariant: the `id`
//! of an event is its place in the journal; whoever goes on behind it gets exactly what follows.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::fmt::Display;
use std::str::FromStr;

use axum::extract::FromRequestParts;
use axum::response::sse::{self, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures::stream::{self, Stream};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use serde::Deserialize;
use tokio::sync::watch::error::RecvError;
use tokio::sync::{OwnedSemaphorePermit, watch};
use xyn_actors::events::{self, EventFilter, Position};
use xyn_actors::runtime::Runtime;
use xyn_actors::services::timeline::arrivals;
use xyn_store::ids::{RunId, StreamId};
use xyn_store::projection::RunRow;
use xyn_store::{Reader, StoreError};

use crate::dto::{Event, Moment};
use crate::error::{ApiError, Code};
use crate::extract::Parsed;
use crate::limits::{STREAM_BATCH, STREAM_KEEP_ALIVE, STREAM_PAUSE, STREAMS_MAX};
use crate::metrics::OpenStream;
use crate::routes::timeline::roster;
use crate::schema;
use crate::state::AppState;

/// The header by which a reader that comes again says what it saw last.
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// Where a stream begins.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct FollowQuery {
    /// Go on behind this place; `0.0` is the beginning. The header `Last-Event-ID` wins.
    #[param(value_type = schema::Position, inline, required = false)]
    pub(crate) after: Option<Parsed<Position>>,
}

/// The event behind which a reader goes on: the header `Last-Event-ID`.
pub(crate) struct Resume(pub(crate) Option<Position>);

impl<S: Sync> FromRequestParts<S> for Resume {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        resumed(&parts.headers).map(Self)
    }
}

/// The place in a stream that the header `Last-Event-ID` names, if it is there.
pub(crate) fn resumed<T: FromStr<Err: Display>>(headers: &HeaderMap) -> Result<Option<T>, ApiError> {
    let text = headers.get(LAST_EVENT_ID).map(|value| value.to_str().unwrap_or_default());
    // A browser that got no id yet sends an empty one.
    let place = text.filter(|text| !text.is_empty()).map(str::parse::<T>).transpose();
    place.map_err(|error| ApiError::invalid("Last-Event-ID", error.to_string()))
}

/// A stream of the events that `filter` admits: those behind `after`, or those to come.
pub(crate) fn events(
    state: &AppState,
    filter: EventFilter,
    after: Option<Position>,
) -> Result<Response, ApiError> {
    let head = state.runtime().store().journal()?.head();
    // A place behind the end is one of another life of the folder: its reader gets what is to come.
    let end = Position { offset: *head.borrow(), index: 0 };
    let from = after.map_or(end, |after| after.next().min(end));
    open(state, Source::Events(filter), from, head, None)
}

/// A stream of the moments that come to this node: those behind `after`, or those to come.
pub(crate) fn moments(state: &AppState, after: Option<Position>) -> Result<Response, ApiError> {
    let head = state.runtime().store().journal()?.head();
    let end = Position { offset: *head.borrow(), index: 0 };
    let from = after.map_or(end, |after| after.next().min(end));
    open(state, Source::Moments, from, head, None)
}

/// A stream of the events of one run, from its beginning or behind `after`; it ends when the run has.
pub(crate) fn run(state: &AppState, run_id: RunId, after: Option<Position>) -> Result<Response, ApiError> {
    let head = state.runtime().store().journal()?.head();
    let from = match after {
        Some(after) => after.next(),
        None => state.read(|reader| {
            let first = reader.stream(stream_of(run_id), 0, 1)?;
            let offset = first.first().map_or(0, |(offset, _)| *offset);
            Ok(Position { offset, index: 0 })
        })?,
    };
    let filter = EventFilter { run_id: Some(run_id), ..EventFilter::default() };
    open(state, Source::Events(filter), from, head, Some(run_id))
}

fn stream_of(run_id: RunId) -> StreamId {
    // INVARIANT: a run's stream has the run's id.
    run_id.to_string().parse().expect("an id reads its own text")
}

fn open(
    state: &AppState,
    source: Source,
    from: Position,
    head: watch::Receiver<u64>,
    until_end_of: Option<RunId>,
) -> Result<Response, ApiError> {
    let seat = Seat::take(state)?;
    let state = state.clone();
    let follower = Follower { state, source, from, head, seat, until_end_of, batch: VecDeque::new() };
    Ok(respond(follower.into_stream()))
}

/// A place among the open streams, counted for as long as it is kept, and the word that the node stops.
pub(crate) struct Seat {
    stopping: watch::Receiver<bool>,
    _place: OwnedSemaphorePermit,
    _counted: OpenStream,
}

impl Seat {
    /// Takes a place, when there is one.
    pub(crate) fn take(state: &AppState) -> Result<Self, ApiError> {
        let place = state.streams().clone().try_acquire_owned().map_err(|_| {
            let message = format!("{STREAMS_MAX} event streams are open, which is the limit");
            ApiError::new(Code::TooManyStreams, message)
        })?;
        Ok(Self { stopping: state.stopping(), _place: place, _counted: state.metrics().stream() })
    }

    /// Whether the node stops.
    pub(crate) fn is_stopping(&self) -> bool {
        *self.stopping.borrow()
    }

    /// Waits for news; `false` when the node stops instead, or nothing more can come.
    pub(crate) async fn wait(&mut self, news: impl Future<Output = Result<(), RecvError>>) -> bool {
        let goes_on = tokio::select! {
            changed = news => changed.is_ok(),
            _ = self.stopping.wait_for(|stopping| *stopping) => false,
        };
        if goes_on {
            tokio::time::sleep(STREAM_PAUSE).await;
        }
        goes_on
    }
}

/// The answer that carries `events`.
pub(crate) fn respond(
    events: impl Stream<Item = Result<sse::Event, Infallible>> + Send + 'static,
) -> Response {
    let keep_alive = KeepAlive::new().interval(STREAM_KEEP_ALIVE);
    let mut response = Sse::new(events).keep_alive(keep_alive).into_response();
    // Proxies that gather an answer before they pass it on would hold events back.
    response.headers_mut().insert("x-accel-buffering", HeaderValue::from_static("no"));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

/// What a stream tells of the journal.
#[derive(Clone)]
enum Source {
    Events(EventFilter),
    Moments,
}

impl Source {
    /// The next batch behind `from`, and where to go on.
    fn read(
        &self,
        runtime: &Runtime,
        reader: &Reader,
        from: Position,
    ) -> Result<(Batch, Position), StoreError> {
        match self {
            Self::Events(filter) => {
                let (mut batch, next) = events::after(reader, filter, from, STREAM_BATCH)?;
                runtime.name_steps(reader, batch.iter_mut().map(|(_, event)| event))?;
                let env_id = &runtime.env().env_id;
                let shown = batch.into_iter().map(|(place, event)| render(place, &Event::of(event, env_id)));
                Ok((shown.collect(), next))
            }
            Self::Moments => {
                let (batch, next) = arrivals(reader, from, STREAM_BATCH)?;
                let roster = roster(runtime, reader)?;
                let shown =
                    batch.into_iter().map(|(place, entry)| render(place, &Moment::of(entry, &roster)));
                Ok((shown.collect(), next))
            }
        }
    }
}

type Batch = VecDeque<sse::Event>;

fn render(place: Position, told: &impl serde::Serialize) -> sse::Event {
    let data = serde_json::to_string(told).expect("what is told has string keys and finite numbers");
    sse::Event::default().id(place.to_string()).data(data)
}

/// A reader of the journal that goes along with it.
struct Follower {
    state: AppState,
    source: Source,
    from: Position,
    head: watch::Receiver<u64>,
    seat: Seat,
    /// The run with whose end the stream ends.
    until_end_of: Option<RunId>,
    batch: Batch,
}

impl Follower {
    fn into_stream(self) -> impl Stream<Item = Result<sse::Event, Infallible>> {
        stream::unfold(self, |mut follower| async move {
            let event = follower.next().await?;
            Some((Ok(event), follower))
        })
    }

    /// The next event; none at the end of the stream.
    async fn next(&mut self) -> Option<sse::Event> {
        loop {
            if self.seat.is_stopping() {
                return None;
            }
            if let Some(event) = self.batch.pop_front() {
                return Some(event);
            }
            let head = *self.head.borrow_and_update();
            // Asked before the events are read: what ended the run is then among them.
            let is_last = self.has_ended();
            if let Err(error) = self.read().await {
                // The reader comes again with the last id it saw, and is told then what is wrong.
                tracing::warn!(error = %error.fault().message, "an event stream ends");
                return None;
            }
            let is_level = self.batch.is_empty() && self.from.offset >= head;
            if is_level && (is_last || !self.seat.wait(self.head.changed()).await) {
                return None;
            }
        }
    }

    async fn read(&mut self) -> Result<(), ApiError> {
        let (source, from) = (self.source.clone(), self.from);
        let runtime = self.state.runtime().clone();
        let read = self.state.scan(move |reader| source.read(&runtime, reader, from));
        (self.batch, self.from) = read.await?;
        Ok(())
    }

    fn has_ended(&self) -> bool {
        let Some(run_id) = self.until_end_of else { return false };
        let row = self.state.read(|reader| reader.get::<RunRow>(&RunRow::key_of(run_id)));
        row.is_ok_and(|row| row.is_none_or(|row| row.status.is_final()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn resumed(value: &'static str) -> Option<Option<Position>> {
        let request = http::Request::builder().header(LAST_EVENT_ID, value).body(()).expect("a request");
        let (mut parts, ()) = request.into_parts();
        Resume::from_request_parts(&mut parts, &()).await.ok().map(|resume| resume.0)
    }

    #[tokio::test]
    async fn a_place_is_read_from_the_header_and_nonsense_is_refused() {
        assert_eq!(resumed("12.3").await, Some(Some(Position { offset: 12, index: 3 })));
        assert_eq!(resumed("").await, Some(None));
        for text in ["x", "12", "12.x", "-1.0", "1.2.3"] {
            assert_eq!(resumed(text).await, None, "{text}");
        }
    }
}
