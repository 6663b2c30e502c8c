//! Tokens that say themselves whose they are: each provider begins its own in one way.
//!
//! Invariant: a row of the table is all there is to a provider.

use std::ops::Range;

use data_encoding::BASE64URL_NOPAD;

use super::finding::Rule;
use super::random::{distinct, is_placeholder};
use super::text::{Hit, Text, length_of};

/// How the tokens of one provider look.
#[derive(Debug)]
pub(super) struct Shape {
    /// The name of the rule.
    pub(super) name: &'static str,
    /// How it begins.
    lead: &'static str,
    /// What the rest is made of.
    alphabet: Alphabet,
    /// The shortest and the longest rest.
    length: (usize, usize),
}

#[derive(Clone, Copy, Debug)]
enum Alphabet {
    Hex,
    /// Capitals and digits.
    Capitals,
    Alphanumeric,
    /// Also `_` and `-`.
    Word,
    /// Also `.`.
    Dotted,
    /// Also `/`, `+` and `=`.
    Base64,
}

use Alphabet::{Alphanumeric, Base64, Capitals, Dotted, Hex, Word};

const fn shape(name: &'static str, lead: &'static str, alphabet: Alphabet, min: usize, max: usize) -> Shape {
    Shape { name, lead, alphabet, length: (min, max) }
}

/// Found as runs; of two that fit, the first.
const SHAPES: &[Shape] = &[
    shape("aws-access-key", "AKIA", Capitals, 16, 16),
    shape("aws-access-key", "ASIA", Capitals, 16, 16),
    shape("aws-bedrock-key", "ABSK", Base64, 100, 200),
    shape("github-token", "ghp_", Alphanumeric, 36, 255),
    shape("github-token", "gho_", Alphanumeric, 36, 255),
    shape("github-token", "ghu_", Alphanumeric, 36, 255),
    shape("github-token", "ghs_", Alphanumeric, 36, 255),
    shape("github-token", "ghr_", Alphanumeric, 36, 255),
    shape("github-token", "github_pat_", Word, 50, 255),
    shape("gitlab-token", "glpat-", Word, 20, 300),
    shape("gitlab-token", "gldt-", Word, 20, 300),
    shape("gitlab-token", "glrt-", Word, 20, 300),
    shape("gitlab-token", "glcbt-", Word, 20, 300),
    shape("gitlab-token", "glptt-", Word, 40, 300),
    shape("gitlab-token", "glsoat-", Word, 20, 300),
    shape("slack-token", "xoxb-", Word, 20, 300),
    shape("slack-token", "xoxp-", Word, 20, 300),
    shape("slack-token", "xoxa-", Word, 20, 300),
    shape("slack-token", "xoxr-", Word, 20, 300),
    shape("slack-token", "xoxs-", Word, 20, 300),
    shape("slack-token", "xapp-", Word, 40, 300),
    shape("stripe-key", "sk_live_", Alphanumeric, 16, 255),
    shape("stripe-key", "rk_live_", Alphanumeric, 16, 255),
    shape("stripe-key", "sk_test_", Alphanumeric, 24, 255),
    shape("webhook-secret", "whsec_", Base64, 32, 100),
    shape("google-api-key", "AIza", Word, 35, 35),
    shape("google-client-secret", "GOCSPX-", Word, 28, 28),
    shape("anthropic-key", "sk-ant-", Word, 32, 200),
    shape("openai-key", "sk-proj-", Word, 40, 300),
    shape("openai-key", "sk-svcacct-", Word, 40, 300),
    shape("openai-key", "sk-admin-", Word, 40, 300),
    shape("openai-key", "sk-", Alphanumeric, 48, 48),
    shape("npm-token", "npm_", Alphanumeric, 36, 36),
    shape("pypi-token", "pypi-AgEI", Word, 50, 400),
    shape("pypi-token", "pypi-AgEN", Word, 50, 400),
    shape("crates-io-token", "cio", Alphanumeric, 32, 32),
    shape("docker-token", "dckr_pat_", Word, 27, 27),
    shape("huggingface-token", "hf_", Alphanumeric, 34, 34),
    shape("digitalocean-token", "dop_v1_", Hex, 64, 64),
    shape("shopify-token", "shpat_", Hex, 32, 32),
    shape("databricks-token", "dapi", Hex, 32, 32),
    shape("linear-key", "lin_api_", Alphanumeric, 40, 40),
    shape("age-secret-key", "AGE-SECRET-KEY-1", Capitals, 58, 58),
    shape("age-secret-key", "AGE-SECRET-KEY-PQ-1", Capitals, 58, 200),
];

