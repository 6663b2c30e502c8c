//! Server-sent events: from bytes to events, and a stream that reconnects where it stopped.
//!
//! Owns the parsing (HTML Living Standard, 9.2.6). Invariant: an event is handed out once it is whole; half an
//! event at the end of a connection is thrown away and comes again after reconnecting.

use std::time::Duration;

use futures::StreamExt;

use super::{Chunks, Client};
use crate::failure::{Exit, Failure};

/// Most bytes of one event.
const MAX_EVENT_BYTES: usize = 4 << 20;
/// First wait before connecting again; doubled up to [`MAX_WAIT`].
const FIRST_WAIT: Duration = Duration::from_millis(250);
/// Longest wait before connecting again.
const MAX_WAIT: Duration = Duration::from_secs(5);
/// Attempts to connect again before giving up.
const MAX_ATTEMPTS: u32 = 30;

/// One event of a stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Event {
    /// Where to go on after it; empty when the server never said.
    pub(crate) id: String,
    /// Its type; empty means `message`.
    pub(crate) kind: String,
    /// Its lines.
    pub(crate) data: String,
}

/// From bytes to events.
#[derive(Debug, Default)]
pub(crate) struct Parser {
    line: Vec<u8>,
    after_return: bool,
    begun: bool,
    event: Event,
    has_data: bool,
}

impl Parser {
    /// Takes bytes in and gives the events that are now whole.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Result<Vec<Event>, Failure> {
        let mut events = Vec::new();
        for &byte in bytes {
            let ends_pair = byte == b'\n' && self.after_return;
            self.after_return = byte == b'\r';
            match byte {
                b'\n' if ends_pair => {}
                b'\n' | b'\r' => events.extend(self.end_line()),
                _ => self.line.push(byte),
            }
            if self.line.len() + self.event.data.len() > MAX_EVENT_BYTES {
                let message = format!("an event of the stream is longer than {MAX_EVENT_BYTES} bytes");
                return Err(Failure::failed("event_too_long", message)
                    .hint("look without following, with --no-follow; or at a run with: xyn run show RUN"));
            }
        }
        Ok(events)
    }

    fn end_line(&mut self) -> Option<Event> {
        let line = std::mem::take(&mut self.line);
        let mut line = String::from_utf8_lossy(&line).into_owned();
        if !std::mem::replace(&mut self.begun, true) && line.starts_with('\u{feff}') {
            line.remove(0);
        }
        if line.is_empty() {
            return self.dispatch();
        }
        let (field, value) = line.split_once(':').unwrap_or((&line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "data" => {
                if std::mem::replace(&mut self.has_data, true) {
                    self.event.data.push('\n');
                }
                self.event.data.push_str(value);
            }
            "event" => value.clone_into(&mut self.event.kind),
            "id" if !value.contains('\0') => value.clone_into(&mut self.event.id),
            _ => {}
        }
        None
    }

    fn dispatch(&mut self) -> Option<Event> {
        let id = self.event.id.clone();
        let event = std::mem::replace(&mut self.event, Event { id, ..Event::default() });
        std::mem::take(&mut self.has_data).then_some(event)
    }
}

/// A stream of events that connects again where it stopped.
pub(crate) struct Follow<'c> {
    client: &'c Client,
    path: String,
    query: Vec<(&'static str, String)>,
    last: Option<String>,
    connection: Option<Chunks>,
    parser: Parser,
    ready: std::collections::VecDeque<Event>,
    failures: u32,
}

