//! Downloads: the bytes of artifacts and capsules, whole or in part.
//!
//! Owns what a browser is told about bytes that anybody may have made: always a file to save, never a page
//! to show on the node's own origin. A whole download is verified before it begins.

use std::io;
use std::ops::Range;

use axum::body::{self, Body};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use futures::stream;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use xyn_actors::web::known;
use xyn_actors::web::range::{Wanted, wanted};
use xyn_store::Digest;
use xyn_store::blobs::Pieces;
use xyn_store::ids::ArtifactId;

use super::artifacts::row;
use crate::error::{ApiError, Code};
use crate::extract::PathId;
use crate::headers::Known;
use crate::schema;
use crate::state::{AppState, blocking};

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(download))
}

/// Types that are shown as they are; everything else is bytes to a browser.
const HARMLESS: [&str; 14] = [
    "application/gzip",
    "application/json",
    "application/pdf",
    "application/x-ndjson",
    "application/yaml",
    "application/zip",
    "image/gif",
    "image/jpeg",
    "image/png",
    "image/webp",
    "text/csv",
    "text/markdown",
    "text/plain",
    "text/yaml",
];

/// The bytes of an artifact; what another node made is fetched from members who have it.
/// A range of them resumes a download that broke off.
#[utoipa::path(
    get,
    path = "/api/v1/artifacts/{artifact_id}/download",
    tag = "artifacts",
    operation_id = "download_artifact",
    params(("artifact_id" = inline(schema::Id), Path)),
    responses(
        (status = 200, description = "The bytes.", body = inline(schema::Anything), content_type = "*/*"),
        (
            status = 206,
            description = "The bytes asked for.",
            body = inline(schema::Anything),
            content_type = "*/*"
        ),
        (status = 304),
        (status = 404),
        (status = 409),
        (status = 416)
    )
)]
async fn download(
    State(state): State<AppState>,
    PathId(artifact_id): PathId<ArtifactId>,
    method: Method,
    known: Known,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let row = row(&state, artifact_id)?;
    let file = Bytes {
        name: row.name.clone(),
        content_type: row.content_type.clone(),
        byte_length: row.byte_length,
        sha256: row.sha256,
    };
    let bring = async || Ok(state.runtime().bring_artifact(&row).await?);
    answer(&state, &file, bring, Asked { method, known, headers }).await
}

/// Bytes that can be had.
pub(crate) struct Bytes {
    /// File name for people.
    pub(crate) name: String,
    /// Media type.
    pub(crate) content_type: String,
    pub(crate) byte_length: u64,
    pub(crate) sha256: Digest,
}

/// What is asked of them.
pub(crate) struct Asked {
    pub(crate) method: Method,
    pub(crate) known: Known,
    pub(crate) headers: HeaderMap,
}

/// Answers with `file`, or a range of it; `bring` sees to it that the bytes are here, when they are needed.
pub(crate) async fn answer(
    state: &AppState,
    file: &Bytes,
    bring: impl AsyncFnOnce() -> Result<(), ApiError>,
    asked: Asked,
) -> Result<Response, ApiError> {
    let Asked { method, known, headers } = asked;
    let tag = file.sha256.to_string();
    let range = match range_header(&headers, &tag) {
        // A range makes sense for a GET only.
        Some(header) if method == Method::GET => wanted(Some(header), file.byte_length),
        _ => Wanted::All,
    };
    let (status, part) = match range {
        Wanted::All => (StatusCode::OK, 0..file.byte_length),
        Wanted::Part(part) => (StatusCode::PARTIAL_CONTENT, part),
        Wanted::Unsatisfiable => return Ok(unsatisfiable(file.byte_length)),
    };
    let mut response = if known.names(&tag) || method == Method::HEAD {
        known.answer(&tag, || status.into_response())
    } else {
        bring().await?;
        let body = content(state, file.sha256, part.clone(), status == StatusCode::OK).await?;
        known.answer(&tag, || (status, body).into_response())
    };
    if response.status() != StatusCode::NOT_MODIFIED {
        describe(response.headers_mut(), file, &part, status);
    }
    Ok(response)
}

/// The `Range` header, unless `If-Range` says that it was meant for other bytes.
fn range_header<'a>(headers: &'a HeaderMap, tag: &str) -> Option<&'a [u8]> {
    let is_meant = known::is_meant(headers.get(header::IF_RANGE), format!("\"{tag}\"").as_bytes());
    headers.get(header::RANGE).filter(|_| is_meant).map(HeaderValue::as_bytes)
}