/// Found by their beginning, since no long run holds it.
pub(super) const MARKED: &[Shape] = &[
    shape("sendgrid-key", "SG.", Dotted, 66, 66),
    shape("vault-token", "hvs.", Word, 24, 300),
    shape("google-oauth-token", "ya29.", Word, 30, 500),
    shape("azure-key", "AccountKey=", Base64, 80, 100),
    shape("azure-key", "SharedAccessKey=", Base64, 40, 100),
    shape("slack-webhook", "hooks.slack.com/services/", Base64, 40, 60),
    shape("discord-webhook", "discord.com/api/webhooks/", Base64, 70, 120),
];

impl Shape {
    /// Its first bytes.
    pub(super) fn lead(&self) -> &'static [u8] {
        self.lead.as_bytes()
    }

    /// The token that begins at `at`.
    pub(super) fn at(&self, text: &Text<'_>, at: usize) -> Option<Hit> {
        let body = text.bytes.get(at..)?.strip_prefix(self.lead())?;
        let length = length_of(&body[..body.len().min(self.length.1 + 1)], |byte| self.alphabet.has(byte));
        let body = &body[..length];
        let is_one = (self.length.0..=self.length.1).contains(&length)
            && distinct(body) >= 6
            && !is_placeholder(body)
            && text.begins_word(at);
        let value = at..at + self.lead.len() + length;
        is_one.then_some(Hit { rule: Rule::Token(self.name), value })
    }
}

impl Alphabet {
    fn has(self, byte: u8) -> bool {
        match self {
            Hex => byte.is_ascii_hexdigit(),
            Capitals => byte.is_ascii_uppercase() || byte.is_ascii_digit(),
            Alphanumeric => byte.is_ascii_alphanumeric(),
            Word => byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'),
            Dotted => byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'),
            Base64 => byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'+' | b'=' | b'_' | b'-'),
        }
    }
}

const JSON_WEB_TOKEN: &str = "json-web-token";

/// How JSON begins in base64.
const OBJECT: &str = "eyJ";

/// Which of all shapes, a bit for each, have a byte as their first, second or third one; the last bit is for
/// JSON in base64. Most runs are no token, and that shows in three looks.
const BEGINS: [[u64; 256]; 3] = {
    assert!(SHAPES.len() < 63, "there is a bit for each");
    let mut begins = [[0; 256]; 3];
    let mut row = 0;
    while row <= SHAPES.len() {
        let lead = if row < SHAPES.len() { SHAPES[row].lead } else { OBJECT };
        let mut at = 0;
        while at < 3 {
            begins[at][lead.as_bytes()[at] as usize] |= 1 << row;
            at += 1;
        }
        row += 1;
    }
    begins
};

/// Whether a token can begin as `bytes` do.
fn may_begin(bytes: &[u8]) -> bool {
    let Some(lead) = bytes.first_chunk::<3>() else { return false };
    let [first, second, third] = lead.map(usize::from);
    BEGINS[0][first] & BEGINS[1][second] & BEGINS[2][third] != 0
}

/// The token in `run`, a long run of token characters.
pub(super) fn judge(text: &Text<'_>, run: &Range<usize>) -> Option<Hit> {
    let bytes = &text.bytes[run.clone()];
    let separators = memchr::memchr3_iter(b'/', b'=', b'+', bytes).map(|separator| separator + 1);
    // A run can begin within an escape: `\n`, `%3D`.
    let escape = match text.previous(run.start) {
        Some(b'\\') => Some(1),
        Some(b'%') => Some(2),
        _ => None,
    };
    let starts = std::iter::once(0).chain(escape).chain(separators);
    starts.filter(|start| may_begin(&bytes[*start..])).find_map(|start| {
        let at = run.start + start;
        let lead = &bytes[start..];
        let mut fitting = SHAPES.iter().filter(|shape| lead.starts_with(shape.lead()));
        fitting.find_map(|shape| shape.at(text, at)).or_else(|| json_web_token(text, at))
    })
}

/// A token of RFC 7519: three texts of base64, the first of them an object of JSON with `alg`.
fn json_web_token(text: &Text<'_>, at: usize) -> Option<Hit> {
    const MAX_BYTES: usize = 8_192;
    let bytes = text.bytes[at..].strip_prefix(OBJECT.as_bytes()).map(|_| &text.bytes[at..])?;
    let length = length_of(&bytes[..bytes.len().min(MAX_BYTES)], |byte| Dotted.has(byte));
    let mut parts = bytes[..length].splitn(4, |byte| *byte == b'.');
    let (header, payload, signature) = (parts.next()?, parts.next()?, parts.next()?);
    let header = BASE64URL_NOPAD.decode(header).ok()?;
    let has_algorithm = memchr::memmem::find(&header, b"\"alg\"").is_some();
    let is_one = has_algorithm && payload.starts_with(OBJECT.as_bytes()) && signature.len() >= 16;
    is_one.then_some(Hit { rule: Rule::Token(JSON_WEB_TOKEN), value: at..at + length })
}

/// The names of all rules here.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    SHAPES.iter().chain(MARKED).map(|shape| shape.name).chain([JSON_WEB_TOKEN])
}
