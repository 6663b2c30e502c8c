//! Text that stands as base64 within a text.
//!
//! Invariant: no more than [`ENCODED_MAX_BYTES`] are read at once, and what does not begin like text, or like
//! an archive, is not read at all: that is how images and hashes stay cheap.

use std::ops::Range;

use super::archive::Format;
use super::text::length_of;

/// Bytes of base64 that are read at once.
const ENCODED_MAX_BYTES: usize = 1 << 20;
/// The shortest base64 that is read.
const ENCODED_MIN_BYTES: usize = 24;
/// Bytes at the beginning that must be text.
const LOOK_BYTES: usize = 12;
/// From this length on, a line of base64 can go on in the next.
const LINE_MIN_BYTES: usize = 60;

/// What a character of either alphabet stands for; 64 for none.
const SIX_BITS: [u8; 256] = {
    let mut bits = [64; 256];
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut value = 0;
    while value < 64 {
        bits[alphabet[value as usize] as usize] = value;
        value += 1;
    }
    bits[b'-' as usize] = 62;
    bits[b'_' as usize] = 63;
    bits
};

/// What is encoded in `run`, a run of token characters in `bytes`, and where that ends.
pub(super) fn decode(bytes: &[u8], run: &Range<usize>) -> Option<(Vec<u8>, usize)> {
    let whole = &bytes[run.clone()];
    let padding = whole.iter().rev().take_while(|byte| **byte == b'=').count();
    let begin = memchr::memrchr(b'=', &whole[..whole.len() - padding]).map_or(0, |equals| equals + 1);
    let start = run.start + begin;
    if run.end - start < ENCODED_MIN_BYTES {
        return None;
    }
    let (mut look, mut length) = ([0; LOOK_BYTES], 0);
    for (place, byte) in look.iter_mut().zip(six_bits(&bytes[start..run.end])) {
        *place = byte;
        length += 1;
    }
    let look = &look[..length];
    if !look.iter().all(|byte| is_text(*byte)) && Format::of(look).is_none() {
        return None;
    }
    let mut pending = Vec::new();
    let mut end = start;
    for line in lines(bytes, start..run.end) {
        end = line.end;
        pending.extend_from_slice(&bytes[line]);
    }
    Some((six_bits(&pending).collect(), end))
}

fn is_text(byte: u8) -> bool {
    byte.is_ascii_graphic() || matches!(byte, b' ' | b'\n' | b'\r' | b'\t')
}

/// The line of base64 that is `first`, and those in which it goes on.
fn lines(bytes: &[u8], first: Range<usize>) -> impl Iterator<Item = Range<usize>> {
    let most = first.start.saturating_add(ENCODED_MAX_BYTES);
    let mut next = Some(first);
    std::iter::from_fn(move || {
        let line = next.take()?;
        let line = line.start..line.end.min(most);
        let length = line.len();
        if length >= LINE_MIN_BYTES && line.end < most {
            let gap = length_of(&bytes[line.end..], |byte| byte.is_ascii_whitespace());
            let start = line.end + gap;
            let following =
                length_of(&bytes[start..], |byte| SIX_BITS[usize::from(byte)] < 64 || byte == b'=');
            let goes_on = (1..=40).contains(&gap) && (1..=length).contains(&following);
            next = goes_on.then(|| start..start + following);
        }
        Some(line)
    })
}

/// Decodes what there is, without asking for padding.
fn six_bits(encoded: &[u8]) -> impl Iterator<Item = u8> {
    let values = encoded.iter().map(|byte| SIX_BITS[usize::from(*byte)]).filter(|bits| *bits < 64);
    let (mut buffer, mut bits) = (0_u32, 0);
    values.filter_map(move |value| {
        buffer = (buffer << 6) | u32::from(value);
        bits = (bits + 6) % 8;
        // A byte is whole with each value but every fourth.
        (bits < 6).then_some((buffer >> bits) as u8)
    })
}

#[cfg(test)]
mod tests {
    use data_encoding::{BASE64, BASE64_MIME, BASE64URL_NOPAD};
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn text_in_each_form_of_base64_comes_out(text in "[ -~]{40,300}") {
            for encoded in [BASE64.encode(text.as_bytes()), BASE64URL_NOPAD.encode(text.as_bytes())] {
                let decoded = decode(encoded.as_bytes(), &(0..encoded.len())).expect("text");
                prop_assert_eq!(decoded, (text.clone().into_bytes(), encoded.len()));
            }
            let wrapped = BASE64_MIME.encode(text.as_bytes());
            let first = wrapped.find('\r').unwrap_or(wrapped.len());
            let (decoded, _) = decode(wrapped.as_bytes(), &(0..first)).expect("text");
            prop_assert_eq!(decoded, text.into_bytes());
        }
    }

    #[test]
    fn what_is_no_text_is_not_decoded() {
        for text in
            ["iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJ", "some/path/to/a/file/that/is/long/enough"]
        {
            assert_eq!(decode(text.as_bytes(), &(0..text.len())), None, "{text}");
        }
    }
}