fn unsatisfiable(length: u64) -> Response {
    let message = format!("there are {length} bytes; the range lies behind them");
    let error = ApiError::new(Code::RangeNotSatisfiable, message).at("Range");
    ([(header::CONTENT_RANGE, format!("bytes */{length}"))], error).into_response()
}

fn describe(headers: &mut HeaderMap, file: &Bytes, part: &Range<u64>, status: StatusCode) {
    let mut say = |name: HeaderName, value: String| {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(name, value);
        }
    };
    say(header::CONTENT_TYPE, harmless(&file.content_type).to_owned());
    say(header::CONTENT_LENGTH, (part.end - part.start).to_string());
    say(header::CONTENT_DISPOSITION, disposition(&file.name));
    say(header::ACCEPT_RANGES, "bytes".to_owned());
    say(header::X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned());
    say(header::CONTENT_SECURITY_POLICY, "default-src 'none'; sandbox".to_owned());
    say(header::CACHE_CONTROL, "private, no-cache".to_owned());
    if status == StatusCode::PARTIAL_CONTENT {
        let (first, last, length) = (part.start, part.end - 1, file.byte_length);
        say(header::CONTENT_RANGE, format!("bytes {first}-{last}/{length}"));
    }
}

/// The type to send for content that says it is `content_type`.
fn harmless(content_type: &str) -> &str {
    let kind = content_type.split(';').next().unwrap_or_default().trim();
    let is_harmless = HARMLESS.iter().any(|harmless| harmless.eq_ignore_ascii_case(kind));
    if is_harmless { content_type } else { "application/octet-stream" }
}

/// `Content-Disposition` for a file called `name`, RFC 6266: a plain name for old readers, the real one
/// encoded.
fn disposition(name: &str) -> String {
    let name = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let plain: String = name
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || "._- ()".contains(c) { c } else { '_' })
        .collect();
    let encoded = name.bytes().fold(String::new(), |mut encoded, byte| {
        if byte.is_ascii_alphanumeric() || b"._-~!".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
        encoded
    });
    format!("attachment; filename=\"{plain}\"; filename*=UTF-8''{encoded}")
}

/// The bytes `part` of the blob `digest`.
async fn content(
    state: &AppState,
    digest: Digest,
    part: Range<u64>,
    verified: bool,
) -> Result<Body, ApiError> {
    let store = state.runtime().store().clone();
    blocking(move || {
        if verified {
            store.blobs().verify(&digest)?;
        }
        let pieces = store.blobs().content(&digest)?.pieces(part);
        Ok(Body::from_stream(stream::try_unfold(pieces, next_piece)))
    })
    .await
}

/// The next of `pieces` and what comes behind it; none at the end.
async fn next_piece(mut pieces: Pieces) -> Result<Option<(body::Bytes, Pieces)>, io::Error> {
    let read = tokio::task::spawn_blocking(move || match pieces.next() {
        Some(piece) => Ok(Some((body::Bytes::from(piece.map_err(io::Error::other)?), pieces))),
        None => Ok(None),
    });
    read.await.unwrap_or_else(|error| Err(io::Error::other(error)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_name_cannot_leave_its_header_or_its_folder() {
        assert_eq!(disposition("a.txt"), "attachment; filename=\"a.txt\"; filename*=UTF-8''a.txt");
        let nasty = disposition("../../x\"; evil\r\nä.html");
        assert_eq!(
            nasty,
            "attachment; filename=\"x__ evil___.html\"; filename*=UTF-8''x%22%3B%20evil%0D%0A%C3%A4.html"
        );
    }

    #[test]
    fn what_a_browser_could_run_is_sent_as_bytes() {
        assert_eq!(harmless("text/plain; charset=utf-8"), "text/plain; charset=utf-8");
        for kind in ["text/html", "image/svg+xml", "application/javascript", "text/xml", "", "x"] {
            assert_eq!(harmless(kind), "application/octet-stream", "{kind}");
        }
    }

    #[test]
    fn a_range_of_other_bytes_is_not_what_was_meant() {
        let headers = |if_range: &'static str| {
            HeaderMap::from_iter([
                (header::RANGE, HeaderValue::from_static("bytes=0-1")),
                (header::IF_RANGE, HeaderValue::from_static(if_range)),
            ])
        };
        assert!(range_header(&headers("\"abc\""), "abc").is_some());
        assert!(range_header(&headers("\"other\""), "abc").is_none());
    }
}
