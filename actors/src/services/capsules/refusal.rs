//! What goes wrong with capsules, as the Runtime refuses it.

use xyn_capsules::container::ContainerError;
use xyn_capsules::proof::NotTrusted;
use xyn_capsules::tree::TreeError;
use xyn_store::StoreError;
use xyn_store::blobs::BlobError;

use crate::runtime::Refusal;

/// The words for what is wrong with a capsule itself, or with what was to become one.
const WORDS: [&str; 7] = [
    "capsule_unsound",
    "capsule_untrusted",
    "capsule_generation",
    "capsule_base_missing",
    "capsule_unfit",
    "secrets_found",
    "capsule_vetoed",
];

/// Whether `word` says that the capsule is the reason.
pub(super) fn is_of_capsule(word: &str) -> bool {
    WORDS.contains(&word)
}

/// The refusal that `word` is of, when it is one of these.
pub(crate) fn of_word(word: &str, message: &str) -> Option<Refusal> {
    Refusal::conflict_of(&WORDS, word, message)
}

/// What is wrong with the bytes of a capsule, or with the disk they are on.
pub(crate) fn file(error: ContainerError) -> Refusal {
    let message = with_causes(&error);
    match error {
        ContainerError::Tree(TreeError::Blob(error)) => blob(error),
        ContainerError::Io { .. } | ContainerError::Compress(_) => Refusal::Unavailable(message),
        ContainerError::NeedsBase(_) => Refusal::Conflict { code: "capsule_base_missing", message },
        _ => Refusal::Conflict { code: "capsule_unsound", message },
    }
}

/// What is wrong with what is to be packed.
pub(super) fn unpacked(error: ContainerError) -> Refusal {
    let message = with_causes(&error);
    match error {
        ContainerError::Tree(TreeError::Blob(error)) => blob(error),
        ContainerError::Io { .. } | ContainerError::Compress(_) => Refusal::Unavailable(message),
        _ => Refusal::Conflict { code: "capsule_unfit", message },
    }
}

/// Why a capsule is not taken.
pub(super) fn not_trusted(error: NotTrusted) -> Refusal {
    let message = with_causes(&error);
    match error {
        NotTrusted::File(error) => file(error),
        NotTrusted::Tree { .. } | NotTrusted::Missing { .. } | NotTrusted::NotOpened(_) => {
            Refusal::Conflict { code: "capsule_unsound", message }
        }
        NotTrusted::Manifest(_) | NotTrusted::NotMeant(_) | NotTrusted::Attestation { .. } => {
            Refusal::Conflict { code: "capsule_untrusted", message }
        }
    }
}

/// What is wrong with the store.
pub(crate) fn blob(error: BlobError) -> Refusal {
    match error {
        error @ (BlobError::Damaged { .. } | BlobError::Unproved { .. }) => {
            Refusal::Conflict { code: "capsule_unsound", message: error.to_string() }
        }
        BlobError::NotFound(digest) => Refusal::NotFound { kind: "blob", id: digest.to_string() },
        error => StoreError::from(error).into(),
    }
}

/// An error with all that led to it.
pub(crate) fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let said = cause.to_string();
        // One that is shown as its cause says it once.
        if !text.ends_with(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        source = cause.source();
    }
    text
}
