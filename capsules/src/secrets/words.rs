//! Words beside which secrets stand, all searched for at once.
//!
//! Owns which word is judged by which rule. The search is Teddy's where the processor has what it needs, and
//! an automaton elsewhere. Teddy tells by as many bytes as the shortest word has whether one may begin: the
//! few of three bytes would have it look twice at much more, and are searched for by themselves. Invariant:
//! fewer than 64 words of three bytes and more; beyond, the search slows down.

use std::ops::Range;
use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind, packed};

use super::assignment::{self, Promise};
use super::text::{Hit, Text};
use super::token::{MARKED, Shape};
use super::{key, url};

/// The rule of a word.
#[derive(Clone, Copy, Debug)]
enum Word {
    Pem,
    Putty,
    Bare,
    Url,
    Basic,
    Bearer,
    Assigned(Promise),
    Marked(&'static Shape),
}

/// Without the letter that may be a capital or not.
const PASSWORDS: [&str; 8] = ["assw", "ASSW", "assphrase", "ASSPHRASE", "pwd", "PWD", "asscode", "ASSCODE"];
const TOKENS: [&str; 20] = [
    "ecret",
    "ECRET",
    "oken",
    "OKEN",
    "pi_key",
    "pi-key",
    "pikey",
    "piKey",
    "PI_KEY",
    "PIKEY",
    "ccess_key",
    "ccess-key",
    "ccessKey",
    "CCESS_KEY",
    "rivate_key",
    "rivateKey",
    "RIVATE_KEY",
    "redential",
    "uth_key",
    "UTH_KEY",
];

/// Bytes from which on a word is a long one.
const LONG_BYTES: usize = 4;

static WORDS: LazyLock<[Words; 2]> = LazyLock::new(|| {
    let (long, short) = words().into_iter().partition(|(word, _)| word.len() >= LONG_BYTES);
    [Words::new(long), Words::new(short)]
});

/// Each word, and its rule.
fn words() -> Vec<(&'static [u8], Word)> {
    let keys = [(key::PEM, Word::Pem), (key::PUTTY, Word::Putty), (key::OPENSSH, Word::Bare)];
    let bare = key::DER.map(|marker| (marker, Word::Bare));
    let http: [(&[u8], Word); 3] = [(b"://", Word::Url), (b"asic ", Word::Basic), (b"earer ", Word::Bearer)];
    let marked = MARKED.iter().map(|shape| (shape.lead(), Word::Marked(shape)));
    let passwords = PASSWORDS.iter().map(|word| (word.as_bytes(), Word::Assigned(Promise::Password)));
    let tokens = TOKENS.iter().map(|word| (word.as_bytes(), Word::Assigned(Promise::Token)));
    keys.into_iter().chain(bare).chain(http).chain(marked).chain(passwords).chain(tokens).collect()
}

/// Words that are searched for at once.
struct Words {
    rules: Vec<Word>,
    fast: Option<packed::Searcher>,
    anywhere: AhoCorasick,
}

impl Words {
    fn new(words: Vec<(&[u8], Word)>) -> Self {
        let (words, rules): (Vec<&[u8]>, Vec<Word>) = words.into_iter().unzip();
        let fast = packed::Config::new()
            .match_kind(packed::MatchKind::LeftmostFirst)
            .builder()
            .extend(&words)
            .build();
        let anywhere = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostFirst)
            .kind(Some(AhoCorasickKind::DFA))
            .build(&words)
            .expect("a few dozen words are no large automaton");
        Self { rules, fast, anywhere }
    }

    /// The words that begin in `range`, each as its rule and its place.
    fn each(&self, bytes: &[u8], range: Range<usize>, mut found: impl FnMut(Word, Range<usize>)) {
        let mut at = range.start;
        while at < range.end {
            let span = aho_corasick::Span { start: at, end: bytes.len() };
            let next = match &self.fast {
                Some(fast) => fast.find_in(bytes, span),
                None => self.anywhere.find(aho_corasick::Input::new(bytes).span(span)),
            };
            let Some(word) = next.filter(|word| word.start() < range.end) else { return };
            found(self.rules[word.pattern().as_usize()], word.range());
            at = word.end();
        }
    }
}

/// What the rules of the words that begin in `range` hold for a secret.
pub(super) fn search(text: &Text<'_>, range: Range<usize>, hits: &mut Vec<Hit>) {
    let mut judge = |word, at: Range<usize>| {
        hits.extend(match word {
            Word::Pem => key::pem(text, at.start),
            Word::Putty => key::putty(text, at.start),
            Word::Bare => key::bare(text, at),
            Word::Url => url::judge(text, at),
            Word::Basic => url::authorization(text, at.end, true),
            Word::Bearer => url::authorization(text, at.end, false),
            Word::Assigned(promise) => assignment::judge(text, at.end, promise),
            Word::Marked(shape) => shape.at(text, at.start),
        });
    };
    WORDS.iter().for_each(|words| words.each(text.bytes, range.clone(), &mut judge));
}
