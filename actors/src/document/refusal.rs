//! What is said of a text that does not parse, or is over a budget.
//!
//! Owns the words; the parser's own are for programmers. Every refusal has a place in the text.

use serde_saphyr::{Error, budget::BudgetBreach};

use super::issue::{Code, Issue, shorten};
use super::{MAX_ALIASES, MAX_DEPTH, MAX_DOCUMENT_BYTES, MAX_NODES};

/// What is said of a template that lost its quotes.
pub(super) const UNQUOTED: &str = "YAML reads `{{ }}` without quotes as a mapping";

/// An issue of the text as a whole.
fn at_start(code: Code, message: String, hint: &str) -> Issue {
    Issue { path: String::new(), line: 1, column: 1, code, message, hint: hint.into(), text: String::new() }
}

/// The refusal of `size` bytes.
pub(super) fn too_large(noun: &str, size: usize) -> Issue {
    let message = format!("the source has {size} bytes; a {noun} has at most {MAX_DOCUMENT_BYTES}");
    at_start(Code::TooLarge, message, KEEP_OUT)
}

/// The refusal of bytes that stop being UTF-8 at byte `valid`.
pub(super) fn not_utf8(source: &[u8], valid: usize) -> Issue {
    let before = String::from_utf8_lossy(&source[..valid]);
    let (line, column) = position(&before, before.len());
    let message = format!("the source is not UTF-8: byte {valid} is 0x{:02x}", source[valid]);
    Issue { line, column, ..at_start(Code::InvalidUtf8, message, "save the file as UTF-8") }
}

/// Line and column of a byte of `text`, both from 1, columns in characters.
pub(super) fn position(text: &str, byte: usize) -> (u64, u64) {
    let before = text.get(..byte).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
    (line as u64, before[line_start..].chars().count() as u64 + 1)
}

/// The refusal that the parser's `error` stands for.
pub(super) fn of(noun: &str, text: &str, error: &Error) -> Issue {
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
            let (code, message, hint) = over_budget(noun, breach);
            issue(code, message, hint)
        }
        Error::AliasReplayCounterOverflow { .. }
        | Error::AliasReplayLimitExceeded { .. }
        | Error::AliasExpansionLimitExceeded { .. }
        | Error::AliasReplayStackDepthExceeded { .. } => issue(Code::TooLarge, too_much(noun), WRITE_OUT),
        Error::NonFiniteFloat { .. } => {
            let hint = "NaN and infinity have no JSON: quote the word, or leave it out";
            issue(Code::InvalidValue, "a number must be finite".into(), hint)
        }
        Error::MergeKeyNotAllowed { .. } => {
            issue(Code::Syntax, "merge keys (`<<`) are not available".into(), "write the keys out")
        }
        Error::MultipleDocuments { .. } => issue(Code::Syntax, another(noun), MOVE_OUT),
        _ => unquoted(text, line).unwrap_or_else(|| {
            let rendered = cause.render_with_formatter(&serde_saphyr::UserMessageFormatter);
            // The place is in the issue already.
            let reason = rendered.split(" at line ").next().unwrap_or_default();
            let hint = "check indentation, quotes and brackets here and on the line above";
            issue(Code::Syntax, format!("this is not valid YAML: {reason}"), hint)
        }),
    }
}

const KEEP_OUT: &str = "keep data in artifacts, and split what is long";
const WRITE_OUT: &str = "write the values out";
const MOVE_OUT: &str = "move what follows `---` to a file of its own";

fn too_much(noun: &str) -> String {
    format!("aliases repeat more of this text than a {noun} may hold")
}

fn another(noun: &str) -> String {
    format!("a file holds one {noun}, and this starts another")
}

fn over_budget(noun: &str, breach: &BudgetBreach) -> (Code, String, &'static str) {
    match breach {
        BudgetBreach::Depth { .. } => {
            (Code::TooLarge, format!("this is nested more than {MAX_DEPTH} deep"), "nest less deeply")
        }
        BudgetBreach::Aliases { .. } | BudgetBreach::Anchors { .. } => {
            (Code::TooLarge, format!("there are more than {MAX_ALIASES} aliases or anchors"), WRITE_OUT)
        }
        BudgetBreach::RecordedAnchorEvents { .. }
        | BudgetBreach::RecordedAnchorBytes { .. }
        | BudgetBreach::AliasAnchorRatio { .. } => (Code::TooLarge, too_much(noun), WRITE_OUT),
        BudgetBreach::Documents { .. } => (Code::Syntax, another(noun), MOVE_OUT),
        _ => (Code::TooLarge, format!("there are more than {MAX_NODES} values"), KEEP_OUT),
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
        ..at_start(Code::UnquotedTemplate, UNQUOTED.into(), hint)
    })
}
