//! Texts that others wrote, as people get to see them.
//!
//! Owns which characters change how a text reads without being seen themselves, and what is shown in their
//! place. A name is held to more than a text: of two names that look alike one is taken for the other, while
//! a text may need what takes no room, as emoji of several parts and Persian do. Invariant: what was made
//! [`legible`] moves no cursor, and turns nothing around that stands beside it.

use std::borrow::Cow;

/// Characters of what somebody gave that an error shows.
const QUOTED_MAX_CHARS: usize = 80;

/// Control characters, marks of direction, and what takes no room: with them one name looks like another.
pub fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}')
        || matches!(c, '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// Control characters, ends of lines, and what turns the direction of all that follows: with them a text
/// changes how others read.
pub fn is_disruptive(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// `text` with every disruptive character but ends of lines and tabs written out, such as `\u{202e}`.
pub fn legible(text: &str) -> Cow<'_, str> {
    let is_kept = |c: char| !is_disruptive(c) || matches!(c, '\n' | '\t');
    if text.chars().all(is_kept) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if is_kept(c) { shown.push(c) } else { shown.extend(c.escape_unicode()) }
    }
    Cow::Owned(shown)
}

/// What somebody gave, as an error shows it: on one line, and cut where it is long.
pub fn quoted(text: &str) -> String {
    excerpt(text, QUOTED_MAX_CHARS)
}

/// The first `max_chars` of a stranger's text, on one line, with what is hidden in it written out.
pub fn excerpt(text: &str, max_chars: usize) -> String {
    let mut shown = String::new();
    for c in text.chars().take(max_chars) {
        if is_hidden(c) { shown.extend(c.escape_unicode()) } else { shown.push(c) }
    }
    if text.chars().nth(max_chars).is_some() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_moves_a_cursor_or_turns_a_line_is_written_out_and_the_rest_stays() {
        let table = [
            ("a\u{202e}b", r"a\u{202e}b"),
            ("\u{1b}[2Ja\rb", r"\u{1b}[2Ja\u{d}b"),
            ("a\u{2067}b\u{2069}", r"a\u{2067}b\u{2069}"),
            ("a\u{9b}31m", r"a\u{9b}31m"),
            ("one\ntwo\tthree", "one\ntwo\tthree"),
            (
                "Größe 日本 👩\u{200d}💻 می\u{200c}خواهم שלום\u{200f}",
                "Größe 日本 👩\u{200d}💻 می\u{200c}خواهم שלום\u{200f}",
            ),
        ];
        for (text, shown) in table {
            assert_eq!(legible(text), shown);
        }
    }

    #[test]
    fn what_disrupts_a_text_is_hidden_in_a_name_too() {
        assert!(('\0'..=char::MAX).filter(|c| is_disruptive(*c)).all(is_hidden));
    }

    #[test]
    fn what_was_given_is_shown_on_one_short_line() {
        assert_eq!(quoted("a\nb\u{200b}"), r"a\u{a}b\u{200b}");
        assert_eq!(quoted(&"ä".repeat(1000)), format!("{}…", "ä".repeat(80)));
    }
}
