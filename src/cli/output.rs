//! Printing: the only place that writes to the terminal.
//!
//! Results go to stdout, messages and progress to stderr. Texts of strangers are made legible here, whoever
//! prints them; only bytes that were asked for as they are go by. Invariant: with `--json` nothing but JSON
//! reaches stdout, nothing that is said moves the cursor, and a reader who goes away ends the program
//! quietly.

use std::borrow::Cow;
use std::io::{self, ErrorKind, IsTerminal, Write};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::Value;
use xyn_store::legible::{is_disruptive, legible};

use crate::failure::{Exit, Failure, file_hint};

/// The code of the failure that says that nobody reads any more; it is not reported.
pub(crate) const READER_GONE: &str = "reader_gone";

/// What begins and ends a colour.
const COLOURS: [&str; 7] =
    ["\x1b[0m", "\x1b[1m", "\x1b[2m", "\x1b[1;31m", "\x1b[32m", "\x1b[33m", "\x1b[36m"];

/// Colours, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Paint(bool);

impl Paint {
    /// No colour.
    #[cfg(test)]
    pub(crate) const PLAIN: Self = Self(false);
    /// Colour, whoever looks.
    #[cfg(test)]
    pub(crate) const BRIGHT: Self = Self(true);

    /// Whether there are any.
    pub(crate) fn is_colour(self) -> bool {
        self.0
    }

    fn with(self, code: &str, text: &str) -> String {
        if self.0 { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    /// `text` as it may be printed: of all that could move the cursor, only its own colours are left.
    pub(crate) fn legible(self, text: &str) -> Cow<'_, str> {
        if !self.0 {
            return legible(text);
        }
        let (mut shown, mut rest) = (String::with_capacity(text.len()), text);
        while let Some(at) = rest.find('\x1b') {
            let (before, code) = rest.split_at(at);
            shown += &legible(before);
            let colour = COLOURS.into_iter().find(|colour| code.starts_with(colour));
            shown += &colour.map_or_else(|| legible("\x1b"), Cow::Borrowed);
            rest = &code[colour.map_or(1, str::len)..];
        }
        shown += &legible(rest);
        Cow::Owned(shown)
    }

    /// What went well.
    pub(crate) fn good(self, text: &str) -> String {
        self.with("32", text)
    }

    /// What went wrong.
    pub(crate) fn bad(self, text: &str) -> String {
        self.with("1;31", text)
    }

    /// What wants attention.
    pub(crate) fn warn(self, text: &str) -> String {
        self.with("33", text)
    }

    /// What is under way.
    pub(crate) fn busy(self, text: &str) -> String {
        self.with("36", text)
    }

    /// What is beside the point.
    pub(crate) fn dim(self, text: &str) -> String {
        self.with("2", text)
    }

    /// Headings.
    pub(crate) fn bold(self, text: &str) -> String {
        self.with("1", text)
    }

    /// A status word in its colour.
    pub(crate) fn status(self, word: &str) -> String {
        match word {
            "completed" | "approved" | "active" | "promoted" | "ok" | "allow" => self.good(word),
            "failed" | "rejected" | "expired" | "broken" | "deny" => self.bad(word),
            "running" | "created" | "requested" => self.busy(word),
            "waiting" | "cancelled" | "warning" | "require_approval" => self.warn(word),
            _ => self.dim(word),
        }
    }
}

/// Where a command's words go.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
    /// Whether results are JSON.
    pub(crate) json: bool,
    /// Colours of stdout.
    pub(crate) paint: Paint,
    /// Colours of stderr.
    pub(crate) paint_messages: Paint,
}

impl Output {
    /// Decides on colours: only on a terminal, and never against `--no-color` or `NO_COLOR`.
    pub(crate) fn new(json: bool, no_color: bool) -> Self {
        let unwanted = no_color || std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self {
            json,
            paint: Paint(!unwanted && !json && io::stdout().is_terminal()),
            paint_messages: Paint(!unwanted && io::stderr().is_terminal()),
        }
    }

    /// A result for people: `text` and a line end.
    pub(crate) fn line(&self, text: &str) -> Result<(), Failure> {
        print(&self.paint.legible(text))
    }

    /// A result as it is, without a line end.
    pub(crate) fn raw(&self, bytes: &[u8]) -> Result<(), Failure> {
        let mut out = io::stdout().lock();
        out.write_all(bytes).and_then(|()| out.flush()).map_err(|error| undelivered(&error))
    }

    /// A result for programs: one document.
    pub(crate) fn document(&self, value: &Value) -> Result<(), Failure> {
        print(&escaped(format!("{value:#}")))
    }

    /// One line of a stream of results for programs.
    pub(crate) fn json_line(&self, value: &Value) -> Result<(), Failure> {
        print(&escaped(value.to_string()))
    }

    /// The answer in the form that was asked for: `value` whole, or `text` made of it.
    pub(crate) fn answer(&self, value: &Value, text: impl FnOnce(Paint) -> String) -> Result<(), Failure> {
        if self.json { self.document(value) } else { self.line(&text(self.paint)) }
    }

    /// A message beside the results.
    pub(crate) fn note(&self, text: &str) {
        // A message that nobody can read is no reason to stop.
        let _ = writeln!(io::stderr().lock(), "{}", self.paint_messages.legible(text));
    }

    /// What to do next, as a message.
    pub(crate) fn hint(&self, text: &str) {
        if !self.json {
            self.note(&format!("{} {text}", self.paint_messages.good("hint:")));
        }
    }

