//! A text in two versions as pages show it: a part of its rows at a time, and below them what is said of lines.
//!
//! Invariant: however long the text is and however much is said of it, a page holds [`PART_ROWS`] rows and
//! [`SAID_MAX`] comments.

use xyn_store::timeline::board::{Place, Side};

use super::act::{Act, Directory};
use super::lines::{self, Cell, Compared, Mark, Row};
use super::query::parsed;
use super::talk::Comment;
use crate::dto::side_word;
use crate::error::ApiError;

/// Rows of one part.
pub(super) const PART_ROWS: usize = 100;
/// Comments that stand below their lines: the newest.
const SAID_MAX: usize = 40;

/// Which part of it is looked at, and how.
#[derive(Clone, Debug, Default)]
pub(super) struct Sight {
    /// Whether both sides stand beside each other.
    is_split: bool,
    part: usize,
    /// The line that is spoken of; its part comes before the one that is named.
    line: Option<(Side, u32)>,
}

impl Sight {
    /// What a query asks for by `view` and `part`; both sides beside each other where it does not say and
    /// `is_split`.
    pub(super) fn asked(view: &str, part: &str, is_split: bool) -> Result<Self, ApiError> {
        let is_split = if is_split { view != "unified" } else { view == "split" };
        Ok(Self { is_split, part: parsed("part", part)?.unwrap_or_default(), line: None })
    }

    /// The same at a line, which a query names by `side` and `line`.
    pub(super) fn at(self, side: &str, line: &str) -> Result<Self, ApiError> {
        let side = if side == "before" { Side::Before } else { Side::After };
        Ok(Self { line: parsed("line", line)?.map(|line| (side, line)), ..self })
    }
}

/// What differs in a text.
pub(super) struct Lines {
    /// What it is called.
    pub(super) title: String,
    /// The word for how it differs.
    pub(super) verb: &'static str,
    pub(super) is_split: bool,
    pub(super) rows: Vec<Row>,
    /// Lines that came, and that went, of all parts.
    pub(super) added: usize,
    pub(super) removed: usize,
    /// What there is instead of lines.
    pub(super) told: String,
    pub(super) part: usize,
    pub(super) parts: usize,
    /// To this text without a view, to which `&view=` and `&part=` can be added.
    pub(super) href: String,
    /// What is said of its lines, where something can be.
    pub(super) talk: Option<Talk>,
    line: Option<(Side, u32)>,
}

/// What was compared as rows, or the words for why it was not.
pub(super) fn told(compared: Compared, sizes: impl FnOnce() -> String) -> Result<Vec<Row>, String> {
    match compared {
        Compared::Rows(rows) if rows.is_empty() => Err("The lines are the same.".to_owned()),
        Compared::Rows(rows) => Ok(rows),
        Compared::Binary => Err(format!("It is no text: {}.", sizes())),
        Compared::TooLarge => Err(format!("It is too large to compare line by line: {}.", sizes())),
    }
}

impl Lines {
    /// What `view` shows of `rows`.
    pub(super) fn of(
        title: String,
        verb: &'static str,
        rows: Result<Vec<Row>, String>,
        href: String,
        view: &Sight,
    ) -> Self {
        let (mut rows, told) = rows.map_or_else(|told| (Vec::new(), told), |rows| (rows, String::new()));
        let cells = || rows.iter().flat_map(|row| [&row.left, &row.right]).flatten();
        let count = |mark: Mark| cells().filter(|cell| cell.mark == mark).count();
        let (added, removed) = (count(Mark::Added), count(Mark::Removed));
        if !view.is_split {
            rows = lines::unified(&rows);
        }
        let parts = rows.len().div_ceil(PART_ROWS).max(1);
        let spoken_of = view.line.and_then(|line| rows.iter().position(|row| stands(row, line)));
        let part = spoken_of.map_or(view.part, |row| row / PART_ROWS).min(parts - 1);
        let rows = rows.into_iter().skip(part * PART_ROWS).take(PART_ROWS).collect();
        let (is_split, line) = (view.is_split, view.line);
        Self { title, verb, is_split, rows, added, removed, told, part, parts, href, talk: None, line }
    }

    /// The page of these rows, to which more of a query can be added.
    pub(super) fn here(&self) -> String {
        self.part_of(self.part)
    }

    /// The page of another part.
    pub(super) fn part_of(&self, part: usize) -> String {
        let view = if self.is_split { "split" } else { "unified" };
        format!("{}&view={view}&part={part}", self.href)
    }

    /// Columns of the table.
    pub(super) fn columns(&self) -> usize {
        if self.is_split { 4 } else { 3 }
    }

    /// Lets people speak of the lines of the file at `path`, of which `said` has what was said; an act is a
    /// comment on the moment with `fields`.
    pub(super) fn with_talk(
        &mut self,
        directory: &Directory,
        (workspace, path): (&str, &str),
        said: &[Comment],
        fields: &[(&str, &str)],
    ) {
        let is_here =
            |place: &Place| place.path == path && place.workspace.as_deref().unwrap_or_default() == workspace;
        let said = said.iter().rev().filter(|comment| comment.place.as_ref().is_some_and(is_here));
        let mut said: Vec<_> = said.take(SAID_MAX).cloned().collect();
        said.reverse();
        let form = self.line.map(|(side, line)| {
            let number = line.to_string();
            let place = [
                ("place.workspace", workspace),
                ("place.path", path),
                ("place.side", side_word(side)),
                ("place.line:integer", &number),
            ];
            let place = place.into_iter().filter(|(_, value)| !value.is_empty());
            let fields: Vec<_> = fields.iter().copied().chain(place).collect();
            directory.act("timeline.comment", &fields, format!("{}#{}", self.here(), name(side, line)))
        });
        self.talk = Some(Talk { said, form });
    }

