//! Faults in what people wrote, shown in their place: file, line, the text itself, a caret, a reason, a hint.
//!
//! Owns the look. What is a fault is decided by the checkers. Invariant: every fault is shown, in order of place.

use std::fmt::Write as _;
use std::path::Path;

use serde::Serialize;
use serde_json::{Value, json};
use xyn_actors::document::Issue;
use xyn_store::legible::is_disruptive;

use super::output::Paint;

/// Longest line of a file that is shown, in characters.
const MAX_LINE_CHARS: usize = 160;

/// One fault, whoever found it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Fault {
    /// Place in the document.
    pub(super) path: String,
    /// From 1; 0 for the whole.
    pub(super) line: u64,
    /// From 1, in characters; 0 for the whole.
    pub(super) column: u64,
    /// Stable word for programs.
    pub(super) code: String,
    /// What is wrong.
    pub(super) message: String,
    /// What to do.
    pub(super) hint: String,
    /// The offending text, where it is known.
    #[serde(skip)]
    pub(super) text: String,
}

impl From<Issue> for Fault {
    fn from(issue: Issue) -> Self {
        let code = serde_json::to_value(issue.code).ok().and_then(|code| code.as_str().map(str::to_owned));
        Self {
            path: issue.path,
            line: issue.line,
            column: issue.column,
            code: code.unwrap_or_default(),
            message: issue.message,
            hint: issue.hint,
            text: issue.text,
        }
    }
}

impl From<&Value> for Fault {
    fn from(issue: &Value) -> Self {
        let text = |key: &str| super::table::text(issue, key);
        let number = |key: &str| issue[key].as_u64().unwrap_or_default();
        Self {
            path: text("path"),
            line: number("line"),
            column: number("column"),
            code: text("code"),
            message: text("message"),
            hint: text("hint"),
            text: text("text"),
        }
    }
}

/// The report on `file`, whose bytes are `source`, as the API gives it.
pub(super) fn report(faults: &[Fault]) -> Value {
    json!({ "is_valid": faults.is_empty(), "issues": faults })
}

/// All faults of `file` for people, and how many there are.
pub(super) fn render(file: &Path, source: &str, faults: &[Fault], paint: Paint) -> String {
    let mut sorted: Vec<&Fault> = faults.iter().collect();
    sorted.sort_by_key(|fault| (fault.line, fault.column));
    let lines: Vec<&str> = source.lines().collect();
    let mut text = String::new();
    for fault in &sorted {
        let line = fault.line.checked_sub(1).and_then(|index| lines.get(usize::try_from(index).ok()?));
        text += &one(file, line.copied(), fault, paint);
        text.push('\n');
    }
    let noun = if sorted.len() == 1 { "fault" } else { "faults" };
    let _ = write!(text, "{}", paint.bad(&format!("{} has {} {noun}", file.display(), sorted.len())));
    text
}

fn one(file: &Path, line: Option<&str>, fault: &Fault, paint: Paint) -> String {
    let number = fault.line.to_string();
    let margin = " ".repeat(number.len());
    let code = if fault.code.is_empty() { String::new() } else { format!("[{}]", fault.code) };
    let mut text = format!("{} {}\n", paint.bad(&format!("error{code}:")), paint.bold(&fault.message));
    let place = if fault.line > 0 {
        format!("{}:{}:{}", file.display(), fault.line, fault.column.max(1))
    } else {
        file.display().to_string()
    };
    let _ = write!(text, "{margin}{} {place}", paint.dim("-->"));
    if !fault.path.is_empty() {
        let _ = write!(text, " {}", paint.dim(&format!("({})", fault.path)));
    }
    text.push('\n');
    if let Some((shown, indent, width)) = line.and_then(|line| excerpt(line, fault)) {
        let bar = paint.dim("|");
        let caret = paint.bad(&"^".repeat(width));
        let _ = writeln!(text, "{margin} {bar}");
        let _ = writeln!(text, "{} {bar} {shown}", paint.dim(&number));
        let _ = writeln!(text, "{margin} {bar} {indent}{caret}");
    }
    if !fault.hint.is_empty() {
        let _ = writeln!(text, "{margin} {} {}", paint.good("= hint:"), fault.hint);
    }
    text
}

