//! What people hand in: numbers, instants, JSON and files, from an argument, a file or stdin.
//!
//! Invariant: nothing larger than a named limit is read into memory.

use std::io::Read;
use std::path::Path;

use serde_json::{Map, Value};
use xyn_store::{Clock, Timestamp, duration};

use crate::failure::Failure;

/// Most bytes of a document handed in.
const MAX_DOCUMENT_BYTES: u64 = 16 << 20;

/// JSON from `argument`: itself, `@file`, or `-` for stdin. `name` is the flag that people see.
pub(super) fn json(name: &str, argument: &str) -> Result<Value, Failure> {
    let text = match argument.strip_prefix('@') {
        Some(file) => text(Path::new(file))?,
        None if argument == "-" => text(Path::new("-"))?,
        None => argument.to_owned(),
    };
    serde_json::from_str(&text).map_err(|error| {
        Failure::usage(format!("this is no JSON: {error}")).at(format!("{name} {argument}")).hint(format!(
            "quote it for the shell: {name} '{{\"key\": \"value\"}}', or name a file: {name} @FILE"
        ))
    })
}

/// The text of a file; `-` is stdin.
pub(super) fn text(path: &Path) -> Result<String, Failure> {
    let fail = |error: std::io::Error| Failure::file("read", path, &error);
    let mut bytes = Vec::new();
    if path == Path::new("-") {
        std::io::stdin().lock().take(MAX_DOCUMENT_BYTES + 1).read_to_end(&mut bytes).map_err(fail)?;
    } else {
        let file = std::fs::File::open(path).map_err(fail)?;
        file.take(MAX_DOCUMENT_BYTES + 1).read_to_end(&mut bytes).map_err(fail)?;
    }
    if bytes.len() as u64 > MAX_DOCUMENT_BYTES {
        let message = format!("`{}` is larger than {MAX_DOCUMENT_BYTES} bytes", path.display());
        return Err(Failure::failed("too_large", message)
            .hint("keep what is large as an artifact, and name its id: xyn artifact put FILE"));
    }
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        Failure::failed("invalid_utf8", format!("`{}` is not UTF-8 from byte {at} on", path.display()))
            .hint("name a text file, or save it as UTF-8")
    })
}

/// An object out of `KEY=VALUE` pairs; a value that is JSON counts as such, any other as text.
pub(super) fn object(name: &str, pairs: &[String]) -> Result<Map<String, Value>, Failure> {
    let mut object = Map::new();
    for pair in pairs {
        let (key, value) = split(name, pair)?;
        let value = serde_json::from_str(value).unwrap_or_else(|_| Value::String(value.to_owned()));
        object.insert(key.to_owned(), value);
    }
    Ok(object)
}

/// How many are asked for: nobody asks for none.
pub(super) fn at_least_one(text: &str) -> Result<usize, &'static str> {
    text.parse().ok().filter(|count| *count > 0).ok_or("a limit is a number from 1 on")
}

/// An instant: as tables show it, which is UTC; a day; as ISO 8601 has it; or how long ago it was.
pub(super) fn instant(text: &str) -> Result<Timestamp, String> {
    let as_shown = format!("{}Z", text.replacen(' ', "T", 1));
    let forms = [text.to_owned(), as_shown, format!("{text}T00:00:00Z")];
    if let Some(at) = forms.iter().find_map(|form| form.parse().ok()) {
        return Ok(at);
    }
    let ago = duration::parse(text).map(|ago| Clock::system().now().before(ago));
    ago.ok_or_else(|| {
        format!(
            "`{text}` is no instant, such as 2026-01-31, \"2026-01-31 12:00:00\" (UTC), or 1h for an hour ago"
        )
    })
}

/// Texts out of `KEY=VALUE` pairs.
pub(super) fn labels(name: &str, pairs: &[String]) -> Result<Map<String, Value>, Failure> {
    let split = |pair: &String| split(name, pair).map(|(key, value)| (key.to_owned(), value.into()));
    pairs.iter().map(split).collect()
}

fn split<'p>(name: &str, pair: &'p str) -> Result<(&'p str, &'p str), Failure> {
    match pair.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key, value)),
        _ => Err(Failure::usage(format!("`{pair}` is not KEY=VALUE")).at(name)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::output::{Paint, rendered};
    use super::*;
    use crate::failure::Exit;

    #[test]
    fn values_of_pairs_are_json_where_they_can_be() {
        let pairs = ["n=3", "on=true", "host=web 1", "list=[1,2]", "eq=a=b"].map(String::from);
        let object = object("--input", &pairs).expect("all are pairs");
        assert_eq!(
            Value::Object(object),
            json!({ "n": 3, "on": true, "host": "web 1", "list": [1, 2], "eq": "a=b" })
        );
        assert_eq!(super::object("--input", &["x".into()]).expect_err("no pair").exit, Exit::Usage);
    }

    #[test]
    fn what_is_no_text_and_what_is_too_much_is_refused_with_what_to_do() {
        let folder = tempfile::tempdir().expect("a folder");
        let [binary, large] = ["app.caps", "large.json"].map(|name| folder.path().join(name));
        std::fs::write(&binary, b"XYN\xff").expect("a file");
        let sparse = std::fs::File::create(&large).expect("a file");
        sparse.set_len(MAX_DOCUMENT_BYTES + 1).expect("it grows");
        for (file, code, what, next) in [
            (binary, "invalid_utf8", "from byte 3 on", "UTF-8"),
            (large, "too_large", "16777216 bytes", "xyn artifact put"),
        ] {
            let failure = text(&file).expect_err("no document");
            assert_eq!(failure.code, code);
            assert!(failure.message.contains(what), "{failure:?}");
            assert!(failure.hint.as_ref().is_some_and(|hint| hint.contains(next)), "{failure:?}");
        }
    }

    #[test]
    fn an_instant_is_read_as_tables_show_it_and_as_a_time_ago() {
        for (text, read) in [
            ("2026-11-23 03:33:01", "2026-11-23T03:33:01.000000Z"),
            ("2026-11-23", "2026-11-23T00:00:00.000000Z"),
            ("2026-11-23T03:33:01", "2026-11-23T03:33:01.000000Z"),
            ("2026-11-23T05:33:01+02:00", "2026-11-23T03:33:01.000000Z"),
        ] {
            assert_eq!(instant(text).map(|at| at.to_string()), Ok(read.to_owned()));
        }
        let (now, ago) = (Clock::system().now(), instant("1h30m").expect("a time"));
        assert!((5_399..5_460).contains(&now.since(ago).as_secs()));
        for text in ["", "nope", "yesterday", "1"] {
            assert!(instant(text).is_err(), "{text}");
        }
    }

    #[test]
    fn json_may_stand_in_a_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("data.json");
        std::fs::write(&file, r#"{"host":"web"}"#).expect("a file");
        assert_eq!(
            json("--data", &format!("@{}", file.display())).expect("it is JSON"),
            json!({ "host": "web" })
        );
        assert_eq!(json("--data", "@/nonexistent").expect_err("no file").exit, Exit::NotFound);
        insta::assert_snapshot!(rendered(&json("--data", "{host: web}").expect_err("no JSON"), Paint::PLAIN), @r#"
        error: this is no JSON: key must be a string at line 1 column 2
           at: --data {host: web}
         hint: quote it for the shell: --data '{"key": "value"}', or name a file: --data @FILE
        "#);
    }
}
