//! The table of everything an answer can refuse with: the word, the status, and what to do next.
//!
//! Owns nothing but the table. What went wrong in a particular case is said by the message, and where by
//! `details.path`. Invariant: a code has one status and is never without a hint.

use http::StatusCode;
use utoipa::openapi::schema::{ObjectBuilder, SchemaType, Type};
use utoipa::openapi::{RefOr, Schema};

macro_rules! table {
    ($($(#[$doc:meta])* $code:ident $word:literal $status:ident $hint:literal;)*) => {
        /// What went wrong, as a stable word for programs.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Code {
            $($(#[$doc])* $code,)*
        }

        impl Code {
            /// Every code.
            pub const ALL: &'static [Self] = &[$(Self::$code),*];

            /// The word.
            pub fn word(self) -> &'static str {
                match self { $(Self::$code => $word),* }
            }

            /// The status of the answer.
            pub fn status(self) -> StatusCode {
                match self { $(Self::$code => StatusCode::$status),* }
            }

            /// What to do next, when nothing better is known about the case.
            pub fn hint(self) -> &'static str {
                match self { $(Self::$code => $hint),* }
            }
        }
    };
}

table! {
    /// A policy asks for approvals first.
    ApprovalRequired "approval_required" ACCEPTED
        "answer it with `POST /api/v1/approvals`; it is carried out once approved";
    /// A field, parameter or header does not fit.
    Invalid "invalid" BAD_REQUEST "mend what `details.path` names, and send the request again";
    /// The body is no JSON.
    MalformedJson "malformed_json" BAD_REQUEST "mend the body at `details.line` and `details.column`";
    /// The body is no form.
    MalformedForm "malformed_form" BAD_REQUEST "send a form as RFC 7578 has it, with the boundary in its type";
    /// A webhook is not signed.
    SignatureMissing "signature_missing" UNAUTHORIZED "sign the message as Standard Webhooks has it";
    /// A webhook's signature cannot be read.
    SignatureMalformed "signature_malformed" UNAUTHORIZED "sign the message as Standard Webhooks has it";
    /// A webhook's signature is another one's.
    SignatureMismatch "signature_mismatch" UNAUTHORIZED
        "compare the secret of the sender with those of the hook";
    /// A webhook is too old or of the future.
    MessageOutOfTime "message_out_of_time" UNAUTHORIZED "compare the clocks of both machines";
    /// A policy denies it.
    DeniedByPolicy "denied_by_policy" FORBIDDEN
        "ask `POST /api/v1/policies/explain` which rule decided and why";
    /// This person's word does not count here.
    ApprovalRefused "approval_refused" FORBIDDEN "ask one of the approvers that `GET /api/v1/approvals` names";
    /// The session has ended.
    SessionClosed "session_closed" FORBIDDEN "open a new session; that of a node opens when it starts";
    /// This node may not write to the timeline any more.
    Excluded "excluded" FORBIDDEN "ask an owner of the environment for a new invitation, and join anew";
    /// The node gives a role that it does not have itself.
    RoleTooHigh "role_too_high" FORBIDDEN "give the role that this node has, or a lower one";
    /// The node does not rank above the one that it would say something of.
    NotAbove "not_above" FORBIDDEN "ask the node that certified it, or one above that";
    /// The statement is signed by another key than the root's.
    NotTheRoot "not_the_root" FORBIDDEN "sign it with the root key that the message names";
    /// The node belongs to no environment whose members would hear it, or did not when it spoke.
    NotAMember "not_a_member" FORBIDDEN "ask an owner of the environment for an invitation";
    /// A node spoke for somebody whom it is not certified for.
    ForgedPrincipal "forged_principal" FORBIDDEN "answer in the name that the node is certified for";
    /// The node that ran it does not show the run.
    RunWithheld "run_withheld" FORBIDDEN "ask its person to let a policy there allow `runs.read`";
    /// The caller may not do this.
    Forbidden "forbidden" FORBIDDEN "ask somebody who may";
    /// Approval was refused to it, or came too late.
    NotApproved "not_approved" FORBIDDEN "see who answered what with `GET /api/v1/intents/{intent_id}`";
    /// A page of another origin made the request.
    ForeignOrigin "foreign_origin" FORBIDDEN "call the API from a program or from a page of the node itself";
    /// What it is about does not exist.
    NotFound "not_found" NOT_FOUND "look for it in the list of its kind";
    /// No route has this path.
    NoRoute "no_route" NOT_FOUND "the routes are listed at `/api/docs`";
    /// The route has other methods.
    NoMethod "no_method" METHOD_NOT_ALLOWED "the header `Allow` names the methods it has";
    /// The body did not come in time.
    TooSlow "too_slow" REQUEST_TIMEOUT "send the request again, its body without long pauses";
    /// It does not fit what is there.
    Conflict "conflict" CONFLICT "read how it stands now, and decide again";
    /// The step has no open gate.
    NoOpenGate "no_open_gate" CONFLICT "see what waits with `GET /api/v1/approvals`";
    /// The intent does not wait for approval.
    NotParked "not_parked" CONFLICT "see what waits with `GET /api/v1/approvals`";
    /// A word from another node answers nothing that this one asks.
    NotAsked "not_asked" CONFLICT "see what waits with `GET /api/v1/approvals`";
    /// The intent cannot wait for an approval.
    CannotPark "cannot_park" CONFLICT "start a run with a gate before the act, and approve there";
    /// Runs start each other too deeply.
    RunLoop "run_loop" CONFLICT "let no run start one of those that led to it";
    /// The run has not ended.
    RunNotEnded "run_not_ended" CONFLICT "wait for its end, or cancel it first";
    /// The run is on another node, which does not tell of it now.
    RunElsewhere "run_elsewhere" CONFLICT "see who is connected with `GET /api/v1/peers`, and ask again";
    /// The run has ended.
    RunEnded "run_ended" CONFLICT "do it again with `POST /api/v1/runs/{run_id}/retry`";
    /// The draft has faults.
    ValidationFailed "validation_failed" CONFLICT
        "see every fault with `POST /api/v1/drafts/{draft_id}/validate`";
    /// The draft was not validated as it is now.
    NotValidated "not_validated" CONFLICT "validate it first with `POST /api/v1/drafts/{draft_id}/validate`";
    /// Two branches changed the same places differently.
    MergeConflicts "merge_conflicts" CONFLICT "say whose is right: of each `place` in `sides`, or of all in `favour`";
    /// Files that are needed are on another node only.
    FilesMissing "files_missing" CONFLICT "connect a node that has them, and ask again: `GET /api/v1/peers`";
    /// Files that are needed come from other nodes, and more time is needed.
    FilesOnTheWay "files_on_the_way" CONFLICT "ask again: what came is here, and it goes on from there";
    /// Content from elsewhere is not what its author says.
    ContentUnsound "content_unsound" CONFLICT "ask its author to make it anew";
    /// More than one request may do.
    TooMuch "too_much" CONFLICT "split what is merged";
    /// It is so already.
    Unchanged "unchanged" CONFLICT "nothing needs to be done: it is so already";
    /// The node hands its seat to another key.
    KeyChanging "key_changing" CONFLICT
        "have it confirmed on a node above this one with `POST /api/v1/peers/{node}/confirm`";
    /// The node does not ask for another key.
    NotRotating "not_rotating" CONFLICT "see which key each node has with `GET /api/v1/peers`";
    /// The member goes by another key.
    KeyChanged "key_changed" CONFLICT "name the key that it has now, which the message says";
    /// What the root signed is not what would be said now.
    DraftOutdated "draft_outdated" CONFLICT "draft it again with `POST /api/v1/peers/drafts`, and have that signed";
    /// The certificate in force is of the future.
    DatedAhead "dated_ahead" CONFLICT
        "renew it after that date, or by a node above it; or revoke it, and let its person in under another key";
    /// The member has said as much of others as anybody hears.
    StatementsSpent "statements_spent" CONFLICT "let another member above them, or a newly joined node, say it";
    /// The node takes no part in a mesh.
    MeshOff "mesh_off" CONFLICT "start the node with `xyn up --mesh on`, or `--mesh lan`";
    /// This node gave out no such ticket.
    UnknownTicket "unknown_ticket" CONFLICT "see which are open with `GET /api/v1/peers/invitations`";
    /// Another node came in on the ticket.
    TicketUsed "ticket_used" CONFLICT "make a new one with `POST /api/v1/peers/invitations`";
    /// The ticket is too old.
    TicketExpired "ticket_expired" CONFLICT "make a new one with `POST /api/v1/peers/invitations`";
    /// The member was revoked before.
    RevokedAlready "revoked_already" CONFLICT
        "it belongs no more, whatever is said of it; its person comes back by a new invitation";
    /// The workspace has no folder any more, or never had.
    FolderGone "folder_gone" CONFLICT "name a folder that is there, or put it back where it was";
    /// The folder holds what no tree may hold.
    FolderUnfit "folder_unfit" CONFLICT
        "mend what the message names, or leave it out with a line in `.xynignore`";
    /// Something in the folder cannot be read or written.
    FolderUnusable "folder_unusable" CONFLICT
        "see who may read and write there, and that its disk has room; or leave it out with a line in `.xynignore`";
    /// Work would be lost that no snapshot holds.
    UnsavedChanges "unsaved_changes" CONFLICT "take a snapshot first, or restore with `force`";
    /// Something that no tree holds stands where a file is to be written.
    InTheWay "in_the_way" CONFLICT "move it elsewhere, and restore again";
    /// Something is being done to the workspace.
    WorkspaceBusy "workspace_busy" CONFLICT "ask again when it is done";
    /// There is a workspace with this name.
    WorkspaceExists "workspace_exists" CONFLICT "choose another `name`, or use the one that is there";
    /// There is a branch with this name, and it begins elsewhere.
    BranchExists "branch_exists" CONFLICT "choose another `name`, or use the one that is there";
    /// The branch was put away.
    BranchClosed "branch_closed" CONFLICT
        "take it out again with `POST /api/v1/timeline/branch` and `closed` false, or name another";
    /// The folder overlaps with another workspace or with the node's own data.
    WorkspaceNested "workspace_nested" CONFLICT "choose a folder that neither holds the other nor lies in it";
    /// The bytes are no capsule, or were changed.
    CapsuleUnsound "capsule_unsound" CONFLICT "get the file again from who made it, and compare its digest";
    /// Nobody signed the capsule whose word counts here.
    CapsuleUntrusted "capsule_untrusted" CONFLICT
        "name the public keys that you trust with `keys`; a deployment needs those of the key ring in force";
    /// The capsule is not newer than what was seen of its app.
    CapsuleGeneration "capsule_generation" CONFLICT "pack it again: the next generation is counted by itself";
    /// The capsule only holds what differs from one that is not here.
    CapsuleBaseMissing "capsule_base_missing" CONFLICT "import the capsule it was written against, or the whole one";
    /// What is to be packed cannot become a capsule.
    CapsuleUnfit "capsule_unfit" CONFLICT "mend what the message names, keep it as a moment, and pack that";
    /// The capsule is with members, and not here.
    CapsuleElsewhere "capsule_elsewhere" CONFLICT "fetch it with `POST /api/v1/capsules/{capsule}/pull`";
    /// What is to be packed holds what looks like a secret.
    SecretsFound "secrets_found" CONFLICT
        "take each out and give it when the app is installed, or allow it as is said there";
    /// A check stops the pack.
    CapsuleVetoed "capsule_vetoed" CONFLICT "mend what the message names, and pack again";
    /// Whoever asks has to confirm what is about to happen.
    ConfirmationRequired "confirmation_required" CONFLICT
        "read what is about to happen, and ask again with `details.confirm` as `confirm`";
    /// The rights of the capsule do not let it be used here.
    DeployRights "deploy_rights" CONFLICT "ask its maker for a capsule that may be used here";
    /// The capsule cannot be deployed here, or not on this target.
    DeployUnfit "deploy_unfit" CONFLICT "mend what the message names, pack it again, and deploy that";
    /// The machine cannot put up a sandbox to build in.
    NoSandbox "no_sandbox" CONFLICT "install on the node's machine what the message names, and ask again";
    /// A step of the recipe failed, or asks for more than it is given.
    NotBuilt "not_built" CONFLICT
        "mend the step that the message names: inside are only /usr, the app in /build, a /tmp, and no network";
    /// A build came to something else than its manifest says.
    BuildDiffers "build_differs" CONFLICT
        "build it twice with `xyn capsule rebuild`, which tells what differs each time; pack what is reproducible";
    /// A service that the capsule needs is not there.
    ServiceMissing "service_missing" CONFLICT
        "keep its address with `POST /api/v1/secrets`, and name that in `services`";
    /// A variable of the capsule has no value, or a service no address.
    SecretMissing "secret_missing" CONFLICT "keep what the message names with `POST /api/v1/secrets`";
    /// The key ring is not the one that follows, or not signed by who may sign it.
    RingRefused "ring_refused" CONFLICT "take every ring in turn, each signed by the root of the one before";
    /// What a policy wants proved of the capsule is not.
    EvidenceMissing "evidence_missing" CONFLICT "make what the message names, and bring it with the capsule";
    /// The secrets of the node cannot be opened.
    SecretsClosed "secrets_closed" CONFLICT "restore the files that the message names from a backup";
    /// The capsule is not well on its target.
    Unhealthy "unhealthy" CONFLICT "mend it and pack it again; what served before still does";
    /// A port of the machine belongs to somebody else.
    PortTaken "port_taken" CONFLICT "name another with `port`, or close what has it";
    /// Something is being deployed there.
    DeploymentBusy "deployment_busy" CONFLICT "ask again when it is done";
    /// Nothing served there before.
    NothingBefore "nothing_before" CONFLICT "deploy another capsule: `POST /api/v1/deployments`";
    /// Somebody else answered while the answer was on its way.
    AnsweredMeanwhile "answered_meanwhile" CONFLICT "see how it stands with `GET /api/v1/intents/{intent_id}`";
    /// The id of the event belongs to something else.
    IdTaken "id_taken" CONFLICT "give the new event an id of its own, or none";
    /// The idempotency key belongs to a request under way.
    KeyInProgress "idempotency_key_in_progress" CONFLICT "ask again in a moment with the same key";
    /// The body is over its limit.
    TooLarge "too_large" PAYLOAD_TOO_LARGE "keep large content as an artifact and refer to it";
    /// The body is of another type.
    UnsupportedMediaType "unsupported_media_type" UNSUPPORTED_MEDIA_TYPE
        "say with `Content-Type` what the body is";
    /// The range lies behind the end.
    RangeNotSatisfiable "range_not_satisfiable" RANGE_NOT_SATISFIABLE
        "ask for bytes before the length that `Content-Range` names";
    /// The request is for another host.
    ForeignHost "foreign_host" MISDIRECTED_REQUEST
        "use localhost, 127.0.0.1 or [::1] and the port that the node listens on";
    /// The idempotency key was used for something else.
    KeyReused "idempotency_key_reused" UNPROCESSABLE_ENTITY "use a new key for a new request";
    /// Too much is waiting.
    Overloaded "overloaded" TOO_MANY_REQUESTS "try again after the seconds that `Retry-After` names";
    /// This caller asks too often.
    RateLimited "rate_limited" TOO_MANY_REQUESTS "try again after the seconds that `Retry-After` names";
    /// Too many event streams are open.
    TooManyStreams "too_many_streams" TOO_MANY_REQUESTS
        "close a stream that is not read, or try again after the seconds that `Retry-After` names";
    /// The node failed.
    Internal "internal" INTERNAL_SERVER_ERROR "look in the node's log for the correlation id";
    /// The data folder is damaged.
    StoreDamaged "store_damaged" INTERNAL_SERVER_ERROR "run `xyn doctor` on the data folder";
    /// The bytes of an artifact are damaged.
    BlobDamaged "blob_damaged" INTERNAL_SERVER_ERROR "put the content again; it has the same digest";
    /// An outside system failed.
    Upstream "upstream" BAD_GATEWAY "see that the system named in the message is well, and ask again";
    /// The store cannot be used at the moment.
    Unavailable "unavailable" SERVICE_UNAVAILABLE
        "try again with the same `Idempotency-Key`; when it lasts, run `xyn doctor`";
    /// The node is stopping.
    Stopping "stopping" SERVICE_UNAVAILABLE "try again when the node is up";
    /// The answer took too long.
    TimedOut "timed_out" SERVICE_UNAVAILABLE
        "whether it was done is not known: ask again with the same `Idempotency-Key`";
    /// The node keeps as many bytes as it may.
    QuotaReached "quota_reached" INSUFFICIENT_STORAGE "give the node more room: `limits.artifact_store_bytes`";
}

impl Code {
    /// The code that `word` names, when it is one with `status`.
    pub(crate) fn of(word: &str, status: StatusCode) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| code.word() == word && code.status() == status)
    }
}

/// The words, for the document.
pub(super) fn schema() -> RefOr<Schema> {
    let words = Code::ALL.iter().map(|code| code.word());
    ObjectBuilder::new().schema_type(SchemaType::new(Type::String)).enum_values(Some(words)).into()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_word_stands_once_and_is_fit_for_programs() {
        let words: BTreeSet<_> = Code::ALL.iter().map(|code| code.word()).collect();
        assert_eq!(words.len(), Code::ALL.len());
        let fits = |word: &str| word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
        assert!(words.into_iter().all(fits));
    }

    #[test]
    fn each_code_says_what_to_do_next() {
        for code in Code::ALL {
            assert!(code.hint().len() > 10, "{code:?}");
            assert!(code.status().as_u16() >= 400 || *code == Code::ApprovalRequired, "{code:?}");
        }
    }

    #[test]
    fn a_word_is_looked_up_among_those_of_its_status() {
        assert_eq!(Code::of("run_loop", StatusCode::CONFLICT), Some(Code::RunLoop));
        assert_eq!(Code::of("run_loop", StatusCode::FORBIDDEN), None);
    }
}
