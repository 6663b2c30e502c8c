//! The one live stream of Studio: it says that the journal has moved, and nothing of what is in it.
//!
//! Regions of pages that may have changed ask for themselves again, so that a page cannot come to show
//! something else than a reload would. Invariant: a stream speaks at most once in [`LIVE_PAUSE`], however
//! much happens.

use std::convert::Infallible;

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::response::sse::Event;
use axum::routing::get;
use futures::stream;
use tokio::sync::watch;

use crate::error::ApiError;
use crate::limits::LIVE_PAUSE;
use crate::sse::{self, Seat};
use crate::state::AppState;

pub(super) fn routes() -> Router<AppState> {
    Router::new().route("/ui/live", get(follow))
}

async fn follow(State(state): State<AppState>) -> Result<Response, ApiError> {
    let mut head = state.runtime().store().journal()?.head();
    // A page that comes just now knows what has happened until now.
    head.mark_unchanged();
    let reader = Reader { seat: Seat::take(&state)?, head, has_spoken: false };
    Ok(sse::respond(stream::unfold(reader, |mut reader| async move {
        let event = reader.next().await?;
        Some((Ok::<_, Infallible>(event), reader))
    })))
}

/// Somebody who looks at a page.
struct Reader {
    seat: Seat,
    head: watch::Receiver<u64>,
    has_spoken: bool,
}

impl Reader {
    /// The next word that something is new; none at the end of the stream.
    async fn next(&mut self) -> Option<Event> {
        // The first word comes at once, and what happens while this one is being read is told together.
        if self.has_spoken {
            tokio::time::sleep(LIVE_PAUSE).await;
        }
        if !self.seat.wait(self.head.changed()).await {
            return None;
        }
        self.has_spoken = true;
        let head = *self.head.borrow_and_update();
        Some(Event::default().event("moved").data(head.to_string()))
    }
}
