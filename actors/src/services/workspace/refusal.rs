//! What goes wrong with folders and trees, as the Runtime refuses it.

use xyn_capsules::tree::TreeError;
use xyn_store::StoreError;
use xyn_store::blobs::BlobError;

use crate::runtime::Refusal;

/// The words for what people mend in the folder.
const WORDS: [&str; 5] = ["folder_gone", "folder_unfit", "folder_unusable", "unsaved_changes", "in_the_way"];

/// The refusal that `word` is of, when it is one of these.
pub(crate) fn of_word(word: &str, message: &str) -> Option<Refusal> {
    Refusal::conflict_of(&WORDS, word, message)
}

/// The refusal of an act on the folder of the workspace `name`.
pub(super) fn refusal(name: &str, error: TreeError) -> Refusal {
    let conflict =
        |code, said: String| Refusal::Conflict { code, message: format!("workspace `{name}`: {said}") };
    let said = error.to_string();
    match error {
        TreeError::NoFolder(_) => conflict("folder_gone", said),
        TreeError::Folder { .. }
        | TreeError::Link { .. }
        | TreeError::Limit { .. }
        | TreeError::Changing(_) => conflict("folder_unfit", said),
        TreeError::Io { .. } => conflict("folder_unusable", said),
        TreeError::Unsaved(_) => conflict("unsaved_changes", said),
        TreeError::InTheWay(_) => conflict("in_the_way", said),
        TreeError::Blob(BlobError::NotFound(digest)) => {
            Refusal::NotFound { kind: "tree", id: digest.to_string() }
        }
        TreeError::Blob(BlobError::TooLarge { .. })
        | TreeError::Directory { .. }
        | TreeError::Length { .. } => Refusal::invalid("invalid_input", "/root", said),
        TreeError::Blob(error) => StoreError::from(error).into(),
    }
}
