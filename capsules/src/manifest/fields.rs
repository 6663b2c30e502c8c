//! A manifest field by field: what differs between two, and what comes of three.
//!
//! Works on documents, so that fields which this version does not know are treated like all others. Invariant:
//! what only one side changed is taken from that side, and no change of either is dropped without being named.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::Manifest;
use crate::tree::Side;

/// Fields that follow from what is packed, by whom and when.
const FOUND: [&str; 2] = ["tree", "attestations"];
/// Fields that whoever packs next fills in.
const FILLED: [&str; 5] = ["formatVersion", "generation", "createdAt", "createdBy", "expected"];

/// A field in which two manifests differ.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// Where, as a JSON pointer (RFC 6901).
    pub place: String,
    /// What stood there.
    pub before: Option<Value>,
    /// What stands there.
    pub after: Option<Value>,
}

/// A field that both sides changed, each in its own way.
#[derive(Clone, Debug, PartialEq)]
pub struct Clash {
    /// Where; of what has a name, the name stands for its place in the list.
    pub place: String,
    /// What ours has.
    pub ours: Option<Value>,
    /// What theirs has.
    pub theirs: Option<Value>,
}

/// The fields in which two manifests differ, but for those that only tell of their content.
pub fn differences(before: &Manifest, after: &Manifest) -> Vec<Difference> {
    let mut found = Vec::new();
    let document = |manifest| {
        let mut fields = said(manifest);
        FOUND.iter().for_each(|name| drop(fields.remove(*name)));
        Value::Object(fields)
    };
    compare(String::new(), Some(&document(before)), Some(&document(after)), &mut found);
    found
}

fn compare(place: String, before: Option<&Value>, after: Option<&Value>, found: &mut Vec<Difference>) {
    match (before, after) {
        (before, after) if before == after => {}
        (Some(Value::Object(before)), Some(Value::Object(after))) => {
            let names: BTreeSet<_> = before.keys().chain(after.keys()).collect();
            for name in names {
                compare(below(&place, name), before.get(name), after.get(name), found);
            }
        }
        (before, after) => {
            found.push(Difference { place, before: before.cloned(), after: after.cloned() });
        }
    }
}

/// What an author would have written for a manifest that says the same.
pub fn authored(manifest: &Manifest) -> Value {
    let mut fields = said(manifest);
    FOUND.iter().chain(&FILLED).for_each(|name| drop(fields.remove(*name)));
    fields.insert("id".to_owned(), manifest.id.app.as_str().into());
    if let Some(Value::Array(seeds)) = fields.get_mut("seeds") {
        seeds.iter_mut().filter_map(Value::as_object_mut).for_each(|seed| drop(seed.remove("digest")));
    }
    Value::Object(fields)
}

/// The fields of a manifest, but for the time of a build that is only that of packing.
fn said(manifest: &Manifest) -> Map<String, Value> {
    let Ok(Value::Object(mut fields)) = serde_json::to_value(manifest) else { return Map::new() };
    let packed = manifest.created_at.as_millis() / 1_000;
    if manifest.build.source_date_epoch == packed
        && let Some(Value::Object(build)) = fields.get_mut("build")
    {
        build.remove("sourceDateEpoch");
    }
    fields
}

/// What `ours` and `theirs` made of `base`. Where they clash, `side` says whose is taken, and `clashes` is told.
pub fn merge(
    base: &Value,
    ours: &Value,
    theirs: &Value,
    side: &dyn Fn(&str) -> Side,
    clashes: &mut Vec<Clash>,
) -> Value {
    let mut merger = Merger { side, clashes };
    merger.value(String::new(), Some(base), Some(ours), Some(theirs)).unwrap_or_default()
}

struct Merger<'a> {
    side: &'a dyn Fn(&str) -> Side,
    clashes: &'a mut Vec<Clash>,
}

type Three<'a> = [Option<&'a Value>; 3];

