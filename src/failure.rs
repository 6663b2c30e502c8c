//! How a command ends: exit codes, and what is known about a failure.
//!
//! Owns the way from what an API answers to exit code and hint. Prints nothing. Invariant: a failure says what went
//! wrong, where, and what to do next, and repeats no secret.

use std::process::ExitCode;

use serde_json::{Value, json};
use xyn_api::Code;

/// The code of an answer that this program cannot read.
const UNEXPECTED_ANSWER: &str = "unexpected_answer";
/// What helps where the node and this program do not understand each other.
const OTHER_VERSION: &str = "the node speaks another version of the API; compare with: xyn status";

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
    /// Places where two branches clash, as the API tells them.
    pub(crate) conflicts: Box<[Value]>,
}

impl Failure {
    /// A failure of `exit`'s kind.
    pub(crate) fn new(exit: Exit, code: &str, message: impl Into<String>) -> Self {
        Self {
            exit,
            code: code.to_owned(),
            message: message.into(),
            place: None,
            hint: None,
            conflicts: Box::default(),
        }
    }

    /// Something that just failed.
    pub(crate) fn failed(code: &str, message: impl Into<String>) -> Self {
        Self::new(Exit::Failed, code, message)
    }

    /// The command was not understood.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, "usage", message).hint("what the command takes is shown by --help")
    }

    /// A file that could not be read or written.
    pub(crate) fn file(doing: &str, path: &std::path::Path, error: &std::io::Error) -> Self {
        let exit = match error.kind() {
            std::io::ErrorKind::NotFound => Exit::NotFound,
            _ => Exit::Failed,
        };
        let message = format!("cannot {doing} `{}`: {error}", path.display());
        Self::new(exit, "file", message).hint(file_hint(error.kind()))
    }

    /// An answer of the node that this program cannot read.
    pub(crate) fn unexpected(message: impl Into<String>) -> Self {
        Self::failed(UNEXPECTED_ANSWER, message).hint(OTHER_VERSION)
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

    /// The same where it names a field of the API that is called otherwise on the command line.
    pub(crate) fn typed(mut self, names: &[(&str, &str)]) -> Self {
        let named = names.iter().find(|(field, _)| self.place.as_deref() == Some(*field));
        self.place = named.map(|(_, typed)| (*typed).to_owned()).or(self.place);
        self
    }

    /// What an API's error answer means here.
    pub(crate) fn from_api(status: u16, body: &Value) -> Self {
        let error = &body["error"];
        let code = error["code"].as_str().unwrap_or(UNEXPECTED_ANSWER);
        let Some(message) = error["message"].as_str().map(str::to_owned) else {
            let message = format!("the node answered with status {status} and no explanation");
            let failure = Self::new(exit(status, code), code, message);
            return failure.hint("see whether a node is there with: xyn doctor");
        };
        let exit = exit(status, code);
        let details = &error["details"];
        let hint = match details["intent_id"].as_str() {
            Some(intent) if exit == Exit::Waiting => {
                Some(format!("somebody approves with: xyn gate approve {intent}"))
            }
            _ => hint(code, details).map(|hint| filled(hint, details)),
        };
        // What is wrong with the whole of a request is nothing that was typed in one place.
        let place = details["path"]
            .as_str()
            .filter(|place| !["", "body", "path", "method"].contains(place))
            .map(str::to_owned);
        let conflicts = details["conflicts"].as_array().cloned().unwrap_or_default().into_boxed_slice();
        Self { exit, code: code.to_owned(), message, place, hint, conflicts }
    }

    /// For programs, in the shape the API uses.
    pub(crate) fn to_json(&self) -> Value {
        let mut error = json!({ "code": self.code, "message": self.message });
        let mut details = serde_json::Map::new();
        details.extend(self.place.as_ref().map(|place| ("path".to_owned(), json!(place))));
        details.extend(self.hint.as_ref().map(|hint| ("hint".to_owned(), json!(hint))));
        if !self.conflicts.is_empty() {
            details.insert("conflicts".to_owned(), self.conflicts.to_vec().into());
        }
        if !details.is_empty() {
            error["details"] = Value::Object(details);
        }
        json!({ "error": error, "exit_code": self.exit as u8 })
    }
}

/// What helps where a file could not be read or written.
pub(crate) fn file_hint(kind: std::io::ErrorKind) -> &'static str {
    match kind {
        std::io::ErrorKind::NotFound => "check the path; relative ones begin in the current folder",
        std::io::ErrorKind::PermissionDenied => "see who may with: ls -l",
        std::io::ErrorKind::StorageFull => "free some space; see how much there is with: df -h",
        _ => "check the path and the disk it is on",
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
            text.push_str(": ");
            text.push_str(&said);
        }
        cause = below.source();
    }
    text
}

/// What helps: what the node says about the case, then what the command line knows about the code, then what the
/// API says about it.
fn hint(code: &str, details: &Value) -> Option<String> {
    let said = details["hint"].as_str();
    let general = Code::ALL.iter().find(|known| known.word() == code).map(|code| code.hint());
    let about_the_case = said.filter(|said| Some(*said) != general && !said.contains("/api/"));
    let of_the_kind = || details["kind"].as_str().and_then(list_of);
    about_the_case.or_else(of_the_kind).or_else(|| own_hint(code)).or(said).map(str::to_owned)
}

