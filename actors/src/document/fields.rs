//! Reading mappings and lists, and the keys of a mapping.
//!
//! Owns the words for what is missing, unknown or of another type. Each getter gives nothing when it
//! reported something.

use serde::Deserialize;

use super::issue::{Code, shorten, suggest};
use super::keys::names_of;
use super::reader::Reader;
use super::tree::{Node, Tree};

/// A mapping whose keys were checked.
#[derive(Clone, Copy)]
pub(crate) struct Fields<'a> {
    /// The mapping itself.
    pub(crate) node: &'a Node,
}

impl<'a> Fields<'a> {
    /// The value below `key`; an explicit null counts as none.
    pub(crate) fn get(&self, key: &str) -> Option<&'a Node> {
        self.node.get(key).filter(|node| !node.is_null())
    }

    /// The node of the key itself.
    pub(crate) fn key(&self, key: &str) -> Option<&'a Node> {
        self.node.key(key)
    }
}

impl<'a> Reader<'a> {
    /// `node` as a mapping with the keys of `T`; `what` names it in messages.
    pub(crate) fn fields<T: Deserialize<'a>>(&mut self, node: &'a Node, what: &str) -> Option<Fields<'a>> {
        self.fields_among(node, what, names_of::<T>())
    }

    /// `node` as a mapping with `tag`, which says that it is a `T`, and the keys of `T`.
    pub(crate) fn fields_tagged<T: Deserialize<'a>>(
        &mut self,
        node: &'a Node,
        what: &str,
        tag: &str,
    ) -> Option<Fields<'a>> {
        let known: Vec<&str> = [tag].into_iter().chain(names_of::<T>().iter().copied()).collect();
        self.fields_among(node, what, &known)
    }

    /// `node` as a mapping with no other keys than `known`.
    pub(crate) fn fields_among(&mut self, node: &'a Node, what: &str, known: &[&str]) -> Option<Fields<'a>> {
        let entries = self.mapping(node, what)?;
        for (key, name) in entries.iter().filter_map(|(key, _)| key.as_text().map(|name| (key, name))) {
            if !known.contains(&name) {
                let hint = suggest(name, known.iter().copied().filter(|key| *key != "$schema"), "keys here");
                self.fault(key, Code::UnknownKey, format!("{what} has no key `{}`", shorten(name)), hint);
            }
        }
        Some(Fields { node })
    }

    /// The entries of `node`, which must be a mapping.
    pub(crate) fn mapping(&mut self, node: &'a Node, what: &str) -> Option<&'a [(Node, Node)]> {
        match &node.value {
            Tree::Map(entries) if !node.is_unquoted_template() => Some(entries),
            _ => {
                self.wrong_type(node, what, "a mapping of keys to values");
                None
            }
        }
    }

    /// The items of `node`, which must be a list.
    pub(crate) fn items(&mut self, node: &'a Node, what: &str) -> Option<&'a [Node]> {
        match &node.value {
            Tree::List(items) => Some(items),
            _ => {
                self.wrong_type(node, what, "a list");
                None
            }
        }
    }

    /// Reports that `node` has another type; an unquoted template was reported already.
    pub(crate) fn wrong_type(&mut self, node: &Node, what: &str, expected: &str) {
        if !node.is_unquoted_template() {
            let message = format!("{what} must be {expected}, not {}", node.kind());
            let unquoted = expected == "text" && matches!(node.value, Tree::Bool(_) | Tree::Number(_));
            let hint =
                if unquoted { "put it in quotes".to_owned() } else { format!("write {expected} here") };
            self.fault(node, Code::WrongType, message, hint);
        }
    }

    /// The items of `node`, which must be a list of at most `most`.
    pub(crate) fn items_up_to(&mut self, node: &'a Node, what: &str, most: usize) -> Option<&'a [Node]> {
        let items = self.items(node, what)?;
        if items.len() > most {
            let message = format!("{what} has {} items; the limit is {most}", items.len());
            self.fault(node, Code::OverLimit, message, format!("list {most} or fewer"));
        }
        Some(&items[..items.len().min(most)])
    }

    /// The value below `key`, which must be there.
    pub(crate) fn required(
        &mut self,
        fields: Fields<'a>,
        what: &str,
        key: &str,
        hint: &str,
    ) -> Option<&'a Node> {
        let found = fields.get(key);
        if found.is_none() {
            let node = fields.node.get(key).unwrap_or(fields.node);
            self.fault(node, Code::MissingKey, format!("{what} needs `{key}`"), hint);
        }
        found
    }
}
