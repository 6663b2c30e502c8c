//! A static site: the files of a capsule, served from the chunk store as they are.
//!
//! Nothing is laid out: the tree that was proved is what is read, chunk by chunk against its digests, so no link,
//! path or edited file of the machine can come in between. Owns what a reader is told of a file. Invariant: what is
//! sent under a tag is the content whose digest the tag is.

mod media;
mod path;

use std::io;
use std::sync::Arc;

use futures::stream;
use http::response::Builder;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Bytes, Frame};
use xyn_capsules::manifest::{AUTHORED, Manifest};
use xyn_capsules::tree::{self, Entry, Limits, Mode, RelPath, TreeError};
use xyn_store::Digest;
use xyn_store::blobs::{BlobError, Blobs, Pieces};

use crate::web::known;
use crate::web::range::{Wanted, wanted};
use media::media_type;
use path::{Found, Pages};

/// The body of an answer.
pub(super) type Body = UnsyncBoxBody<Bytes, io::Error>;

/// Bytes of a file that are read in one go.
const WHOLE_MAX_BYTES: u64 = 512 << 10;
/// Bytes of the target of a link.
const TARGET_MAX_BYTES: u64 = 4_096;
/// What is shown where nothing is found, if the site has it.
const NOT_FOUND: &str = "404.html";

/// The files of a capsule, as they are shown.
pub(super) struct Site {
    blobs: Blobs,
    pages: Pages,
}

/// Why a capsule is no site.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoSite {
    /// Its tree cannot be read.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// There is no such folder.
    #[error(
        "`/build/outDir` names `{0}`, and that is no folder of its tree; pack it again with the one that is"
    )]
    NoFolder(RelPath),
}

impl Site {
    /// The site in `tree`: the content that `manifest` describes, with what was built of it.
    pub(super) fn open(blobs: &Blobs, tree: &Digest, manifest: &Manifest) -> Result<Self, NoSite> {
        let folder = &manifest.build.out_dir;
        let found = tree::find(blobs, tree, folder)?.filter(Entry::is_directory);
        let root = found.ok_or_else(|| NoSite::NoFolder(folder.clone()))?.digest;
        let authored = AUTHORED.parse().expect("it is a name");
        let hidden = manifest.seeds.iter().map(|seed| &seed.path).chain([&authored]);
        let mut pages = Pages::new(hidden.filter_map(|path| below(folder, path)).collect());
        for (path, entry) in &tree::list(blobs, &root, Limits::default())?.entries {
            pages.add(path, *entry);
            if entry.mode == Mode::Symlink {
                let target = tree::Shelf::read(blobs, &entry.digest, TARGET_MAX_BYTES)?;
                pages.link(path, &String::from_utf8_lossy(&target));
            }
        }
        Ok(Self { blobs: blobs.clone(), pages })
    }

    /// What the site answers to a request of `method` for `path`.
    pub(super) async fn answer(
        self: &Arc<Self>,
        method: &Method,
        path: &str,
        query: Option<&str>,
        headers: &HeaderMap,
    ) -> Response<Body> {
        if ![Method::GET, Method::HEAD].contains(method) {
            let builder = Response::builder().header(header::ALLOW, "GET, HEAD");
            return plain(
                builder,
                StatusCode::METHOD_NOT_ALLOWED,
                "this is a site: read it with GET or HEAD\n",
            );
        }
        match self.pages.find(path) {
            Found::File(name, entry) => self.file(StatusCode::OK, name, *entry, method, headers).await,
            Found::Folder => moved(path, query),
            Found::Nothing => match self.pages.file(NOT_FOUND.to_owned()) {
                Found::File(name, entry) => {
                    // A part of a page that was not asked for, or its tag, is of no use to anybody.
                    self.file(StatusCode::NOT_FOUND, name, *entry, method, &HeaderMap::new()).await
                }
                _ => plain(Response::builder(), StatusCode::NOT_FOUND, "there is nothing here\n"),
            },
        }
    }

