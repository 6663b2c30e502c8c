//! Long runs of the characters that generated secrets are made of.
//!
//! Looks at 64 bytes at a time, as bits: no step waits for what another one found. Invariant: every run of
//! [`RUN_MIN`] and more is found, once, whole.

use std::ops::Range;

/// The shortest run worth a look: no token of a provider and no strong password is shorter.
const RUN_MIN: usize = 20;

/// Bytes that are looked at together, a bit for each.
const BLOCK: usize = 64;

/// Base64 in both alphabets, hexadecimal digits, and what providers put between the parts of a token. Without
/// a branch, so that it becomes vectors.
const fn is_token(byte: u8) -> bool {
    let is_letter = (byte | 0x20).wrapping_sub(b'a') < 26;
    // The slash stands right before the digits.
    let is_digit = byte.wrapping_sub(b'/') < 11;
    is_letter | is_digit | (byte == b'+') | (byte == b'-') | (byte == b'=') | (byte == b'_')
}

/// A bit for each token character of the block at `at`, the first one lowest.
fn tokens(bytes: &[u8], at: usize) -> u64 {
    let rest = bytes.get(at..).unwrap_or_default();
    let mut block = rest.first_chunk().copied().unwrap_or_else(|| {
        let mut padded = [0; BLOCK];
        padded[..rest.len()].copy_from_slice(rest);
        padded
    });
    for byte in &mut block {
        *byte = u8::from(is_token(*byte));
    }
    let (eights, _) = block.as_chunks::<8>();
    eights.iter().rev().fold(0, |bits, eight| {
        // Eight bytes of one bit each come together in the highest byte.
        let gathered = u64::from_le_bytes(*eight).wrapping_mul(0x0102_0408_1020_4080) >> 56;
        bits << 8 | gathered
    })
}

/// Where [`RUN_MIN`] bits in a row begin.
fn long(bits: u128) -> u128 {
    let two = bits & bits >> 1;
    let four = two & two >> 2;
    let eight = four & four >> 4;
    let sixteen = eight & eight >> 8;
    // The last four end where a run of that length does.
    sixteen & four >> (RUN_MIN - 4)
}

/// The runs of `bytes` that begin at `from` or later.
pub(super) fn runs(bytes: &[u8], from: usize) -> impl Iterator<Item = Range<usize>> {
    let end_of_run = |at: usize| {
        let length = bytes[at..].iter().position(|byte| !is_token(*byte));
        length.map_or(bytes.len(), |length| at + length)
    };
    // A run that began before is not ours.
    let is_within = from > 0 && is_token(bytes[from - 1]);
    let mut free = if is_within { end_of_run(from) } else { from };
    let mut at = free;
    let (mut here, mut next) = (tokens(bytes, at), tokens(bytes, at + BLOCK));
    std::iter::from_fn(move || {
        while at < bytes.len() {
            // INVARIANT: what begins before `free` was told.
            let both = u128::from(next) << BLOCK | u128::from(here);
            let told = free.saturating_sub(at);
            let begins = (long(both) as u64).checked_shr(told as u32).unwrap_or_default();
            if begins != 0 {
                let start = told + begins.trailing_zeros() as usize;
                let end = start + (both >> start).trailing_ones() as usize;
                free = if end < 2 * BLOCK { at + end } else { end_of_run(at + end) };
                return Some(at + start..free);
            }
            at += BLOCK;
            (here, next) = (next, tokens(bytes, at + BLOCK));
        }
        None
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
            if at == bytes.len() || !is_token(bytes[at]) {
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