/// Which command shows what there is of the kind of which something was not found.
fn list_of(kind: &str) -> Option<&'static str> {
    Some(match kind {
        "run" | "step" | "step that has begun" => {
            "see which there are with: xyn run list, and: xyn run show RUN"
        }
        "blueprint" | "active blueprint" => "see which there are with: xyn blueprint list",
        "policy" => "see which there are with: xyn policy list",
        "artifact" => "see which there are with: xyn artifact list",
        "moment" => "see which there are with: xyn timeline log",
        "branch" => {
            "list them with: xyn timeline branch; begin one with: xyn timeline branch NAME --at MOMENT"
        }
        "label" => "list them with: xyn timeline label; give one with: xyn timeline label NAME MOMENT",
        "review" => "ask for one with: xyn timeline review MOMENT --open",
        "comment" => "see what was said with: xyn timeline comment MOMENT",
        "workspace" | "workspace at this moment" => "see which there are with: xyn workspace list",
        "capsule" => "see which there are with: xyn capsule list",
        "deployment" => "see what serves where with: xyn deploy list",
        "secret" => "see which there are with: xyn secret list",
        "peer" => "see who belongs with: xyn peer list",
        "intent" => "see who asked for what with: xyn audit show --json",
        "event" => "see what happens with: xyn event tail",
        "folder" | "file" => file_hint(std::io::ErrorKind::NotFound),
        _ => return None,
    })
}

/// The hint with what the answer says in the place of its capitals.
fn filled(hint: String, details: &Value) -> String {
    let said = [("ACTION", "action"), ("STAGE", "stage"), ("WORD", "confirm")];
    said.into_iter().fold(hint, |hint, (mark, name)| match details[name].as_str() {
        Some(value) => hint.replace(mark, value),
        None => hint,
    })
}

/// How the program ends that gets this answer.
fn exit(status: u16, code: &str) -> Exit {
    match (status, code) {
        (202, _) => Exit::Waiting,
        (401 | 403, _) => Exit::Denied,
        (404 | 410, _) => Exit::NotFound,
        (409 | 412 | 422, _) => Exit::Conflict,
        _ => Exit::Failed,
    }
}

