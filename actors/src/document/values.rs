//! Reading the value below a key as the type it must have.
//!
//! Owns the words for values of another type, out of range, or none of the words. Each getter gives nothing
//! when the key is not there, or when it reported something.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::time::Duration;

use serde::de::{DeserializeOwned, IntoDeserializer, value};
use xyn_store::duration;

use super::MAX_ID_BYTES;
use super::duration::parse_duration;
use super::fields::Fields;
use super::issue::{Code, shorten, suggest};
use super::keys::names_of;
use super::reader::Reader;
use super::tree::{Node, Tree};

impl<'a> Reader<'a> {
    /// Text below `key`.
    pub(crate) fn text(&mut self, fields: Fields<'a>, key: &str) -> Option<&'a str> {
        let node = fields.get(key)?;
        let text = node.as_text();
        if text.is_none() {
            self.wrong_type(node, &format!("`{key}`"), "text");
        }
        text
    }

    /// Text below `key` that says something.
    pub(crate) fn words(&mut self, fields: Fields<'a>, key: &str) -> Option<&'a str> {
        let text = self.text(fields, key)?;
        if text.trim().is_empty() {
            let node = fields.get(key).unwrap_or(fields.node);
            self.fault(
                node,
                Code::InvalidValue,
                format!("`{key}` is empty"),
                "write it out, or leave it out",
            );
            return None;
        }
        Some(text)
    }

    /// The id below `key`, which must be there, of `what`.
    pub(crate) fn id(&mut self, fields: Fields<'a>, what: &str, key: &str, hint: &str) -> Option<&'a str> {
        let node = self.required(fields, what, key, hint)?;
        let id = self.text(fields, key)?;
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        if (1..=MAX_ID_BYTES).contains(&id.len()) && id.bytes().all(fits) {
            return Some(id);
        }
        let hint = format!("use 1 to {MAX_ID_BYTES} letters, digits, `.`, `_` and `-`");
        self.fault(node, Code::InvalidValue, format!("`{}` is no id of {what}", shorten(id)), hint);
        None
    }

    /// What `parse` makes of the text below `key`.
    pub(crate) fn parsed<T, E: Display>(
        &mut self,
        fields: Fields<'a>,
        key: &str,
        hint: &str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        let node = fields.get(key)?;
        self.parsed_item(node, &format!("`{key}`"), hint, parse)
    }

    /// What `parse` makes of the text of `node`.
    pub(crate) fn parsed_item<T, E: Display>(
        &mut self,
        node: &'a Node,
        what: &str,
        hint: &str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        let Some(text) = node.as_text() else {
            self.wrong_type(node, what, "text");
            return None;
        };
        let parsed = parse(text);
        if let Err(error) = &parsed {
            self.fault(node, Code::InvalidValue, error.to_string(), hint);
        }
        parsed.ok()
    }

    /// True or false below `key`.
    pub(crate) fn boolean(&mut self, fields: Fields<'a>, key: &str) -> Option<bool> {
        let node = fields.get(key)?;
        match node.value {
            Tree::Bool(value) => Some(value),
            _ => {
                self.wrong_type(node, &format!("`{key}`"), "true or false");
                None
            }
        }
    }

    /// A whole number below `key`, in `range`; above it, it is over the node's limit.
    pub(crate) fn whole<N: TryFrom<i128> + PartialOrd + Display>(
        &mut self,
        fields: Fields<'a>,
        key: &str,
        range: RangeInclusive<N>,
    ) -> Option<N> {
        let node = fields.get(key)?;
        let number = match &node.value {
            Tree::Number(number) => number.as_i128(),
            _ => None,
        };
        let Some(number) = number else {
            self.wrong_type(node, &format!("`{key}`"), "a whole number");
            return None;
        };
        let (least, most) = range.into_inner();
        match N::try_from(number) {
            Ok(fits) if least <= fits && fits <= most => return Some(fits),
            Ok(other) if other > most => self.over(node, key, number, &most),
            Err(_) if number > 0 => self.over(node, key, number, &most),
            _ => {
                let message = format!("`{key}` must be at least {least}");
                self.fault(node, Code::InvalidValue, message, format!("write {least} or more"));
            }
        }
        None
    }

    fn over(&mut self, node: &Node, key: &str, value: impl Display, most: impl Display) {
        let message = format!("`{key}` is {value}, over the {most} that this node allows");
        self.fault(node, Code::OverLimit, message, format!("write {most} or less"));
    }

    /// A length of time below `key`, above zero and at most `most`.
    pub(crate) fn time(&mut self, fields: Fields<'a>, key: &str, most: Duration) -> Option<Duration> {
        let node = fields.get(key)?;
        let written = match &node.value {
            Tree::Text(text) => text.clone(),
            Tree::Number(number) => number.to_string(),
            _ => {
                self.wrong_type(node, &format!("`{key}`"), "a length of time, such as 10m");
                return None;
            }
        };
        match parse_duration(&written) {
            Err(error) => {
                let hint =
                    "write such as 500ms, 10m, 1h30m or 2d, long units first, or a whole number of seconds";
                self.fault(node, Code::InvalidValue, format!("`{key}`: {error}"), hint);
            }
            Ok(time) if time.is_zero() => {
                let message = format!("`{key}` must be more than nothing");
                self.fault(node, Code::InvalidValue, message, "write such as 10s");
            }
            Ok(time) if time > most => self.over(node, key, duration::show(time), duration::show(most)),
            Ok(time) => return Some(time),
        }
        None
    }

    /// One of the words of `T` below `key`.
    pub(crate) fn word<T: DeserializeOwned>(&mut self, fields: Fields<'a>, key: &str) -> Option<T> {
        self.word_of(fields.get(key)?, key)
    }

    /// `node` as one of the words of `T`, an enum without fields; `noun` names what they are.
    pub(crate) fn word_of<T: DeserializeOwned>(&mut self, node: &'a Node, noun: &str) -> Option<T> {
        let Some(text) = node.as_text() else {
            self.wrong_type(node, &format!("`{noun}`"), "one word");
            return None;
        };
        let text_of: value::StrDeserializer<'_, value::Error> = text.into_deserializer();
        let word = T::deserialize(text_of).ok();
        if word.is_none() {
            let hint = suggest(text, names_of::<T>().iter().copied(), "words here");
            self.fault(node, Code::UnknownWord, format!("`{}` is no `{noun}`", shorten(text)), hint);
        }
        word
    }

    /// The words of `T` in the list below `key`, at most `most`.
    pub(crate) fn word_list<T: DeserializeOwned>(
        &mut self,
        fields: Fields<'a>,
        key: &str,
        noun: &str,
        most: usize,
    ) -> Vec<T> {
        let items = fields.get(key).and_then(|node| self.items_up_to(node, &format!("`{key}`"), most));
        items.unwrap_or_default().iter().filter_map(|item| self.word_of(item, noun)).collect()
    }
}
