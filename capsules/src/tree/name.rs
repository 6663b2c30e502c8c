//! Names of entries: one part of a path, safe on every machine.
//!
//! Owns what a name may be and when two names are one to a file system that does not tell cases apart.
//! Invariant: a [`Name`] leads nowhere but to an entry of the directory it stands in.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use icu_normalizer::{ComposingNormalizerBorrowed, DecomposingNormalizerBorrowed};
use xyn_store::legible::{is_hidden, quoted};

/// Bytes that a name may have: what common file systems take.
pub const NAME_MAX_BYTES: usize = 255;

/// What a file is called while it is being written. No tree holds it, and no snapshot sees it.
pub(super) const PARTIAL: &str = ".xyn-partial";

const NFC: ComposingNormalizerBorrowed<'static> = ComposingNormalizerBorrowed::new_nfc();
const NFD: DecomposingNormalizerBorrowed<'static> = DecomposingNormalizerBorrowed::new_nfd();

/// Folders of version control: whoever may write there runs programs.
const REPOSITORIES: [&str; 4] = [".git", ".hg", ".jj", ".svn"];
/// Devices of Windows, whatever ending they are given; `COM` and `LPT` come with a digit.
const DEVICES: [&str; 4] = ["aux", "con", "nul", "prn"];
const PORTS: [&str; 2] = ["com", "lpt"];

/// The name of an entry: NFC, 1 to [`NAME_MAX_BYTES`] bytes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(Arc<str>);

/// What is wrong with a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameFault {
    /// Nothing, or the folder itself, or the one above.
    #[error("leads to no entry")]
    Nowhere,
    /// Longer than [`NAME_MAX_BYTES`].
    #[error("is longer than {NAME_MAX_BYTES} bytes")]
    TooLong,
    /// It holds `/` or `\`.
    #[error("holds a separator of paths")]
    Separator,
    /// It begins as `c:` does.
    #[error("begins with a drive")]
    Drive,
    /// Characters that are not seen, or that turn round how the others are seen.
    #[error("holds control characters or characters that hide how it reads")]
    Hidden,
    /// A device of Windows, a folder of version control, or a name that this program uses itself.
    #[error("is reserved")]
    Reserved,
    /// Written with other code points than other machines would use for it.
    #[error("is not in Unicode's form NFC")]
    NotNormal,
    /// No text.
    #[error("is not UTF-8")]
    NotText,
}

/// A text that names no entry.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the name `{shown}` {fault}")]
pub struct InvalidName {
    /// The name, on one line and cut where it is long.
    shown: String,
    /// What is wrong with it.
    pub fault: NameFault,
}

impl InvalidName {
    fn new(name: &str, fault: NameFault) -> Self {
        Self { shown: quoted(name), fault }
    }
}

