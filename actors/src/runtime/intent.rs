//! Intents: the only thing the Runtime is ever asked, and what it answers.

use serde::Serialize;
use serde_json::Value;
use xyn_store::blobs::BlobError;
use xyn_store::ids::{self, EventId, IntentId, SessionId};
use xyn_store::journal::AppendError;
use xyn_store::projection::Subject;
use xyn_store::scope::{Attribution, CorrelationId, Stage};
use xyn_store::{StoreError, Timestamp};

use crate::actions::EffectFault;
use crate::governance::{Decision, Identity};
use crate::services::deploy::Restatement;

/// A request to do something, by somebody, somewhere.
#[derive(Clone, Debug)]
pub struct Intent {
    /// The intent.
    pub intent_id: IntentId,
    /// The action asked for, by its name in the registry.
    pub action: String,
    /// The action's input.
    pub input: Value,
    /// Stage of the target; none means the environment's own.
    pub stage: Option<Stage>,
    /// Who asks, with roles and teams.
    pub identity: Identity,
    /// The session it is asked in.
    pub session: Option<SessionId>,
    /// The interaction it belongs to.
    pub correlation_id: CorrelationId,
    /// The event it follows from.
    pub causation_id: Option<EventId>,
    /// Runs that started each other before this intent; 0 for one from outside.
    pub depth: u16,
    /// A second intent of the same principal with this key is answered like the first.
    pub idempotency_key: Option<String>,
}

impl Intent {
    /// What `identity` asks for at `now` of its own accord: in no session, in answer to nothing.
    pub fn new(now: Timestamp, action: &str, input: Value, identity: Identity) -> Self {
        Self {
            intent_id: ids::fresh(now),
            action: action.to_owned(),
            input,
            stage: None,
            identity,
            session: None,
            correlation_id: ids::fresh::<EventId>(now).into(),
            causation_id: None,
            depth: 0,
            idempotency_key: None,
        }
    }

    /// Who, in which session, in answer to what.
    pub fn attribution(&self) -> Attribution {
        Attribution {
            actor: self.identity.principal.clone(),
            session: self.session,
            correlation_id: self.correlation_id.clone(),
            causation_id: self.causation_id,
        }
    }
}

/// What an accepted intent brought about.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Outcome {
    /// The intent.
    pub intent_id: IntentId,
    /// What it brought about.
    pub subject: Subject,
    /// The action's output.
    pub output: Value,
    /// It was done before under the same idempotency key; nothing was done now.
    pub repeated: bool,
}

impl Outcome {
    /// What `intent_id` has just brought about.
    pub(crate) fn new(intent_id: IntentId, subject: Subject, output: Value) -> Self {
        Self { intent_id, subject, output, repeated: false }
    }
}

/// Why an intent was not carried out.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Refusal {
    /// The input does not fit.
    #[error("{message}")]
    Invalid {
        /// Stable word for programs.
        code: &'static str,
        /// Where in the input, as a JSON pointer.
        path: String,
        /// What is wrong with it.
        message: String,
        /// What to do.
        hint: Option<String>,
    },
    /// What it is about does not exist.
    #[error("there is no {kind} `{id}`")]
    NotFound {
        /// What sort of thing.
        kind: &'static str,
        /// Its name.
        id: String,
    },
    /// It does not fit what is there.
    #[error("{message}")]
    Conflict {
        /// Stable word for programs.
        code: &'static str,
        /// What does not fit.
        message: String,
    },
    /// Two branches changed the same places differently.
    #[error("{}", clashes(.0))]
    MergeConflicts(Vec<crate::services::timeline::Conflict>),
    /// A policy denies it.
    #[error("denied by policy: {}", .0)]
    Denied(Box<Decision>),
    /// Whoever asks has to confirm what is about to happen.
    #[error("{} {restatement}; confirm it with `{}`", ask(*is_outdated), restatement.token())]
    Unconfirmed {
        /// What is about to happen.
        restatement: Box<Restatement>,
        /// Whether something else was confirmed.
        is_outdated: bool,
    },
    /// A policy asks for approvals first; the intent waits for them.
    #[error("intent {intent_id} waits for approval: {}", decision)]
    Parked {
        /// The waiting intent.
        intent_id: IntentId,
        /// What is asked for.
        decision: Box<Decision>,
    },
    /// The principal may not do this to that.
    #[error("{message}")]
    Forbidden {
        /// Stable word for programs.
        code: &'static str,
        /// Why not.
        message: String,
    },
    /// The idempotency key was used for something else.
    #[error("the idempotency key `{key}` was used with another body")]
    KeyReused {
        /// The key.
        key: String,
    },
    /// The idempotency key belongs to an intent that is under way.
    #[error("an intent with the idempotency key `{key}` is under way")]
    InProgress {
        /// The key.
        key: String,
    },
    /// Too much is waiting.
    #[error("{message}")]
    Overloaded {
        /// What is full.
        message: String,
    },
    /// The node keeps as many bytes as it may.
    #[error("{message}")]
    QuotaReached {
        /// Which limit.
        message: String,
    },
    /// An outside system failed.
    #[error("{message}")]
    Upstream {
        /// Stable word for programs.
        code: String,
        /// What it said.
        message: String,
    },
    /// The store cannot be written or read at the moment.
    #[error("the store is not available: {0}")]
    Unavailable(String),
}

