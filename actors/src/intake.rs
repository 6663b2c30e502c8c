//! How the outside becomes events: plain and CloudEvents shapes, webhook signatures, cron ticks.
//!
//! Pure: bytes and the present instant are arguments. Refuses to decide whether an event is accepted; that is
//! the Runtime's. Invariant: the same input always gets the same event id, so that a duplicate is seen as
//! one.

pub mod cloudevents;
pub mod cron;
pub mod event;
pub mod webhook;

pub use event::{Incoming, InvalidEvent, Resource};

use xyn_store::Timestamp;

use self::cloudevents::Mode;

/// Largest event, body and attributes together. Hooks may allow less or more.
pub const MAX_EVENT_BYTES: usize = 1 << 20;

/// Reads an event from the headers and body of an HTTP request, in whichever of the three shapes it came.
pub fn receive<'a>(
    headers: impl IntoIterator<Item = (&'a str, &'a [u8])>,
    body: &[u8],
    now: Timestamp,
) -> Result<Incoming, InvalidEvent> {
    let headers: Vec<_> = headers.into_iter().collect();
    if body.len() > MAX_EVENT_BYTES {
        return Err(InvalidEvent::new("", format!("the event is larger than {MAX_EVENT_BYTES} bytes")));
    }
    match Mode::of(&headers) {
        Mode::Plain => event::parse(body, now),
        Mode::Structured => cloudevents::parse_structured(body, now),
        Mode::Binary => cloudevents::parse_binary(&headers, body, now),
        Mode::Batch => Err(InvalidEvent::new("content-type", "batches of CloudEvents are not accepted")),
    }
}
