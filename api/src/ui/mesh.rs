//! The mesh: who belongs, who is connected, how far each is behind; and letting somebody in.
//!
//! The map is laid out here ([`ring`]); what it shows is read as the API's routes read it.

use askama::Template;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use axum::{Extension, Json};
use qrcode::{EcLevel, QrCode};
use serde::Deserialize;
use xyn_store::Order;
use xyn_store::audit::signature::PublicKey;
use xyn_store::projection::{CapsuleRow, Cursor};
use xyn_store::tables::Key;
use xyn_store::trust::{InvalidRole, Role};

use super::act::{Act, Directory};
use super::capsules::scope;
use super::filters;
use super::query::{self, Pager, ROWS, link, parsed};
use super::shell::{Shell, render};
use super::words::{self, State as Standing};
use crate::dto::{Connection, ExcludedRecord, Invited, Peer, Standing as Membership, TraceLine};
use crate::error::ApiError;
use crate::extract::{Params, PathId};
use crate::headers::Caller;
use crate::lan::is_open;
use crate::page::PageQuery;
use crate::routes::mesh::{self, MeshView};
use crate::routes::peers::invitations::{self, NewInvitation};
use crate::routes::peers::{members, trace};
use crate::routes::timeline::roster;
use crate::state::AppState;

/// Members of a page of the list that the map has room for.
const MAP_MAX: usize = 24;
/// Lines that the page shows of what happened lately, and of what is offered.
const LINES: usize = 12;
const HOUR_S: f64 = 3_600.0;

pub(super) fn routes() -> Router<AppState> {
    Router::new()
        .route("/ui/mesh", get(page).post(invite))
        .route("/ui/mesh/_status", get(page))
        .route("/ui/mesh/{node}", get(member))
}

#[derive(Template)]
#[template(path = "mesh.html")]
struct Page {
    shell: Shell,
    status: Status,
    /// How many records do not count that should, of the first [`ROWS`].
    excluded: usize,
    has_more_excluded: bool,
    /// Capsules that everybody on the local network may have, and the scope of each.
    offered: Vec<(&'static str, CapsuleRow)>,
    has_more_offered: bool,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Query {
    cursor: String,
}

#[derive(Template)]
#[template(path = "mesh.html", block = "status")]
struct Part {
    status: Status,
}

struct Status {
    mesh: MeshView,
    fingerprint: String,
    members: Vec<Row>,
    pager: Pager,
    dots: Vec<Dot>,
    lines: Vec<TraceLine>,
}

struct Row {
    peer: Peer,
    role: String,
    state: Standing,
    lag: String,
}

/// A member on the map.
struct Dot {
    x: f64,
    y: f64,
    name: String,
    key: PublicKey,
    tone: &'static str,
    lag: String,
}

async fn page(
    State(state): State<AppState>,
    shell: Shell,
    Params(query): Params<Query>,
) -> Result<Response, ApiError> {
    let status = Status::of(&state, parsed("cursor", &query.cursor)?).await?;
    if shell.is_part {
        return render(&Part { status });
    }
    let runtime = state.runtime().clone();
    let read = state.scan(move |reader| {
        let offered = reader.page::<CapsuleRow>(&Key::new(), Order::Ascending, None, LINES, is_open)?;
        let (excluded, roster) = (reader.excluded(None, ROWS)?, roster(&runtime, reader)?);
        let has_more = excluded.next.is_some();
        let excluded = excluded.items.into_iter().map(|it| ExcludedRecord::of(it, &roster));
        Ok((excluded.filter(|it| !it.is_farewell()).count(), has_more, offered))
    });
    let (excluded, has_more_excluded, offered) = read.await?;
    let has_more_offered = offered.next.is_some();
    let offered = offered.items.into_iter().map(|row| (scope(row.visibility), row)).collect();
    render(&Page { shell, status, excluded, has_more_excluded, offered, has_more_offered })
}

impl Page {
    /// The command that makes a ticket.
    fn invite_cli(&self) -> &'static str {
        "xyn peer invite {principal} [--role {role}] \
         [--expires {lifetime_seconds}s]"
    }
}

impl Status {
    /// The mesh, with the members from `cursor` on.
    async fn of(state: &AppState, cursor: Option<Cursor>) -> Result<Self, ApiError> {
        let Json(mesh) = mesh::get(State(state.clone())).await?;
        let live = link("/ui/mesh/_status", &[], cursor.as_ref());
        let first = cursor.as_ref().map(|_| "/ui/mesh".to_owned()).unwrap_or_default();
        let Json(peers) = members::list(State(state.clone()), Params(PageQuery::from(cursor))).await?;
        let next = parsed::<Cursor>("cursor", &peers.next_cursor.unwrap_or_default())?;
        let next = next.map(|next| link("/ui/mesh", &[], Some(&next))).unwrap_or_default();
        let Json(trace) = trace::list(State(state.clone()), Params(PageQuery::default())).await?;
        let members: Vec<_> = peers.items.into_iter().map(Row::of).collect();
        let others =
            members.iter().filter(|row| !row.peer.is_self && row.peer.standing == Membership::Active);
        let others: Vec<_> = others.take(MAP_MAX).collect();
        let dots = ring(others.len()).zip(&others).map(|(place, row)| row.dot(place)).collect();
        let lines = trace.items.into_iter().take(LINES).collect();
        let pager = Pager { first, next, live };
        Ok(Self { fingerprint: mesh.node.fingerprint(), mesh, dots, lines, members, pager })
    }
}

impl Status {
    /// Whether there are more members than those of this page.
    fn is_part(&self) -> bool {
        !(self.pager.first.is_empty() && self.pager.next.is_empty())
    }
}

impl Row {
    fn of(peer: Peer) -> Self {
        let state = match (peer.standing, &peer.connection) {
            (Membership::Active, _) if peer.is_self => Standing::new("this node", "ok"),
            (Membership::Active, Some(_)) => Standing::new("connected", "ok"),
            (Membership::Active, None) => Standing::new("away", "idle"),
            (Membership::Expired, _) => Standing::new("expired", "bad"),
            (Membership::Retired, _) => Standing::new("retired", "idle"),
            (Membership::Revoked, _) => Standing::new("revoked", "bad"),
        };
        let lag = peer.connection.as_ref().map(lag).unwrap_or_default();
        Self { role: words::word(&peer.role), lag, state, peer }
    }

