//! What the floors below refuse, by the codes of the API.
//!
//! Owns the mapping. A word that the table does not know falls back to the general code of its kind, so that
//! a caller only ever sees words of the table. Invariant: a field is named as people write it.

use http::StatusCode;
use xyn_actors::runtime::Refusal;
use xyn_actors::services::timeline::Conflict;
use xyn_store::StoreError;
use xyn_store::blobs::BlobError;

use super::{ApiError, Code};

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        let message = refusal.to_string();
        match refusal {
            Refusal::Invalid { code: "too_large", path, .. } => {
                Self::new(Code::TooLarge, message).at(place(&path))
            }
            Refusal::Invalid { path, hint, .. } => {
                let error = Self::invalid(place(&path), message);
                match hint {
                    Some(hint) => error.hint(hint),
                    None => error,
                }
            }
            Refusal::NotFound { kind: "blob", .. } => {
                Self::new(Code::NotFound, message).at("sha256").hint("upload it to `/api/v1/artifacts/blobs`")
            }
            Refusal::NotFound { kind, .. } => {
                let error = Self::new(Code::NotFound, message).with("kind", kind);
                match begun_by_name(kind) {
                    Some(hint) => error.hint(hint),
                    None => error,
                }
            }
            Refusal::Conflict { code, .. } => {
                Self::new(Code::of(code, StatusCode::CONFLICT).unwrap_or(Code::Conflict), message)
            }
            Refusal::MergeConflicts(conflicts) => {
                Self::new(Code::MergeConflicts, message).with("count", conflicts.len()).with(
                    "conflicts",
                    conflicts.iter().take(CONFLICTS_SHOWN).map(Conflict::shown).collect::<Vec<_>>(),
                )
            }
            Refusal::Denied(decision) => Self::new(Code::DeniedByPolicy, message)
                .with("decision", serde_json::to_value(&decision).unwrap_or_default()),
            Refusal::Parked { intent_id, decision } => Self::new(Code::ApprovalRequired, message)
                .with("intent_id", intent_id.to_string())
                .with("decision", serde_json::to_value(&decision).unwrap_or_default()),
            Refusal::Unconfirmed { restatement, .. } => Self::new(Code::ConfirmationRequired, message)
                .with("restatement", serde_json::to_value(&restatement).unwrap_or_default())
                .with("confirm", restatement.token()),
            Refusal::Forbidden { code, .. } => {
                Self::new(Code::of(code, StatusCode::FORBIDDEN).unwrap_or(Code::Forbidden), message)
            }
            Refusal::KeyReused { .. } => Self::new(Code::KeyReused, message).at("Idempotency-Key"),
            Refusal::InProgress { .. } => Self::new(Code::KeyInProgress, message).at("Idempotency-Key"),
            Refusal::Overloaded { .. } => Self::new(Code::Overloaded, message),
            Refusal::QuotaReached { .. } => Self::new(Code::QuotaReached, message),
            Refusal::Upstream { code, .. } => Self::new(Code::Upstream, message).with("cause", code),
            Refusal::Unavailable(_) => Self::new(Code::Unavailable, message),
        }
    }
}

/// Where the names of this kind are listed, and how one begins: what is not there by this name may be yet to come.
fn begun_by_name(kind: &str) -> Option<&'static str> {
    Some(match kind {
        "branch" => {
            "see which there are with `GET /api/v1/timeline/branches`, or begin it with \
             `POST /api/v1/timeline/branch`; `main` is always there"
        }
        "label" => {
            "see which there are with `GET /api/v1/timeline/labels`, or give it with `POST /api/v1/timeline/label`"
        }
        _ => return None,
    })
}

/// Places of a merge that one answer shows.
const CONFLICTS_SHOWN: usize = 1_000;

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        let message = error.to_string();
        match error {
            StoreError::Blob(error) => error.into(),
            StoreError::Unavailable(_) | StoreError::Io { .. } => Self::new(Code::Unavailable, message),
            StoreError::InUse { .. }
            | StoreError::NewerFormat { .. }
            | StoreError::Key(_)
            | StoreError::Damaged(_)
            | StoreError::DamagedRow(_)
            | StoreError::UnreadableRow { .. }
            | StoreError::Envelope { .. }
            | StoreError::Inconsistent(_)
            | StoreError::Unfoldable { .. } => Self::new(Code::StoreDamaged, message),
        }
    }
}

impl From<BlobError> for ApiError {
    fn from(error: BlobError) -> Self {
        let message = error.to_string();
        let code = match error {
            BlobError::Index(error) => return (*error).into(),
            BlobError::NotFound(_) => Code::NotFound,
            BlobError::TooLarge { .. } => Code::TooLarge,
            BlobError::Quota { .. } => Code::QuotaReached,
            BlobError::Damaged { .. } | BlobError::Unproved { .. } => Code::BlobDamaged,
            BlobError::Parcel(_) | BlobError::Unasked { .. } => Code::Invalid,
            BlobError::Io { .. } | BlobError::Source(_) => Code::Unavailable,
        };
        Self::new(code, message)
    }
}

