//! Paths of the API with names in them.
//!
//! Owns the encoding of what people type, so that no name is taken for a part of the path. Knows no route. Invariant:
//! each name stays one segment.

use std::fmt::Write as _;

use crate::failure::{Exit, Failure};

/// The path of these segments, each percent-encoded (RFC 3986).
pub(crate) fn route(segments: &[&str]) -> Result<String, Failure> {
    let mut path = String::new();
    for segment in segments {
        // Every reader of a path resolves these, however they are encoded: nothing is called so.
        if ["", ".", ".."].contains(segment) {
            let message = format!("there is nothing called `{segment}`");
            return Err(Failure::new(Exit::NotFound, "not_found", message)
                .hint("say its id or its name; what a command takes is shown by --help"));
        }
        path.push('/');
        for byte in segment.bytes() {
            // Writing to a string cannot fail.
            let _ = match byte {
                b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                    write!(path, "{}", char::from(byte))
                }
                _ => write!(path, "%{byte:02X}"),
            };
        }
    }
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_stays_one_segment() {
        let cases = [
            ("plain-name_1.0~x", "/runs/plain-name_1.0~x/steps"),
            ("a/b", "/runs/a%2Fb/steps"),
            ("ü ?#%", "/runs/%C3%BC%20%3F%23%25/steps"),
            ("...", "/runs/.../steps"),
        ];
        for (name, expected) in cases {
            assert_eq!(route(&["runs", name, "steps"]).ok().as_deref(), Some(expected));
        }
        for name in ["", ".", ".."] {
            let failure = route(&["runs", name]).expect_err("nothing is called so");
            assert_eq!(failure.exit, Exit::NotFound);
        }
    }
}
