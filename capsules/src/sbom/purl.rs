//! Package URLs (`pkg:npm/%40scope/name@1.0.0`), one name for a package everywhere.
//!
//! Invariant: what makes one is encoded, so that no part can be taken for another.

use std::fmt::Write as _;

/// Where packages come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ecosystem {
    Cargo,
    Npm,
    Pypi,
    Golang,
}

/// The package URL of `name` in `version`; `qualifiers` in their order.
pub(super) fn purl(
    ecosystem: Ecosystem,
    name: &str,
    version: Option<&str>,
    qualifiers: &[(&str, &str)],
) -> String {
    let (kind, name) = match ecosystem {
        Ecosystem::Cargo => ("cargo", name.to_owned()),
        Ecosystem::Npm => ("npm", name.to_owned()),
        Ecosystem::Pypi => ("pypi", normal(name)),
        Ecosystem::Golang => ("golang", name.to_ascii_lowercase()),
    };
    let mut text = format!("pkg:{kind}");
    for part in name.split('/') {
        text.push('/');
        encode(part, &mut text);
    }
    if let Some(version) = version {
        text.push('@');
        encode(version, &mut text);
    }
    for (index, (key, value)) in qualifiers.iter().enumerate() {
        text.push_str(if index == 0 { "?" } else { "&" });
        text.push_str(key);
        text.push('=');
        encode(value, &mut text);
    }
    text
}

/// The name of a Python package as indexes compare it (PEP 503).
pub(super) fn normal(name: &str) -> String {
    let parts = name.split(['-', '_', '.']).filter(|part| !part.is_empty());
    parts.collect::<Vec<_>>().join("-").to_ascii_lowercase()
}

fn encode(text: &str, into: &mut String) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b'~' | b':') {
            into.push(char::from(byte));
        } else {
            write!(into, "%{byte:02X}").expect("a string takes all that is written");
        }
    }
}
