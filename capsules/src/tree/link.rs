//! Where a link leads.
//!
//! Owns what a target may be: up from the link's own directory and then down by names, never up again. Going
//! up behind a name could leave the tree where that name is a link itself. Invariant: following a target, and
//! every link on the way, ends within the tree.

use super::limit::TARGET_MAX_BYTES;
use super::name::{InvalidName, Name};

/// The target of a link, as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target(String);

/// A target that no link in a tree may have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidLink {
    /// Absolute, or up too far.
    #[error("it leads out of the tree")]
    Outside,
    /// Up behind a name.
    #[error("it goes up again behind a name")]
    UpAgain,
    /// Through a name that no entry may have.
    #[error(transparent)]
    Name(#[from] InvalidName),
    /// Nothing, or too much.
    #[error("it has no or more than {TARGET_MAX_BYTES} bytes")]
    Length,
}

impl Target {
    /// The target `bytes` of a link that stands in a directory `depth` names below the tree.
    pub fn read(bytes: &[u8], depth: usize) -> Result<Self, InvalidLink> {
        if bytes.is_empty() || bytes.len() as u64 > TARGET_MAX_BYTES {
            return Err(InvalidLink::Length);
        }
        if bytes.starts_with(b"/") {
            return Err(InvalidLink::Outside);
        }
        let (mut up, mut is_down) = (0, false);
        for part in bytes.split(|byte| *byte == b'/') {
            match part {
                b"" | b"." => {}
                b".." if is_down => return Err(InvalidLink::UpAgain),
                b".." if up == depth => return Err(InvalidLink::Outside),
                b".." => up += 1,
                name => {
                    Name::read(name)?;
                    is_down = true;
                }
            }
        }
        let text = str::from_utf8(bytes).expect("names, dots and slashes are UTF-8");
        Ok(Self(text.to_owned()))
    }

    /// The target.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_within_the_tree_is_taken_as_it_was_written() {
        for (text, depth) in [("a", 0), ("./a//b/", 0), ("../x", 1), ("../../x/y", 2), ("..", 1), (".", 0)] {
            assert_eq!(Target::read(text.as_bytes(), depth).expect(text).as_str(), text);
        }
    }

    #[test]
    fn a_target_that_could_leave_the_tree_is_refused() {
        let read = |text: &str, depth| Target::read(text.as_bytes(), depth);
        for (text, depth) in [("/etc/passwd", 3), ("..", 0), ("../../x", 1), ("./../x", 0)] {
            assert_eq!(read(text, depth), Err(InvalidLink::Outside), "{text}");
        }
        assert_eq!(read("a/../b", 3), Err(InvalidLink::UpAgain));
        assert_eq!(read("up/../../..", 3), Err(InvalidLink::UpAgain));
        assert_eq!(read("", 0), Err(InvalidLink::Length));
        assert_eq!(read(&"a/".repeat(2_049), 0), Err(InvalidLink::Length));
        for text in ["a\0b", "a\\..\\..", ".git/hooks", "\u{202e}", "c:x"] {
            assert!(matches!(read(text, 3), Err(InvalidLink::Name(_))), "{text}");
        }
        assert!(matches!(Target::read(b"\xff", 3), Err(InvalidLink::Name(_))));
    }
}