    fn dot(&self, (x, y): (f64, f64)) -> Dot {
        let (name, key) = (self.peer.principal.to_string(), self.peer.node);
        Dot { x, y, name, key, tone: self.state.tone, lag: self.lag.clone() }
    }
}

/// How far this node is behind a member.
fn lag(connection: &Connection) -> String {
    match connection.lag_records {
        0 => "level".to_owned(),
        1 => "1 record behind".to_owned(),
        records => format!("{records} records behind"),
    }
}

/// Places for `count` members around this node, in a field of 640 by 320: on an ellipse, from its top on.
fn ring(count: usize) -> impl Iterator<Item = (f64, f64)> {
    #[expect(clippy::cast_precision_loss, reason = "the map has room for a few")]
    (0..count).map(move |index| {
        let angle = std::f64::consts::TAU * (index as f64 / count as f64) - std::f64::consts::FRAC_PI_2;
        // A lone member stands beside this node and not above it, where its name would lie on the line.
        let angle = if count == 1 { 0.0 } else { angle };
        (230.0f64.mul_add(angle.cos(), 320.0).round(), 118.0f64.mul_add(angle.sin(), 160.0).round())
    })
}

#[derive(Template)]
#[template(path = "member.html")]
struct MemberPage {
    shell: Shell,
    row: Row,
    issuer_is_member: bool,
    revoke: Act,
    confirm: Act,
}

async fn member(
    State(state): State<AppState>,
    Extension(directory): Extension<Directory>,
    shell: Shell,
    PathId(node): PathId<PublicKey>,
) -> Result<Response, ApiError> {
    let Json(peer) = members::get(State(state.clone()), PathId(node)).await?;
    // The first of all is certified by the root of the environment, which is no member.
    let issuer_is_member = members::find(&state, peer.issuer).await?.is_some();
    let (node, here) = (node.to_string(), format!("/ui/mesh/{node}"));
    let revoke = directory.act("peer.revoke", &[("node", &node)], here.clone());
    let confirm = directory.act("peer.confirm", &[("node", &node)], here);
    render(&MemberPage { shell, row: Row::of(peer), issuer_is_member, revoke, confirm })
}

#[derive(Template)]
#[template(path = "ticket.html")]
struct TicketPage {
    shell: Shell,
    invited: Invited,
    role: String,
    code: Vec<String>,
    side: usize,
}

/// Makes a ticket and shows it, this once: it is kept nowhere, so there is no page to come back to.
async fn invite(
    State(state): State<AppState>,
    shell: Shell,
    caller: Caller,
    form: Bytes,
) -> Result<Response, ApiError> {
    let field = |name: &str| query::field(&form, name).trim().to_owned();
    let hours = field("lifetime_seconds:hours");
    let hours: f64 = hours
        .parse()
        .map_err(|_| ApiError::invalid("lifetime_seconds", format!("`{hours}` is not a number of hours")))?;
    let role: Role =
        field("role").parse().map_err(|error: InvalidRole| ApiError::invalid("role", error.to_string()))?;
    let wanted = NewInvitation {
        principal: field("principal"),
        role,
        lifetime_seconds: (hours * HOUR_S).round(),
        valid_for_seconds: None,
    };
    let invited = invitations::issue(&state, caller, &wanted).await?;
    let code = QrCode::with_error_correction_level(invited.ticket.as_bytes(), EcLevel::L);
    let (code, side) = code.map(|code| squares(&code)).unwrap_or_default();
    render(&TicketPage { shell, role: words::word(&role), invited, code, side })
}

/// The dark squares of a code, a path for each row, and how many squares a side has with its quiet zone.
fn squares(code: &QrCode) -> (Vec<String>, usize) {
    const QUIET: usize = 4;
    let width = code.width();
    let colors = code.to_colors();
    let row = |(y, row): (usize, &[qrcode::Color])| {
        let dark = row.iter().enumerate().filter(|(_, color)| **color == qrcode::Color::Dark);
        dark.map(|(x, _)| format!("M{} {}h1v1h-1z", x + QUIET, y + QUIET)).collect()
    };
    (colors.chunks(width.max(1)).enumerate().map(row).collect(), width + 2 * QUIET)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_stand_apart_and_within_the_field() {
        for count in 1..=MAP_MAX {
            let places: Vec<_> = ring(count).collect();
            for (index, (x, y)) in places.iter().enumerate() {
                assert!((80.0..=560.0).contains(x) && (30.0..=290.0).contains(y), "{count}: {x} {y}");
                let apart = places[..index].iter().all(|(a, b)| (a - x).hypot(b - y) > 28.0);
                assert!(apart, "{count}: two members stand in one place");
            }
        }
    }

    #[test]
    fn a_code_has_its_three_corners_and_room_around_it() {
        let code = QrCode::with_error_correction_level(b"xyn1ticket", EcLevel::L).expect("fits");
        let (rows, side) = squares(&code);
        assert_eq!((rows.len() + 8, rows.len()), (side, code.width()));
        assert!(rows[0].starts_with("M4 4h1v1h-1z"), "the first corner begins at the first square");
    }
}
