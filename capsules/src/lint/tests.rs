//! What the checks say of packs, and what they let pass.

use super::*;

fn path(text: &str) -> RelPath {
    text.parse().expect(text)
}

fn file(bytes: u64) -> Entry {
    Entry::File { bytes, permissions: Some(0o644) }
}

fn pack(entries: &[(&str, Entry)]) -> Pack {
    let entries = entries.iter().map(|(name, entry)| (path(name), entry.clone())).collect();
    Pack { entries, ..Pack::default() }
}

fn told(pack: &Pack) -> Vec<String> {
    check_pack(&builtin(), pack).iter().map(ToString::to_string).collect()
}

#[test]
fn a_tidy_pack_has_nothing_said_of_it() {
    let mut tidy = pack(&[
        ("LICENSE", file(10)),
        ("app.js", file(10)),
        ("dist", Entry::Directory),
        ("dist/target", Entry::Directory),
        ("dist/latest", Entry::Link("../app.js".into())),
        ("seeds/a.sql", file(1)),
    ]);
    tidy.license = "MIT".into();
    tidy.seeds = vec![path("seeds/a.sql")];
    tidy.out_dir = Some(path("dist"));
    assert_eq!(told(&tidy), [""; 0]);
}

#[test]
fn each_check_says_what_it_is_for() {
    let mut untidy = pack(&[
        ("big.bin", file(HUGE_BYTES)),
        ("link", Entry::Link("gone\x1b".into())),
        ("out", file(1)),
        ("open", Entry::File { bytes: 1, permissions: Some(0o666) }),
        ("web", Entry::Directory),
        ("web/node_modules", Entry::Directory),
        ("web/node_modules/a", Entry::Directory),
        ("web/node_modules/a/node_modules", Entry::Directory),
        ("web/up", Entry::Link("../../x".into())),
    ]);
    untidy.license = "LicenseRef-OSL-3.0-or-compatible".into();
    untidy.seeds = vec![path("seeds/gone.sql")];
    untidy.out_dir = Some(path("out"));
    let found = check_pack(&builtin(), &untidy);
    let told: Vec<_> =
        found.iter().map(|told| format!("{} {} {}", told.severity, told.lint, told.path)).collect();
    assert_eq!(
        told,
        [
            "warn license-file .",
            "warn huge-file big.bin",
            "warn broken-link link",
            "warn world-writable open",
            "veto missing-part out",
            "veto missing-part seeds/gone.sql",
            "warn build-output web/node_modules",
            "warn broken-link web/up",
        ]
    );
    assert!(is_vetoed(&found) && !is_vetoed(&found[..4]));
    assert_eq!(found[2].message, "leads to `gone\\u{1b}`, which is not packed");
}

#[test]
fn an_out_dir_that_a_step_builds_need_not_be_there() {
    let mut app = pack(&[]);
    app.out_dir = Some(path("dist"));
    assert_eq!(told(&app).len(), 1);
    app.is_built = true;
    assert_eq!(told(&app), [""; 0]);
}

#[test]
fn paths_of_one_machine_are_told_where_settings_are() {
    let told = |name: &str, text: &str| -> Vec<_> {
        check_file(&builtin(), &path(name), text.as_bytes()).iter().map(ToString::to_string).collect()
    };
    let said = "warn: `app.toml`:2: absolute-path: names a folder below `/home/`, which other machines lack";
    assert_eq!(told("app.toml", "a = 1\ndata = \"/home/ada/data\"\n"), [said]);
    assert_eq!(told("app.toml", "url = \"https://a.b/home/x\"\nx = './home/y'\nz = '/var/lib/z'\n"), [""; 0]);
    assert_eq!(told("app.md", "/home/ada"), [""; 0]);
    assert_eq!(told("a.yaml", &"p: /root/x\n".repeat(9)).len(), 5);
}

#[test]
fn checks_of_ones_own_are_asked_like_the_others() {
    struct NoReadme;
    impl Lint for NoReadme {
        fn name(&self) -> &'static str {
            "no-readme"
        }

        fn pack(&self, pack: &Pack) -> Vec<Finding> {
            let is_there = pack.entries.contains_key(&path("README.md"));
            let finding = Finding {
                path: RelPath::root(),
                line: None,
                lint: self.name(),
                severity: Severity::Veto,
                message: "add `README.md`".into(),
            };
            if is_there { Vec::new() } else { vec![finding] }
        }
    }
    let lints: Vec<Box<dyn Lint>> = vec![Box::new(NoReadme)];
    let findings = check_pack(&lints, &pack(&[]));
    assert_eq!(findings[0].to_string(), "veto: `.`: no-readme: add `README.md`");
    assert!(is_vetoed(&findings) && check_pack(&lints, &pack(&[("README.md", file(1))])).is_empty());
}
