//! The words of pages: one word and one tone for each state, and sizes, times and ids as people read them.

use std::time::Duration;

use serde::Serialize;
use xyn_store::projection::{RunStatus, StepStatus, WaitKind, Waiting};
use xyn_store::{Json, Timestamp};

/// A state as a page shows it: its word, and the class that gives it shape and colour.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct State {
    /// One word, with the reason where there is one.
    pub(super) word: String,
    /// `ok`, `work`, `wait`, `bad` or `idle`.
    pub(super) tone: &'static str,
}

impl State {
    /// A state called `word`.
    pub(super) fn new(word: impl Into<String>, tone: &'static str) -> Self {
        Self { word: word.into(), tone }
    }

    /// Where a run stands; one that waits says for what.
    pub(super) fn of_run(status: RunStatus, waiting: Option<&Waiting>) -> Self {
        match (status, waiting) {
            (RunStatus::Running, Some(waiting)) => Self::waiting(waiting.kind),
            (RunStatus::Running, None) => Self::new("running", "work"),
            (RunStatus::Created, _) => Self::new("created", "idle"),
            (RunStatus::Completed, _) => Self::new("completed", "ok"),
            (RunStatus::Failed, _) => Self::new("failed", "bad"),
            (RunStatus::Cancelled, _) => Self::new("cancelled", "idle"),
        }
    }

    /// Where a step stands; one that waits says for what.
    pub(super) fn of_step(status: StepStatus, waiting: Option<&Waiting>) -> Self {
        match (status, waiting) {
            (_, Some(waiting)) => Self::waiting(waiting.kind),
            (StepStatus::Created, None) => Self::new("created", "idle"),
            (StepStatus::Running, None) => Self::new("running", "work"),
            (StepStatus::Completed, None) => Self::new("completed", "ok"),
            (StepStatus::Failed, None) => Self::new("failed", "bad"),
            (StepStatus::Skipped, None) => Self::new("skipped", "idle"),
        }
    }

    fn waiting(kind: WaitKind) -> Self {
        let (word, tone) = match kind {
            WaitKind::Gate => ("waiting: gate", "wait"),
            WaitKind::Timer => ("waiting: timer", "idle"),
            WaitKind::Event => ("waiting: event", "idle"),
            WaitKind::Approval => ("waiting: approval", "wait"),
            WaitKind::RateLimit => ("waiting: rate limit", "idle"),
            WaitKind::Worker => ("waiting: worker", "idle"),
        };
        Self::new(word, tone)
    }
}

/// `bytes` with the largest unit that leaves a number of at least one.
pub(super) fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let power = (bytes.max(1).ilog2() / 10).min(4);
    if power == 0 {
        return format!("{bytes} B");
    }
    #[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
    let value = bytes as f64 / f64::from(1_u32 << 10).powi(i32::try_from(power).unwrap_or(4));
    format!("{value:.1} {}", UNITS[power as usize])
}

/// How long something lasts, in its largest unit that is whole.
pub(super) fn span(time: Duration) -> String {
    let seconds = time.as_secs();
    let units = [(86_400, "days"), (3_600, "h"), (60, "min")];
    match units.into_iter().find(|(unit, _)| seconds >= *unit && seconds.is_multiple_of(*unit)) {
        Some((unit, _)) if seconds == unit && unit == 86_400 => "24 h".to_owned(),
        Some((unit, name)) => format!("{} {name}", seconds / unit),
        None => format!("{seconds} s"),
    }
}

/// The word under which programs know `value`.
pub(super) fn word(value: &impl Serialize) -> String {
    let value = serde_json::to_value(value).unwrap_or_default();
    value.as_str().unwrap_or_default().replace('_', " ")
}

/// The app and the version that an id says: `urn:xyn:app:shop@1.4.2`.
pub(super) fn app_and_version(id: &str) -> (String, String) {
    let (app, version) = id.split_once('@').unwrap_or((id, ""));
    (app.rsplit(':').next().unwrap_or_default().to_owned(), version.to_owned())
}