    async fn file(
        &self,
        status: StatusCode,
        name: &str,
        entry: Entry,
        method: &Method,
        headers: &HeaderMap,
    ) -> Response<Body> {
        let (etag, length) = (format!("\"{}\"", entry.digest), entry.size_bytes);
        let mut builder = Response::builder()
            .header(header::ETAG, &etag)
            .header(header::CACHE_CONTROL, "no-cache")
            .header(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
        let has = |value: &HeaderValue| known::names(value.as_bytes(), etag.as_bytes());
        if headers.get_all(header::IF_NONE_MATCH).iter().any(has) {
            return without_body(builder.status(StatusCode::NOT_MODIFIED));
        }
        let is_meant = known::is_meant(headers.get(header::IF_RANGE), etag.as_bytes());
        let range = headers.get(header::RANGE).filter(|_| is_meant && *method == Method::GET);
        let (status, part) = match wanted(range.map(HeaderValue::as_bytes), length) {
            Wanted::All => (status, 0..length),
            Wanted::Part(part) => {
                let range = format!("bytes {}-{}/{length}", part.start, part.end - 1);
                builder = builder.header(header::CONTENT_RANGE, range);
                (StatusCode::PARTIAL_CONTENT, part)
            }
            Wanted::Unsatisfiable => {
                let builder = builder.header(header::CONTENT_RANGE, format!("bytes */{length}"));
                return without_body(builder.status(StatusCode::RANGE_NOT_SATISFIABLE));
            }
        };
        let builder = builder
            .status(status)
            .header(header::CONTENT_TYPE, media_type(name))
            .header(header::CONTENT_LENGTH, part.end - part.start)
            .header(header::ACCEPT_RANGES, "bytes");
        if *method == Method::HEAD || part.is_empty() {
            return without_body(builder);
        }
        let (blobs, is_small) = (self.blobs.clone(), part.end - part.start <= WHOLE_MAX_BYTES);
        let read = tokio::task::spawn_blocking(move || -> Result<Body, BlobError> {
            let pieces = blobs.content(&entry.digest)?.pieces(part);
            if !is_small {
                let frames = StreamBody::new(stream::try_unfold(pieces, next_frame));
                return Ok(frames.boxed_unsync());
            }
            let pieces = pieces.collect::<Result<Vec<_>, _>>()?;
            Ok(whole(Bytes::from(pieces.concat())))
        });
        match read.await {
            Ok(Ok(body)) => builder.body(body).expect("each header was made here"),
            Ok(Err(error)) => unreadable(name, &error),
            Err(error) => unreadable(name, &error),
        }
    }
}

/// `path` as it is called from `folder`, if it is in there.
fn below(folder: &RelPath, path: &RelPath) -> Option<RelPath> {
    if folder.is_root() {
        return Some(path.clone());
    }
    path.as_str().strip_prefix(folder.as_str())?.strip_prefix('/')?.parse().ok()
}

/// The next of `pieces` and what comes behind it; none at the end.
async fn next_frame(mut pieces: Pieces) -> io::Result<Option<(Frame<Bytes>, Pieces)>> {
    let read = tokio::task::spawn_blocking(move || match pieces.next() {
        Some(piece) => {
            let bytes = Bytes::from(piece.map_err(io::Error::other)?);
            Ok(Some((Frame::data(bytes), pieces)))
        }
        None => Ok(None),
    });
    read.await.unwrap_or_else(|error| Err(io::Error::other(error)))
}

fn whole(bytes: Bytes) -> Body {
    Full::new(bytes).map_err(|never| match never {}).boxed_unsync()
}

/// No bytes.
pub(super) fn empty() -> Body {
    whole(Bytes::new())
}

fn without_body(builder: Builder) -> Response<Body> {
    builder.body(empty()).expect("each header was made here")
}

/// An answer in plain words.
pub(super) fn plain(builder: Builder, status: StatusCode, text: &'static str) -> Response<Body> {
    let builder = builder.status(status).header(header::CONTENT_TYPE, media_type("x.txt"));
    builder.body(whole(Bytes::from_static(text.as_bytes()))).expect("each header was made here")
}

/// That the folder at `path` ends with a slash. The path goes on from the last name, so that it never leads to
/// another host.
fn moved(path: &str, query: Option<&str>) -> Response<Body> {
    let name = path.rsplit('/').next().unwrap_or_default();
    let query = query.map(|query| format!("?{query}")).unwrap_or_default();
    let builder = Response::builder().header(header::LOCATION, format!("./{name}/{query}"));
    plain(builder, StatusCode::PERMANENT_REDIRECT, "this is a folder: its address ends with a slash\n")
}

fn unreadable(name: &str, error: &impl std::error::Error) -> Response<Body> {
    tracing::error!(name, %error, "a file of a site cannot be read");
    plain(Response::builder(), StatusCode::INTERNAL_SERVER_ERROR, "this file cannot be read\n")
}
