//! Schemas of values whose types live on the floors below, for the OpenAPI document.
//!
//! Owns the words that the document uses for them; the tests hold them against what the types render.

mod names;
mod peer;
mod words;

use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, SchemaFormat, SchemaType, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};
use xyn_actors::blueprint::schema::WORDS;
use xyn_store::projection::CURSOR_MAX_BYTES;
use xyn_store::timeline::entry::NAME_MAX_CHARS;

pub(crate) use peer::*;
pub(crate) use words::*;

use crate::limits::{IDEMPOTENCY_KEY_MAX, PAGE_DEFAULT, PAGE_MAX};

type Part = RefOr<Schema>;

fn text() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(SchemaType::new(Type::String))
}

fn pattern(pattern: &str) -> Part {
    text().pattern(Some(pattern)).into()
}

fn number() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(SchemaType::new(Type::Integer))
}

/// Any JSON value.
pub(crate) fn any() -> Part {
    ObjectBuilder::new().schema_type(SchemaType::AnyValue).into()
}

/// An id.
pub(crate) fn id() -> Part {
    text().format(Some(SchemaFormat::Custom("uuid".to_owned()))).into()
}

/// An id, or nothing.
pub(crate) fn optional_id() -> Part {
    let format = SchemaFormat::Custom("uuid".to_owned());
    let kinds = SchemaType::from_iter([Type::String, Type::Null]);
    ObjectBuilder::new().schema_type(kinds).format(Some(format)).into()
}

/// A SHA-256 digest, or nothing.
pub(crate) fn optional_digest() -> Part {
    let kinds = SchemaType::from_iter([Type::String, Type::Null]);
    ObjectBuilder::new().schema_type(kinds).pattern(Some("^[0-9a-f]{64}$")).into()
}

/// What a person adds to a word.
pub(crate) fn note() -> Part {
    text().min_length(Some(1)).max_length(Some(1000)).pattern(Some(WORDS)).into()
}

/// The name of a branch.
fn branch_name() -> Part {
    text()
        .min_length(Some(1))
        .max_length(Some(NAME_MAX_CHARS))
        .pattern(Some("^[^\\x00-\\x1f\\x7f-\\x9f]+$"))
        .into()
}

/// A SHA-256 digest.
pub(crate) fn digest() -> Part {
    pattern("^[0-9a-f]{64}$")
}

/// An instant. What is sent out is UTC with microseconds.
pub(crate) fn instant() -> Part {
    let format = SchemaFormat::KnownFormat(KnownFormat::DateTime);
    text().format(Some(format)).pattern(Some("^(19[7-9]|[2-9][0-9]{2})[0-9]-")).into()
}

/// An instant, or nothing.
pub(crate) fn optional_instant() -> Part {
    let kinds = SchemaType::from_iter([Type::String, Type::Null]);
    let format = SchemaFormat::KnownFormat(KnownFormat::DateTime);
    ObjectBuilder::new().schema_type(kinds).format(Some(format)).into()
}

/// A number of rows.
pub(crate) fn limit() -> Part {
    number().minimum(Some(1)).maximum(Some(PAGE_MAX)).default(Some(PAGE_DEFAULT.into())).into()
}

/// A number of entries.
pub(crate) fn count() -> Part {
    number().minimum(Some(0)).maximum(Some(i64::MAX)).into()
}

/// Where a page begins.
pub(crate) fn cursor() -> Part {
    pattern(&format!("^([0-9a-f]{{2}}){{1,{CURSOR_MAX_BYTES}}}$"))
}

/// Where a page of approvals begins.
pub(crate) fn approvals_cursor() -> Part {
    pattern(&format!("^([iq]|[giq]([0-9a-f]{{2}}){{1,{CURSOR_MAX_BYTES}}})$"))
}

/// A version.
pub(crate) fn version() -> Part {
    number().minimum(Some(1)).maximum(Some(u32::MAX)).into()
}

/// How long to wait.
pub(crate) fn wait() -> Part {
    pattern("^(([0-9]{1,4}|[1-5][0-9]{4}|60000)ms|([0-9]|[1-5][0-9]|60)s|1m)$")
}

/// A life of a node.
pub(crate) fn incarnation() -> Part {
    pattern("^[0-9a-f]{16}$")
}

/// A piece of time.
pub(crate) fn step() -> Part {
    pattern("^[1-9][0-9]{0,4}[smhd]$")
}

/// A label.
pub(crate) fn label() -> Part {
    pattern("^[^:]+:")
}

/// An event name, or a pattern over them.
pub(crate) fn event_pattern() -> Part {
    let part = r"([a-z0-9_-]+|\*{1,2})";
    text().max_length(Some(200)).pattern(Some(format!(r"^{part}(\.{part})*$"))).into()
}

/// The name of an event from outside: those below `xyn.` are the node's own.
pub(crate) fn event_name() -> Part {
    text().max_length(Some(200)).pattern(Some(r"^(?!xyn\.)[a-z0-9_-]+(\.[a-z0-9_-]+)*$")).into()
}

/// An idempotency key.
pub(crate) fn idempotency_key() -> Part {
    pattern(&format!("^[!-~]{{1,{IDEMPOTENCY_KEY_MAX}}}$"))
}

/// A correlation id.
pub(crate) fn correlation_id() -> Part {
    pattern("^[!-~]{1,128}$")
}

/// A place in the journal.
pub(crate) fn position() -> Part {
    pattern(r"^[0-9]{1,15}\.[0-9]{1,4}$")
}

