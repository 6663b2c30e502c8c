//! The look at every value of a document, before its fields are read.
//!
//! Keeps nothing but the keys on the way to where it is.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::{DEPTH_MAX, InvalidJson, JsonFault, Pointer, VALUES_MAX, shown};

/// Looks at every value of `bytes` and keeps none.
pub(crate) fn judge(bytes: &[u8], max_bytes: usize) -> Result<(), InvalidJson> {
    if bytes.len() > max_bytes {
        let fault = JsonFault::TooLarge { size_bytes: bytes.len(), max_bytes };
        return Err(InvalidJson { place: Pointer::default(), fault });
    }
    let mut judge = Judge::default();
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let judged = Look(&mut judge).deserialize(&mut deserializer).and_then(|()| deserializer.end());
    judged.map_err(|error| {
        let place = judge.path.iter().fold(Pointer::default(), |place, step| match step {
            Step::Key(key) => place.join(key),
            Step::Index(index) => place.join(index),
        });
        let fault = judge.fault.unwrap_or_else(|| JsonFault::Syntax(shown(&error.to_string())));
        InvalidJson { place, fault }
    })
}

/// Where the look at a document is, and what it found.
#[derive(Default)]
struct Judge<'de> {
    path: Vec<Step<'de>>,
    values: usize,
    fault: Option<JsonFault>,
}

enum Step<'de> {
    Key(Cow<'de, str>),
    Index(usize),
}

impl<'de> Judge<'de> {
    fn fail<E: Error>(&mut self, fault: JsonFault) -> E {
        let error = E::custom(&fault);
        self.fault = Some(fault);
        error
    }

    fn count<E: Error>(&mut self) -> Result<(), E> {
        self.values += 1;
        if self.values > VALUES_MAX { Err(self.fail(JsonFault::TooMany)) } else { Ok(()) }
    }

    fn open<E: Error>(&mut self) -> Result<(), E> {
        self.count()?;
        if self.path.len() >= DEPTH_MAX { Err(self.fail(JsonFault::TooDeep)) } else { Ok(()) }
    }
}

/// A look at one value. Where it fails, the path stays as it is.
struct Look<'a, 'de>(&'a mut Judge<'de>);

impl<'de> DeserializeSeed<'de> for Look<'_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Look<'_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.0.count()
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<(), E> {
        self.0.count()
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<(), E> {
        self.0.count()
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<(), E> {
        self.0.count()
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<(), E> {
        self.0.count()
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<(), E> {
        self.0.count()
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        self.0.open()?;
        for index in 0.. {
            self.0.path.push(Step::Index(index));
            let found = list.next_element_seed(Look(&mut *self.0))?;
            self.0.path.pop();
            if found.is_none() {
                break;
            }
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<(), A::Error> {
        self.0.open()?;
        let mut keys = BTreeSet::new();
        while let Some(key) = object.next_key_seed(Key)? {
            self.0.path.push(Step::Key(key.clone()));
            if !keys.insert(key) {
                return Err(self.0.fail(JsonFault::Duplicate));
            }
            object.next_value_seed(Look(&mut *self.0))?;
            self.0.path.pop();
        }
        Ok(())
    }
}

/// A key, borrowed where it stands without escapes.
struct Key;

impl<'de> DeserializeSeed<'de> for Key {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Key {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_borrowed_str<E: Error>(self, key: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(key))
    }

    fn visit_str<E: Error>(self, key: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(key.to_owned()))
    }
}
