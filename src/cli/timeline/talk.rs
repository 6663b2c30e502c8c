//! `xyn timeline comment` and `review`: talk about a moment.

use clap::Args;
use serde_json::{Value, json};

use super::log::table;
use super::words::say;
use crate::cli::output::Paint;
use crate::cli::table::{Column, Table, instant, text};
use crate::cli::{Context, moment};
use crate::client::{Need, route};
use crate::failure::{Exit, Failure};

/// What is said of a thread without words.
const SILENCE: &str = "nobody said anything yet";

#[derive(Debug, Args)]
pub(in crate::cli) struct Comment {
    /// The moment it is about
    moment: String,
    /// What to say; without it, what was said is listed
    text: Option<String>,
    /// Rewrite this comment instead of adding one
    #[arg(long, value_name = "COMMENT", requires = "text")]
    rewrite: Option<String>,
    #[command(flatten)]
    place: Place,
}

/// The line that a comment is about.
#[derive(Debug, Args)]
pub(in crate::cli) struct Place {
    /// Comment on this line of a file that the moment changed
    #[arg(long, value_name = "PATH:LINE", value_parser = file, requires = "text")]
    file: Option<(String, u32)>,
    /// The workspace that the file is in
    #[arg(long, value_name = "NAME", requires = "file")]
    workspace: Option<String>,
    /// The line as it was before the change
    #[arg(long, requires = "file")]
    before: bool,
}

/// A file and the number of a line of it.
fn file(text: &str) -> Result<(String, u32), String> {
    let place = text.rsplit_once(':').and_then(|(path, line)| Some((path.to_owned(), line.parse().ok()?)));
    place
        .filter(|(path, line)| !path.is_empty() && *line > 0)
        .ok_or_else(|| "a place is PATH:LINE".to_owned())
}

