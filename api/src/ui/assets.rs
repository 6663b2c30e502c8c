//! Styles, scripts and icons, embedded. Each is named by its digest, so that a browser may keep it for ever.

use std::sync::LazyLock;

use axum::Router;
use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::header;
use xyn_store::Digest;

use crate::error::ApiError;
use crate::state::AppState;

struct Asset {
    name: &'static str,
    kind: &'static str,
    bytes: &'static [u8],
}

const CSS: &str = "text/css; charset=utf-8";
const JS: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";

macro_rules! asset {
    ($kind:expr, $name:literal) => {
        Asset { name: $name, kind: $kind, bytes: include_bytes!(concat!("../../assets/", $name)) }
    };
}

/// The script that swaps parts of pages; empty when the build could not fetch it.
const HTMX: Asset =
    Asset { name: "htmx.js", kind: JS, bytes: include_bytes!(concat!(env!("OUT_DIR"), "/htmx.js")) };

static ASSETS: [Asset; 12] = [
    asset!(CSS, "halo.css"),
    asset!(CSS, "studio.css"),
    asset!(CSS, "pages/work.css"),
    asset!(CSS, "pages/time.css"),
    asset!(CSS, "pages/ship.css"),
    asset!(CSS, "pages/node.css"),
    asset!(JS, "studio.js"),
    asset!(JS, "time.js"),
    asset!(JS, "edit.js"),
    asset!(SVG, "icons.svg"),
    asset!(SVG, "mark.svg"),
    HTMX,
];

/// The path of each asset, in their order.
static PATHS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let path = |asset: &Asset| {
        let digest = Digest::of(asset.bytes).to_string();
        format!("/ui/assets/{}/{}", &digest[..16], asset.name)
    };
    ASSETS.iter().map(path).collect()
});

/// Where the asset called `name` is; empty when there is none.
pub(super) fn href(name: &str) -> &'static str {
    ASSETS.iter().position(|asset| asset.name == name).map_or("", |index| PATHS[index].as_str())
}

/// Whether pages can change by themselves.
pub(super) fn has_htmx() -> bool {
    !HTMX.bytes.is_empty()
}

pub(super) fn routes() -> Router<AppState> {
    Router::new().route("/ui/assets/{digest}/{*name}", get(read))
}

async fn read(Path((_, name)): Path<(String, String)>) -> Result<Response, ApiError> {
    let asset = ASSETS.iter().find(|asset| asset.name == name);
    let asset = asset.ok_or_else(|| ApiError::not_found("asset", &name))?;
    let headers =
        [(header::CONTENT_TYPE, asset.kind), (header::CACHE_CONTROL, "public, max-age=31536000, immutable")];
    Ok((headers, asset.bytes).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_script_fills_in_does_not_show_without_one() {
        let style = ASSETS.iter().find(|asset| asset.name == "studio.css").expect("it is there");
        let text = String::from_utf8_lossy(style.bytes);
        assert!(text.contains("@media (scripting: none) { .copy { display: none; } }"));
    }

    #[test]
    fn every_asset_has_a_path_and_no_style_or_script_asks_for_anything_elsewhere() {
        for asset in &ASSETS {
            assert!(href(asset.name).ends_with(asset.name), "{}", asset.name);
            let text = String::from_utf8_lossy(asset.bytes);
            let own = asset.name != "htmx.js" && asset.kind != SVG;
            assert!(!own || !text.contains("http"), "{} names another host", asset.name);
        }
    }
}