/// The line as shown, what stands in front of the caret, and how wide the caret is. None for a line that is too
/// long for its fault to be seen.
fn excerpt(line: &str, fault: &Fault) -> Option<(String, String, usize)> {
    let before = usize::try_from(fault.column.saturating_sub(1)).ok()?;
    if before > MAX_LINE_CHARS {
        return None;
    }
    let shown: String =
        line.chars().take(MAX_LINE_CHARS).map(|c| if is_disruptive(c) { ' ' } else { c }).collect();
    let rest: String = shown.chars().skip(before).collect();
    let wanted = fault.text.trim_end_matches('…').trim_end();
    let fits = !wanted.is_empty() && rest.starts_with(wanted);
    let width = if fits { wanted.chars().count() } else { word_width(&rest) };
    Some((shown.trim_end().to_owned(), " ".repeat(before), width))
}

/// How far the word at the start of `rest` reaches; at least one.
fn word_width(rest: &str) -> usize {
    rest.chars().take_while(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.')).count().max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(line: u64, column: u64, code: &str, message: &str, hint: &str) -> Fault {
        let [path, code, message, hint, text] = ["plan[0]", code, message, hint, ""].map(String::from);
        Fault { path, line, column, code, message, hint, text }
    }

    #[test]
    fn faults_are_shown_in_their_place_in_order() {
        let source = "id: bp.demo\nplan:\n  - { kind: transform, setz: { a: \"{{ x }}\" } }\n";
        let faults = [
            Fault {
                text: "{{ x }}".into(),
                ..fault(3, 36, "unknown_variable", "nothing gives `x` a value", "")
            },
            fault(3, 24, "unknown_key", "`setz` is not known here", "did you mean `set`?"),
            fault(0, 0, "missing_key", "`trigger` is missing", "say which event starts it"),
        ];
        insta::assert_snapshot!(render(Path::new("demo.yaml"), source, &faults, Paint::PLAIN), @r#"
        error[missing_key]: `trigger` is missing
         --> demo.yaml (plan[0])
          = hint: say which event starts it

        error[unknown_key]: `setz` is not known here
         --> demo.yaml:3:24 (plan[0])
          |
        3 |   - { kind: transform, setz: { a: "{{ x }}" } }
          |                        ^^^^
          = hint: did you mean `set`?

        error[unknown_variable]: nothing gives `x` a value
         --> demo.yaml:3:36 (plan[0])
          |
        3 |   - { kind: transform, setz: { a: "{{ x }}" } }
          |                                    ^^^^^^^

        demo.yaml has 3 faults
        "#);
    }

    #[test]
    fn a_line_that_is_too_long_is_left_out() {
        let source = "x".repeat(10_000);
        let text = render(Path::new("f"), &source, &[fault(1, 9_000, "syntax", "no", "")], Paint::PLAIN);
        assert!(text.len() < 200, "{text}");
    }

    #[test]
    fn a_column_behind_the_end_of_its_line_still_gets_a_caret() {
        let text = render(Path::new("f"), "ab", &[fault(1, 3, "syntax", "no", "")], Paint::PLAIN);
        assert!(text.contains("|   ^\n"), "{text}");
    }

    #[test]
    fn the_report_has_the_shape_of_the_api() {
        let report = report(&[fault(1, 2, "syntax", "no", "yes")]);
        insta::assert_snapshot!(report, @r#"{"is_valid":false,"issues":[{"path":"plan[0]","line":1,"column":2,"code":"syntax","message":"no","hint":"yes"}]}"#);
    }
}
