//! Capsules of the environment: those that are here, and those that members offer.

use serde::Serialize;
use utoipa::ToSchema;
use xyn_actors::services::capsules::Found;
use xyn_store::audit::signature::PublicKey;
use xyn_store::ids::EntryId;
use xyn_store::projection::{CapsuleRow, Origin};
use xyn_store::scope::Principal;
use xyn_store::timeline::entry::Entry;
use xyn_store::timeline::{Delta, Visibility};
use xyn_store::{Digest, Timestamp};

use crate::schema;

/// A capsule of the environment.
#[derive(Serialize, ToSchema)]
pub(crate) struct Capsule {
    /// Digest of its manifest: its name.
    #[schema(schema_with = schema::digest)]
    capsule: Digest,
    /// Which app in which version, as a URN.
    id: String,
    generation: u64,
    /// Who may see it.
    #[schema(schema_with = schema::visibility)]
    visibility: Visibility,
    /// Whether it is here; what is said of one that is not was not proved.
    is_here: bool,
    /// Root of its content.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = schema::digest, required = false)]
    tree: Option<Digest>,
    /// Digest of the bytes of its file.
    #[schema(schema_with = schema::digest)]
    file: Digest,
    size_bytes: u64,
    /// What of it a node needs that has the capsule before it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    delta: Option<DeltaView>,
    /// The moment that offers it to members.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = schema::id, required = false)]
    entry_id: Option<EntryId>,
    /// Who offers it, when, on which node, where it is not here.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    offered: Option<OfferedView>,
    /// What was proved of it, where it is here.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    proved: Option<ProvedView>,
}

/// A file of what differs from another capsule.
#[derive(Serialize, ToSchema)]
struct DeltaView {
    /// Root of the other's content.
    #[schema(schema_with = schema::digest)]
    base: Digest,
    #[schema(schema_with = schema::digest)]
    file: Digest,
    size_bytes: u64,
}

/// Who offers a capsule.
#[derive(Serialize, ToSchema)]
struct OfferedView {
    #[schema(value_type = String)]
    principal: Principal,
    #[schema(schema_with = schema::digest)]
    node: PublicKey,
    #[schema(schema_with = schema::instant)]
    at: Timestamp,
}

/// What was proved of a capsule, and how it came here.
#[derive(Serialize, ToSchema)]
struct ProvedView {
    /// What the app is called.
    name: String,
    version: String,
    /// When it was packed, as its manifest says.
    #[schema(schema_with = schema::instant)]
    created_at: Timestamp,
    /// By whom, as its manifest says.
    created_by: String,
    /// Public keys whose signatures were counted.
    #[schema(value_type = Vec<schema::NodeKey>)]
    signers: Vec<PublicKey>,
    /// How many files it has.
    files: u64,
    /// Bytes of them all.
    content_bytes: u64,
    /// The capsule of the app that was the newest here before it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = schema::digest, required = false)]
    parent: Option<Digest>,
    #[schema(schema_with = schema::origin)]
    origin: Origin,
    #[schema(schema_with = schema::instant)]
    kept_at: Timestamp,
    #[schema(value_type = String)]
    kept_by: Principal,
}

impl From<Delta> for DeltaView {
    fn from(Delta { base, file, size_bytes }: Delta) -> Self {
        Self { base, file, size_bytes }
    }
}

impl Capsule {
    /// What was found; none of a moment that offers nothing.
    pub(crate) fn of(found: Found) -> Option<Self> {
        match found {
            Found::Here(row) => Some(Self::from(*row)),
            Found::Elsewhere(entry) => Self::offered(*entry),
        }
    }

    fn offered(entry: Entry) -> Option<Self> {
        let Entry { entry_id, at, node, note } = entry;
        let offer = note.refs.offer?;
        Some(Self {
            capsule: offer.capsule,
            id: offer.id,
            generation: offer.generation,
            visibility: offer.visibility,
            is_here: false,
            tree: note.refs.capsule,
            file: offer.file,
            size_bytes: offer.size_bytes,
            delta: offer.delta.map(DeltaView::from),
            entry_id: Some(entry_id),
            offered: Some(OfferedView { principal: note.principal, node, at: at.at }),
            proved: None,
        })
    }
}

