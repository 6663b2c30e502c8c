//! What the path of a request means among the files of a site.
//!
//! Pure. Owns what is shown of a tree: no name that begins with a dot but `.well-known`, not what the author wrote
//! for the packing, no seed. Links lead only to what is in the tree. Invariant: whatever is asked, what is found is
//! an entry of the tree.

use std::collections::BTreeMap;

use xyn_capsules::tree::{Entry, RelPath};

/// Links that are followed for one request.
const LINKS_MAX: usize = 40;
/// What is shown of a folder.
const INDEX: &str = "index.html";
/// The one folder with a dot that is for everybody, RFC 8615.
const WELL_KNOWN: &str = ".well-known";

/// The entries of a site, by path.
#[derive(Debug, Default)]
pub(super) struct Pages {
    entries: BTreeMap<String, Entry>,
    /// Where links lead, by the path of the link.
    links: BTreeMap<String, String>,
    /// Paths that are not shown, with what is below them.
    hidden: Vec<RelPath>,
}

/// What a path means.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found<'a> {
    /// A file, and its path.
    File(&'a str, &'a Entry),
    /// A folder that was asked for as a file: its address ends with a slash.
    Folder,
    /// Nothing that is shown.
    Nothing,
}

impl Pages {
    pub(super) fn new(hidden: Vec<RelPath>) -> Self {
        Self { hidden, ..Self::default() }
    }

    /// Adds what stands at `path`.
    pub(super) fn add(&mut self, path: &RelPath, entry: Entry) {
        self.entries.insert(path.as_str().to_owned(), entry);
    }

    /// Adds a link at `path` to `target`, as it is written there.
    pub(super) fn link(&mut self, path: &RelPath, target: &str) {
        let parent = path.parent().unwrap_or_else(RelPath::root);
        let mut names: Vec<&str> = parent.names().collect();
        for part in target.split('/') {
            match part {
                "" | "." => {}
                ".." => drop(names.pop()),
                name => names.push(name),
            }
        }
        self.links.insert(path.as_str().to_owned(), names.join("/"));
    }

    /// What the path of a request means.
    pub(super) fn find(&self, path: &str) -> Found<'_> {
        let Some(decoded) = decoded(path) else { return Found::Nothing };
        let asks_for_folder = decoded.ends_with('/');
        let path: RelPath = match decoded.as_str() {
            "/" => RelPath::root(),
            other => {
                let inside = other.strip_prefix('/').map(|path| path.strip_suffix('/').unwrap_or(path));
                match inside.filter(|inside| !inside.is_empty()).map(str::parse) {
                    Some(Ok(path)) => path,
                    _ => return Found::Nothing,
                }
            }
        };
        let Some(place) = self.place(path.as_str().to_owned()) else { return Found::Nothing };
        let is_folder = place.is_empty() || self.entries.get(&place).is_some_and(Entry::is_directory);
        match (is_folder, asks_for_folder || place.is_empty()) {
            (true, true) => self.file(join(&place, INDEX)),
            (true, false) if self.is_shown(&place) => Found::Folder,
            (true, false) => Found::Nothing,
            (false, true) => Found::Nothing,
            (false, false) => match self.file(place.clone()) {
                // How most site generators name their pages.
                Found::Nothing => self.file(format!("{place}.html")),
                found => found,
            },
        }
    }

    /// The file at `path`.
    pub(super) fn file(&self, path: String) -> Found<'_> {
        let Some(place) = self.place(path) else { return Found::Nothing };
        match self.entries.get_key_value(&place) {
            Some((path, entry)) if !entry.is_directory() && self.is_shown(path) => Found::File(path, entry),
            _ => Found::Nothing,
        }
    }

    /// Where `path` leads when every link on it is followed. None when that does not end.
    fn place(&self, mut path: String) -> Option<String> {
        for _ in 0..LINKS_MAX {
            let ends = path.match_indices('/').map(|(at, _)| at).chain([path.len()]);
            let link = ends.filter_map(|end| Some((end, self.links.get(&path[..end])?))).next();
            let Some((end, target)) = link else { return Some(path) };
            path = join(target, path[end..].trim_start_matches('/'));
        }
        None
    }

    fn is_shown(&self, path: &str) -> bool {
        let is_private = |name: &str| name.starts_with('.') && name != WELL_KNOWN;
        let is_hidden = |path: &RelPath| self.hidden.iter().any(|hidden| path.is_within(hidden));
        !path.split('/').any(is_private) && path.parse().is_ok_and(|path: RelPath| !is_hidden(&path))
    }
}

