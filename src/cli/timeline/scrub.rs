//! `xyn timeline scrub`: go along the timeline, state by state.
//!
//! On a terminal the arrow keys move and the state of the moment shows; elsewhere all states are listed. Invariant: the
//! terminal is given back as it was, however the walk ends.

use std::io::{IsTerminal, Read};

use clap::Args;
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};
use serde_json::Value;
use xyn_store::duration;

use super::log::{PAGE, who};
use super::show::state_facts;
use crate::cli::output::Paint;
use crate::cli::table::{Column, NOTHING, Table, facts, instant, text};
use crate::cli::{Context, input, moment};
use crate::client::{Client, Need, route};
use crate::failure::{Exit, Failure};

/// Stops that a walk keeps; it goes no further.
const STOPS_MAX: usize = 10_000;

#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {
    /// Only moments on this branch
    #[arg(long)]
    branch: Option<String>,
    /// Begin at this moment or instant
    #[arg(long, value_name = "MOMENT|INSTANT")]
    from: Option<String>,
    /// End before this moment or instant
    #[arg(long, value_name = "MOMENT|INSTANT")]
    to: Option<String>,
    /// At most one stop in each piece of time so long, such as 30s, 5m, 1h30m or 7d
    #[arg(long, value_name = "TIME", value_parser = step)]
    step: Option<String>,
}

/// A time in its largest unit that it is whole in, as the API takes it.
fn step(text: &str) -> Result<String, &'static str> {
    let step = duration::parse(text).filter(|step| !step.is_zero()).map(|step| step.as_millis());
    let whole = step.and_then(|step| {
        let units = duration::UNITS.into_iter().filter(|(_, size)| *size >= 1000);
        let mut whole = units.filter(|(_, size)| step.is_multiple_of(u128::from(*size)));
        whole.next().map(|(name, size)| format!("{}{name}", step / u128::from(size)))
    });
    whole.ok_or("a step is a time of whole seconds such as 30s, 5m, 1h30m or 7d")
}

pub(super) async fn run(arguments: Arguments, context: &Context) -> Result<Exit, Failure> {
    let Arguments { branch, from, to, step } = arguments;
    let client = context.client(Need::Read).await?;
    let (since, until) = (instant_of(&client, "--from", from).await?, instant_of(&client, "--to", to).await?);
    let said = [("branch", branch), ("since", since), ("until", until), ("step", step)];
    let query = said.into_iter().filter_map(|(key, value)| Some((key, value?))).collect();
    let mut walk = Walk { client, query, cursor: None, stops: Vec::new(), has_more: true };
    let is_live = !context.out.json && std::io::stdout().is_terminal() && std::io::stdin().is_terminal();
    if is_live { along(&mut walk, context).await } else { list(&mut walk, context).await }
}

/// When the place was that `option` names: an instant, or else a moment by its id or label.
async fn instant_of(client: &Client, option: &str, place: Option<String>) -> Result<Option<String>, Failure> {
    let Some(place) = place else { return Ok(None) };
    let not_instant = match input::instant(&place) {
        Ok(at) => return Ok(Some(at.to_string())),
        Err(why) => why,
    };
    let entry_id = moment::named(client, &place).await.map_err(|failure| match failure.exit {
        Exit::NotFound => {
            let message = format!("{not_instant}; and {}", failure.message);
            Failure { message, ..failure }.at(option)
        }
        _ => failure,
    })?;
    let view = client.get(&route(&["timeline", &entry_id])?).await?;
    Ok(Some(view["moment"]["at"].as_str().unwrap_or_default().to_owned()))
}

/// The stops, as far as they were asked for.
struct Walk {
    client: Client,
    query: Vec<(&'static str, String)>,
    cursor: Option<String>,
    stops: Vec<Value>,
    has_more: bool,
}

impl Walk {
    /// Asks for the next page.
    async fn more(&mut self) -> Result<(), Failure> {
        let mut query = self.query.clone();
        query.push(("limit", PAGE.to_string()));
        query.extend(self.cursor.clone().map(|cursor| ("cursor", cursor)));
        let page = self.client.get_with("/timeline/scrub", &query).await?;
        self.stops.extend(page["items"].as_array().into_iter().flatten().cloned());
        self.cursor = page["next_cursor"].as_str().map(str::to_owned);
        self.has_more = self.cursor.is_some();
        Ok(())
    }
}

async fn list(walk: &mut Walk, context: &Context) -> Result<Exit, Failure> {
    let mut count = 0;
    while walk.has_more {
        walk.more().await?;
        let stops = std::mem::take(&mut walk.stops);
        count += stops.len();
        if context.out.json {
            stops.iter().try_for_each(|stop| context.out.json_line(stop))?;
        } else if !stops.is_empty() {
            context.out.line(&table(&stops).render(context.out.paint))?;
        }
    }
    if count == 0 {
        context.out.note(NOTHING);
    }
    Ok(Exit::Done)
}

fn table(stops: &[Value]) -> Table {
    let columns =
        [("MOMENT", Column::Text), ("AT", Column::Text), ("WHAT", Column::Text), ("STATE", Column::Text)];
    let mut table = Table::new(&columns);
    for stop in stops {
        let moment = &stop["moment"];
        let state: Vec<String> = state_facts(&stop["state"]).into_iter().map(|(_, fact)| fact).collect();
        table.row([text(moment, "entry_id"), instant(moment, "at"), text(moment, "title"), state.join(", ")]);
    }
    table
}

/// What a key asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Key {
    Back,
    On,
    Begin,
    End,
    Quit,
    Other,
}

