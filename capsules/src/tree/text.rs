//! Merging text by its lines.
//!
//! Owns what counts as text and how much of it is looked at: the work grows with the square of what differs.
//! Invariant: the result is the same whichever side is called ours.

use diffy::{ConflictStyle, IncompleteHunkStyle, MergeOptions};

/// Bytes that a text to merge may have.
const TEXT_MAX_BYTES: u64 = 1 << 20;
/// Lines that it may have.
const LINES_MAX: usize = 20_000;

/// What `ours` and `theirs` made of `base`, both together; none where they changed the same lines, or where one
/// is no text, or too much of it.
pub fn merge_text(base: &[u8], ours: &[u8], theirs: &[u8]) -> Option<Vec<u8>> {
    if ![base, ours, theirs].into_iter().all(is_mergeable) {
        return None;
    }
    // Lines can often be matched in more than one way: sorted, the sides are matched in one.
    let (one, other) = if ours <= theirs { (ours, theirs) } else { (theirs, ours) };
    diffy::merge_bytes(base, one, other).ok()
}

/// What `ours` and `theirs` made of `base`; where they changed the same lines, those of all three between markers
/// as diff3 writes them. None where one is no text, or too much of it.
pub fn mark_text(base: &[u8], ours: &[u8], theirs: &[u8]) -> Option<Vec<u8>> {
    if ![base, ours, theirs].into_iter().all(is_mergeable) {
        return None;
    }
    let mut options = MergeOptions::new();
    // Each marker on a line of its own, whether or not a text ends with one.
    options.set_conflict_style(ConflictStyle::Diff3).set_incomplete_hunk_style(IncompleteHunkStyle::Git);
    Some(options.merge_bytes(base, ours, theirs).unwrap_or_else(|marked| marked))
}

fn is_mergeable(bytes: &[u8]) -> bool {
    bytes.len() as u64 <= TEXT_MAX_BYTES
        && !bytes.contains(&0)
        && bytes.iter().filter(|byte| **byte == b'\n').count() < LINES_MAX
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_of_different_lines_come_together() {
        let merged = merge_text(b"a\nb\nc\nd\ne\n", b"A\nb\nc\nd\ne\n", b"a\nb\nc\nd\nE\nf");
        assert_eq!(merged.expect("no conflict"), b"A\nb\nc\nd\nE\nf");
    }

    #[test]
    fn changes_of_one_line_do_not() {
        assert_eq!(merge_text(b"a\n", b"b\n", b"c\n"), None);
        assert_eq!(merge_text(b"", b"b\n", b"c\n"), None);
    }

    #[test]
    fn lines_that_both_changed_stand_between_markers() {
        let marked = mark_text(b"a\nb\nc", b"A\nb\nours", b"a\nb\ntheirs").expect("text");
        let lines = "A\nb\n<<<<<<< ours\nours\n||||||| original\nc\n=======\ntheirs\n>>>>>>> theirs\n";
        assert_eq!(String::from_utf8(marked).expect("text"), lines);
        assert_eq!(mark_text(b"", b"a\0", b"b"), None);
    }

    #[test]
    fn what_is_no_text_or_too_much_is_left_to_people() {
        assert_eq!(merge_text(b"a\0\n", b"a\0\nb", b"a\0\n"), None);
        let long = vec![b'x'; TEXT_MAX_BYTES as usize + 1];
        assert_eq!(merge_text(&long, b"b", &long), None);
        let lines = b"\n".repeat(LINES_MAX);
        assert_eq!(merge_text(&lines, b"b", &lines), None);
    }
}
