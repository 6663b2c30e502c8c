//! Long runs of the characters that generated secrets are made of.
//!
//! Looks at one byte in a few: whoever wants a run of 20 tests the twentieth byte first and, where it is no
//! such character, goes on behind it. Invariant: every run of [`RUN_MIN`] and more is found, once, whole.

use std::ops::Range;

/// The shortest run worth a look: no token of a provider and no strong password is shorter.
pub(super) const RUN_MIN: usize = 20;

/// Base64 in both alphabets, hexadecimal digits, and what providers put between the parts of a token.
const IS_TOKEN: [bool; 256] = {
    let mut is_token = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        let c = byte as u8;
        is_token[byte] = c.is_ascii_alphanumeric() || matches!(c, b'+' | b'/' | b'=' | b'-' | b'_');
        byte += 1;
    }
    is_token
};

/// The runs of `bytes` that begin at `from` or later.
pub(super) fn runs(bytes: &[u8], from: usize) -> impl Iterator<Item = Range<usize>> {
    let is_token = |at: usize| IS_TOKEN[usize::from(bytes[at])];
    // A run that began before is not ours.
    let mut start = from;
    if from > 0 && is_token(from - 1) {
        start = (from..bytes.len()).find(|at| !is_token(*at)).unwrap_or(bytes.len());
    }
    // INVARIANT: all bytes of start..known are token characters.
    let mut known = start;
    std::iter::from_fn(move || {
        loop {
            let last = start + RUN_MIN - 1;
            if last >= bytes.len() {
                return None;
            }
            match (known..=last).rev().find(|at| !is_token(*at)) {
                Some(gap) => {
                    known = last + 1;
                    start = gap + 1;
                }
                None => {
                    let end = (last + 1..bytes.len()).find(|at| !is_token(*at)).unwrap_or(bytes.len());
                    let run = start..end;
                    (start, known) = (end + 1, end + 1);
                    return Some(run);
                }
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// One byte after the other.
    fn plainly(bytes: &[u8]) -> Vec<Range<usize>> {
        let mut found = Vec::new();
        let mut start = 0;
        for at in 0..=bytes.len() {
            if at == bytes.len() || !IS_TOKEN[usize::from(bytes[at])] {
                if at - start >= RUN_MIN {
                    found.push(start..at);
                }
                start = at + 1;
            }
        }
        found
    }

    proptest! {
        #[test]
        fn jumping_finds_what_walking_finds(text in "([a-zA-Z0-9+/=_-]{0,40}[ .,;]){0,12}", from in 0_usize..200) {
            let bytes = text.as_bytes();
            let from = from.min(bytes.len());
            prop_assert_eq!(runs(bytes, 0).collect::<Vec<_>>(), plainly(bytes));
            let later: Vec<_> = plainly(bytes).into_iter().filter(|run| run.start >= from).collect();
            prop_assert_eq!(runs(bytes, from).collect::<Vec<_>>(), later);
        }
    }
}