impl Key {
    /// The key that sends `bytes`.
    fn of(bytes: &[u8]) -> Self {
        match bytes {
            b"\x1b[D" | b"\x1bOD" | b"h" | b"k" => Self::Back,
            b"\x1b[C" | b"\x1bOC" | b"l" | b"j" | b" " => Self::On,
            b"\x1b[H" | b"\x1bOH" | b"g" => Self::Begin,
            b"\x1b[F" | b"\x1bOF" | b"G" => Self::End,
            // Escape, Ctrl-C, Ctrl-D, and nothing at all: whoever typed is gone.
            b"q" | b"\x1b" | b"\x03" | b"\x04" | b"" => Self::Quit,
            _ => Self::Other,
        }
    }
}

async fn along(walk: &mut Walk, context: &Context) -> Result<Exit, Failure> {
    walk.more().await?;
    if walk.stops.is_empty() {
        context.out.note(NOTHING);
        return Ok(Exit::Done);
    }
    let terminal = Terminal::take()?;
    let mut at = 0;
    loop {
        let shown = context.out.paint.legible(&screen(walk, at, context.out.paint)).replace('\n', "\r\n");
        // Home, the text, and nothing of what stood there before.
        context.out.raw(format!("\x1b[H\x1b[2J{shown}\r\n").as_bytes())?;
        match terminal.key().await? {
            Key::Back => at = at.saturating_sub(1),
            Key::On => at += 1,
            Key::Begin => at = 0,
            Key::End => at = usize::MAX,
            Key::Quit => return Ok(Exit::Done),
            Key::Other => {}
        }
        while at >= walk.stops.len() && walk.has_more && walk.stops.len() < STOPS_MAX {
            walk.more().await?;
        }
        at = at.min(walk.stops.len() - 1);
    }
}

fn screen(walk: &Walk, at: usize, paint: Paint) -> String {
    let stop = &walk.stops[at];
    let moment = &stop["moment"];
    let more = if walk.has_more { "+" } else { "" };
    let place = paint.bold(&format!("{} of {}{more}", at + 1, walk.stops.len()));
    let mut pairs = vec![
        ("moment", text(moment, "entry_id")),
        ("at", instant(moment, "at")),
        ("kind", text(moment, "kind")),
        ("branch", text(moment, "branch")),
        ("principal", who(moment)),
        ("title", text(moment, "title")),
        ("run", text(&moment["refs"], "run_id")),
    ];
    pairs.extend(state_facts(&stop["state"]));
    let keys = paint.dim("left and right move, home and end jump, q ends");
    format!("{place}\n{}\n\n{keys}", facts(&pairs, paint))
}

/// A terminal that hands over each key as it is pressed.
struct Terminal {
    before: Termios,
}

impl Terminal {
    fn take() -> Result<Self, Failure> {
        let stdin = std::io::stdin();
        let before = tcgetattr(&stdin).map_err(|error| unusable(&error))?;
        let mut raw = before.clone();
        raw.make_raw();
        tcsetattr(&stdin, OptionalActions::Now, &raw).map_err(|error| unusable(&error))?;
        Ok(Self { before })
    }

    /// The next key. A key that sends several bytes sends them at once.
    async fn key(&self) -> Result<Key, Failure> {
        let read = tokio::task::spawn_blocking(|| {
            let mut bytes = [0; 8];
            let length = std::io::stdin().lock().read(&mut bytes)?;
            Ok::<_, std::io::Error>(Key::of(&bytes[..length]))
        });
        let key = read.await.map_err(|error| unusable(&error))?;
        key.map_err(|error| unusable(&error))
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // The program ends next: a terminal that does not take its settings back cannot be helped.
        let _ = tcsetattr(std::io::stdin(), OptionalActions::Now, &self.before);
    }
}

fn unusable(error: &dyn std::fmt::Display) -> Failure {
    Failure::failed("terminal", format!("cannot use the terminal: {error}"))
        .hint("list the states with --json")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn keys_are_known_by_what_they_send() {
        for (bytes, key) in [
            (b"\x1b[D".as_slice(), Key::Back),
            (b"\x1bOC", Key::On),
            (b"G", Key::End),
            (b"\x1b[H", Key::Begin),
            (b"\x1b", Key::Quit),
            (b"\x03", Key::Quit),
            (b"", Key::Quit),
            (b"\x1b[5~", Key::Other),
        ] {
            assert_eq!(Key::of(bytes), key, "{bytes:?}");
        }
    }

    #[test]
    fn a_step_is_any_time_of_whole_seconds() {
        for (text, sent) in [("1h30m", "90m"), ("7d", "7d"), ("1d12h", "36h"), ("90s", "90s"), ("60s", "1m")]
        {
            assert_eq!(step(text).as_deref(), Ok(sent));
        }
        for text in ["", "0s", "500ms", "1", "1w"] {
            assert!(step(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_stop_reads_on_one_line() {
        let stop = json!({
            "moment": { "entry_id": "e1", "at": "2026-01-31T12:00:00Z", "title": "deployed" },
            "state": {
                "workspaces": [{ "root": "t1" }],
                "deployed": [{ "env": "shop", "stage": "dev", "capsule": "c1" }],
                "domains": [{ "domain": "shop.example", "capsule": null }],
                "is_cut_short": true,
            },
        });
        insta::assert_snapshot!(table(&[stop]).render(Paint::PLAIN), @r"
        MOMENT  AT                   WHAT      STATE
        e1      2026-01-31 12:00:00  deployed  t1, shop/dev c1, shop.example, … and more than one state shows
        ");
    }
}
