//! What happened to capsules: facts of the journal. Those about one that is here carry its row.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use xyn_store::Digest;
use xyn_store::projection::{CapsuleRow, Changes, HighestRow, Origin, RingRow};

use super::{given, refusal};
use crate::runtime::Refusal;

/// A fact about a capsule. Variants are append-only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    /// It is here, proved.
    Kept {
        /// What is known of it.
        row: Box<CapsuleRow>,
        /// Whether no higher generation of its app was seen before.
        is_highest: bool,
    },
    /// Every byte of it was proved again.
    Verified {
        /// Which.
        capsule: Digest,
        /// Which app in which version.
        id: String,
    },
    /// It was not taken, or is not sound any more.
    Rejected {
        /// What it was called, or the digest of the file that was said to be one.
        what: String,
        /// A word for programs.
        code: String,
        /// Why.
        message: String,
    },
    /// It was not packed.
    NotPacked {
        /// A word for programs.
        code: String,
        /// Why.
        message: String,
    },
    /// More is signed or attested of one that is here.
    Attested {
        /// What is known of it.
        row: Box<CapsuleRow>,
        /// The file that it was in before.
        before: Digest,
    },
    /// A key ring came into force.
    Ring {
        /// Which.
        row: Box<RingRow>,
    },
    /// It was let go of.
    Removed {
        /// What was known of it.
        row: Box<CapsuleRow>,
    },
    /// It was made to serve for the first time here, and the node attests how it fared.
    FirstRun {
        /// What is known of it.
        row: Box<CapsuleRow>,
        /// The file that it was in before; none where the report is not in the capsule, but beside the app.
        before: Option<Digest>,
        /// In which stage.
        stage: String,
        /// On which target.
        target: String,
        /// Whether it was well.
        is_well: bool,
        /// What was found.
        found: String,
    },
    /// It was built again.
    Rebuilt {
        /// Which.
        capsule: Digest,
        /// Which app in which version.
        id: String,
        /// What the build came to.
        build: Digest,
        /// Whether that is what the capsule says.
        is_expected: bool,
    },
    /// It was built again and run.
    Replayed {
        /// Which.
        capsule: Digest,
        /// Which app in which version.
        id: String,
        /// Whether it answered what it answered when it was packed.
        is_same: bool,
    },
    /// It was written in a form that others read.
    Exported {
        /// Which.
        capsule: Digest,
        /// Which app in which version.
        id: String,
        /// In which form.
        form: String,
    },
}

impl Event {
    /// What is recorded of an act that was refused; none when the capsule is not the reason.
    pub(super) fn of_refusal(action: &str, input: &Value, why: &Refusal) -> Option<Self> {
        let (code, message) = (why.code().to_owned(), why.to_string());
        if !refusal::is_of_capsule(&code) {
            return None;
        }
        Some(match action {
            "capsule.pack" => Self::NotPacked { code, message },
            // A key that is none was named for a ring.
            "capsule.trust" => return None,
            _ => {
                let what = ["capsule", "sha256"].into_iter().find_map(|name| given(input, name));
                Self::Rejected { what: what.unwrap_or_default().to_owned(), code, message }
            }
        })
    }

    /// The event's name in the catalogue.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Kept { row, .. } => match row.origin {
                Origin::Packed => "xyn.capsule.pack.completed",
                Origin::Imported => "xyn.capsule.imported",
                Origin::Pulled => "xyn.capsule.replicated",
            },
            Self::Verified { .. } => "xyn.capsule.verified",
            Self::Rejected { .. } => "xyn.capsule.rejected",
            Self::NotPacked { .. } => "xyn.capsule.pack.failed",
            Self::Attested { .. } => "xyn.capsule.attested",
            Self::Ring { .. } => "xyn.capsule.ring.changed",
            Self::Removed { .. } => "xyn.capsule.removed",
            Self::FirstRun { .. } => "xyn.capsule.first_run.attested",
            Self::Rebuilt { is_expected: true, .. } => "xyn.capsule.rebuild.completed",
            Self::Rebuilt { is_expected: false, .. } => "xyn.capsule.rebuild.failed",
            Self::Replayed { .. } => "xyn.capsule.replayed",
            Self::Exported { .. } => "xyn.capsule.exported",
        }
    }

    /// The capsule it is about, where there is one.
    pub(crate) fn capsule(&self) -> Option<String> {
        match self {
            Self::Kept { row, .. }
            | Self::Attested { row, .. }
            | Self::Removed { row }
            | Self::FirstRun { row, .. } => Some(row.capsule.to_string()),
            Self::Verified { capsule, .. }
            | Self::Rebuilt { capsule, .. }
            | Self::Replayed { capsule, .. }
            | Self::Exported { capsule, .. } => Some(capsule.to_string()),
            Self::Rejected { what, .. } => Some(what.clone()),
            Self::NotPacked { .. } | Self::Ring { .. } => None,
        }
    }

    /// What it says.
    pub(crate) fn data(&self) -> Value {
        match self {
            Self::Kept { row, .. } => json!({
                "capsule": row.capsule, "id": row.id, "generation": row.generation, "tree": row.tree,
                "file": row.file, "size_bytes": row.size_bytes, "entry_id": row.entry_id,
            }),
            Self::Attested { row, .. } => json!({ "capsule": row.capsule, "id": row.id, "file": row.file }),
            Self::Ring { row } => json!({ "env": row.env, "version": row.version, "file": row.file }),
            Self::Removed { row } => json!({
                "capsule": row.capsule, "id": row.id, "generation": row.generation, "file": row.file,
                "size_bytes": row.size_bytes,
            }),
            Self::FirstRun { row, before, stage, target, is_well, found } => json!({
                "capsule": row.capsule, "id": row.id, "file": row.file, "joined": before.is_some(),
                "stage": stage, "target": target, "is_well": is_well, "found": found,
            }),
            Self::Verified { capsule, id } => json!({ "capsule": capsule, "id": id }),
            Self::Rebuilt { capsule, id, build, is_expected } => {
                json!({ "capsule": capsule, "id": id, "build": build, "matches": is_expected })
            }
            Self::Replayed { capsule, id, is_same } => {
                json!({ "capsule": capsule, "id": id, "matches": is_same })
            }
            Self::Exported { capsule, id, form } => json!({ "capsule": capsule, "id": id, "form": form }),
            Self::Rejected { what, code, message } => {
                json!({ "what": what, "code": code, "message": message })
            }
            Self::NotPacked { code, message } => json!({ "code": code, "message": message }),
        }
    }

    /// Puts the rows that it carries, or takes them away.
    pub(crate) fn render(&self, changes: &mut Changes) {
        let (row, is_highest) = match self {
            Self::Kept { row, is_highest } => (row, is_highest),
            Self::Attested { row, before } => return row.replace(before, changes),
            Self::FirstRun { row, before: Some(before), .. } => return row.replace(before, changes),
            Self::FirstRun { before: None, .. } => return,
            Self::Ring { row } => return changes.put(row.as_ref()),
            Self::Removed { row } => return row.remove(changes),
            Self::Verified { .. }
            | Self::Rejected { .. }
            | Self::NotPacked { .. }
            | Self::Rebuilt { .. }
            | Self::Replayed { .. }
            | Self::Exported { .. } => return,
        };
        row.write(changes);
        if *is_highest {
            let CapsuleRow { app, generation, capsule, .. } = row.as_ref();
            let (generation, capsule) = (*generation, *capsule);
            changes.put(&HighestRow { app: app.clone(), generation, capsule });
        }
    }
}
