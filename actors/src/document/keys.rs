//! The keys and words that a type takes, asked of the type itself.
//!
//! Owns the asking: serde tells a reader which fields or variants it may meet before anything is read, so
//! no list of them is written a second time. Reads nothing.

use serde::de::value::Error;
use serde::de::{Deserialize, Deserializer, Visitor};
use serde::forward_to_deserialize_any;

/// The keys of `T`, a struct, or the words of `T`, an enum without fields, in its own order, aliases
/// included.
pub(super) fn names_of<'de, T: Deserialize<'de>>() -> &'static [&'static str] {
    let mut names: &'static [&'static str] = &[];
    // The answer is always an error: there is no value to be had.
    let _ = T::deserialize(Asking(&mut names));
    names
}

/// A deserializer that notes what it is asked for and has nothing.
struct Asking<'n>(&'n mut &'static [&'static str]);

impl Asking<'_> {
    fn nothing<T>() -> Result<T, Error> {
        Err(serde::de::Error::custom("there is nothing to read"))
    }
}

impl<'de> Deserializer<'de> for Asking<'_> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Error> {
        Self::nothing()
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Error> {
        *self.0 = fields;
        Self::nothing()
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Error> {
        *self.0 = variants;
        Self::nothing()
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize)]
    #[expect(dead_code, reason = "only its names are asked for")]
    struct Window {
        #[serde(rename = "$schema")]
        schema: String,
        from: u32,
    }

    #[derive(Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Stage {
        #[serde(alias = "test")]
        Staging,
        Prod,
    }

    #[test]
    fn a_type_names_its_keys_or_words_and_anything_else_has_none() {
        assert_eq!(names_of::<Window>(), ["$schema", "from"]);
        assert_eq!(names_of::<Stage>(), ["staging", "test", "prod"]);
        assert!(names_of::<Vec<u32>>().is_empty());
    }
}
