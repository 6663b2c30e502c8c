//! What is said of a text that does not parse, or is over a budget.
//!
//! Owns the words; the parser's own are for programmers. Every refusal has a place in the text.

use serde_saphyr::{Error, budget::BudgetBreach};

use super::{MAX_ALIASES, MAX_DEPTH, MAX_NODES};
use crate::blueprint::issue::{Code, Issue, shorten};

/// An issue of the text as a whole.
pub(super) fn at_start(code: Code, message: String, hint: &str) -> Issue {
    Issue { path: String::new(), line: 1, column: 1, code, message, hint: hint.into(), text: String::new() }
}

/// The refusal of bytes that stop being UTF-8 at byte `valid`.
pub(super) fn not_utf8(source: &[u8], valid: usize) -> Issue {
    let before = String::from_utf8_lossy(&source[..valid]);
    let (line, column) = position(&before, before.len());
    let message = format!("the source is not UTF-8: byte {valid} is 0x{:02x}", source[valid]);
    Issue { line, column, ..at_start(Code::InvalidUtf8, message, "save the file as UTF-8") }
}

/// Line and column of a byte of `text`, both from 1, columns in characters.
pub(in crate::blueprint) fn position(text: &str, byte: usize) -> (u64, u64) {
    let before = text.get(..byte).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
    (line as u64, before[line_start..].chars().count() as u64 + 1)
}

/// The refusal that the parser's `error` stands for.
pub(super) fn of(text: &str, error: &Error) -> Issue {
    let place = error.location();
    let (line, column) = place.map_or((1, 1), |at| (at.line().max(1), at.column().max(1)));
    let offending = usize::try_from(line - 1).ok().and_then(|index| text.lines().nth(index));
    let issue = |code, message: String, hint: &str| Issue {
        line,
        column,
        text: shorten(offending.unwrap_or_default()),
        ..at_start(code, message, hint)
    };
    let mut cause = error.without_snippet();
    while let Error::AliasError { error, .. } = cause {
        cause = error;
    }
    match cause {
        Error::Budget { breach, .. } => {
            let (message, hint) = over_budget(breach);
            issue(Code::TooLarge, message, hint)
        }
        Error::AliasReplayCounterOverflow { .. }
        | Error::AliasReplayLimitExceeded { .. }
        | Error::AliasExpansionLimitExceeded { .. }
        | Error::AliasReplayStackDepthExceeded { .. } => issue(Code::TooLarge, TOO_MUCH.into(), WRITE_OUT),
        Error::NonFiniteFloat { .. } => {
            let hint = "NaN and infinity have no JSON: quote the word, or leave it out";
            issue(Code::InvalidValue, "a number must be finite".into(), hint)
        }
        Error::MergeKeyNotAllowed { .. } => {
            issue(Code::Syntax, "merge keys (`<<`) are not available".into(), "write the keys out")
        }
        Error::MultipleDocuments { .. } => {
            let message = "a file holds one blueprint, and this starts another";
            issue(Code::Syntax, message.into(), "move what follows `---` to a file of its own")
        }
        _ => unquoted(text, line).unwrap_or_else(|| {
            let rendered = cause.render_with_formatter(&serde_saphyr::UserMessageFormatter);
            // The place is in the issue already.
            let reason = rendered.split(" at line ").next().unwrap_or_default();
            let hint = "check indentation, quotes and brackets here and on the line above";
            issue(Code::Syntax, format!("this is not valid YAML: {reason}"), hint)
        }),
    }
}

const TOO_MUCH: &str = "aliases repeat more of this text than a blueprint may hold";
const WRITE_OUT: &str = "write the values out, or compute them in a `transform` step";

fn over_budget(breach: &BudgetBreach) -> (String, &'static str) {
    match breach {
        BudgetBreach::Depth { .. } => {
            (format!("this is nested more than {MAX_DEPTH} deep"), "nest less deeply")
        }
        BudgetBreach::Aliases { .. } | BudgetBreach::Anchors { .. } => {
            (format!("there are more than {MAX_ALIASES} aliases or anchors"), WRITE_OUT)
        }
        BudgetBreach::RecordedAnchorEvents { .. }
        | BudgetBreach::RecordedAnchorBytes { .. }
        | BudgetBreach::AliasAnchorRatio { .. } => (TOO_MUCH.into(), WRITE_OUT),
        BudgetBreach::Documents { .. } => {
            let message = "a file holds one blueprint, and this starts another";
            (message.into(), "move what follows `---` to a file of its own")
        }
        _ => {
            let hint = "keep data in artifacts or inputs, not in the blueprint";
            (format!("there are more than {MAX_NODES} values"), hint)
        }
    }
}

/// The last line up to `line` on which a template lost its quotes, if it is close enough to be the cause.
fn unquoted(text: &str, line: u64) -> Option<Issue> {
    let last = usize::try_from(line).ok()?;
    let lines = text.lines().enumerate().take(last).skip(last.saturating_sub(2));
    let (index, culprit, at) = lines
        .filter_map(|(index, line)| Some((index, line, line.find("{{")?)))
        .filter(|(_, line, at)| line[..*at].trim_end().ends_with([':', '-', ',', '[']))
        .last()?;
    let hint = "put the whole value in quotes: \"{{ … }}\"";
    Some(Issue {
        line: index as u64 + 1,
        column: position(culprit, at).1,
        text: shorten(&culprit[at..]),
        ..at_start(Code::UnquotedTemplate, "YAML reads `{{` without quotes as a mapping".into(), hint)
    })
}
