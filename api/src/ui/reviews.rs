//! Reviews: a moment that somebody wants looked at, its change line by line, and what people say and decide.

mod merge;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use axum::{Extension, Router};
use serde::Deserialize;
use xyn_actors::runtime::Runtime;
use xyn_store::ids::EntryId;
use xyn_store::projection::{Cursor, Page as Rows};
use xyn_store::timeline::board::{Board, View};
use xyn_store::{Order, Reader, StoreError};

use super::act::{Act, Directory};
use super::change::{self, Changes, Open};
use super::file::Sight;
use super::filters;
use super::query::{Pager, ROWS, parsed};
use super::shell::{Shell, render};
use super::talk::Comment;
use super::words::State as Standing;
use crate::dto::{Moment, review_status};
use crate::error::ApiError;
use crate::extract::{Params, PathId};
use crate::routes::timeline::branches::branch_page;
use crate::routes::timeline::{missing, roster, shown, talk as threads};
use crate::state::AppState;

/// How often a list of reviews is read on until a page of those that fit is full.
const READS_MAX: usize = 10;
/// Comments of a review that the page shows: the newest.
const COMMENTS_MAX: usize = 60;
/// Branches that can be chosen from.
const BRANCHES_MAX: usize = 100;

pub(super) fn routes() -> Router<AppState> {
    Router::new()
        .route("/ui/reviews", get(list))
        .route("/ui/reviews/_list", get(list))
        .route("/ui/reviews/{entry_id}", get(one))
        .route("/ui/reviews/{entry_id}/_thread", get(thread))
        .merge(merge::routes())
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct ListQuery {
    status: String,
    cursor: String,
}

struct List {
    items: Vec<Row>,
    pager: Pager,
    status: String,
}

struct Row {
    entry_id: EntryId,
    standing: Standing,
    comments: usize,
    moment: Option<Moment>,
}

#[derive(Template)]
#[template(path = "reviews.html")]
struct Page {
    shell: Shell,
    list: List,
    branches: Vec<String>,
    open: Act,
}

#[derive(Template)]
#[template(path = "reviews.html", block = "list")]
struct Part {
    list: List,
}

async fn list(
    State(state): State<AppState>,
    Extension(directory): Extension<Directory>,
    shell: Shell,
    Params(query): Params<ListQuery>,
) -> Result<Response, ApiError> {
    let wanted = match query.status.as_str() {
        "" => None,
        "open" => Some(threads::Status::Open),
        "resolved" => Some(threads::Status::Resolved),
        other => return Err(ApiError::invalid("status", format!("`{other}` is neither open nor resolved"))),
    };
    let cursor = parsed::<Cursor>("cursor", &query.cursor)?;
    let (at, runtime) = (cursor.clone(), state.runtime().clone());
    let now = runtime.clock().now();
    let read = move |reader: &Reader| {
        let (mut items, mut next) = (Vec::new(), at);
        let roster = roster(&runtime, reader)?;
        for _ in 0..READS_MAX {
            let page = reader.reviews(Order::Descending, next.as_ref(), ROWS - items.len())?;
            for board in page.items {
                items.extend(threads::summary(reader, board, wanted, &roster)?);
            }
            next = page.next;
            if items.len() == ROWS || next.is_none() {
                break;
            }
        }
        Ok((Rows { items, next }, branch_page(reader, None, BRANCHES_MAX, now)?))
    };
    let (page, branches) = state.scan(read).await?;
    let pager = Pager::of("/ui/reviews", &[("status", &query.status)], cursor.as_ref(), &page);
    let row = |review: crate::dto::ReviewSummary| Row {
        entry_id: review.entry_id,
        standing: standing(review.status),
        comments: review.comments,
        moment: review.moment,
    };
    let list = List { items: page.items.into_iter().map(row).collect(), pager, status: query.status };
    if shell.is_part {
        return render(&Part { list });
    }
    let branches = branches.items.into_iter().filter(|branch| !branch.is_closed);
    let branches = branches.map(|branch| branch.name.to_string()).collect();
    let open = directory.act("timeline.review", &[("status", "open")], "/ui/reviews/{entry_id}");
    render(&Page { shell, list, branches, open })
}

fn standing(status: &str) -> Standing {
    Standing::new(status, if status == "open" { "wait" } else { "ok" })
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct OneQuery {
    workspace: String,
    path: String,
    view: String,
    part: String,
    /// The line that a comment is begun on.
    side: String,
    line: String,
}

/// What is said and decided of a moment.
struct Thread {
    entry_id: EntryId,
    /// None when nobody asked for a review.
    standing: Option<Standing>,
    comments: Vec<Comment>,
    hidden: usize,
    verdicts: Vec<Verdict>,
}

impl Thread {
    /// The page of the review.
    fn page(&self) -> String {
        format!("/ui/reviews/{}", self.entry_id)
    }
}

struct Verdict {
    moment: Moment,
    standing: Standing,
}

#[derive(Template)]
#[template(path = "review.html")]
struct OnePage {
    shell: Shell,
    moment: Moment,
    before: Option<EntryId>,
    changes: Changes,
    thread: Thread,
    acts: Acts,
}

#[derive(Template)]
#[template(path = "review.html", block = "thread")]
struct ThreadPart {
    thread: Thread,
}

/// What can be said and decided.
struct Acts {
    comment: Act,
    approve: Act,
    reject: Act,
    settle: Act,
    reopen: Act,
}

async fn one(
    State(state): State<AppState>,
    Extension(directory): Extension<Directory>,
    shell: Shell,
    PathId(entry_id): PathId<EntryId>,
    Params(query): Params<OneQuery>,
) -> Result<Response, ApiError> {
    let open = Open {
        workspace: query.workspace.clone(),
        path: query.path.clone(),
        view: Sight::asked(&query.view, &query.part, true)?.at(&query.side, &query.line)?,
    };
    let runtime = state.runtime().clone();
    let blobs = runtime.store().blobs().clone();
    let here = format!("/ui/reviews/{entry_id}");
    let page = here.clone();
    let read = move |reader: &Reader| {
        let Some(entry) = reader.entry(entry_id)? else { return Ok(None) };
        let before = change::before(reader, &entry)?.map(|before| before.entry_id);
        let [from, to] = [before, Some(entry_id)].map(|at| change::state_at(reader, at));
        let changes = change::between(&blobs, &from?, &to?, &page, Some(&open));
        let thread = thread_of(reader, &runtime, entry_id)?;
        let moment = Moment::of(entry, roster(&runtime, reader)?.as_ref());
        Ok(Some((moment, before, changes, thread)))
    };
    let (moment, before, mut changes, thread) = state.scan(read).await?.ok_or_else(|| missing(entry_id))?;
    // Of a line, too, something is said in a review that was opened.
    if let Some(lines) = changes.lines.as_mut().filter(|_| thread.standing.is_some()) {
        let fields = [("entry_id", entry_id.to_string()), ("on", "review".to_owned())];
        let fields = fields.each_ref().map(|(name, value)| (*name, value.as_str()));
        lines.with_talk(&directory, (&query.workspace, &query.path), &thread.comments, &fields);
    }
    let acts = Acts::of(&directory, entry_id, &here);
    render(&OnePage { shell, moment, before, changes, thread, acts })
}

async fn thread(
    State(state): State<AppState>,
    PathId(entry_id): PathId<EntryId>,
) -> Result<Response, ApiError> {
    let runtime = state.runtime().clone();
    let thread = state.scan(move |reader| thread_of(reader, &runtime, entry_id)).await?;
    render(&ThreadPart { thread })
}

fn thread_of(reader: &Reader, runtime: &Runtime, entry_id: EntryId) -> Result<Thread, StoreError> {
    let board: Option<View> = shown(reader, &Board::Review(entry_id))?;
    let review = threads::one_review(reader, runtime, entry_id)?;
    let standing = board.as_ref().map(|view| standing(review_status(view)));
    let mut comments = Comment::all(board, roster(runtime, reader)?.as_ref());
    let hidden = comments.len().saturating_sub(COMMENTS_MAX);
    comments.drain(..hidden);
    let verdict = |moment: Moment| {
        let approves = moment.kind == xyn_store::timeline::entry::Kind::Approve;
        let (word, tone) = if approves { ("approved", "ok") } else { ("rejected", "bad") };
        Verdict { moment, standing: Standing::new(word, tone) }
    };
    let verdicts = review.map(|review| review.verdicts.into_iter().map(verdict).collect());
    Ok(Thread { entry_id, standing, comments, hidden, verdicts: verdicts.unwrap_or_default() })
}

impl Acts {
    fn of(directory: &Directory, entry_id: EntryId, here: &str) -> Self {
        let entry_id = entry_id.to_string();
        let act = |action, more: (&str, &str), place: &str| {
            let fields = [("entry_id", entry_id.as_str()), more];
            directory.act(action, &fields, format!("{here}{place}"))
        };
        Self {
            comment: act("timeline.comment", ("on", "review"), "#talk"),
            approve: act("timeline.approve", ("approve", "true"), ""),
            reject: act("timeline.approve", ("approve", "false"), ""),
            settle: act("timeline.review", ("status", "resolved"), ""),
            reopen: act("timeline.review", ("status", "open"), ""),
        }
    }
}
