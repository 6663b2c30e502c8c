//! Scrubbing: values of secrets are taken out of what comes back from whoever was given them.
//!
//! Owns how a value may be written: as it is, line by line, in base64 wherever it stands in it, in hexadecimal, as a
//! part of a URL, in JSON. Who changes it in a way of their own cannot be noticed. Invariant: what comes out holds no
//! value in any of these forms.

use std::borrow::Cow;
use std::collections::BTreeMap;

use aho_corasick::{AhoCorasick, MatchKind};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

use super::name::SecretName;
use super::vault::Secret;

/// A shorter value is in any text by chance.
const VALUE_MIN_BYTES: usize = 4;

/// Values that are taken out, and what stands in their place.
#[derive(Clone, Default)]
pub(crate) struct Scrub {
    search: Option<AhoCorasick>,
    marks: Vec<String>,
    longest: usize,
}

impl Scrub {
    /// Takes out `secrets`.
    pub(crate) fn new<'s>(secrets: impl IntoIterator<Item = (&'s SecretName, &'s Secret)>) -> Self {
        let mut forms = BTreeMap::new();
        for (name, secret) in secrets {
            for form in forms_of(secret.expose()) {
                forms.entry(form).or_insert_with(|| format!("«secret:{name}»"));
            }
        }
        let (patterns, marks): (Vec<_>, Vec<_>) = forms.into_iter().unzip();
        let longest = patterns.iter().map(Vec::len).max().unwrap_or_default();
        // A value that begins with another is found whole.
        let search = AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).build(patterns);
        Self { search: search.ok().filter(|_| longest > 0), marks, longest }
    }

    /// The bytes of the longest form of a value: so much may stand on both sides of a cut.
    pub(crate) fn longest(&self) -> usize {
        self.longest
    }

    /// The place at or before `at` where `bytes` can be cut without cutting through a value.
    pub(crate) fn cut(&self, bytes: &[u8], at: usize) -> usize {
        let through = self.search.iter().flat_map(|search| search.find_iter(bytes));
        through.map(|found| found.range()).find(|found| found.contains(&at)).map_or(at, |found| found.start)
    }

    /// `bytes` without the values.
    pub(crate) fn bytes<'b>(&self, bytes: &'b [u8]) -> Cow<'b, [u8]> {
        match &self.search {
            Some(search) if search.is_match(bytes) => search.replace_all_bytes(bytes, &self.marks).into(),
            _ => bytes.into(),
        }
    }

    /// `text` without the values.
    pub(crate) fn text(&self, text: &str) -> String {
        String::from_utf8_lossy(&self.bytes(text.as_bytes())).into_owned()
    }
}

/// The ways in which `value` may be written.
fn forms_of(value: &str) -> Vec<Vec<u8>> {
    let lines = value.lines().map(str::trim).filter(|_| value.contains('\n'));
    let parts = [value].into_iter().chain([value.trim()]).chain(lines);
    let parts = parts.filter(|part| part.len() >= VALUE_MIN_BYTES);
    parts.flat_map(|part| [vec![part.as_bytes().to_vec()], written(part)].concat()).collect()
}

fn written(part: &str) -> Vec<Vec<u8>> {
    let hex = |digits: fn(&u8) -> String| part.as_bytes().iter().map(digits).collect::<String>();
    let escaped = serde_json::to_string(part).unwrap_or_default();
    let of_url: String = url::form_urlencoded::byte_serialize(part.as_bytes()).collect();
    let mut forms = vec![
        hex(|byte| format!("{byte:02x}")),
        hex(|byte| format!("{byte:02X}")),
        escaped.trim_matches('"').to_owned(),
        of_url.replace('+', "%20"),
        of_url,
    ];
    // Three bytes are four letters: what a value looks like depends on how many bytes stand before it, and its first
    // and last letter may be shared with its neighbours.
    for before in 0..3 {
        let bytes = [&vec![0; before], part.as_bytes()].concat();
        let (first, last) = ((before * 8).div_ceil(6), bytes.len() * 8 / 6);
        for text in [STANDARD_NO_PAD.encode(&bytes), URL_SAFE_NO_PAD.encode(&bytes)] {
            forms.extend(
                text.get(first..last).filter(|form| form.len() >= VALUE_MIN_BYTES).map(str::to_owned),
            );
        }
    }
    forms.into_iter().map(String::into_bytes).filter(|form| form.len() >= VALUE_MIN_BYTES).collect()
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::STANDARD;

    use super::*;

    #[test]
    fn a_value_is_taken_out_in_each_form_and_the_rest_stays() {
        let (name, secret): (SecretName, _) =
            ("app/shop/KEY".parse().expect("a name"), Secret::new("p@ss \"w0rd\"/+x"));
        let scrub = Scrub::new([(&name, &secret)]);
        let value = secret.expose();
        let encoded: Vec<String> =
            (0..3).map(|before| STANDARD.encode(format!("{}{value}:and more", "u".repeat(before)))).collect();
        let url: String = url::form_urlencoded::byte_serialize(value.as_bytes()).collect();
        let hex: String = value.bytes().map(|byte| format!("{byte:02x}")).collect();
        let json = serde_json::json!({ "it": value }).to_string();
        for text in [value, &url, &hex, &json, &encoded[0], &encoded[1], &encoded[2]] {
            let said = scrub.text(&format!("before {text} behind"));
            assert!(said.contains("«secret:app/shop/KEY»"), "{text}: {said}");
            assert!(said.starts_with("before ") && said.ends_with(" behind"), "{said}");
            assert!(!said.contains("w0rd"), "{said}");
        }
        assert_eq!(scrub.text("nothing to see"), "nothing to see");
    }

    #[test]
    fn a_key_of_many_lines_is_taken_out_line_by_line_and_what_is_short_is_left() {
        let names: [SecretName; 2] = ["pem".parse().expect("a name"), "short".parse().expect("a name")];
        let secrets = [Secret::new("-----BEGIN\nabcdefgh\n-----END\n"), Secret::new("a")];
        let scrub = Scrub::new(names.iter().zip(&secrets));
        assert_eq!(scrub.text("x: abcdefgh, a"), "x: «secret:pem», a");
        assert_eq!(Scrub::default().text("a"), "a");
    }
}
