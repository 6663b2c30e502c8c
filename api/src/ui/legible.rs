//! How texts reach pages: escaped for HTML, and so that they change nothing that stands beside them.
//!
//! `askama.toml` puts every value of every page through [`Legible`]. A value that a form sends back as it was
//! is only escaped, by `|escape("xml")`: what somebody edits or asks for again is not changed by being shown.

use std::borrow::Cow;
use std::fmt::{self, Write};

use askama::filters::{Escaper, Html};
use xyn_store::legible::legible;

/// The escaper of pages.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Legible;

impl Escaper for Legible {
    fn write_escaped_str<W: Write>(&self, dest: W, text: &str) -> fmt::Result {
        // To a browser a carriage return is the end of a line, with or without a line feed.
        let text = match text.contains('\r') {
            true => Cow::Owned(text.replace("\r\n", "\n").replace('\r', "\n")),
            false => Cow::Borrowed(text),
        };
        Html.write_escaped_str(dest, &legible(&text))
    }
}

#[cfg(test)]
mod tests {
    use askama::Template;

    #[derive(Template)]
    #[template(source = "<b title=\"{{ text }}\">{{ text }}</b>{{ text|escape(\"xml\") }}", ext = "html")]
    struct Page {
        text: &'static str,
    }

    fn shown(text: &'static str) -> String {
        Page { text }.render().expect("renders")
    }

    #[test]
    fn a_text_turns_nothing_that_stands_beside_it() {
        let html = shown("<a\u{202e}b\u{1b}");
        assert_eq!(
            html,
            "<b title=\"&#60;a\\u{202e}b\\u{1b}\">&#60;a\\u{202e}b\\u{1b}</b>&#60;a\u{202e}b\u{1b}"
        );
    }

    #[test]
    fn lines_and_what_takes_no_room_stay() {
        assert!(shown("a\r\nb\rc\n👩\u{200d}💻").starts_with("<b title=\"a\nb\nc\n👩\u{200d}💻\">"));
    }
}