impl<'c> Follow<'c> {
    /// Follows `path` of the API. The first connection is made now, so that a refusal is seen at once.
    pub(crate) async fn open(
        client: &'c Client,
        path: &str,
        query: &[(&'static str, String)],
        last: Option<String>,
    ) -> Result<Self, Failure> {
        let first = client.events(path, query, last.as_deref()).await?;
        Ok(Self {
            client,
            path: path.to_owned(),
            query: query.to_vec(),
            last,
            connection: Some(first.body),
            parser: Parser::default(),
            ready: std::collections::VecDeque::new(),
            failures: 0,
        })
    }

    /// The next event. Waits for it, and connects again as often as it takes, within limits.
    pub(crate) async fn next(&mut self) -> Result<Event, Failure> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                if !event.id.is_empty() {
                    self.last = Some(event.id.clone());
                }
                return Ok(event);
            }
            let Some(connection) = &mut self.connection else {
                self.connect().await?;
                continue;
            };
            match connection.next().await {
                Some(Ok(bytes)) => {
                    self.failures = 0;
                    self.ready.extend(self.parser.push(&bytes)?);
                }
                Some(Err(_)) | None => self.connection = None,
            }
        }
    }

    async fn connect(&mut self) -> Result<(), Failure> {
        tokio::time::sleep(FIRST_WAIT.saturating_mul(1 << self.failures.min(8)).min(MAX_WAIT)).await;
        self.failures += 1;
        self.parser = Parser::default();
        match self.client.events(&self.path, &self.query, self.last.as_deref()).await {
            Ok(reply) => self.connection = Some(reply.body),
            Err(failure) if failure.exit == Exit::Unreachable && self.failures < MAX_ATTEMPTS => {}
            Err(failure) => return Err(failure),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(chunks: &[&[u8]]) -> Vec<Event> {
        let mut parser = Parser::default();
        let push = |chunk: &&[u8]| parser.push(chunk).expect("the events are short");
        chunks.iter().flat_map(push).collect()
    }

    fn event(id: &str, kind: &str, data: &str) -> Event {
        Event { id: id.into(), kind: kind.into(), data: data.into() }
    }

    #[test]
    fn fields_make_an_event_and_an_empty_line_ends_it() {
        let events = parse(&[b"id: 7.0\nevent: xyn.run.created\ndata: {\"a\":\ndata: 1}\n\n"]);
        assert_eq!(events, [event("7.0", "xyn.run.created", "{\"a\":\n1}")]);
    }

    #[test]
    fn comments_retry_and_unknown_fields_are_no_events() {
        assert_eq!(parse(&[b": keep-alive\n\nretry: 100\n\nfoo: bar\n\n"]), []);
    }

    #[test]
    fn every_line_end_counts_also_when_cut_in_two() {
        assert_eq!(parse(&[b"data: a\r", b"\n\r\ndata: b\r\rdata: c\n\n"]).len(), 3);
    }

    #[test]
    fn the_id_stays_until_another_one_comes() {
        let events = parse(&[b"id: 1\ndata: a\n\ndata: b\n\n"]);
        assert_eq!(events, [event("1", "", "a"), event("1", "", "b")]);
    }

    #[test]
    fn half_an_event_is_not_handed_out() {
        assert_eq!(parse(&[b"\xef\xbb\xbfdata: a\n\ndata: half\n"]), [event("", "", "a")]);
    }

    #[test]
    fn an_event_without_an_end_is_refused_before_memory_runs_out() {
        let mut parser = Parser::default();
        let line = [b"data:".as_slice(), &[b'x'; 1 << 20], b"\n"].concat();
        let refused = (0..10).find_map(|_| parser.push(&line).err()).expect("the limit is reached");
        assert_eq!(refused.code, "event_too_long");
        assert!(refused.hint.is_some_and(|hint| hint.contains("--no-follow")));
    }

    proptest! {
        #[test]
        fn cutting_the_stream_anywhere_changes_nothing(text in "(data: ?[a-zé]{0,4}|id: [0-9]|[\r\n]{1,2}){0,20}", cut in 0usize..100) {
            let bytes = text.as_bytes();
            let cut = cut.min(bytes.len());
            prop_assert_eq!(parse(&[&bytes[..cut], &bytes[cut..]]), parse(&[bytes]));
        }
    }
}