impl Merger<'_> {
    fn value(
        &mut self,
        place: String,
        base: Option<&Value>,
        ours: Option<&Value>,
        theirs: Option<&Value>,
    ) -> Option<Value> {
        if ours == theirs || base == theirs {
            return ours.cloned();
        }
        if base == ours {
            return theirs.cloned();
        }
        let three = [base, ours, theirs];
        if let (Some(ours), Some(theirs)) = (object(ours), object(theirs)) {
            let base = object(base).cloned().unwrap_or_default();
            return Some(Value::Object(self.members(&place, [&base, ours, theirs])));
        }
        if let (Some(ours), Some(theirs)) = (named(ours), named(theirs)) {
            let base = named(base).unwrap_or_default();
            let merged = self.members(&place, [&base, &ours, &theirs]);
            return Some(Value::Array(merged.into_iter().map(|(_, value)| value).collect()));
        }
        self.clash(place, three)
    }

    /// Members by their names, in the order of ours, with those behind that only theirs has.
    fn members(&mut self, place: &str, [base, ours, theirs]: [&Map<String, Value>; 3]) -> Map<String, Value> {
        let only_theirs = theirs.keys().filter(|name| !ours.contains_key(*name));
        let mut merged = Map::new();
        for name in ours.keys().chain(only_theirs) {
            let value = self.value(below(place, name), base.get(name), ours.get(name), theirs.get(name));
            merged.extend(value.map(|value| (name.clone(), value)));
        }
        merged
    }

    fn clash(&mut self, place: String, [_, ours, theirs]: Three<'_>) -> Option<Value> {
        let (ours, theirs) = (ours.cloned(), theirs.cloned());
        let taken = match (self.side)(&place) {
            Side::Ours => ours.clone(),
            Side::Theirs => theirs.clone(),
        };
        self.clashes.push(Clash { place, ours, theirs });
        taken
    }
}

fn object(value: Option<&Value>) -> Option<&Map<String, Value>> {
    value.and_then(Value::as_object)
}

/// A list whose members all have names of their own, by these.
fn named(value: Option<&Value>) -> Option<Map<String, Value>> {
    let list = value?.as_array()?;
    let name = |member: &Value| Some((member.get("name")?.as_str()?.to_owned(), member.clone()));
    let by_name: Map<String, Value> = list.iter().map(name).collect::<Option<_>>()?;
    (by_name.len() == list.len()).then_some(by_name)
}

fn below(place: &str, name: &str) -> String {
    format!("{place}/{}", name.replace('~', "~0").replace('/', "~1"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn merged(base: Value, ours: Value, theirs: Value) -> (Value, Vec<String>) {
        let mut clashes = Vec::new();
        let value = merge(&base, &ours, &theirs, &|_| Side::Ours, &mut clashes);
        (value, clashes.into_iter().map(|clash| clash.place).collect())
    }

    #[test]
    fn what_each_side_changed_comes_together_field_by_field() {
        let base = json!({ "a": 1, "b": { "c": 1, "d": 1 }, "e": 1, "list": [1] });
        let ours = json!({ "a": 2, "b": { "c": 1, "d": 1 }, "e": 1, "list": [1] });
        let theirs = json!({ "a": 1, "b": { "c": 2 }, "f": 1, "list": [1, 2] });
        let all = json!({ "a": 2, "b": { "c": 2 }, "list": [1, 2], "f": 1 });
        assert_eq!(merged(base, ours, theirs), (all, vec![]));
    }

    #[test]
    fn members_of_a_list_are_told_apart_by_their_names() {
        let service = |name: &str, size: u32| json!({ "name": name, "config": { "size": size } });
        let base = json!([service("db", 1), service("old", 1)]);
        let ours = json!([service("db", 2), service("old", 1), service("mine", 1)]);
        let theirs = json!([service("db", 1), service("yours", 1)]);
        let all = json!([service("db", 2), service("mine", 1), service("yours", 1)]);
        assert_eq!(merged(base.clone(), ours.clone(), theirs), (all, vec![]));
        let (_, clashes) = merged(base, ours, json!([service("db", 3), service("old", 1)]));
        assert_eq!(clashes, ["/db/config/size"]);
    }

    #[test]
    fn two_changes_of_one_field_are_named_and_one_side_is_taken() {
        let (value, clashes) =
            merged(json!({ "a/b": 1, "x": 1 }), json!({ "a/b": 2 }), json!({ "a/b": 3, "x": 2 }));
        assert_eq!((value, clashes), (json!({ "a/b": 2 }), vec!["/a~1b".to_owned(), "/x".to_owned()]));
    }
}