impl Name {
    /// The name in `bytes`, as a disk or a tree gives them.
    pub fn read(bytes: &[u8]) -> Result<Self, InvalidName> {
        let text = std::str::from_utf8(bytes);
        text.map_err(|_| InvalidName::new(&String::from_utf8_lossy(bytes), NameFault::NotText))?.parse()
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What is equal for names that some file systems take for one.
    pub(super) fn folded(&self) -> String {
        if self.0.is_ascii() {
            return self.0.to_ascii_lowercase();
        }
        // Up and down again brings together what only one of them does: `ß` and `SS`, `K` and the Kelvin sign.
        let folded: String = NFD
            .normalize(&self.0)
            .chars()
            .flat_map(char::to_uppercase)
            .flat_map(char::to_lowercase)
            .collect();
        NFD.normalize(&folded).into_owned()
    }
}

impl FromStr for Name {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        match fault(text) {
            None => Ok(Self(text.into())),
            Some(fault) => Err(InvalidName::new(text, fault)),
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Borrow<str> for Name {
    fn borrow(&self) -> &str {
        &self.0
    }
}

fn fault(text: &str) -> Option<NameFault> {
    let bytes = text.as_bytes();
    let is_drive = bytes.len() >= 2 && bytes[0].is_ascii_alphabetic() && bytes[1] == b':';
    let faults = [
        (matches!(text, "" | "." | ".."), NameFault::Nowhere),
        (text.len() > NAME_MAX_BYTES, NameFault::TooLong),
        (text.contains(['/', '\\']), NameFault::Separator),
        (text.chars().any(is_hidden), NameFault::Hidden),
        (is_drive, NameFault::Drive),
        (is_reserved(text), NameFault::Reserved),
        (!text.is_ascii() && !NFC.is_normalized(text), NameFault::NotNormal),
    ];
    faults.into_iter().find_map(|(is_so, fault)| is_so.then_some(fault))
}

/// Whether the folder `name` is one of version control.
pub(super) fn is_repository(name: &str) -> bool {
    REPOSITORIES.iter().any(|reserved| name.eq_ignore_ascii_case(reserved))
}

fn is_reserved(text: &str) -> bool {
    let stem = text.split('.').next().unwrap_or_default().trim_end();
    let is_device = DEVICES.iter().any(|device| stem.eq_ignore_ascii_case(device));
    let is_port = stem.split_at_checked(3).is_some_and(|(kind, number)| {
        PORTS.iter().any(|port| kind.eq_ignore_ascii_case(port))
            && matches!(number, "0" | "1" | "2" | "3" | "4" | "5" | "6" | "7" | "8" | "9" | "¹" | "²" | "³")
    });
    is_device || is_port || is_repository(text) || text.eq_ignore_ascii_case(PARTIAL)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_could_mean_something_else_are_refused_for_what_is_wrong_with_them() {
        use NameFault::*;
        let long = "x".repeat(256);
        let cases: [(&[u8], NameFault); 29] = [
            (b"", Nowhere),
            (b".", Nowhere),
            (b"..", Nowhere),
            (long.as_bytes(), TooLong),
            (b"a/b", Separator),
            (b"/etc", Separator),
            (b"a\\b", Separator),
            (b"..\\x", Separator),
            (b"c:", Drive),
            (b"C:x", Drive),
            (b"a\0b", Hidden),
            (b"a\x1b[2J", Hidden),
            (b"a\nb", Hidden),
            ("a\u{202e}txt.exe".as_bytes(), Hidden),
            ("\u{2066}x".as_bytes(), Hidden),
            ("zero\u{200b}width".as_bytes(), Hidden),
            ("\u{feff}x".as_bytes(), Hidden),
            (b".git", Reserved),
            (b".GIT", Reserved),
            (b".hg", Reserved),
            (b".jj", Reserved),
            (b"NUL", Reserved),
            (b"con.txt", Reserved),
            (b"aux .c", Reserved),
            (b"Com1", Reserved),
            ("lpt\u{b9}.x".as_bytes(), Reserved),
            (b".xyn-partial", Reserved),
            ("e\u{301}".as_bytes(), NotNormal),
            (b"\xff\xfe", NotText),
        ];
        for (bytes, fault) in cases {
            assert_eq!(Name::read(bytes).expect_err("hostile").fault, fault, "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn ordinary_names_are_taken() {
        for text in
            [".gitignore", "a b", "...", "é", "日本", "con-fig", "com10", "common", "nul_", "ab:c", "-", "~"]
        {
            assert_eq!(text.parse::<Name>().expect(text).as_str(), text);
        }
    }

    #[test]
    fn what_is_shown_of_a_hostile_name_is_escaped_and_short() {
        let shown = Name::read(b"\x1b[31m").expect_err("hostile").to_string();
        assert_eq!(
            shown,
            "the name `\\u{1b}[31m` holds control characters or characters that hide how it reads"
        );
        assert!("\u{202e}".repeat(9_000).parse::<Name>().expect_err("hostile").to_string().len() < 1_000);
    }

    #[test]
    fn names_that_a_file_system_takes_for_one_fold_to_one() {
        let fold = |text: &str| text.parse::<Name>().expect(text).folded();
        for (one, other) in [
            ("README", "readme"),
            ("straße", "STRASSE"),
            ("É", "é"),
            ("\u{17f}", "S"),
            ("ς", "Σ"),
            ("ǅ", "ǆ"),
        ] {
            assert_eq!(fold(one), fold(other), "{one} {other}");
        }
        assert_ne!(fold("e"), fold("é"));
    }
}
