//! Compression, both ways, within limits.
//!
//! Owns what a compressed frame may be: one frame that tells its length and needs no window but its own
//! content. Invariant: nothing is allocated that was not declared, and declared within the limits.

use zstd::zstd_safe::{self, CCtx, CParameter, DCtx};

use super::error::{ContainerError, Fault};

/// As fast as it must be for two cores, and as small as a whole tree packed at once.
const LEVEL: i32 = 3;
/// Patches are few, and travel.
const PATCH_LEVEL: i32 = 6;
/// The smallest and the largest window that a frame can have.
const WINDOW_LOGS: (u32, u32) = (10, 27);
/// Of a frame's descriptor: its window is its content.
const SINGLE_SEGMENT: u8 = 0x20;
/// Of a frame's descriptor: it needs a dictionary.
const DICTIONARY: u8 = 0x03;

/// Compresses; keeps what it needs between two chunks.
pub(super) struct Encoder {
    context: CCtx<'static>,
    out: Vec<u8>,
}

impl Encoder {
    pub(super) fn new() -> Result<Self, ContainerError> {
        let mut context = CCtx::create();
        context.set_parameter(CParameter::CompressionLevel(LEVEL)).map_err(failed)?;
        Ok(Self { context, out: Vec::new() })
    }

    /// The frame of `raw`; none when that would not be smaller.
    pub(super) fn compress(&mut self, raw: &[u8]) -> Result<Option<&[u8]>, ContainerError> {
        compress(&mut self.context, raw, 0, &mut self.out)?;
        Ok((self.out.len() < raw.len()).then_some(&self.out))
    }
}

/// The frame of `raw` behind `near`; none when that would not be smaller.
pub(super) fn patch(raw: &[u8], near: &[u8]) -> Result<Option<Vec<u8>>, ContainerError> {
    let mut context = CCtx::create();
    let parameters =
        [CParameter::CompressionLevel(PATCH_LEVEL), CParameter::EnableLongDistanceMatching(true)];
    for parameter in parameters {
        context.set_parameter(parameter).map_err(failed)?;
    }
    context.ref_prefix(near).map_err(failed)?;
    let mut out = Vec::new();
    compress(&mut context, raw, near.len(), &mut out)?;
    Ok((out.len() < raw.len()).then_some(out))
}

fn compress(
    context: &mut CCtx<'_>,
    raw: &[u8],
    near_bytes: usize,
    out: &mut Vec<u8>,
) -> Result<(), ContainerError> {
    // So large that all of it is in sight: only then the content is its own window.
    let sight = (raw.len() + near_bytes).next_power_of_two().ilog2();
    let window = CParameter::WindowLog(sight.clamp(WINDOW_LOGS.0, WINDOW_LOGS.1));
    context.set_parameter(window).map_err(failed)?;
    out.clear();
    out.reserve(zstd_safe::compress_bound(raw.len()));
    context.compress2(out, raw).map(drop).map_err(failed)
}

fn failed(code: zstd_safe::ErrorCode) -> ContainerError {
    ContainerError::Compress(zstd_safe::get_error_name(code).to_owned())
}

/// Decompresses; keeps what it needs between two chunks.
pub(super) struct Decoder(DCtx<'static>);

impl Decoder {
    pub(super) fn new() -> Self {
        Self(DCtx::create())
    }

    /// The `raw_bytes` bytes of which `stored` is the frame.
    pub(super) fn decompress(&mut self, stored: &[u8], raw_bytes: usize) -> Result<Vec<u8>, Fault> {
        decompress(&mut self.0, stored, raw_bytes)
    }
}

/// The `raw_bytes` bytes of which `stored` is the frame behind `near`.
pub(super) fn unpatch(stored: &[u8], near: &[u8], raw_bytes: usize) -> Result<Vec<u8>, Fault> {
    let mut context = DCtx::create();
    context.ref_prefix(near).map_err(|_| Fault::Compressed)?;
    decompress(&mut context, stored, raw_bytes)
}

fn decompress(context: &mut DCtx<'_>, stored: &[u8], raw_bytes: usize) -> Result<Vec<u8>, Fault> {
    let descriptor = stored.get(4).copied().unwrap_or_default();
    let is_one_frame = stored.starts_with(&zstd_safe::MAGICNUMBER.to_le_bytes())
        && descriptor & SINGLE_SEGMENT != 0
        && descriptor & DICTIONARY == 0
        && matches!(zstd_safe::get_frame_content_size(stored), Ok(Some(said)) if said == raw_bytes as u64)
        && zstd_safe::find_frame_compressed_size(stored) == Ok(stored.len());
    if !is_one_frame {
        return Err(Fault::Frame { raw: raw_bytes as u64 });
    }
    let mut raw = Vec::with_capacity(raw_bytes);
    match context.decompress(&mut raw, stored) {
        Ok(found) if found == raw_bytes => Ok(raw),
        _ => Err(Fault::Compressed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Something like a text, which compresses.
    fn text(length: usize) -> Vec<u8> {
        let lines =
            (0_u64..).flat_map(|line| format!("line {} of {}\n", line, line * line % 977).into_bytes());
        lines.take(length).collect()
    }

    #[test]
    fn what_was_compressed_comes_back_whatever_its_length() {
        let (mut encoder, mut decoder) = (Encoder::new().expect("made"), Decoder::new());
        for length in [100, 255, 256, 65_791, 65_792, 1 << 20, (2 << 20) + 1, 4 << 20, 9 << 20] {
            let raw = text(length);
            let stored = encoder.compress(&raw).expect("compressed").expect("smaller").to_vec();
            assert_eq!(decoder.decompress(&stored, length), Ok(raw.clone()), "{length}");
            assert!(
                decoder.decompress(&stored, length + 1).is_err()
                    && decoder.decompress(&stored, length - 1).is_err()
            );
            let near = [b"something before".as_slice(), &raw[..length / 2]].concat();
            let stored = patch(&raw, &near).expect("compressed").expect("smaller");
            assert_eq!(unpatch(&stored, &near, length), Ok(raw), "{length}");
        }
    }

    #[test]
    fn what_does_not_become_smaller_is_left_as_it_is() {
        let mut encoder = Encoder::new().expect("made");
        assert_eq!(encoder.compress(b"x").expect("tried"), None);
        assert_eq!(patch(b"x", b"").expect("tried"), None);
    }

    #[test]
    fn a_patch_needs_the_bytes_it_was_made_with() {
        let (raw, near) = (text(50_000), text(49_000));
        let stored = patch(&raw, &near).expect("compressed").expect("smaller");
        assert!(stored.len() < 2_000, "{} bytes", stored.len());
        assert_ne!(unpatch(&stored, &vec![0; near.len()], raw.len()), Ok(raw));
    }
}
