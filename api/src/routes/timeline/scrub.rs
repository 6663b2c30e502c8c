//! Going along the timeline, state by state.

use std::str::FromStr;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use xyn_store::duration;
use xyn_store::legible::quoted;
use xyn_store::projection::Cursor;
use xyn_store::timeline::Track;
use xyn_store::timeline::entry::Branch;
use xyn_store::{Reader, Timestamp};

use super::{of_branch, roster};
use crate::dto::StopView;
use crate::error::ApiError;
use crate::extract::{Params, Parsed};
use crate::page::{self, Limit, Listing};
use crate::schema;
use crate::state::AppState;

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(scrub))
}

/// A piece of time that has one stop: `30s`, `5m`, `1h`, `7d`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Step(Duration);

impl FromStr for Step {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // Five digits and one unit, as the schema says.
        let is_short = text.len() <= 6 && text.bytes().filter(u8::is_ascii_lowercase).count() == 1;
        let step = duration::parse(text).filter(|step| is_short && !step.is_zero());
        step.map(Self)
            .ok_or_else(|| format!("`{}` is not a time such as `30s`, `5m`, `1h` or `7d`", quoted(text)))
    }
}

/// Where to go along.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct ScrubQuery {
    /// Only moments on this branch.
    #[param(value_type = schema::BranchName, inline, required = false)]
    branch: Option<Parsed<Branch>>,
    /// From this instant on.
    #[param(value_type = schema::Instant, inline, required = false)]
    since: Option<Parsed<Timestamp>>,
    /// Up to this instant, and without it.
    #[param(value_type = schema::Instant, inline, required = false)]
    until: Option<Parsed<Timestamp>>,
    /// At most one stop in each piece of time so long, the last moment of it. A slider of 100 stops over a day asks
    /// for `864s`. Without it every moment is a stop.
    #[param(value_type = schema::Step, inline, required = false)]
    step: Option<Parsed<Step>>,
    /// Stops of the page.
    #[param(value_type = schema::Limit, inline, required = false)]
    limit: Option<Parsed<Limit>>,
    /// The `next_cursor` of the page before.
    #[param(value_type = schema::Cursor, inline, required = false)]
    cursor: Option<Parsed<Cursor>>,
}

/// Moments and the state each of them is, oldest first: what a slider shows.
#[utoipa::path(
    get,
    path = "/api/v1/timeline/scrub",
    tag = "timeline",
    operation_id = "scrub_moments",
    params(ScrubQuery),
    responses((status = 200, body = Listing<StopView>), (status = 404))
)]
async fn scrub(
    State(state): State<AppState>,
    Params(query): Params<ScrubQuery>,
) -> Result<Json<Listing<StopView>>, ApiError> {
    let limit = page::rows(query.limit.as_ref());
    let track = Track {
        branch: query.branch.map(|branch| branch.0),
        since: query.since.map(|at| at.0),
        until: query.until.map(|at| at.0),
        step: query.step.map(|step| step.0.0),
    };
    let cursor = query.cursor.map(|cursor| cursor.0);
    let runtime = state.runtime().clone();
    let read = move |reader: &Reader| {
        let page = reader.scrub(&track, cursor.as_ref(), limit)?;
        let page = of_branch(reader, track.branch.as_ref(), cursor.as_ref(), page)?;
        Ok((page, roster(&runtime, reader)?))
    };
    let (page, roster) = state.scan(read).await?;
    Ok(Json(Listing::of(page?, |stop| StopView::of(stop, &roster))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_a_whole_number_of_a_unit_of_time() {
        assert_eq!("90s".parse(), Ok(Step(Duration::from_secs(90))));
        assert_eq!("7d".parse(), Ok(Step(Duration::from_secs(7 * 86_400))));
        for text in [
            "",
            "s",
            "0s",
            "1",
            "1w",
            "-1s",
            "1.5h",
            "1h30m",
            "500ms",
            "100000s",
            "99999999999999999999s",
            "é",
        ] {
            assert!(text.parse::<Step>().is_err(), "{text}");
        }
    }
}