impl Place {
    fn value(self) -> Option<Value> {
        let (path, line) = self.file?;
        let side = if self.before { "before" } else { "after" };
        let mut place = json!({ "path": path, "line": line, "side": side });
        if let Some(workspace) = self.workspace {
            place["workspace"] = workspace.into();
        }
        Some(place)
    }
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Review {
    /// The moment that is reviewed; without it, reviews are listed
    moment: Option<String>,
    /// Ask for a review, or open it again; with what there is to say
    #[arg(long, value_name = "TEXT", num_args = 0..=1, default_missing_value = "", requires = "moment", group = "deed")]
    open: Option<String>,
    /// Comment in the review
    #[arg(long, id = "text", value_name = "TEXT", requires = "moment", group = "deed")]
    say: Option<String>,
    /// Settle the review; with what there is to say
    #[arg(long, value_name = "TEXT", num_args = 0..=1, default_missing_value = "", requires = "moment", group = "deed")]
    resolve: Option<String>,
    /// Approve the moment, for the whole team to see; with a note
    #[arg(long, value_name = "NOTE", num_args = 0..=1, default_missing_value = "", requires = "moment", group = "deed")]
    approve: Option<String>,
    /// Reject the moment, for the whole team to see; with a note
    #[arg(long, value_name = "NOTE", num_args = 0..=1, default_missing_value = "", requires = "moment", group = "deed")]
    reject: Option<String>,
    /// List settled reviews too
    #[arg(long, conflicts_with = "moment")]
    all: bool,
    #[command(flatten)]
    place: Place,
}

pub(super) async fn comment(arguments: Comment, context: &Context) -> Result<Exit, Failure> {
    let Comment { moment, text: words, rewrite, place } = arguments;
    let need = if words.is_some() { Need::Node } else { Need::Read };
    let client = context.client(need).await?;
    let entry_id = moment::named(&client, &moment).await?;
    let Some(words) = words else {
        let view = client.get(&route(&["timeline", &entry_id, "comments"])?).await?;
        comments(&view).show(&view, SILENCE, &context.out)?;
        return Ok(Exit::Done);
    };
    let body = json!({ "entry_id": entry_id, "text": words, "comment_id": rewrite, "place": place.value() });
    let answer = say("comment", body, context).await;
    let answer = answer.map_err(|failure| failure.typed(&[("text", "TEXT")]))?;
    context.out.answer(&answer, |_| text(&answer, "comment_id"))?;
    Ok(Exit::Done)
}

pub(super) async fn review(arguments: Review, context: &Context) -> Result<Exit, Failure> {
    let Review { moment, open, say: words, resolve, approve, reject, all, place } = arguments;
    let Some(moment) = moment else { return reviews(all, context).await };
    let entry_id = moment::named(&context.client(Need::Read).await?, &moment).await?;
    let status = |status: &str, text: String| {
        ("review", json!({ "entry_id": entry_id, "status": status, "text": not_empty(text) }))
    };
    let verdict = |approve: bool, note: String| {
        ("approve", json!({ "entry_id": entry_id, "approve": approve, "note": not_empty(note) }))
    };
    let (verb, body) = match (open, words, resolve, approve, reject) {
        (Some(text), ..) => status("open", text),
        (_, Some(text), ..) => {
            let place = place.value();
            ("comment", json!({ "entry_id": entry_id, "text": text, "on": "review", "place": place }))
        }
        (_, _, Some(text), ..) => status("resolved", text),
        (_, _, _, Some(note), _) => verdict(true, note),
        (.., Some(note)) => verdict(false, note),
        _ => return show(&entry_id, context).await,
    };
    let answer = say(verb, body, context).await?;
    context.out.answer(&answer, |_| match verb {
        "review" => format!("the review is {}", text(&answer, "status")),
        "comment" => text(&answer, "comment_id"),
        _ => text(&answer, "entry_id"),
    })?;
    Ok(Exit::Done)
}

fn not_empty(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}

async fn show(entry_id: &str, context: &Context) -> Result<Exit, Failure> {
    let client = context.client(Need::Read).await?;
    let view = client.get(&route(&["timeline", entry_id, "review"])?).await?;
    context.out.answer(&view, |paint| render(&view, paint))?;
    Ok(Exit::Done)
}

fn render(view: &Value, paint: Paint) -> String {
    let status = paint.status(&text(view, "status"));
    let mut parts = vec![
        format!("review of {} is {status}", text(view, "entry_id")),
        comments(view).render_or(SILENCE, paint),
    ];
    let verdicts: Vec<&Value> = view["verdicts"].as_array().into_iter().flatten().collect();
    if !verdicts.is_empty() {
        parts.push(table(verdicts).render(paint));
    }
    parts.join("\n\n")
}

fn comments(view: &Value) -> Table {
    let columns =
        [("COMMENT", Column::Text), ("AT", Column::Text), ("WHO", Column::Text), ("WORDS", Column::Text)];
    let mut table = Table::new(&columns);
    for comment in view["comments"].as_array().into_iter().flatten() {
        let [id, by, node, words] = ["comment_id", "by", "node", "text"].map(|key| text(comment, key));
        let who = if by.is_empty() { node.chars().take(8).collect() } else { by };
        let words = match &comment["place"] {
            Value::Null => words,
            place => format!("{}: {words}", at(place)),
        };
        table.row([id, instant(comment, "at"), who, words]);
    }
    table
}

/// A place as people write it.
fn at(place: &Value) -> String {
    let [workspace, path, side, line] = ["workspace", "path", "side", "line"].map(|key| text(place, key));
    let workspace = if workspace.is_empty() { workspace } else { format!("{workspace}:") };
    let before = if side == "before" { " before" } else { "" };
    format!("{workspace}{path}:{line}{before}")
}

async fn reviews(all: bool, context: &Context) -> Result<Exit, Failure> {
    let client = context.client(Need::Read).await?;
    let query: &[_] = if all { &[] } else { &[("status", "open".to_owned())] };
    let reviews = client.list("/timeline/reviews", query, 1000).await?;
    let columns = [
        ("MOMENT", Column::Text),
        ("STATUS", Column::Status),
        ("COMMENTS", Column::Number),
        ("WHAT", Column::Text),
    ];
    let mut table = Table::new(&columns);
    for review in reviews["items"].as_array().into_iter().flatten() {
        let [id, status, count] = ["entry_id", "status", "comments"].map(|key| text(review, key));
        table.row([id, status, count, text(&review["moment"], "title")]);
    }
    table.show(&reviews, "no reviews", &context.out)?;
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_review_reads_as_its_words_and_its_verdicts() {
        let view = json!({
            "entry_id": "e1", "status": "open",
            "comments": [
                { "comment_id": "c1", "at": "2026-01-31T12:00:00Z", "by": "ada@lab", "node": "00", "text": "ready?" },
                { "comment_id": "c2", "at": "2026-01-31T12:01:00Z", "node": "0123456789", "text": "two\nlines",
                    "place": { "workspace": "shop", "path": "a.rs", "side": "before", "line": 7 } },
            ],
            "verdicts": [{
                "entry_id": "e2", "at": "2026-01-31T12:02:00Z", "kind": "approve", "branch": "main",
                "principal": "bo@lab", "title": "approved `the plan`",
            }],
        });
        let silent = json!({ "entry_id": "e1", "status": "open", "comments": [], "verdicts": [] });
        assert_eq!(render(&silent, Paint::PLAIN), "review of e1 is open\n\nnobody said anything yet");
        insta::assert_snapshot!(render(&view, Paint::PLAIN), @r"
        review of e1 is open

        COMMENT  AT                   WHO       WORDS
        c1       2026-01-31 12:00:00  ada@lab   ready?
        c2       2026-01-31 12:01:00  01234567  shop:a.rs:7 before: two lines

        MOMENT  AT                   KIND     BRANCH  WHO     WHAT
        e2      2026-01-31 12:02:00  approve  main    bo@lab  approved `the plan`
        ");
    }
}