    /// Whether a comment on the line of `cell` is begun on this side: of what both have, on the one after.
    pub(super) fn can_speak(&self, side: &str, cell: &Cell) -> bool {
        self.talk.is_some() && (side == side_word(Side::After) || cell.mark == Mark::Removed)
    }

    /// What stands below `row`.
    pub(super) fn below(&self, row: &Row) -> Vec<Below<'_>> {
        let Some(talk) = &self.talk else { return Vec::new() };
        let at = |(side, cell): (Side, &Option<Cell>)| {
            let line = u32::try_from(cell.as_ref()?.number).ok()?;
            let is_of = |comment: &&Comment| {
                comment.place.as_ref().is_some_and(|place| (place.side, place.line) == (side, line))
            };
            let said: Vec<_> = talk.said.iter().filter(is_of).collect();
            let form = talk.form.as_ref().filter(|_| self.line == Some((side, line)));
            let is_something = !said.is_empty() || form.is_some();
            is_something.then(|| Below { id: name(side, line), side: side_word(side), line, said, form })
        };
        [(Side::Before, &row.left), (Side::After, &row.right)].into_iter().filter_map(at).collect()
    }
}

/// What is said of the lines of a text.
pub(super) struct Talk {
    said: Vec<Comment>,
    /// What says something of the line that is spoken of.
    form: Option<Act>,
}

/// What stands below a row.
pub(super) struct Below<'a> {
    pub(super) id: String,
    pub(super) side: &'static str,
    pub(super) line: u32,
    pub(super) said: Vec<&'a Comment>,
    pub(super) form: Option<&'a Act>,
}

/// Whether a line stands in `row`.
fn stands(row: &Row, (side, line): (Side, u32)) -> bool {
    let cell = if side == Side::Before { &row.left } else { &row.right };
    cell.as_ref().is_some_and(|cell| u32::try_from(cell.number) == Ok(line))
}

/// The name of a line on a page.
fn name(side: Side, line: u32) -> String {
    format!("{}-{line}", side_word(side))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(is_split: bool, line: Option<(Side, u32)>) -> Sight {
        Sight { is_split, part: 0, line }
    }

    fn of(after: &str, view: &Sight) -> Lines {
        let rows = told(lines::compare(b"a\nb\n", after.as_bytes()), String::new);
        Lines::of("a.txt".into(), "changed", rows, "/x?path=a.txt".into(), view)
    }

    #[test]
    fn what_changed_is_bounded_and_counted_whole() {
        let short = of("a\nc\nd\n", &view(false, None));
        assert_eq!((short.added, short.removed, short.rows.len(), short.parts), (2, 1, 4, 1));
        assert_eq!(of("a\nb\n", &view(true, None)).told, "The lines are the same.");
        let long = of(&"x\n".repeat(PART_ROWS * 3), &view(false, None));
        assert_eq!((long.added, long.rows.len(), long.parts), (PART_ROWS * 3, PART_ROWS, 4));
    }

    #[test]
    fn the_part_with_the_line_that_is_spoken_of_is_shown() {
        let text = "x\n".repeat(PART_ROWS * 3);
        for is_split in [true, false] {
            let lines = of(&text, &view(is_split, Some((Side::After, 250))));
            assert_eq!(lines.part, 2, "{is_split}");
            assert!(lines.here().ends_with("&part=2"), "{}", lines.here());
            assert_eq!(of(&text, &view(is_split, Some((Side::Before, 250)))).part, 0, "no such line");
        }
    }

    #[test]
    fn what_is_said_stands_below_its_line_and_nowhere_else() {
        let place = |path: &str, side, line| Place { workspace: None, path: path.into(), side, line };
        let at = xyn_store::Timestamp::EPOCH;
        let say = |place| Comment { at, by: "ada".into(), place, text: "why?".into() };
        let said = [
            say(Some(place("a.txt", Side::Before, 2))),
            say(Some(place("b.txt", Side::After, 1))),
            say(Some(place("a.txt", Side::After, 900))),
            say(None),
        ];
        let registry = xyn_actors::actions::builtin();
        let directory = Directory::of(&crate::document(&registry), &registry);
        for is_split in [true, false] {
            let mut lines = of("a\nc\n", &view(is_split, Some((Side::After, 2))));
            lines.with_talk(&directory, ("", "a.txt"), &said, &[("on", "review")]);
            let below: Vec<_> = lines.rows.iter().flat_map(|row| lines.below(row)).collect();
            let told: Vec<_> = below
                .iter()
                .map(|below| (below.id.as_str(), below.said.len(), below.form.is_some()))
                .collect();
            assert_eq!(told, [("before-2", 1, false), ("after-2", 0, true)], "{is_split}");
            let fields = &below[1].form.expect("a form").fields;
            let field =
                |name: &str| fields.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_str());
            assert_eq!(field("place.line:integer"), Some("2"));
            assert_eq!(field("place.workspace"), None);
        }
    }
}
