//! Aligned tables, and how single values look in them.
//!
//! Owns widths and shortening. Knows no terminal: colours come in as [`Paint`]. Invariant: colour never moves a
//! column, and no cell breaks a line.

use serde_json::Value;
use xyn_store::legible::legible;

use super::output::{Output, Paint};
use crate::failure::Failure;

/// Longest cell, in characters; longer ones are cut.
const MAX_CELL_CHARS: usize = 80;

/// What a list says that was searched and holds nothing of the kind.
pub(crate) const NOTHING: &str = "nothing matches";

/// How a column looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Column {
    /// Text, to the left.
    Text,
    /// Numbers, to the right.
    Number,
    /// A status word in its colour.
    Status,
}

/// Rows under headings.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    columns: Vec<(&'static str, Column)>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these headings and no rows.
    pub(crate) fn new(columns: &[(&'static str, Column)]) -> Self {
        Self { columns: columns.to_vec(), rows: Vec::new() }
    }

    /// Adds a row: a cell for each column.
    pub(crate) fn row<I: IntoIterator<Item = String>>(&mut self, cells: I) {
        self.rows.push(cells.into_iter().map(|cell| one_line(&cell)).collect());
    }

    /// Whether there is nothing to show.
    fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The table as text without a last line end.
    pub(crate) fn render(&self, paint: Paint) -> String {
        let width = |index: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(index)).map(|cell| cell.chars().count());
            cells.chain([self.columns[index].0.len()]).max().unwrap_or_default()
        };
        let widths: Vec<usize> = (0..self.columns.len()).map(width).collect();
        let heading = self.columns.iter().map(|(name, _)| (*name).to_owned()).collect::<Vec<_>>();
        let mut lines = vec![self.line(&heading, &widths, |_, text| paint.bold(text))];
        for row in &self.rows {
            lines.push(self.line(row, &widths, |column, text| match column {
                Column::Status => paint.status(text),
                Column::Text | Column::Number => text.to_owned(),
            }));
        }
        lines.join("\n")
    }

    /// The table as text; where it is empty, that there is `nothing`.
    pub(crate) fn render_or(&self, nothing: &str, paint: Paint) -> String {
        if self.is_empty() { nothing.to_owned() } else { self.render(paint) }
    }

    /// The list `document` in the form that `out` is asked for: whole, or as this table; an empty one for people is
    /// told as `nothing`, beside the results. Whether there was something to show.
    pub(crate) fn show(&self, document: &Value, nothing: &str, out: &Output) -> Result<bool, Failure> {
        if self.is_empty() && !out.json {
            out.note(nothing);
            return Ok(false);
        }
        out.answer(document, |paint| self.render(paint))?;
        tell_more(document, out);
        Ok(true)
    }

    fn line(&self, cells: &[String], widths: &[usize], dress: impl Fn(Column, &str) -> String) -> String {
        let mut line = String::new();
        for ((cell, width), (_, column)) in cells.iter().zip(widths).zip(&self.columns) {
            let gap = " ".repeat(width - cell.chars().count());
            let dressed = dress(*column, cell);
            line += &match column {
                Column::Number => format!("{gap}{dressed}  "),
                Column::Text | Column::Status => format!("{dressed}{gap}  "),
            };
        }
        line.trim_end().to_owned()
    }
}

/// Says beside the results that the list `document` ends before what there is.
pub(crate) fn tell_more(document: &Value, out: &Output) {
    if document["next_cursor"].is_string() {
        out.hint("there are more than these: see --limit");
    }
}

/// `text` on one line and not too long. What is written out takes room in its column.
fn one_line(text: &str) -> String {
    let flat: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let flat = legible(&flat).into_owned();
    match flat.char_indices().nth(MAX_CELL_CHARS) {
        Some((end, _)) => format!("{}…", &flat[..end]),
        None => flat,
    }
}

/// A field of a JSON object as text: strings bare, null and absent empty, the rest as JSON.
pub(crate) fn text(value: &Value, key: &str) -> String {
    plain(&value[key])
}

/// A JSON value as text: strings bare, null empty, the rest as JSON.
pub(crate) fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// An instant for people: `2026-01-31 12:00:00`.
pub(crate) fn instant(value: &Value, key: &str) -> String {
    let text = text(value, key);
    let seconds = text.split(['.', 'Z']).next().unwrap_or_default();
    seconds.replace('T', " ")
}

/// A run's or step's status, with the reason when it waits.
pub(crate) fn standing(value: &Value) -> String {
    match value["waiting_on"]["kind"].as_str() {
        Some(kind) => format!("{} ({kind})", text(value, "status")),
        None => text(value, "status"),
    }
}

/// Key and value lines, aligned.
pub(crate) fn facts(pairs: &[(&str, String)], paint: Paint) -> String {
    let pairs: Vec<_> = pairs.iter().filter(|(_, value)| !value.is_empty()).collect();
    let width = pairs.iter().map(|(key, _)| key.len()).max().unwrap_or_default();
    let line = |(key, value): &&(&str, String)| {
        format!("{}{}  {value}", paint.dim(key), " ".repeat(width - key.len()))
    };
    pairs.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn sample() -> Table {
        let mut table =
            Table::new(&[("RUN", Column::Text), ("STATUS", Column::Status), ("STEPS", Column::Number)]);
        table.row(["a".into(), "completed".into(), "3".into()]);
        table.row(["größer\nals".into(), "failed".into(), "1200".into()]);
        table
    }

    #[test]
    fn columns_are_aligned_and_cells_stay_on_their_line() {
        insta::assert_snapshot!(sample().render(Paint::PLAIN), @r"
        RUN         STATUS     STEPS
        a           completed      3
        größer als  failed      1200
        ");
    }

    #[test]
    fn colour_moves_no_column() {
        let bright = sample().render(Paint::BRIGHT);
        let stripped = bright.replace("\x1b[1;31m", "").replace("\x1b[32m", "").replace("\x1b[1m", "");
        assert_eq!(stripped.replace("\x1b[0m", ""), sample().render(Paint::PLAIN));
    }

    #[test]
    fn what_turns_a_line_is_written_out_within_its_column() {
        let mut table = Table::new(&[("WHO", Column::Text), ("WHAT", Column::Text)]);
        table.row(["a\u{202e}b".into(), "x".into()]);
        insta::assert_snapshot!(table.render(Paint::PLAIN), @r"
        WHO         WHAT
        a\u{202e}b  x
        ");
    }

    #[test]
    fn an_empty_table_says_so_in_words() {
        let table = Table::new(&[("WHO", Column::Text)]);
        assert_eq!(table.render_or("nobody", Paint::BRIGHT), "nobody");
        assert_eq!(sample().render_or("nobody", Paint::PLAIN), sample().render(Paint::PLAIN));
    }

    #[test]
    fn long_cells_are_cut() {
        assert_eq!(one_line(&"é".repeat(200)).chars().count(), MAX_CELL_CHARS + 1);
    }

    #[test]
    fn values_read_well() {
        let run = json!({ "status": "running", "waiting_on": { "kind": "gate" }, "at": "2026-01-31T12:00:00.000042Z" });
        assert_eq!(standing(&run), "running (gate)");
        assert_eq!(instant(&run, "at"), "2026-01-31 12:00:00");
        assert_eq!(
            facts(&[("run", "r".into()), ("error", String::new()), ("status", "s".into())], Paint::PLAIN),
            "run     r\nstatus  s"
        );
    }
}