impl Refusal {
    /// The refusal that `word` is of, when it is one of `words`: as it was said, when the same is asked again.
    pub(crate) fn conflict_of(words: &[&'static str], word: &str, message: &str) -> Option<Self> {
        let code = words.iter().find(|known| **known == word)?;
        Some(Self::Conflict { code, message: message.to_owned() })
    }

    /// Stable word for programs.
    pub fn code(&self) -> &str {
        match self {
            Self::Invalid { code, .. } | Self::Conflict { code, .. } | Self::Forbidden { code, .. } => code,
            Self::MergeConflicts(_) => "merge_conflicts",
            Self::NotFound { .. } => "not_found",
            Self::Denied(_) => "denied_by_policy",
            Self::Parked { .. } => "approval_required",
            Self::Unconfirmed { .. } => "confirmation_required",
            Self::KeyReused { .. } => "idempotency_key_reused",
            Self::InProgress { .. } => "idempotency_key_in_progress",
            Self::Overloaded { .. } => "overloaded",
            Self::QuotaReached { .. } => "quota_reached",
            Self::Upstream { code, .. } => code,
            Self::Unavailable(_) => "unavailable",
        }
    }

    /// An input that does not fit at `path`.
    pub fn invalid(code: &'static str, path: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Invalid { code, path: path.into(), message: message.into(), hint: None }
    }
}

impl From<EffectFault> for Refusal {
    fn from(fault: EffectFault) -> Self {
        let message = fault.to_string();
        match fault {
            EffectFault::MissingBlob(sha256) => Self::NotFound { kind: "blob", id: sha256.to_string() },
            EffectFault::BlobLength { .. } => Self::invalid("invalid_input", "/byte_length", message),
            EffectFault::IdTaken(_) => Self::Conflict { code: "id_taken", message },
            EffectFault::NoRoom { .. } => Self::QuotaReached { message },
        }
    }
}

fn ask(is_outdated: bool) -> &'static str {
    match is_outdated {
        true => "what was confirmed is not what would happen now:",
        false => "nothing happens in production without a word from who asks. About to",
    }
}

/// Places that one message names.
const NAMED: usize = 5;

fn clashes(conflicts: &[crate::services::timeline::Conflict]) -> String {
    let named = conflicts.iter().take(NAMED);
    let mut places: Vec<String> = named.map(|one| format!("`{}` ({})", one.place(), one.clash())).collect();
    if conflicts.len() > NAMED {
        places.push("…".to_owned());
    }
    let noun = if conflicts.len() == 1 { "place" } else { "places" };
    format!("both branches changed {} {noun} differently: {}", conflicts.len(), places.join(", "))
}

impl From<&StoreError> for Refusal {
    fn from(error: &StoreError) -> Self {
        match error {
            StoreError::Blob(full @ BlobError::Quota { .. }) => {
                Self::QuotaReached { message: full.to_string() }
            }
            other => Self::Unavailable(other.to_string()),
        }
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        Self::from(&error)
    }
}

impl From<AppendError> for Refusal {
    fn from(error: AppendError) -> Self {
        match error {
            AppendError::Conflict { .. } => Self::Conflict { code: "conflict", message: error.to_string() },
            AppendError::Overloaded => Self::Overloaded { message: error.to_string() },
            AppendError::TooLarge { .. } => Self::invalid("too_large", "", error.to_string()),
            AppendError::Unavailable(error) => Self::from(&*error),
            AppendError::Claimed(_) | AppendError::Closed | AppendError::Unencodable(_) => {
                Self::Unavailable(error.to_string())
            }
        }
    }
}
