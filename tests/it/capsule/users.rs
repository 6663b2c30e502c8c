//! Capsules between people: what two of them pack, and what one packs for the other.

use super::*;

#[test]
fn two_users_in_two_folders_come_to_one_tree() {
    let mine = App::new();
    mine.write("app/tool.sh", "#!/bin/sh\n");
    let executable =
        |path: PathBuf| fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("ours");
    executable(mine.path("app/tool.sh"));
    let packed = mine.pack(&[]);
    // The same files, made in another order and long ago, with a mask that leaves nothing to others.
    let theirs = App::new();
    fs::remove_dir_all(theirs.path("app")).expect("removed");
    let all = files(&mine.path("app"));
    for (path, content) in all.iter().rev() {
        let path = path.strip_prefix(mine.path("app")).expect("within").to_str().expect("UTF-8");
        theirs.write(&format!("app/{path}"), std::str::from_utf8(content).expect("UTF-8"));
        let file = fs::File::options().write(true).open(theirs.path(&format!("app/{path}"))).expect("there");
        file.set_modified(std::time::UNIX_EPOCH).expect("ours");
    }
    executable(theirs.path("app/tool.sh"));
    // Another user runs a program of its own: ours may be where it must not look.
    let program = theirs.path("xyn");
    if fs::hard_link(env!("CARGO_BIN_EXE_xyn"), &program).is_err() {
        fs::copy(env!("CARGO_BIN_EXE_xyn"), &program).expect("copied");
    }
    let is_root = rustix::process::geteuid().is_root();
    let user = if is_root { "setpriv --reuid=65534 --regid=65534 --clear-groups" } else { "" };
    let own = format!(
        "chown -R 65534:65534 app capsule.key* 2>/dev/null; chown 65534:65534 . 2>/dev/null; chmod -R go= app; umask 077; shift; exec {user} ./xyn \"$@\""
    );
    let mut command = theirs.0.program_by(["sh", "-c", &own, "sh"]);
    command.args(["--json", "capsule", "pack", "app"]).current_dir(theirs.path("."));
    command.env("LC_ALL", "tr_TR.UTF-8").env("TZ", "Pacific/Auckland").env("HOME", theirs.path("."));
    let said = Said::of(&mut command).json();
    assert_eq!(said["tree"], packed["tree"]);
    assert_ne!(said["capsule"], packed["capsule"], "who and when are in the manifest, not in the tree");
    let file = fs::metadata(theirs.path("shop-1.4.2.caps")).expect("there");
    assert!(!is_root || std::os::unix::fs::MetadataExt::uid(&file) == 65_534, "somebody else packed it");
}

#[test]
fn a_private_capsule_is_for_whoever_has_the_key() {
    let app = App::new();
    app.xyn(&["capsule", "keygen", "--age"]).ok();
    app.xyn(&["capsule", "keygen", "--age", "other.agekey"]).ok();
    let made = app.pack(&["--recipient", "capsule.agekey.pub"]);
    assert_eq!(made["file"], "shop-1.4.2.caps.age");
    let verify = ["--json", "capsule", "verify", "shop-1.4.2.caps.age", "--pub", "capsule.key.pub"];
    let read = |more: &[&str]| app.xyn(&[verify.as_slice(), more].concat());
    assert!(message(&read(&[])).contains("is encrypted; name a key"));
    assert!(message(&read(&["--identity", "other.agekey"])).contains("encrypted to others"));
    let verified = read(&["--identity", "other.agekey", "--identity", "capsule.agekey"]).json();
    assert_eq!((&verified["tree"], &verified["recipients"]), (&made["tree"], &made["recipients"]));
    let unpack = ["capsule", "unpack", "shop-1.4.2.caps.age", "--pub", "capsule.key.pub", "--to", "out"];
    app.xyn(&[unpack.as_slice(), &["--identity", "capsule.agekey"]].concat()).ok();
    let [before, after] = ["app", "out"].map(|dir| files(&app.path(dir)).into_iter().map(|(_, bytes)| bytes));
    assert!(before.eq(after));
    let diff = app.xyn(&["--json", "capsule", "diff", "shop-1.4.2.caps.age", "shop-1.4.2.caps.age"]);
    assert!(message(&diff).contains("a clear one is needed here"), "{}", diff.err);
    // What is for few cannot be offered to all.
    let public = r#"{"id": "shop", "name": "The shop", "version": "1.4.3", "rights": {"scope": "lan"}}"#;
    app.write("app/capsule.json", public);
    let refused = ["--json", "capsule", "pack", "app", "--recipient", "capsule.agekey.pub"];
    assert!(message(&app.xyn(&refused)).contains("write `private`"));
}
