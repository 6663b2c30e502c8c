//! Two texts side by side or one under the other, line by line.
//!
//! Pure. Owns what is compared and how much of it is shown at once. Invariant: the rows of all parts together
//! show every line that differs, with its number.

use diffy::{DiffOptions, Line};

/// Bytes and lines of a file that is compared; of more it is said how many there are.
pub(super) const FILE_MAX_BYTES: u64 = 512 << 10;
const LINES_MAX: usize = 20_000;
/// Lines around a change.
const AROUND: usize = 3;
/// Characters of a line that are shown.
const LINE_CHARS: usize = 600;

/// How a line came to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    Same,
    Added,
    Removed,
}

/// A line on one side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cell {
    pub(super) number: usize,
    pub(super) mark: Mark,
    pub(super) text: String,
}

/// A row of two columns; neither where lines that are the same are left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) left: Option<Cell>,
    pub(super) right: Option<Cell>,
}

/// What two texts differ in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Compared {
    /// Line by line.
    Rows(Vec<Row>),
    /// One of them is no text.
    Binary,
    /// There is more than is compared.
    TooLarge,
}

/// Compares two contents.
pub(super) fn compare(before: &[u8], after: &[u8]) -> Compared {
    let text =
        |bytes: &'_ [u8]| (!bytes.contains(&0)).then(|| String::from_utf8(bytes.to_vec()).ok()).flatten();
    let (Some(before), Some(after)) = (text(before), text(after)) else { return Compared::Binary };
    if before.lines().count() + after.lines().count() > LINES_MAX {
        return Compared::TooLarge;
    }
    let patch = DiffOptions::new().set_context_len(AROUND).create_patch(&before, &after);
    let mut rows = Vec::new();
    for hunk in patch.hunks() {
        let (mut old, mut new) = (hunk.old_range().start(), hunk.new_range().start());
        if old > 1 || new > 1 {
            rows.push(Row::default());
        }
        let mut removed: Vec<Cell> = Vec::new();
        let mut added: Vec<Cell> = Vec::new();
        for line in hunk.lines() {
            match line {
                Line::Delete(text) => {
                    removed.push(Cell::of(old, Mark::Removed, text));
                    old += 1;
                }
                Line::Insert(text) => {
                    added.push(Cell::of(new, Mark::Added, text));
                    new += 1;
                }
                Line::Context(text) => {
                    pair(&mut rows, &mut removed, &mut added);
                    let [left, right] = [old, new].map(|number| Some(Cell::of(number, Mark::Same, text)));
                    rows.push(Row { left, right });
                    (old, new) = (old + 1, new + 1);
                }
            }
        }
        pair(&mut rows, &mut removed, &mut added);
    }
    Compared::Rows(rows)
}

/// Puts what was removed beside what was added in its place.
fn pair(rows: &mut Vec<Row>, removed: &mut Vec<Cell>, added: &mut Vec<Cell>) {
    let (mut left, mut right) = (removed.drain(..), added.drain(..));
    loop {
        match (left.next(), right.next()) {
            (None, None) => break,
            (left, right) => rows.push(Row { left, right }),
        }
    }
}

/// The rows one under the other: of a run of changes first what was removed, then what was added.
pub(super) fn unified(rows: &[Row]) -> Vec<Row> {
    let mut shown = Vec::with_capacity(rows.len());
    let mut added = Vec::new();
    for row in rows {
        let is_change = |cell: &Option<Cell>| cell.as_ref().is_some_and(|cell| cell.mark != Mark::Same);
        if is_change(&row.left) || is_change(&row.right) {
            shown.extend(row.left.clone().map(|left| Row { left: Some(left), right: None }));
            added.extend(row.right.clone().map(|right| Row { left: None, right: Some(right) }));
        } else {
            shown.append(&mut added);
            shown.push(row.clone());
        }
    }
    shown.append(&mut added);
    shown
}

impl Row {
    /// Whether it stands for lines that are left out.
    pub(super) fn is_gap(&self) -> bool {
        self.left.is_none() && self.right.is_none()
    }
}

impl Cell {
    fn of(number: usize, mark: Mark, text: &str) -> Self {
        let text = text.trim_end_matches(['\n', '\r']);
        let cut = text.char_indices().nth(LINE_CHARS);
        let text = cut.map_or_else(|| text.to_owned(), |(end, _)| format!("{}…", &text[..end]));
        Self { number, mark, text }
    }

    /// The class that colours it.
    pub(super) fn class(&self) -> &'static str {
        match self.mark {
            Mark::Same => "same",
            Mark::Added => "add",
            Mark::Removed => "del",
        }
    }

    /// What stands before it, for those who see no colour.
    pub(super) fn sign(&self) -> &'static str {
        match self.mark {
            Mark::Same => " ",
            Mark::Added => "+",
            Mark::Removed => "−",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(before: &str, after: &str) -> Vec<Row> {
        match compare(before.as_bytes(), after.as_bytes()) {
            Compared::Rows(rows) => rows,
            other => panic!("{other:?}"),
        }
    }

    fn told(rows: &[Row]) -> Vec<String> {
        let side = |cell: &Option<Cell>| {
            cell.as_ref()
                .map_or_else(String::new, |cell| format!("{}{}{}", cell.number, cell.sign(), cell.text))
        };
        rows.iter().map(|row| format!("{}|{}", side(&row.left), side(&row.right))).collect()
    }

    #[test]
    fn what_was_put_in_the_place_of_something_stands_beside_it() {
        let rows = rows("a\nb\nc\nd\n", "a\nB\nB2\nc\nd\n");
        assert_eq!(told(&rows), ["1 a|1 a", "2−b|2+B", "|3+B2", "3 c|4 c", "4 d|5 d"]);
        let one = unified(&rows);
        assert_eq!(told(&one), ["1 a|1 a", "2−b|", "|2+B", "|3+B2", "3 c|4 c", "4 d|5 d"]);
    }

    #[test]
    fn far_apart_changes_have_a_gap_between_them() {
        let before: String = (1..=40).map(|line| format!("{line}\n")).collect();
        let after = before.replace("2\n3\n", "2\nthree\n").replace("38\n", "38!\n");
        let rows = rows(&before, &after);
        assert_eq!(rows.iter().filter(|row| row.is_gap()).count(), 1);
        assert!(told(&rows).contains(&"38−38|38+38!".to_owned()), "{:?}", told(&rows));
    }

    #[test]
    fn a_file_that_came_or_went_is_shown_whole_and_bytes_are_not_compared() {
        assert_eq!(told(&rows("", "a\r\nb")), ["|1+a", "|2+b"]);
        assert_eq!(told(&rows("a\n", "")), ["1−a|"]);
        assert_eq!(compare(b"a\0b", b"a"), Compared::Binary);
        assert_eq!(compare(b"\xff", b"a"), Compared::Binary);
        assert_eq!(compare("x\n".repeat(LINES_MAX + 1).as_bytes(), b""), Compared::TooLarge);
    }

    #[test]
    fn a_long_line_is_cut_between_characters() {
        let text =
            rows("", &"ß".repeat(LINE_CHARS + 5)).pop().and_then(|row| row.right).expect("a line").text;
        assert_eq!(text.chars().count(), LINE_CHARS + 1);
        assert!(text.ends_with('…'));
    }
}
