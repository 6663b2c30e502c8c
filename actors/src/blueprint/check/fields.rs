//! Reading the keys of a mapping as the types they must have.
//!
//! Owns the faults of shape: wrong type, missing, unknown, not one of the words. Each getter gives nothing
//! when it reported something.

use std::ops::RangeInclusive;
use std::time::Duration;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{Checker, Code, Node, Tree, source};
use crate::blueprint::duration::{parse_duration, show};
use crate::blueprint::issue::{shorten, suggest};

/// A mapping whose keys were checked.
#[derive(Clone, Copy)]
pub(super) struct Fields<'a> {
    /// The mapping itself.
    pub(super) node: &'a Node,
}

impl<'a> Fields<'a> {
    /// The value below `key`.
    pub(super) fn get(&self, key: &str) -> Option<&'a Node> {
        self.node.get(key)
    }

    /// The node of the key itself.
    pub(super) fn key(&self, key: &str) -> Option<&'a Node> {
        match &self.node.value {
            Tree::Map(entries) => {
                entries.iter().find(|(name, _)| name.as_text() == Some(key)).map(|(name, _)| name)
            }
            _ => None,
        }
    }
}

impl<'a> Checker<'a> {
    /// `node` as a mapping with the keys of `T` and `more`; `what` names it in messages.
    pub(super) fn fields<T: JsonSchema>(
        &mut self,
        node: &'a Node,
        what: &str,
        more: &[&str],
    ) -> Option<Fields<'a>> {
        let entries = self.mapping(node, what)?;
        let more = more.iter().map(|key| (*key).to_owned());
        let known: Vec<String> = more.chain(source::keys_of::<T>()).collect();
        for (key, name) in entries.iter().filter_map(|(key, _)| key.as_text().map(|name| (key, name))) {
            if !known.iter().any(|known| known == name) {
                let hint = suggest(
                    name,
                    known.iter().map(String::as_str).filter(|key| *key != "$schema"),
                    "keys here",
                );
                self.fault(key, Code::UnknownKey, format!("{what} has no key `{}`", shorten(name)), hint);
            }
        }
        Some(Fields { node })
    }

    /// The entries of `node`, which must be a mapping.
    pub(super) fn mapping(&mut self, node: &'a Node, what: &str) -> Option<&'a [(Node, Node)]> {
        match &node.value {
            Tree::Map(entries) if !node.is_unquoted_template() => Some(entries),
            _ => {
                self.wrong_type(node, what, "a mapping of keys to values");
                None
            }
        }
    }

    /// The items of `node`, which must be a list.
    pub(super) fn items(&mut self, node: &'a Node, what: &str) -> Option<&'a [Node]> {
        match &node.value {
            Tree::List(items) => Some(items),
            _ => {
                self.wrong_type(node, what, "a list");
                None
            }
        }
    }

    /// Reports that `node` has another type; an unquoted template was reported already.
    pub(super) fn wrong_type(&mut self, node: &Node, what: &str, expected: &str) {
        if !node.is_unquoted_template() {
            let message = format!("{what} must be {expected}, not {}", node.kind());
            self.fault(node, Code::WrongType, message, format!("write {expected} here"));
        }
    }

    /// The value below `key`, which must be there.
    pub(super) fn required(
        &mut self,
        fields: Fields<'a>,
        what: &str,
        key: &str,
        hint: &str,
    ) -> Option<&'a Node> {
        let found = fields.get(key).filter(|node| !matches!(node.value, Tree::Null));
        if found.is_none() {
            let node = fields.get(key).unwrap_or(fields.node);
            self.fault(node, Code::MissingKey, format!("{what} needs `{key}`"), hint);
        }
        found
    }

    /// Text below `key`.
    pub(super) fn text(&mut self, fields: Fields<'a>, key: &str) -> Option<&'a str> {
        let node = fields.get(key)?;
        let text = node.as_text();
        if text.is_none() {
            self.wrong_type(node, &format!("`{key}`"), "text");
        }
        text
    }

    /// True or false below `key`.
    pub(super) fn boolean(&mut self, fields: Fields<'a>, key: &str) -> Option<bool> {
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
    pub(super) fn whole(&mut self, fields: Fields<'a>, key: &str, range: RangeInclusive<u32>) -> Option<u32> {
        let node = fields.get(key)?;
        let number = match &node.value {
            Tree::Number(number) => number.as_u64(),
            _ => None,
        };
        let Some(number) = number else {
            self.wrong_type(node, &format!("`{key}`"), "a whole number");
            return None;
        };
        match u32::try_from(number) {
            Ok(number) if range.contains(&number) => Some(number),
            Ok(number) if number < *range.start() => {
                let message = format!("`{key}` must be at least {}", range.start());
                self.fault(node, Code::InvalidValue, message, format!("write {} or more", range.start()));
                None
            }
            _ => {
                let message = format!("`{key}` is {number}, over the {} that this node allows", range.end());
                self.fault(node, Code::OverLimit, message, format!("write {} or less", range.end()));
                None
            }
        }
    }

    /// A length of time below `key`, above zero and at most `most`.
    pub(super) fn time(&mut self, fields: Fields<'a>, key: &str, most: Duration) -> Option<Duration> {
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
                None
            }
            Ok(time) if time.is_zero() => {
                self.fault(
                    node,
                    Code::InvalidValue,
                    format!("`{key}` must be more than nothing"),
                    "write such as 10s",
                );
                None
            }
            Ok(time) if time > most => {
                let message =
                    format!("`{key}` is {}, over the {} that this node allows", show(time), show(most));
                self.fault(node, Code::OverLimit, message, format!("write {} or less", show(most)));
                None
            }
            Ok(time) => Some(time),
        }
    }

    /// One of the words of `T` below `key`.
    pub(super) fn word<T: DeserializeOwned + JsonSchema>(
        &mut self,
        fields: Fields<'a>,
        key: &str,
    ) -> Option<T> {
        let node = fields.get(key)?;
        self.word_of(node, key)
    }

    /// `node` as one of the words of `T`.
    pub(super) fn word_of<T: DeserializeOwned + JsonSchema>(
        &mut self,
        node: &'a Node,
        key: &str,
    ) -> Option<T> {
        let Some(text) = node.as_text() else {
            self.wrong_type(node, &format!("`{key}`"), "one word");
            return None;
        };
        let word = serde_json::from_value(Value::String(text.to_owned())).ok();
        if word.is_none() {
            let known = source::words_of::<T>();
            let hint = suggest(text, known.iter().map(String::as_str), "words here");
            self.fault(node, Code::UnknownWord, format!("`{}` is no `{key}`", shorten(text)), hint);
        }
        word
    }
}
