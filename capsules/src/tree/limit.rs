//! How large a tree may be.
//!
//! Invariant: whatever a stranger's tree says of itself, work and memory on it stay within these.

/// Limits of a tree. Reaching one is an error that says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Directories in one another.
    pub depth: usize,
    /// Entries of all directories.
    pub entries: u64,
    /// Bytes of the paths of all entries, when they are listed.
    pub path_bytes: u64,
    /// Bytes of one file.
    pub file_bytes: u64,
    /// Bytes of all files.
    pub total_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            depth: 128,
            entries: 500_000,
            path_bytes: 64 << 20,
            file_bytes: 16 << 30,
            total_bytes: 64 << 30,
        }
    }
}

/// Bytes that the list of one directory may have: room for more than a hundred thousand names.
pub(super) const DIRECTORY_MAX_BYTES: u64 = 16 << 20;
/// Bytes that the target of a link may have.
pub(super) const TARGET_MAX_BYTES: u64 = 4_096;

/// What of the limits is used up.
#[derive(Clone, Copy, Debug)]
pub(super) struct Budget {
    limits: Limits,
    entries: u64,
    path_bytes: u64,
    total_bytes: u64,
}

/// A limit that was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Exceeded {
    /// Directories in one another.
    #[error("is more than {0} directories deep")]
    Depth(usize),
    /// Entries of all directories.
    #[error("is one of more than {0} entries")]
    Entries(u64),
    /// Bytes of the paths of all entries.
    #[error("is one of entries whose paths have more than {0} bytes together")]
    Paths(u64),
    /// Bytes of one file.
    #[error("is larger than {0} bytes")]
    File(u64),
    /// Bytes of all files.
    #[error("is one of files of more than {0} bytes together")]
    Total(u64),
}

impl Budget {
    pub(super) fn new(limits: Limits) -> Self {
        Self { limits, entries: 0, path_bytes: 0, total_bytes: 0 }
    }

    /// Counts an entry `depth` names below the tree.
    pub(super) fn entry(&mut self, depth: usize) -> Result<(), Exceeded> {
        self.entries += 1;
        let Limits { depth: depth_max, entries, .. } = self.limits;
        if depth > depth_max {
            Err(Exceeded::Depth(depth_max))
        } else if self.entries > entries {
            Err(Exceeded::Entries(entries))
        } else {
            Ok(())
        }
    }

    /// Counts the bytes of a path that is kept.
    pub(super) fn path(&mut self, bytes: usize) -> Result<(), Exceeded> {
        self.path_bytes += bytes as u64;
        match self.path_bytes <= self.limits.path_bytes {
            true => Ok(()),
            false => Err(Exceeded::Paths(self.limits.path_bytes)),
        }
    }

    /// Counts the bytes of a file.
    pub(super) fn file(&mut self, size_bytes: u64) -> Result<(), Exceeded> {
        self.total_bytes = self.total_bytes.saturating_add(size_bytes);
        let Limits { file_bytes, total_bytes, .. } = self.limits;
        if size_bytes > file_bytes {
            Err(Exceeded::File(file_bytes))
        } else if self.total_bytes > total_bytes {
            Err(Exceeded::Total(total_bytes))
        } else {
            Ok(())
        }
    }

    /// Bytes that the next file may have.
    pub(super) fn file_bytes(&self) -> u64 {
        self.limits.file_bytes
    }
}