fn join(folder: &str, rest: &str) -> String {
    match (folder, rest) {
        ("", rest) => rest.to_owned(),
        (folder, "") => folder.to_owned(),
        (folder, rest) => format!("{folder}/{rest}"),
    }
}

/// A path with its percent signs read. None when that is no text.
fn decoded(path: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
                let (high, low) = (digit(rest.next())?, digit(rest.next())?);
                u8::try_from(16 * high + low).ok()?
            }
            byte => byte,
        });
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use xyn_capsules::tree::Mode;
    use xyn_store::Digest;

    use super::*;

    fn pages(files: &[&str], links: &[(&str, &str)]) -> Pages {
        let mut pages =
            Pages::new(vec!["capsule.json".parse().expect("a path"), "seeds".parse().expect("a path")]);
        let entry = |mode| Entry { mode, digest: Digest::of(b""), size_bytes: 0 };
        for file in files {
            let path: RelPath = file.parse().expect("a path");
            let mut parent = path.parent();
            while let Some(folder) = parent.filter(|folder| !folder.is_root()) {
                pages.add(&folder, entry(Mode::Directory));
                parent = folder.parent();
            }
            pages.add(&path, entry(Mode::File));
        }
        for (path, target) in links {
            pages.add(&path.parse().expect("a path"), entry(Mode::Symlink));
            pages.link(&path.parse().expect("a path"), target);
        }
        pages
    }

    fn find(pages: &Pages, path: &str) -> String {
        match pages.find(path) {
            Found::File(path, _) => path.to_owned(),
            Found::Folder => "a folder".to_owned(),
            Found::Nothing => "nothing".to_owned(),
        }
    }

    #[test]
    fn pages_are_found_as_browsers_ask_for_them() {
        let pages = pages(&["index.html", "a b.txt", "docs/index.html", "docs/more.html", "ä.html"], &[]);
        for (asked, found) in [
            ("/", "index.html"),
            ("/index.html", "index.html"),
            ("/a%20b.txt", "a b.txt"),
            ("/docs", "a folder"),
            ("/docs/", "docs/index.html"),
            ("/docs/more", "docs/more.html"),
            ("/%C3%A4", "ä.html"),
            ("/docs/more.html/", "nothing"),
            ("/none", "nothing"),
        ] {
            assert_eq!(find(&pages, asked), found, "{asked}");
        }
    }

    #[test]
    fn what_is_not_meant_for_everybody_is_not_shown() {
        let files = ["index.html", ".env", "a/.git2/x", ".well-known/x", "capsule.json", "seeds/users.sql"];
        let pages = pages(&files, &[("open", "seeds"), ("secret", ".env")]);
        for asked in [
            "/.env",
            "/%2eenv",
            "/a/.git2/x",
            "/capsule.json",
            "/seeds/users.sql",
            "/seeds",
            "/open/users.sql",
            "/secret",
            "/a",
            "/a/",
        ] {
            let found = find(&pages, asked);
            assert!(found == "nothing" || asked == "/a" && found == "a folder", "{asked}: {found}");
        }
        assert_eq!(find(&pages, "/.well-known/x"), ".well-known/x");
    }

    #[test]
    fn nothing_beside_the_tree_is_found() {
        let pages = pages(&["index.html", "a/index.html"], &[("loop", "loop"), ("up", "a/../../../etc")]);
        for asked in [
            "",
            "a",
            "*",
            "//",
            "/../index.html",
            "/a/../index.html",
            "/%2e%2e/etc/passwd",
            "/..%2f..%2fetc",
            "/a//",
            "/a/./index.html",
            "/%00",
            "/%zz",
            "/%",
            "/%f",
            "/%ff",
            "/a%5cindex.html",
            "/loop",
            "/loop/x",
            "/up/passwd",
            "/c:/x",
            "/\u{202e}",
        ] {
            assert_eq!(find(&pages, asked), "nothing", "{asked}");
        }
    }

    #[test]
    fn links_are_followed_within_the_tree() {
        let links = [("latest", "v2"), ("v2/old", "../v1"), ("home.html", "latest/old/index.html")];
        let pages = pages(&["v1/index.html", "v2/index.html"], &links);
        assert_eq!(find(&pages, "/latest/"), "v2/index.html");
        assert_eq!(find(&pages, "/latest/old/index.html"), "v1/index.html");
        assert_eq!(find(&pages, "/home.html"), "v1/index.html");
        assert_eq!(find(&pages, "/latest"), "a folder");
    }
}
