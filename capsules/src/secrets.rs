//! Secrets in what is about to be packed: keys, tokens, passwords, what only a generator writes.
//!
//! Owns what counts as one, where it is looked for (text, binaries, archives in archives, base64) and how a
//! finding is told and allowed. Refuses to repeat a secret: no finding, message or fingerprint holds one, nor
//! enough to guess one. Invariant: whatever is handed over, work and memory stay within the limits here, and
//! what was not looked into because of them is a finding itself.
//!
//! Two filters find the places worth a look. `words` looks for words that stand beside secrets, with a packed
//! search; `run` jumps from one long run of token characters to the next, since every generated secret is
//! one. Each place is then judged by the one rule it belongs to.

mod allow;
mod archive;
mod assignment;
mod encoded;
mod env;
mod finding;
mod key;
mod kind;
mod place;
mod random;
mod redact;
mod run;
mod search;
mod tar;
mod text;
mod token;
mod unpack;
mod url;
mod words;

pub use allow::{ALLOW_FILE, ALLOW_MARK, Allow, InvalidAllow};
pub use finding::{Finding, Fingerprint, Rule};
pub use place::Place;
pub use redact::redact_env;
pub use search::{Limits, scan, scan_stream};

#[cfg(test)]
mod tests;
