//! Secrets as they lie on disk, and what opens them.

use std::os::unix::fs::PermissionsExt;

use super::*;

fn name(text: &str) -> SecretName {
    text.parse().expect("a name")
}

fn put(vault: &Vault, of: &str, value: &str) -> u32 {
    let at = Timestamp::from_micros(1);
    vault.put(&name(of), Secret::new(value), &Principal::local_operator(), at).expect("kept")
}

fn value(vault: &Vault, of: &str) -> Result<Option<Secret>, VaultError> {
    Ok(vault.open()?.get(&name(of)).cloned())
}

#[test]
fn a_secret_is_kept_replaced_and_forgotten_and_lies_nowhere_in_clear() {
    let data = tempfile::tempdir().expect("a folder");
    let vault = Vault::of(data.path());
    assert!(vault.list().expect("reads").is_empty());
    assert_eq!(
        (put(&vault, "a/b", "hunter-22"), put(&vault, "c", "x"), put(&vault, "a/b", "hunter-23")),
        (1, 1, 2)
    );
    let again = Vault::of(data.path());
    assert_eq!(value(&again, "a/b").expect("reads"), Some(Secret::new("hunter-23")));
    let names: Vec<_> = again.list().expect("reads").into_iter().map(|it| (it.name, it.version)).collect();
    assert_eq!(names, [(name("a/b"), 2), (name("c"), 1)]);
    for entry in fs::read_dir(data.path().join("secrets")).expect("a folder").flatten() {
        let bytes = fs::read(entry.path()).expect("a file");
        assert!(!bytes.windows(6).any(|window| window == b"hunter"), "{entry:?}");
        assert_eq!(entry.metadata().expect("there").permissions().mode() & 0o777, 0o600, "{entry:?}");
    }
    vault.delete(&name("a/b")).expect("forgotten");
    assert_eq!(value(&vault, "a/b").expect("reads"), None);
    assert_eq!(format!("{:?}", Secret::new("hunter")), "«secret»");
}

#[test]
fn another_key_and_changed_bytes_are_told_apart_and_open_nothing() {
    let data = tempfile::tempdir().expect("a folder");
    let vault = Vault::of(data.path());
    put(&vault, "a", "value");
    let (key, sealed) =
        (fs::read(vault.key_path()).expect("a key"), fs::read(vault.sealed_path()).expect("sealed"));
    for at in [0, 7, MAGIC.len() + DIGEST_BYTES, sealed.len() - 1] {
        let mut changed = sealed.clone();
        changed[at] ^= 1;
        fs::write(vault.sealed_path(), changed).expect("written");
        assert!(matches!(value(&vault, "a"), Err(VaultError::Damaged(_))), "byte {at}");
    }
    for end in 0..sealed.len() {
        fs::write(vault.sealed_path(), &sealed[..end]).expect("written");
        assert!(value(&vault, "a").is_err(), "cut at {end}");
    }
    fs::write(vault.sealed_path(), &sealed).expect("written");
    for other in [vec![7; KEY_BYTES], vec![7; 3]] {
        fs::write(vault.key_path(), other).expect("written");
        assert!(matches!(value(&vault, "a"), Err(VaultError::OtherKey(_))));
    }
    fs::remove_file(vault.key_path()).expect("removed");
    assert!(matches!(value(&vault, "a"), Err(VaultError::NoKey(_))));
    fs::write(vault.key_path(), key).expect("written");
    assert_eq!(value(&vault, "a").expect("reads"), Some(Secret::new("value")));
}