/// The same in one: `shop 1.4.2`.
pub(super) fn app_at_version(id: &str) -> String {
    let (app, version) = app_and_version(id);
    if version.is_empty() { app } else { format!("{app} {version}") }
}

/// JSON, a value a line.
pub(super) fn json(value: &Json) -> String {
    serde_json::to_string_pretty(&value.to_value()).unwrap_or_default()
}

/// The most of a text that a page shows, in bytes; all of it is a download.
pub(super) const SHOWN_MAX: usize = 64 << 10;

/// As much of a text as a page shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Excerpt {
    pub(super) text: String,
    /// Whether there is more.
    pub(super) is_cut: bool,
}

impl Excerpt {
    /// The beginning of `text`.
    pub(super) fn of(mut text: String) -> Self {
        let is_cut = text.len() > SHOWN_MAX;
        if is_cut {
            text.truncate(text.floor_char_boundary(SHOWN_MAX));
        }
        Self { text, is_cut }
    }

    /// The beginning of a JSON text.
    pub(super) fn of_json(value: &Json) -> Self {
        // What is cut anyway is not taken apart for it.
        Self::of(if value.as_str().len() > SHOWN_MAX { value.as_str().to_owned() } else { json(value) })
    }
}

/// How long it took, in the unit that fits.
pub(super) fn took(from: Timestamp, to: Timestamp) -> String {
    let ms = to.since(from).as_millis();
    match ms {
        0..1_000 => format!("{ms} ms"),
        1_000..60_000 => format!("{}.{} s", ms / 1_000, ms % 1_000 / 100),
        60_000..3_600_000 => format!("{} min {} s", ms / 60_000, ms % 60_000 / 1_000),
        _ => format!("{} h {} min", ms / 3_600_000, ms % 3_600_000 / 60_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_the_unit_that_fits() {
        let cases =
            [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (1536, "1.5 KiB"), (250 << 20, "250.0 MiB")];
        for (bytes, text) in cases {
            assert_eq!(size(bytes), text);
        }
        assert_eq!(size(u64::MAX), "16777216.0 TiB");
    }

    #[test]
    fn a_span_has_the_largest_unit_that_is_whole() {
        let said = [45, 60, 90, 3_600, 86_400, 7 * 86_400].map(|seconds| span(Duration::from_secs(seconds)));
        assert_eq!(said, ["45 s", "1 min", "90 s", "1 h", "24 h", "7 days"]);
    }

    #[test]
    fn an_id_says_app_and_version() {
        let cases = [
            ("urn:xyn:app:shop@1.4.2", "shop", "1.4.2", "shop 1.4.2"),
            ("<script>", "<script>", "", "<script>"),
            ("", "", "", ""),
        ];
        for (id, app, version, both) in cases {
            assert_eq!(app_and_version(id), (app.to_owned(), version.to_owned()));
            assert_eq!(app_at_version(id), both);
        }
    }

    #[test]
    fn a_long_text_is_cut_between_two_characters() {
        let whole = Excerpt::of("short".into());
        assert_eq!((whole.text.as_str(), whole.is_cut), ("short", false));
        let long = Excerpt::of(format!("x{}", "ä".repeat(SHOWN_MAX)));
        assert!(long.is_cut && long.text.len() == SHOWN_MAX - 1 && long.text.ends_with('ä'));
    }

    #[test]
    fn durations_have_the_unit_that_fits() {
        let after = |ms: i64| took(Timestamp::EPOCH, Timestamp::from_micros(ms * 1_000));
        assert_eq!(after(12), "12 ms");
        assert_eq!(after(1_250), "1.2 s");
        assert_eq!(after(61_000), "1 min 1 s");
        assert_eq!(after(3_660_000), "1 h 1 min");
    }

    #[test]
    fn a_run_that_waits_says_for_what() {
        let at = Timestamp::EPOCH;
        let gate = Waiting { kind: WaitKind::Gate, since: at, until: None };
        assert_eq!(State::of_run(RunStatus::Running, Some(&gate)), State::new("waiting: gate", "wait"));
        assert_eq!(State::of_run(RunStatus::Running, None), State::new("running", "work"));
    }
}
