//! Names of events and patterns over them.
//!
//! Owns the grammar: dot-separated parts of lowercase letters, digits, `_` and `-`; in patterns `*` stands
//! for one part and `**` for any number of parts, none included. Refuses everything else. Matching takes time
//! proportional to parts of the name times parts of the pattern, whatever the pattern.

use std::fmt;
use std::str::FromStr;

/// Longest name or pattern, in bytes.
pub const MAX_EVENT_NAME_BYTES: usize = 200;

/// A pattern over event names, such as `xyn.**.failed`.
#[derive(Clone, PartialEq, Eq)]
pub struct EventPattern {
    text: Box<str>,
    parts: Box<[Part]>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Exactly(Box<str>),
    One,
    Many,
}

/// A text that is no event name or pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidEventName {
    /// Nothing, or more than [`MAX_EVENT_NAME_BYTES`].
    #[error("an event name has 1 to {MAX_EVENT_NAME_BYTES} characters")]
    Length,
    /// Two dots in a row, or one at an end.
    #[error("an event name has something between its dots")]
    EmptyPart,
    /// A part with a character that names do not have.
    #[error("`{0}` is no part of an event name: use lowercase letters, digits, `_` and `-`")]
    Part(String),
}

/// Checks the name of an event: no pattern.
pub fn check_event_name(name: &str) -> Result<(), InvalidEventName> {
    check_length(name)?;
    name.split('.').try_for_each(check_part)
}

impl EventPattern {
    /// Whether `name` matches.
    pub fn matches(&self, name: &str) -> bool {
        if self.is_literal() {
            return *self.text == *name;
        }
        let names: Vec<&str> = name.split('.').collect();
        let (mut at, mut part) = (0, 0);
        // Where to go on when the rest does not fit: a `**` takes one part of the name more. Only the last
        // `**` ever needs to give way, which is what keeps this from exploding.
        let mut retry: Option<(usize, usize)> = None;
        while at < names.len() {
            match self.parts.get(part) {
                Some(Part::Many) => {
                    retry = Some((at, part));
                    part += 1;
                    continue;
                }
                Some(Part::Exactly(text)) if **text == *names[at] => (at, part) = (at + 1, part + 1),
                Some(Part::One) => (at, part) = (at + 1, part + 1),
                _ => match retry {
                    Some((from, many)) => {
                        retry = Some((from + 1, many));
                        (at, part) = (from + 1, many + 1);
                    }
                    None => return false,
                },
            }
        }
        self.parts[part..].iter().all(|part| *part == Part::Many)
    }

    /// Whether the pattern is the name of one event.
    pub fn is_literal(&self) -> bool {
        self.parts.iter().all(|part| matches!(part, Part::Exactly(_)))
    }

    /// What every name that matches begins with.
    pub fn prefix(&self) -> &str {
        // A `**` may stand for nothing, and then its dot is not there either.
        let end = self.text.find('*').unwrap_or(self.text.len());
        self.text[..end].trim_end_matches('.')
    }

    /// The text as the author wrote it.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl FromStr for EventPattern {
    type Err = InvalidEventName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        check_length(text)?;
        let part = |part: &str| match part {
            "*" => Ok(Part::One),
            "**" => Ok(Part::Many),
            name => check_part(name).map(|()| Part::Exactly(name.into())),
        };
        Ok(Self { text: text.into(), parts: text.split('.').map(part).collect::<Result<_, _>>()? })
    }
}

impl fmt::Display for EventPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for EventPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn check_length(text: &str) -> Result<(), InvalidEventName> {
    if (1..=MAX_EVENT_NAME_BYTES).contains(&text.len()) { Ok(()) } else { Err(InvalidEventName::Length) }
}

fn check_part(part: &str) -> Result<(), InvalidEventName> {
    let fits = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-');
    match part {
        "" => Err(InvalidEventName::EmptyPart),
        part if part.bytes().all(fits) => Ok(()),
        part => Err(InvalidEventName::Part(part.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pattern(text: &str) -> EventPattern {
        text.parse().expect("a pattern")
    }

    #[test]
    fn a_star_is_one_part_and_two_are_any_number() {
        for (text, name, fits) in [
            ("checkmk.alert", "checkmk.alert", true),
            ("checkmk.alert", "checkmk.alert.x", false),
            ("xyn.*.failed", "xyn.run.failed", true),
            ("xyn.*.failed", "xyn.capsule.pack.failed", false),
            ("xyn.**.failed", "xyn.capsule.pack.failed", true),
            ("xyn.**.failed", "xyn.failed", true),
            ("xyn.**.failed", "xyn.failed.again", false),
            ("**", "anything.at.all", true),
            ("**.validation_failed", "xyn.draft.validation_failed", true),
            ("a.**.b.**.c", "a.b.b.x.c", true),
            ("a.**.b.**.c", "a.x.c", false),
            ("a.*.**", "a", false),
            ("a.**.*", "a.b", true),
        ] {
            assert_eq!(pattern(text).matches(name), fits, "{text} against {name}");
        }
    }

    #[test]
    fn many_stars_do_not_explode() {
        let text = ["**.a"; 40].join(".");
        let name = ["a"; 100].join(".") + ".b";
        assert!(!pattern(&text).matches(&name));
    }

    #[test]
    fn what_is_no_name_is_refused_with_its_part() {
        for text in ["", ".", "a..b", "a.", "A.b", "a b", "a.b*", "é", &"a".repeat(201)] {
            assert!(text.parse::<EventPattern>().is_err(), "{text}");
        }
        assert_eq!(check_event_name("demo.*"), Err(InvalidEventName::Part("*".into())));
        assert_eq!(check_event_name("demo.hello-2_x"), Ok(()));
        assert_eq!(
            check_event_name("Demo.hello").expect_err("uppercase").to_string(),
            "`Demo` is no part of an event name: use lowercase letters, digits, `_` and `-`"
        );
    }

    /// The definition, without any thought of speed.
    fn by_definition(parts: &[&str], names: &[&str]) -> bool {
        match parts.split_first() {
            None => names.is_empty(),
            Some((&"**", rest)) => (0..=names.len()).any(|n| by_definition(rest, &names[n..])),
            Some((part, rest)) => match names.split_first() {
                Some((name, names)) => (*part == "*" || part == name) && by_definition(rest, names),
                None => false,
            },
        }
    }

    proptest! {
        #[test]
        fn matching_is_what_the_definition_says(
            parts in proptest::collection::vec(proptest::sample::select(vec!["a", "b", "*", "**"]), 1..7),
            names in proptest::collection::vec(proptest::sample::select(vec!["a", "b"]), 1..8),
        ) {
            let (fits, pattern, name) = (by_definition(&parts, &names), pattern(&parts.join(".")), names.join("."));
            prop_assert_eq!(pattern.matches(&name), fits);
            prop_assert!(!fits || name.starts_with(pattern.prefix()));
        }
    }
}
