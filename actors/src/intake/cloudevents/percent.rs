//! Attributes as header values and back: CloudEvents HTTP protocol binding §3.1.3.2.
//!
//! Invariant: what [`encoded`] makes, [`decoded`] turns back.

/// An attribute as a header value of visible ASCII characters.
pub(super) fn encoded(value: &str) -> String {
    value.bytes().fold(String::with_capacity(value.len()), |mut text, byte| {
        match byte {
            b'"' | b'%' => text += &format!("%{byte:02X}"),
            0x21..=0x7e => text.push(char::from(byte)),
            _ => text += &format!("%{byte:02X}"),
        }
        text
    })
}

/// The attribute in a header value, quoted or percent-encoded; none when it is not UTF-8.
pub(super) fn decoded(value: &[u8]) -> Option<String> {
    let quoted = value.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\""));
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = quoted.unwrap_or(value);
    while let Some((first, after)) = rest.split_first() {
        let (byte, after) = match (first, after) {
            (b'\\', [escaped, after @ ..]) if quoted.is_some() => (*escaped, after),
            (b'%', [high, low, after @ ..]) => match (hex(*high), hex(*low)) {
                (Some(high), Some(low)) => (high << 4 | low, after),
                _ => (b'%', &rest[1..]),
            },
            _ => (*first, after),
        };
        bytes.push(byte);
        rest = after;
    }
    String::from_utf8(bytes).ok()
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}