/// The id of a moment or the root of a tree.
fn tree_place() -> Part {
    pattern("^([0-9a-f]{64}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})$")
}

/// Makes types of schemas, for parameters and bodies.
macro_rules! types {
    ($($(#[$doc:meta])* $name:ident: $schema:path,)*) => {$(
        $(#[$doc])*
        pub(crate) struct $name;

        impl PartialSchema for $name {
            fn schema() -> Part {
                $schema()
            }
        }

        impl ToSchema for $name {}
    )*};
}

types! {
    /// A number of rows.
    Limit: limit,
    /// A number of entries.
    Count: count,
    /// Where a page begins.
    Cursor: cursor,
    /// Where a page of approvals begins.
    ApprovalsCursor: approvals_cursor,
    /// A status of a run.
    RunStatus: run_status,
    /// A status of an intent.
    IntentStatus: intent_status,
    /// An instant.
    Instant: instant,
    /// A label.
    Label: label,
    /// How long to wait.
    Wait: wait,
    /// How a review stands.
    ReviewStatus: review_status,
    /// A piece of time.
    Step: step,
    /// A place in the journal.
    Position: position,
    /// An event name, or a pattern over them.
    EventPattern: event_pattern,
    /// A correlation id.
    CorrelationId: correlation_id,
    /// A version.
    Version: version,
    /// An id.
    Id: id,
    /// A kind of moment.
    MomentKind: moment_kind,
    /// Which end comes first.
    First: first,
    /// The name of a branch.
    BranchName: branch_name,
    /// A node's key.
    NodeKey: digest,
    /// The number of a line.
    LineNumber: line_number,
    /// The id of a moment or the root of a tree.
    TreePlace: tree_place,
    /// A capsule.
    CapsuleName: names::capsule_name,
    /// A deployment.
    DeploymentName: names::deployment_name,
    /// A secret.
    SecretName: names::secret_name,
    /// A name.
    Name: name,
    /// Bytes.
    Binary: binary,
    /// An answer whose type its header says.
    Anything: any,
}

/// Bytes.
fn binary() -> Part {
    text().format(Some(SchemaFormat::KnownFormat(KnownFormat::Binary))).into()
}

/// A name: not empty, and no character that would change the path.
fn name() -> Part {
    pattern("^[A-Za-z0-9_.:-]+$")
}

#[cfg(test)]
mod tests {
    use serde::Serialize;
    use serde_json::{Value, json};
    use xyn_actors::governance::Risk;
    use xyn_actors::services::deploy::{Gate, Verdict};
    use xyn_store::projection::{
        BlueprintStatus, DraftKind, DraftStatus, GateStatus, IntentStatus, Origin, PolicyStatus, RunStatus,
        StepStatus, Target, WaitKind,
    };
    use xyn_store::scope::Stage;
    use xyn_store::timeline::Visibility;

    use super::*;

    fn rendered<T: Serialize>(values: &[T]) -> Value {
        serde_json::to_value(values).expect("renders")
    }

    #[test]
    fn the_words_of_the_document_are_those_of_the_types() {
        use {GateStatus as G, IntentStatus as I, StepStatus as S, WaitKind as W};
        assert_eq!(rendered(&RunStatus::ALL), json!(RUN_STATUS));
        assert_eq!(
            rendered(&[S::Created, S::Running, S::Completed, S::Failed, S::Skipped]),
            json!(STEP_STATUS)
        );
        let waits = [W::Gate, W::Timer, W::Event, W::Approval, W::RateLimit, W::Worker];
        assert_eq!(rendered(&waits), json!(WAIT_KIND));
        assert_eq!(rendered(&[G::Requested, G::Approved, G::Rejected, G::Expired]), json!(GATE_STATUS));
        let intents = [I::Parked, I::Accepted, I::Denied, I::Completed, I::Failed, I::Approved, I::Uncertain];
        assert_eq!(rendered(&intents), json!(INTENT_STATUS));
        let drafts = [DraftStatus::Draft, DraftStatus::Validated, DraftStatus::Promoted];
        assert_eq!(rendered(&drafts), json!(DRAFT_STATUS));
        assert_eq!(rendered(&[DraftKind::Blueprint, DraftKind::Pack]), json!(DRAFT_KIND));
        assert_eq!(rendered(&[BlueprintStatus::Active, BlueprintStatus::Deprecated]), json!(VERSION_STATUS));
        assert_eq!(rendered(&[PolicyStatus::Active, PolicyStatus::Deprecated]), json!(VERSION_STATUS));
        use {Origin as O, Visibility as V};
        assert_eq!(rendered(&[V::Private, V::Env, V::Lan, V::Public]), json!(VISIBILITY));
        assert_eq!(rendered(&[O::Packed, O::Imported, O::Pulled]), json!(ORIGIN));
        assert_eq!(rendered(&[Target::Static, Target::Process]), json!(TARGET));
        assert_eq!(rendered(&Gate::ALL), json!(GATE));
        let verdicts = [Verdict::Passed, Verdict::Skipped, Verdict::Stopped];
        assert_eq!(rendered(&verdicts), json!(VERDICT));
        assert_eq!(rendered(&[Risk::Low, Risk::Medium, Risk::High]), json!(RISK));
        assert_eq!(rendered(&[Stage::Dev, Stage::Staging, Stage::Prod]), json!(STAGE));
    }
}
