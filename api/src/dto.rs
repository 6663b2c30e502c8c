//! The shapes that callers see: snake_case, optional fields left out when there is nothing to say.
//!
//! Owns the names and order of fields. Documents a caller gave (inputs, outputs, metadata, data) are copied
//! through as they were stored. Invariant: a field is only ever added.

mod approval;
mod artifact;
mod capsule;
mod deployment;
mod event;
mod intent;
mod library;
mod peer;
mod ring;
mod run;
mod secret;
mod state;
mod step;
mod talk;
mod timeline;
mod workspace;

pub(crate) use approval::{Approval, GateAsked, GateView, QuestionView, Word};
pub(crate) use artifact::Artifact;
pub(crate) use capsule::{Capsule, CapsuleKept, CapsuleProved};
pub(crate) use deployment::{Deployment, Switched};
pub(crate) use event::{Event, EventRef, Resource};
pub(crate) use intent::{IntentView, OutcomeView};
pub(crate) use library::{ActionView, BlueprintView, Draft, PolicyView, Validation, ValidationIssue};
pub(crate) use peer::{Connection, InvitationView, Invited, Peer, Standing, TraceLine};
pub(crate) use ring::{KeyRing, KeyRingTaken};
pub(crate) use run::{Failure, ReplayReport, Run, Teller, WaitingOn};
pub(crate) use secret::{Secret, SecretPut, SecretRemoved};
pub(crate) use state::{MomentDiff, MomentState, StateChange, StopView};
pub(crate) use step::Step;
pub(crate) use talk::status as review_status;
pub(crate) use talk::{Comment, Comments, ExcludedRecord, Review, ReviewSummary, side_word};
pub(crate) use timeline::{BranchView, LabelView, Moment, MomentView, PinView, Said, TimelineDigest};
pub(crate) use workspace::{Kept, LaidOut, Workspace, WorkspaceDiff};