    /// Says why the program ends and gives its exit code.
    pub(crate) fn failure(&self, failure: &Failure) -> Exit {
        if failure.code == READER_GONE {
            return failure.exit;
        }
        if self.json {
            self.note(&escaped(failure.to_json().to_string()));
        } else {
            self.note(&rendered(failure, self.paint_messages));
        }
        failure.exit
    }

    /// A progress bar on stderr for `length` units of work; drawn on terminals only. It clears itself when dropped.
    pub(crate) fn progress(&self, label: &str, length: Option<u64>, unit: Unit) -> ProgressBar {
        let target =
            if self.json { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr_with_hz(10) };
        let bar = match length {
            Some(length) => ProgressBar::with_draw_target(Some(length), target),
            None => ProgressBar::with_draw_target(None, target),
        };
        let template = match (length, unit) {
            (Some(_), Unit::Bytes) => "{msg} [{wide_bar:.cyan/dim}] {bytes}/{total_bytes} {eta}",
            (Some(_), Unit::Entries) => "{msg} [{wide_bar:.cyan/dim}] {human_pos}/{human_len} {eta}",
            (_, Unit::Time) => "{spinner:.cyan} {msg} {elapsed:.dim}",
            (None, _) => "{spinner:.cyan} {msg} {human_pos} {elapsed}",
        };
        let style = ProgressStyle::with_template(template).expect("the templates above are well formed");
        bar.set_style(style.progress_chars("━━╌"));
        bar.set_message(legible(label).into_owned());
        bar.enable_steady_tick(Duration::from_millis(200));
        bar
    }
}

fn print(text: &str) -> Result<(), Failure> {
    writeln!(io::stdout().lock(), "{text}").map_err(|error| undelivered(&error))
}

/// The same JSON, in which what would disrupt a terminal is written as JSON writes it without.
fn escaped(json: String) -> String {
    let is_meant = |c: char| is_disruptive(c) && c != '\n';
    if !json.contains(is_meant) {
        return json;
    }
    // INVARIANT: outside of its strings JSON has none of these, and all of them have four digits.
    json.chars()
        .map(|c| if is_meant(c) { format!("\\u{:04x}", u32::from(c)) } else { c.to_string() })
        .collect()
}

/// What a progress bar counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    /// Bytes.
    Bytes,
    /// Things.
    Entries,
    /// Nothing but time.
    Time,
}

/// A failure for people: what, where, and what to do next.
pub(super) fn rendered(failure: &Failure, paint: Paint) -> String {
    let mut text = format!("{} {}", paint.bad("error:"), failure.message);
    if let Some(place) = &failure.place {
        text += &format!("\n   {} {place}", paint.dim("at:"));
    }
    for conflict in &failure.conflicts {
        let [place, clash] = ["place", "clash"].map(|key| conflict[key].as_str().unwrap_or_default());
        text += &format!("\n      {} {place} ({clash})", paint.dim("-"));
    }
    if let Some(hint) = &failure.hint {
        text += &format!("\n {} {hint}", paint.good("hint:"));
    }
    text
}

fn undelivered(error: &io::Error) -> Failure {
    match error.kind() {
        ErrorKind::BrokenPipe => Failure::new(Exit::Done, READER_GONE, "nobody reads the output any more"),
        _ => Failure::failed("output", format!("cannot write the output: {error}"))
            .hint(file_hint(error.kind())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_strangers_wrote_moves_no_cursor_and_turns_no_line() {
        let name = "ada\u{202e}\u{1b}[2J\u{1b}[31m\nnext";
        let shown = "ada\\u{202e}\\u{1b}[2J\\u{1b}[31m\nnext";
        assert_eq!(Paint::PLAIN.legible(name), shown);
        let bright = Paint::BRIGHT.legible(&Paint::BRIGHT.good(name)).into_owned();
        assert_eq!(bright, format!("\x1b[32m{shown}\x1b[0m"));
        for paint in [Paint::good, Paint::bad, Paint::warn, Paint::busy, Paint::dim, Paint::bold] {
            let painted = paint(Paint::BRIGHT, "x");
            assert_eq!(Paint::BRIGHT.legible(&painted), painted, "every colour is known");
        }
        let value = serde_json::json!({ "a\u{2066}": name });
        let printed = escaped(format!("{value:#}"));
        assert!(!printed.contains(|c: char| is_disruptive(c) && c != '\n'), "{printed}");
        assert_eq!(serde_json::from_str::<Value>(&printed).expect("JSON"), value);
    }

    #[test]
    fn a_reader_who_went_away_is_no_failure() {
        let failure = undelivered(&io::Error::from(ErrorKind::BrokenPipe));
        assert_eq!((failure.exit, failure.code.as_str()), (Exit::Done, READER_GONE));
    }

    #[test]
    fn a_failure_says_what_where_and_what_to_do() {
        let failure = Failure::failed("invalid", "`prio` is not known here")
            .at("prio")
            .hint("did you mean `priority`?");
        insta::assert_snapshot!(rendered(&failure, Paint::PLAIN), @r"
        error: `prio` is not known here
           at: prio
         hint: did you mean `priority`?
        ");
    }

    #[test]
    fn colour_is_only_there_when_asked_for() {
        assert_eq!(Paint::PLAIN.status("failed"), "failed");
        assert_eq!(Paint::BRIGHT.status("failed"), "\x1b[1;31mfailed\x1b[0m");
    }
}
