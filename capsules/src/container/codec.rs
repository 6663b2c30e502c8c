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
/// Of a patch: the longest chunk and all that it may refer to.
const PATCH_WINDOW_LOG: u32 = 23;
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
        compress(&mut self.context, raw, &mut self.out)?;
        Ok((self.out.len() < raw.len()).then_some(&self.out))
    }
}

/// The frame of `raw` behind `near`; none when that would not be smaller.
pub(super) fn patch(raw: &[u8], near: &[u8]) -> Result<Option<Vec<u8>>, ContainerError> {
    let mut context = CCtx::create();
    let parameters = [
        CParameter::CompressionLevel(PATCH_LEVEL),
        CParameter::WindowLog(PATCH_WINDOW_LOG),
        CParameter::EnableLongDistanceMatching(true),
    ];
    for parameter in parameters {
        context.set_parameter(parameter).map_err(failed)?;
    }
    context.ref_prefix(near).map_err(failed)?;
    let mut out = Vec::new();
    compress(&mut context, raw, &mut out)?;
    Ok((out.len() < raw.len()).then_some(out))
}

fn compress(context: &mut CCtx<'_>, raw: &[u8], out: &mut Vec<u8>) -> Result<(), ContainerError> {
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
