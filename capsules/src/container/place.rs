//! Putting a file in its place: written beside it, made lasting, and moved there in one go.
//!
//! Invariant: whoever finds the file finds all of it; whatever goes wrong leaves nothing behind, and what was
//! there before stays.

use std::fs::File;
use std::path::Path;

use super::error::ContainerError;

/// The file at `target`, as `write` writes it. A file that was there is replaced.
pub fn place<T, E: From<ContainerError>>(
    target: &Path,
    write: impl FnOnce(&mut File) -> Result<T, E>,
) -> Result<T, E> {
    let folder = folder_of(target);
    let failed = || ContainerError::io("write", target);
    let mut file = tempfile::Builder::new();
    let file = file.prefix(".xyn-capsule-").permissions(readable()).tempfile_in(folder);
    let mut file = file.map_err(failed())?;
    let written = write(file.as_file_mut())?;
    file.as_file().sync_all().map_err(failed())?;
    file.persist(target).map_err(|error| failed()(error.error))?;
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(ContainerError::io("sync", folder))?;
    Ok(written)
}

/// The folder that `target` is in.
pub(crate) fn folder_of(target: &Path) -> &Path {
    target.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// What a file that travels may be read by, as far as the umask has it.
fn readable() -> std::fs::Permissions {
    std::os::unix::fs::PermissionsExt::from_mode(0o666)
}
