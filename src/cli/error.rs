//! How a command ends: exit codes, and what is said about a failure.
//!
//! Owns the one table from what an API answers to exit code and hint. Invariant: a failure says what went wrong,
//! where, and what to do next, and repeats no secret.

use std::fmt::Write as _;
use std::process::ExitCode;

use serde_json::{Value, json};

use super::output::Paint;

/// Exit codes that scripts rely on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// It was done.
    Done = 0,
    /// It failed.
    Failed = 1,
    /// It was asked for in a way nobody understands.
    Usage = 2,
    /// What it is about does not exist.
    NotFound = 3,
    /// A policy denies it.
    Denied = 4,
    /// It waits for somebody's approval.
    Waiting = 5,
    /// It does not fit what is there.
    Conflict = 6,
    /// No node answers.
    Unreachable = 7,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why a command did not do what was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Failure {
    /// How the program ends.
    pub(crate) exit: Exit,
    /// Stable word for programs.
    pub(crate) code: String,
    /// What went wrong.
    pub(crate) message: String,
    /// Where: a file, a field, an address.
    pub(crate) place: Option<String>,
    /// What to do next.
    pub(crate) hint: Option<String>,
}

impl Failure {
    /// A failure of `exit`'s kind.
    pub(crate) fn new(exit: Exit, code: &str, message: impl Into<String>) -> Self {
        Self { exit, code: code.to_owned(), message: message.into(), place: None, hint: None }
    }

    /// Something that just failed.
    pub(crate) fn failed(code: &str, message: impl Into<String>) -> Self {
        Self::new(Exit::Failed, code, message)
    }

    /// The command was not understood.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, "usage", message)
    }

    /// A file that could not be read or written.
    pub(crate) fn file(doing: &str, path: &std::path::Path, error: &std::io::Error) -> Self {
        let exit = match error.kind() {
            std::io::ErrorKind::NotFound => Exit::NotFound,
            _ => Exit::Failed,
        };
        Self::new(exit, "file", format!("cannot {doing} `{}`: {error}", path.display()))
    }

    /// Adds where it went wrong.
    pub(crate) fn at(mut self, place: impl Into<String>) -> Self {
        self.place = Some(place.into());
        self
    }

    /// Adds what to do next.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// What an API's error answer means here.
    pub(crate) fn from_api(status: u16, body: &Value) -> Self {
        let error = &body["error"];
        let code = error["code"].as_str().unwrap_or("unexpected_answer");
        let message = match error["message"].as_str() {
            Some(message) => message.to_owned(),
            None => format!("the node answered with status {status} and no explanation"),
        };
        let (exit, own_hint) = meaning(status, code);
        let details = &error["details"];
        let hint = match details["intent_id"].as_str() {
            Some(intent) if exit == Exit::Waiting => {
                Some(format!("somebody approves with: xyn gate approve {intent}"))
            }
            _ => own_hint.or(details["hint"].as_str()).map(str::to_owned),
        };
        let place = details["path"].as_str().filter(|place| !place.is_empty()).map(str::to_owned);
        Self { exit, code: code.to_owned(), message, place, hint }
    }

    /// For people, with colour where `paint` has it.
    pub(crate) fn render(&self, paint: Paint) -> String {
        let mut text = format!("{} {}", paint.bad("error:"), self.message);
        if let Some(place) = &self.place {
            let _ = write!(text, "\n   {} {place}", paint.dim("at:"));
        }
        if let Some(hint) = &self.hint {
            let _ = write!(text, "\n {} {hint}", paint.good("hint:"));
        }
        text
    }

    /// For programs, in the shape the API uses.
    pub(crate) fn to_json(&self) -> Value {
        let mut error = json!({ "code": self.code, "message": self.message });
        let mut details = serde_json::Map::new();
        details.extend(self.place.as_ref().map(|place| ("path".to_owned(), json!(place))));
        details.extend(self.hint.as_ref().map(|hint| ("hint".to_owned(), json!(hint))));
        if !details.is_empty() {
            error["details"] = Value::Object(details);
        }
        json!({ "error": error, "exit_code": self.exit as u8 })
    }
}

/// What an error says, with what caused it.
pub(crate) fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(below) = cause {
        let said = below.to_string();
        // A transparent error says what its source says.
        if !text.ends_with(&said) {
            let _ = write!(text, ": {said}");
        }
        cause = below.source();
    }
    text
}

/// The table: an answer's status and code, how the program ends, and what helps. A hint of the command line's own
/// goes before the API's, which speaks of routes.
fn meaning(status: u16, code: &str) -> (Exit, Option<&'static str>) {
    match (status, code) {
        (_, "approval_required") => (Exit::Waiting, Some("see what waits with: xyn gate list")),
        (_, "denied_by_policy") => {
            (Exit::Denied, Some("see why with: xyn policy explain --action ACTION --stage STAGE"))
        }
        (_, "idempotency_key_reused") => (Exit::Conflict, None),
        (401 | 403, _) => (Exit::Denied, None),
        (404 | 410, _) => (Exit::NotFound, None),
        (409 | 412, _) => (Exit::Conflict, None),
        (429, _) => (Exit::Failed, Some("the node has as much as it takes; try again in a moment")),
        (502 | 504, _) => (Exit::Failed, None),
        (503 | 507, _) => (Exit::Failed, Some("see what is wrong with: xyn doctor")),
        _ => (Exit::Failed, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_answer_has_its_exit_code() {
        let table = [
            (400, "invalid", 1),
            (403, "denied_by_policy", 4),
            (403, "not_eligible", 4),
            (202, "approval_required", 5),
            (404, "not_found", 3),
            (409, "conflict", 6),
            (422, "idempotency_key_reused", 6),
            (429, "overloaded", 1),
            (503, "unavailable", 1),
        ];
        for (status, code, exit) in table {
            let body = json!({ "error": { "code": code, "message": "no" } });
            assert_eq!(Failure::from_api(status, &body).exit as u8, exit, "{status} {code}");
        }
    }

    #[test]
    fn an_answer_shows_what_where_and_what_to_do() {
        let body = json!({ "error": { "code": "invalid", "message": "`prio` is not known here",
            "details": { "path": "prio", "hint": "did you mean `priority`?" } }, "correlation_id": "c" });
        let failure = Failure::from_api(400, &body);
        insta::assert_snapshot!(failure.render(Paint::PLAIN), @r"
        error: `prio` is not known here
           at: prio
         hint: did you mean `priority`?
        ");
        insta::assert_snapshot!(failure.to_json(), @r#"{"error":{"code":"invalid","message":"`prio` is not known here","details":{"path":"prio","hint":"did you mean `priority`?"}},"exit_code":1}"#);
    }

    #[test]
    fn an_answer_that_is_no_error_document_is_still_explained() {
        let failure = Failure::from_api(500, &Value::Null);
        insta::assert_snapshot!(failure.render(Paint::PLAIN), @"error: the node answered with status 500 and no explanation");
    }
}
