//! Paths as they are pasted into a shell.
//!
//! Owns the quoting of what hints and mends name. Invariant: a POSIX shell reads one word, and it is the path.

use std::path::Path;

/// The path as one word of a shell, quoted where it has to be.
pub(crate) fn word(path: &Path) -> String {
    let text = path.display().to_string();
    let is_plain = |c: char| c.is_alphanumeric() || "/._-+,:@%=".contains(c);
    match !text.is_empty() && text.chars().all(is_plain) {
        true => text,
        false => format!("'{}'", text.replace('\'', r"'\''")),
    }
}

/// How a folder is looked at whose node cannot use it.
pub(crate) fn doctor(data: &Path) -> String {
    format!("see what is wrong with: xyn doctor --data {}", word(data))
}

/// How a node is started where an address of it belongs to somebody else.
pub(crate) fn up_elsewhere(data: &Path) -> String {
    format!("choose another address: xyn up --data {} --listen 127.0.0.1:PORT", word(data))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_quoted_where_a_shell_would_read_something_else() {
        for (path, read) in [
            ("/srv/xyn-1.0/ü", "/srv/xyn-1.0/ü"),
            ("d2 copy", "'d2 copy'"),
            ("it's;rm", r"'it'\''s;rm'"),
            ("$HOME", "'$HOME'"),
            ("~", "'~'"),
            ("", "''"),
        ] {
            assert_eq!(word(Path::new(path)), read);
        }
    }
}