/// What helps somebody at a command line, where the API's own hint speaks of routes, headers and bodies.
fn own_hint(code: &str) -> Option<&'static str> {
    let code = Code::ALL.iter().copied().find(|known| known.word() == code)?;
    Some(match code {
        Code::ApprovalRequired | Code::NoOpenGate | Code::NotParked => "see what waits with: xyn gate list",
        Code::NotApproved | Code::AnsweredMeanwhile => "see how it stands with: xyn gate list",
        Code::ApprovalRefused => "see who may answer with: xyn gate list --json",
        Code::Invalid => "mend what is named above; what a command takes is shown by --help",
        Code::MalformedJson => "send JSON, quoted for the shell: '{\"key\": \"value\"}'",
        Code::DeniedByPolicy => "see why with: xyn policy explain --action ACTION --stage STAGE",
        Code::NotFound => "check how it is called; what a command takes is shown by --help",
        Code::NoRoute | Code::NoMethod | Code::UnsupportedMediaType | Code::MalformedForm => OTHER_VERSION,
        Code::SessionClosed => "start the node again with: xyn up",
        Code::CapsuleElsewhere => "fetch it with: xyn capsule pull CAPSULE",
        Code::CapsuleUntrusted => {
            "name who you trust with --pub KEY; where a key ring is in force, see: xyn capsule ring current"
        }
        Code::BuildDiffers => "see what differs with: xyn capsule rebuild CAPSULE; pack what is reproducible",
        Code::RunEnded => "do it again with: xyn run retry RUN",
        Code::RunNotEnded => "wait for its end with: xyn run watch RUN; or stop it with: xyn run cancel RUN",
        Code::ValidationFailed | Code::NotValidated => "see every fault with: xyn blueprint validate FILE",
        Code::ConfirmationRequired => "type it again with what confirms it: --confirm WORD",
        Code::ServiceMissing | Code::SecretMissing => "see which secrets there are with: xyn secret list",
        Code::BranchExists => "choose another name, or put moments on it with: --branch NAME",
        Code::RevokedAlready => "it belongs no more; its person comes back with: xyn peer invite NAME@PLACE",
        Code::PortTaken => "name another port with: --port PORT",
        Code::NothingBefore => "see what serves where with: xyn deploy list",
        Code::RunElsewhere => "see who is connected with: xyn peer list; and ask again: xyn run show RUN",
        Code::BranchClosed => "take it out again with: xyn timeline branch NAME --reopen",
        Code::MeshOff => "start the node with: xyn up --mesh on",
        Code::FilesMissing => {
            "connect a node that has them, and try again; see who is here with: xyn peer list"
        }
        Code::UnknownTicket => "see which tickets are open with: xyn peer list --invitations",
        Code::KeyChanging => "have it confirmed, on a node above this one: xyn peer confirm PEER",
        Code::NotRotating => "see which key each node has with: xyn peer list",
        Code::TicketUsed | Code::TicketExpired => "make a new ticket with: xyn peer invite NAME@PLACE",
        Code::ForeignHost => "name this machine in --url: localhost, 127.0.0.1 or [::1]",
        Code::Overloaded | Code::RateLimited | Code::TooManyStreams => {
            "the node has as much as it takes; try again in a moment"
        }
        Code::TooSlow => "try again; the connection to the node is slow",
        Code::Internal => "the log of the node, where `xyn up` runs, says why",
        Code::StoreDamaged | Code::Unavailable => "see what is wrong with: xyn doctor",
        Code::BlobDamaged => "put the file again with: xyn artifact put FILE",
        Code::TimedOut => "whether it was done is not known; look before you try again",
        Code::DraftOutdated => "the node went on meanwhile; try again",
        Code::NotAsked => "see what waits with: xyn gate list",
        Code::MergeConflicts => {
            "say whose is right: --ours, --theirs, or for each place --side PLACE=ours|theirs"
        }
        Code::QuotaReached => "raise `limits.artifact_store_bytes`; see it with: xyn config show --origin",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(status: u16, code: &str, hint: &str) -> Failure {
        let body = json!({ "error": { "code": code, "message": "no", "details": { "hint": hint } } });
        Failure::from_api(status, &body)
    }

    #[test]
    fn every_error_of_the_api_has_its_exit_code_and_a_hint_for_the_command_line() {
        for code in Code::ALL {
            let failure = answered(code.status().as_u16(), code.word(), code.hint());
            let expected = match code.status().as_u16() {
                202 => 5,
                401 | 403 => 4,
                404 => 3,
                409 | 422 => 6,
                _ => 1,
            };
            assert_eq!(failure.exit as u8, expected, "{code:?}");
            let hint = failure.hint.expect("every code has a hint");
            let speaks_of_http = ["/api/", "details.", "header", "Retry-After"];
            // These come from requests that no command makes.
            let is_foreign = matches!(
                code,
                Code::SignatureMissing
                    | Code::SignatureMalformed
                    | Code::SignatureMismatch
                    | Code::RangeNotSatisfiable
            );
            assert!(is_foreign || !speaks_of_http.iter().any(|word| hint.contains(word)), "{code:?}: {hint}");
        }
    }

    #[test]
    fn what_the_node_knows_about_the_case_goes_before_what_is_known_about_the_code() {
        let of_the_case = answered(404, "not_found", "did you mean `bp.hello`?");
        assert_eq!(of_the_case.hint.as_deref(), Some("did you mean `bp.hello`?"));
        let general = answered(404, "not_found", Code::NotFound.hint());
        assert_eq!(general.hint.as_deref(), own_hint("not_found"));
        let unknown = answered(418, "teapot", "brew elsewhere");
        assert_eq!((unknown.exit, unknown.hint.as_deref()), (Exit::Failed, Some("brew elsewhere")));
    }

    #[test]
    fn a_name_that_is_not_there_says_which_command_lists_them_and_which_one_begins_it() {
        for (kind, commands) in [
            ("branch", ["xyn timeline branch;", "xyn timeline branch NAME --at MOMENT"]),
            ("label", ["xyn timeline label;", "xyn timeline label NAME MOMENT"]),
        ] {
            let details = json!({ "kind": kind, "hint": "see `GET /api/v1/timeline/branches`" });
            let body = json!({ "error": { "code": "not_found", "message": "no", "details": details } });
            let hint = Failure::from_api(404, &body).hint.expect("there is a hint");
            assert!(commands.iter().all(|command| hint.contains(command)), "{kind}: {hint}");
        }
    }

    #[test]
    fn a_field_is_named_as_it_is_typed() {
        let failure = Failure::failed("invalid", "no").at("lifetime_seconds");
        let names = [("lifetime_seconds", "--expires"), ("principal", "NAME@PLACE")];
        assert_eq!(failure.clone().typed(&names).place.as_deref(), Some("--expires"));
        assert_eq!(failure.typed(&names[1..]).place.as_deref(), Some("lifetime_seconds"));
    }

    #[test]
    fn an_answer_for_programs_has_the_shape_of_the_api() {
        let body = json!({ "error": { "code": "invalid", "message": "`prio` is not known here",
            "details": { "path": "prio", "hint": "did you mean `priority`?" } }, "correlation_id": "c" });
        insta::assert_snapshot!(Failure::from_api(400, &body).to_json(), @r#"{"error":{"code":"invalid","message":"`prio` is not known here","details":{"path":"prio","hint":"did you mean `priority`?"}},"exit_code":1}"#);
    }

    #[test]
    fn an_answer_that_is_no_error_document_is_still_explained() {
        let failure = Failure::from_api(500, &Value::Null);
        assert_eq!(failure.message, "the node answered with status 500 and no explanation");
        assert!(failure.hint.is_some_and(|hint| hint.contains("xyn doctor")));
    }
}
