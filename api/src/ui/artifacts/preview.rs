//! What a page shows of an artifact's bytes: text, or a picture made of dots, or nothing.
//!
//! Invariant: of bytes that anybody may have made, a page shows escaped text, or lets the browser draw a
//! raster image; a drawing that may hold scripts is text here.

use xyn_store::blobs::BlobError;
use xyn_store::projection::ArtifactRow;

use crate::error::ApiError;
use crate::state::{AppState, blocking};
use crate::ui::words::SHOWN_MAX;

/// The largest image that a page shows, in bytes.
const IMAGE_MAX_BYTES: u64 = 16 << 20;
/// Types that a browser draws without reading them as a document.
const RASTER: [&str; 4] = ["image/png", "image/jpeg", "image/gif", "image/webp"];

/// Which part of a long text is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::ui) enum Part {
    Beginning,
    /// As of a log, whose news stand there.
    End,
}

/// What is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::ui) enum Preview {
    /// A text, and whether it is but a part.
    Text(String, bool),
    /// The download is an image.
    Image,
    /// Nothing, because of this.
    Nothing(&'static str),
}

/// What a page shows of `artifact`.
pub(in crate::ui) async fn preview(
    state: &AppState,
    artifact: &ArtifactRow,
    part: Part,
) -> Result<Preview, ApiError> {
    let kind = media_type(&artifact.content_type);
    if RASTER.contains(&kind.as_str()) {
        let is_small = artifact.byte_length <= IMAGE_MAX_BYTES;
        return Ok(if is_small { Preview::Image } else { Preview::Nothing("The image is large.") });
    }
    let (blobs, digest, length) =
        (state.runtime().store().blobs().clone(), artifact.sha256, artifact.byte_length);
    let most = SHOWN_MAX as u64;
    let range = match part {
        Part::Beginning => 0..length.min(most),
        Part::End => length.saturating_sub(most)..length,
    };
    let read = blocking(move || {
        let content = match blobs.content(&digest) {
            Err(BlobError::NotFound(_)) => return Ok(None),
            content => content?,
        };
        let mut bytes = Vec::new();
        for piece in content.pieces(range) {
            bytes.append(&mut piece?);
        }
        Ok(Some(bytes))
    });
    let Some(bytes) = read.await? else {
        return Ok(Preview::Nothing("Its bytes are on another node; the download brings them here."));
    };
    // Who uploads often does not say what it is.
    let is_json = is_json(&kind) || artifact.name.ends_with(".json");
    Ok(shown(is_json, &bytes, length > most))
}

/// What is shown of `bytes`, a value a line if they are JSON.
fn shown(is_json: bool, bytes: &[u8], is_cut: bool) -> Preview {
    let Some(text) = text(bytes, is_cut) else { return Preview::Nothing("It is not text.") };
    if is_json
        && !is_cut
        && let Ok(value) = serde_json::from_str::<serde_json::Value>(text)
        && let Ok(pretty) = serde_json::to_string_pretty(&value)
        && pretty.len() <= SHOWN_MAX
    {
        return Preview::Text(pretty, false);
    }
    Preview::Text(text.to_owned(), is_cut)
}

/// `bytes` as text, when they are some; a part of a text may be cut within a character.
fn text(bytes: &[u8], is_cut: bool) -> Option<&str> {
    if bytes.contains(&0) {
        return None;
    }
    let start = if is_cut { bytes.iter().take(3).take_while(|byte| *byte & 0xC0 == 0x80).count() } else { 0 };
    let bytes = &bytes[start..];
    match std::str::from_utf8(bytes) {
        Ok(text) => Some(text),
        Err(error) if is_cut && error.error_len().is_none() => {
            std::str::from_utf8(&bytes[..error.valid_up_to()]).ok()
        }
        Err(_) => None,
    }
}

fn is_json(kind: &str) -> bool {
    kind == "application/json" || kind.ends_with("+json")
}

/// A media type without its parameters, in small letters.
fn media_type(content_type: &str) -> String {
    content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_shown_a_value_a_line_and_text_as_it_is() {
        let of = |kind, bytes: &[u8]| shown(is_json(kind), bytes, false);
        assert_eq!(of("application/json", b"{\"a\":1}"), Preview::Text("{\n  \"a\": 1\n}".into(), false));
        assert_eq!(of("application/json", b"{oops"), Preview::Text("{oops".into(), false));
        assert_eq!(of("text/html", b"<script>"), Preview::Text("<script>".into(), false));
        assert_eq!(of("image/svg+xml", b"<svg/>"), Preview::Text("<svg/>".into(), false));
        assert!(matches!(of("text/plain", b"a\0b"), Preview::Nothing(_)));
        assert!(matches!(of("text/plain", b"\xff\xfe"), Preview::Nothing(_)));
    }

    #[test]
    fn a_part_of_a_text_may_begin_and_end_within_a_character() {
        let bytes = "äöü".as_bytes();
        assert_eq!(text(&bytes[1..5], true), Some("ö"));
        assert_eq!(text(&bytes[1..5], false), None);
        assert_eq!(text(bytes, true), Some("äöü"));
    }

    #[test]
    fn an_image_type_is_known_whatever_it_says_besides() {
        assert!(RASTER.contains(&media_type("Image/PNG; charset=x").as_str()));
        assert!(!RASTER.contains(&media_type("image/svg+xml").as_str()));
    }
}
