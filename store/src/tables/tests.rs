//! Rows know where they stand, and keys sort as their parts do.

use super::*;

#[test]
fn a_row_is_bound_to_its_table_and_key() {
    let row = seal(Table::Runs, b"k", b"value".to_vec());
    assert_eq!(unseal(Table::Runs, b"k", &row).expect("intact"), b"value");
    assert!(unseal(Table::Runs, b"j", &row).is_err());
    assert!(unseal(Table::Steps, b"k", &row).is_err());
    assert!(unseal(Table::Runs, b"k", &row[..3]).is_err());
}

#[test]
fn a_row_knows_where_its_key_ends() {
    let row = seal(Table::Blobs, b"key", b"value".to_vec());
    assert!(unseal(Table::Blobs, b"keyv", &row[1..]).is_err());
    assert!(unseal(Table::Blobs, b"ke", &[b"y", row.as_slice()].concat()).is_err());
}

#[test]
fn every_flipped_bit_is_noticed() {
    let row = seal(Table::Log, b"key", b"some value".to_vec());
    for bit in 0..row.len() * 8 {
        let mut bad = row.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        assert!(unseal(Table::Log, b"key", &bad).is_err(), "bit {bit}");
    }
}

#[test]
fn keys_sort_as_their_parts() {
    let key = |n: u64| Key::new().text("a").u64(n).into_bytes();
    assert!(key(255) < key(256));
    assert!(Key::new().text("a").into_bytes() < Key::new().text("ab").into_bytes());
}