impl From<CapsuleRow> for Capsule {
    fn from(row: CapsuleRow) -> Self {
        Self {
            capsule: row.capsule,
            id: row.id,
            generation: row.generation,
            visibility: row.visibility,
            is_here: true,
            tree: Some(row.tree),
            file: row.file,
            size_bytes: row.size_bytes,
            delta: row.delta.map(DeltaView::from),
            entry_id: row.entry_id,
            offered: None,
            proved: Some(ProvedView {
                name: row.name,
                version: row.version,
                created_at: row.created_at,
                created_by: row.created_by,
                signers: row.signers,
                files: row.files,
                content_bytes: row.content_bytes,
                parent: row.parent,
                origin: row.origin,
                kept_at: row.kept_at,
                kept_by: row.kept_by,
            }),
        }
    }
}

/// What became of a capsule that was packed, imported or pulled.
#[derive(ToSchema)]
#[expect(dead_code, reason = "documents what the actions answer with")]
pub(crate) struct CapsuleKept {
    #[schema(schema_with = schema::digest)]
    capsule: Digest,
    id: String,
    generation: u64,
    #[schema(schema_with = schema::digest)]
    tree: Digest,
    #[schema(schema_with = schema::digest)]
    file: Digest,
    size_bytes: u64,
    /// Bytes of the file of what differs from the capsule before it; null where there is none.
    delta_bytes: Option<u64>,
    /// The moment that offers it to members; null where none does.
    #[schema(schema_with = schema::optional_id)]
    entry_id: Option<EntryId>,
    /// Of one that was here already: false.
    #[schema(required = false)]
    is_new: bool,
    /// What the checks of a pack note.
    #[schema(required = false)]
    findings: Vec<String>,
    /// What is said of it and does not count here, and why; of one that was imported or pulled.
    #[schema(required = false)]
    ignored: Vec<String>,
    /// Of a pack: what a build comes to, as its manifest says; null where it says nothing.
    #[schema(required = false, schema_with = schema::optional_digest)]
    build: Option<Digest>,
    /// Files that were fetched from members.
    #[schema(required = false)]
    fetched: u64,
    /// Bytes of them.
    #[schema(required = false)]
    fetched_bytes: u64,
}

/// What was proved.
#[derive(ToSchema)]
#[expect(dead_code, reason = "documents what the action answers with")]
pub(crate) struct CapsuleProved {
    /// Always: what does not hold is refused.
    verified: bool,
    #[schema(schema_with = schema::digest)]
    capsule: Digest,
    id: String,
    generation: u64,
    #[schema(schema_with = schema::digest)]
    tree: Digest,
    files: u64,
    /// Bytes of the files.
    size_bytes: u64,
    /// Bytes of the capsule.
    stored_bytes: u64,
    /// Public keys whose signatures were counted.
    #[schema(value_type = Vec<schema::NodeKey>)]
    signers: Vec<PublicKey>,
    /// How many had to sign.
    threshold: u32,
    /// Which right those must have who sign, such as `publisher`, or `app shop`.
    right: Option<String>,
    by: CountedBy,
    /// What is said of it by who counts, and what it was packed with.
    attestations: Vec<CountedAttestation>,
    /// What else is said of it and does not count here, and why.
    ignored: Vec<String>,
}

/// Something that is said of a capsule.
#[derive(ToSchema)]
#[expect(dead_code, reason = "documents what the action answers with")]
struct CountedAttestation {
    /// The type of its predicate.
    r#type: String,
    /// Ids of keys whose signatures count.
    signers: Vec<String>,
    /// Whether the capsule was packed with it: then its packer vouches for it.
    packed: bool,
    /// What it comes to, in words; null where the kind says enough.
    summary: Option<String>,
}

/// Who says whose signatures count.
#[derive(ToSchema)]
#[expect(dead_code, reason = "documents what the action answers with")]
struct CountedBy {
    /// `ring`: the key ring in force; `keys`: whoever asked named them; `members`: all members count.
    kind: String,
    /// Of a key ring: which version of it.
    #[schema(required = false)]
    version: u64,
}