/// Where a refused input does not fit; the body, where it is no single field of it.
fn place(pointer: &str) -> String {
    match field_path(pointer) {
        path if path.is_empty() => "body".to_owned(),
        path => path,
    }
}

/// The field that a JSON pointer names, as people write it: `/inputs/hosts/0` is `inputs.hosts[0]`.
fn field_path(pointer: &str) -> String {
    let mut path = String::with_capacity(pointer.len());
    for part in pointer.strip_prefix('/').map_or(pointer, |rest| rest).split('/') {
        let part = part.replace("~1", "/").replace("~0", "~");
        if !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()) && !path.is_empty() {
            path.extend(["[", &part, "]"]);
        } else {
            path.extend([if path.is_empty() { "" } else { "." }, &part]);
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn every_refusal_has_its_code() {
        let message = || "m".to_owned();
        let key = || "k".to_owned();
        let table = [
            (Refusal::invalid("unknown_field", "/inputs/x", "m"), Code::Invalid),
            (Refusal::invalid("too_large", "", "m"), Code::TooLarge),
            (Refusal::NotFound { kind: "run", id: key() }, Code::NotFound),
            (Refusal::Conflict { code: "run_loop", message: message() }, Code::RunLoop),
            (Refusal::Conflict { code: "not_in_the_table", message: message() }, Code::Conflict),
            (Refusal::Forbidden { code: "session_closed", message: message() }, Code::SessionClosed),
            (Refusal::Forbidden { code: "not_in_the_table", message: message() }, Code::Forbidden),
            (Refusal::KeyReused { key: key() }, Code::KeyReused),
            (Refusal::InProgress { key: key() }, Code::KeyInProgress),
            (Refusal::Overloaded { message: message() }, Code::Overloaded),
            (Refusal::QuotaReached { message: message() }, Code::QuotaReached),
            (Refusal::Upstream { code: "refused".into(), message: message() }, Code::Upstream),
            (Refusal::Unavailable(message()), Code::Unavailable),
        ];
        for (refusal, code) in table {
            let shown = format!("{refusal:?}");
            assert_eq!(ApiError::from(refusal).fault().code, code, "{shown}");
        }
    }

    #[test]
    fn a_name_that_is_not_there_says_how_it_is_listed_and_how_it_begins() {
        for (kind, list, begin) in [
            ("branch", "GET /api/v1/timeline/branches", "POST /api/v1/timeline/branch`"),
            ("label", "GET /api/v1/timeline/labels", "POST /api/v1/timeline/label`"),
        ] {
            let error = ApiError::from(Refusal::NotFound { kind, id: "nope".into() });
            let details = &error.fault().details;
            let hint = details["hint"].as_str().expect("there is a hint");
            assert!(details["kind"] == kind && hint.contains(list) && hint.contains(begin), "{kind}: {hint}");
        }
    }

    #[test]
    fn what_an_outside_system_said_is_kept() {
        let refusal = Refusal::Upstream { code: "connection_refused".into(), message: "no".into() };
        assert_eq!(ApiError::from(refusal).fault().details["cause"], "connection_refused");
    }

    #[test]
    fn a_refused_input_names_its_field_as_people_write_it() {
        let error = ApiError::from(Refusal::invalid("wrong_type", "/inputs/hosts/0/a~1b", "m"));
        assert_eq!(error.fault().details["path"], "inputs.hosts[0].a/b");
        assert_eq!(place(""), "body");
        assert_eq!(place("priority"), "priority");
    }

    /// The Runtime's words are literals in its sources; one that the table lacks would reach callers as
    /// `conflict` or `forbidden`.
    #[test]
    fn every_word_of_the_runtime_has_its_row() {
        fn read(folder: &Path, sources: &mut String) {
            for entry in std::fs::read_dir(folder).expect("the sources are there") {
                let path = entry.expect("an entry").path();
                if path.is_dir() {
                    read(&path, sources);
                } else if path.extension().is_some_and(|end| end == "rs") {
                    sources.push_str(&std::fs::read_to_string(&path).expect("a source is text"));
                }
            }
        }
        let mut sources = String::new();
        read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../actors/src"), &mut sources);
        let flat = sources.split_whitespace().collect::<Vec<_>>().join(" ");
        let words = |before: &str| {
            let after = flat.split(before).skip(1);
            after.filter_map(|rest| Some(rest.split_once('"')?.0.to_owned())).collect::<Vec<_>>()
        };
        let conflicts = [words("Refusal::Conflict { code: \""), words("conflict(\"")].concat();
        let forbidden = words("Refusal::Forbidden { code: \"");
        assert!(conflicts.len() > 5 && !forbidden.is_empty(), "{conflicts:?} {forbidden:?}");
        for (found, status) in [(conflicts, StatusCode::CONFLICT), (forbidden, StatusCode::FORBIDDEN)] {
            for word in found {
                assert!(Code::of(&word, status).is_some(), "`{word}` is not in the table");
            }
        }
    }
}
