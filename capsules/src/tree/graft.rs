//! Putting one tree into another: what was built of a tree, in the place where its recipe leaves it.
//!
//! Invariant: but for what stands at that place, and the list of names on the way to it, nothing differs.

use xyn_store::Digest;
use xyn_store::blobs::Blobs;

use super::directory::{Directory, Entry, InvalidDirectory, Mode};
use super::error::TreeError;
use super::name::Name;
use super::path::RelPath;
use super::shelf::Shelf;
use super::snapshot::Portions;

/// Keeps the tree `root` with the tree `part` in the place of what stands at `path`, which need be nothing. Nobody keeps
/// what comes of it yet: it is swept in time.
pub(crate) fn graft(
    blobs: &Blobs,
    root: &Digest,
    path: &RelPath,
    part: &Digest,
) -> Result<Digest, TreeError> {
    let (mut above, mut at) = (Vec::new(), Some(*root));
    for name in path.names() {
        let directory = at.map(|digest| blobs.directory(&digest)).transpose()?.unwrap_or_default();
        at = directory.get(name).filter(|entry| entry.is_directory()).map(|entry| entry.digest);
        above.push((directory, name));
    }
    let fault = |source| TreeError::Folder { path: path.clone(), source };
    let mut portions = Portions::new(blobs);
    let mut entry = entry(*part, &blobs.directory(part)?);
    for (directory, name) in above.into_iter().rev() {
        let name: Name = name.parse().map_err(|source| fault(InvalidDirectory::Name(source)))?;
        let mut entries = directory.entries().clone();
        entries.insert(name, entry);
        let directory = Directory::new(entries).map_err(fault)?;
        let digest = portions.directory(&directory, &directory.encode())?;
        entry = self::entry(digest, &directory);
    }
    portions.commit()?;
    Ok(entry.digest)
}

fn entry(digest: Digest, directory: &Directory) -> Entry {
    Entry { mode: Mode::Directory, digest, size_bytes: directory.encode().len() as u64 }
}

#[cfg(test)]
mod tests {
    use super::super::tests::Place;
    use super::super::{Limits, list};
    use super::*;

    /// Takes a folder with these files.
    fn taken(place: &Place, files: &[&str]) -> Digest {
        for name in files {
            let path = place.dir.join(name);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            std::fs::write(path, name).expect("written");
        }
        place.take().expect("taken").root
    }

    #[test]
    fn what_is_put_in_replaces_what_stood_there_and_nothing_else() {
        let place = Place::new();
        let part = taken(&place, &["new.html"]);
        std::fs::remove_file(place.dir.join("new.html")).expect("removed");
        let root = taken(&place, &["a", "deep/out/old.html", "deep/in", "file"]);
        let blobs = place.store.blobs();
        let grafted = |at: &str| {
            let root = graft(blobs, &root, &at.parse().expect("a path"), &part).expect("grafted");
            let listing = list(blobs, &root, Limits::default()).expect("sound");
            let names = listing.entries.into_iter().map(|(path, _)| path.to_string());
            names.collect::<Vec<_>>().join(" ")
        };
        assert_eq!(grafted("deep/out"), "a deep deep/in deep/out deep/out/new.html file");
        assert_eq!(
            grafted("other/out"),
            "a deep deep/in deep/out deep/out/old.html file other other/out other/out/new.html"
        );
        // A step may have put a folder in the place of a file.
        assert_eq!(grafted("file"), "a deep deep/in deep/out deep/out/old.html file file/new.html");
        assert_eq!(grafted("."), "new.html");
        assert_eq!(
            grafted("file/under"),
            "a deep deep/in deep/out deep/out/old.html file file/under file/under/new.html"
        );
    }
}
