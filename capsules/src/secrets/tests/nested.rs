//! Secrets in archives, in archives in archives, in base64; archives that are bombs.

use std::io::{Cursor, Write};

use zip::write::SimpleFileOptions;

use super::*;

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packed.write_all(bytes).expect("memory");
    packed.finish().expect("memory")
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    ::zstd::encode_all(bytes, 3).expect("memory")
}

fn zip(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut packed = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in entries {
        packed.start_file(*name, SimpleFileOptions::default()).expect("memory");
        packed.write_all(bytes).expect("memory");
    }
    packed.finish().expect("memory").into_inner()
}

/// An archive of one file; a long name stands in an entry of its own, as GNU tar writes it.
fn tar(name: &str, content: &[u8]) -> Vec<u8> {
    let mut archive = Vec::new();
    if name.len() > 100 {
        entry(&mut archive, "././@LongLink", b'L', name.as_bytes());
    }
    entry(&mut archive, &name[..name.len().min(100)], b'0', content);
    archive.extend_from_slice(&[0; 1_024]);
    archive
}

fn entry(archive: &mut Vec<u8>, name: &str, kind: u8, content: &[u8]) {
    let mut header = [0_u8; 512];
    header[..name.len()].copy_from_slice(name.as_bytes());
    header[124..135].copy_from_slice(format!("{:011o}", content.len()).as_bytes());
    header[156] = kind;
    header[257..265].copy_from_slice(b"ustar  \0");
    header[148..156].copy_from_slice(b"        ");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    archive.extend_from_slice(&header);
    archive.extend_from_slice(content);
    archive.resize(archive.len().next_multiple_of(512), 0);
}

fn told(name: &str, content: &[u8]) -> Vec<String> {
    let told = |finding: &Finding| format!("{}:{} {}", finding.place, finding.line, finding.rule.name());
    let whole = found(name, content);
    let stream = scan_stream(&path(name), content, Limits::default()).expect("read");
    assert_eq!(stream, whole, "a stream has other findings");
    whole.iter().map(told).collect()
}

const ENV: &[u8] = b"PORT=1\nDB_PASSWORD=hunter2\n";

#[test]
fn secrets_are_found_in_archives_of_each_kind() {
    assert_eq!(told("a.env.gz", &gzip(ENV)), ["a.env.gz!a.env:2 env-value"]);
    assert_eq!(told("a.zst", &zstd(pem("PRIVATE KEY").as_bytes())), ["a.zst!a:1 private-key"]);
    assert_eq!(told("a.tar", &tar("app/.env", ENV)), ["a.tar!app/.env:2 env-value"]);
    assert_eq!(told("a.zip", &zip(&[("x", b"y"), ("app/.env", ENV)])), ["a.zip!app/.env:2 env-value"]);
}

#[test]
fn secrets_are_found_in_archives_in_archives() {
    let inner = zip(&[("app/.env", ENV)]);
    let nested = gzip(&tar("inner.zip", &inner));
    assert_eq!(told("dist.tgz", &nested), ["dist.tgz!tar!inner.zip!app/.env:2 env-value"]);
    let deep = zstd(&zip(&[("in.tgz", &nested)]));
    assert_eq!(told("b.zst", &deep), ["b.zst!b!in.tgz!tar!inner.zip!app/.env:2 env-value"]);
}

#[test]
fn secrets_are_found_far_into_a_large_archive() {
    let mut text = "nothing to see in this line of text\n".repeat(100_000);
    text.push_str("password = \"Tr0ub4dor&3\"\n");
    let packed = gzip(&tar(&format!("{}/settings.py", "long".repeat(40)), text.as_bytes()));
    let told = told("big.tar.gz", &packed);
    assert_eq!(told.len(), 1);
    assert!(
        told[0].starts_with("big.tar.gz!big.tar!longlong") && told[0].contains("settings.py:100001"),
        "{told:?}"
    );
}

#[test]
fn secrets_are_found_in_base64() {
    let encode = |bytes: &[u8]| data_encoding::BASE64.encode(bytes);
    let secret = "user: ada\npassword: Tr0ub4dor3x\n";
    let json = format!("{{\n  \"config\": \"{}\"\n}}", encode(secret.as_bytes()));
    assert_eq!(told("a.json", json.as_bytes()), ["a.json!base64:2 assigned-secret"]);
    let twice = format!("data: {}\n", encode(encode(pem("PRIVATE KEY").as_bytes()).as_bytes()));
    assert_eq!(told("a.yaml", twice.as_bytes()), ["a.yaml!base64!base64:1 private-key"]);
    let wrapped = data_encoding::BASE64_MIME.encode(pem("RSA PRIVATE KEY").as_bytes());
    assert_eq!(told("mail.txt", format!("x\n\n{wrapped}").as_bytes()), ["mail.txt!base64:3 private-key"]);
    let packed = encode(&gzip(&tar(".env", ENV)));
    assert_eq!(told("a.js", format!("x('{packed}')").as_bytes()), ["a.js!base64!base64!.env:2 env-value"]);
}

#[test]
fn utf16_is_read_as_text() {
    let little: Vec<u8> =
        "\u{feff}A=1\nDB_PASSWORD=hunter2\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert_eq!(told(".env", &little), [".env:2 env-value"]);
}

#[test]
fn names_in_archives_are_shown_escaped() {
    let archive = zip(&[("\x1b[2J\u{202e}.env", ENV)]);
    assert_eq!(told("a.zip", &archive), ["a.zip!\\u{1b}[2J\\u{202e}.env:2 env-value"]);
}

#[test]
fn bombs_are_told_and_not_unpacked() {
    let bomb = zstd(&vec![0; 64 << 20]);
    assert_eq!(told("a.zst", &bomb), ["a.zst:1 unsearched"]);
    let bomb = gzip(&vec![0; 64 << 20]);
    assert_eq!(told("a.gz", &bomb), ["a.gz:1 unsearched"]);
    let bomb = zip(&[("zeros", &vec![0; 64 << 20]), ("next.env", ENV)]);
    assert_eq!(told("a.zip", &bomb), ["a.zip:1 unsearched"]);
    let limits = Limits { unpacked_bytes: 1_000, ..Limits::default() };
    let large = scan(&path("a.gz"), &gzip(random(ALPHANUMERIC, 5_000).as_bytes()), limits);
    assert_eq!(large[0].excerpt, "it is too large unpacked to search all of it");
}

#[test]
fn a_window_of_zstd_beyond_the_limit_is_told() {
    let mut encoder = ::zstd::stream::write::Encoder::new(Vec::new(), 1).expect("memory");
    encoder.window_log(27).expect("fits");
    encoder.long_distance_matching(true).expect("fits");
    encoder.write_all(random(ALPHANUMERIC, 100_000).as_bytes()).expect("memory");
    assert_eq!(told("a.zst", &encoder.finish().expect("memory")), ["a.zst:1 unsearched"]);
}

#[test]
fn archives_in_too_many_archives_are_told() {
    let matryoshka = (0..20).fold(ENV.to_vec(), |inner, _| gzip(&inner));
    let told = told("a.gz", &matryoshka);
    assert_eq!(told.len(), 1);
    assert!(told[0].ends_with("unsearched"), "{told:?}");
}

#[test]
fn many_entries_are_counted_and_many_archives_in_one_share_a_budget() {
    let limits = Limits { entries: 10, ..Limits::default() };
    let names: Vec<_> = (0..11).map(|index| format!("{index}")).collect();
    let entries: Vec<_> = names.iter().map(|name| (name.as_str(), &b"x"[..])).collect();
    let findings = scan(&path("a.zip"), &zip(&entries), limits);
    assert_eq!(findings[0].excerpt, "it has too many entries to search them");
}

#[test]
fn what_is_damaged_is_searched_as_far_as_it_goes() {
    let mut text = "password = \"Tr0ub4dor&3\"\n".to_owned();
    text.push_str(&random(ALPHANUMERIC, 4 << 20));
    let mut packed = gzip(text.as_bytes());
    packed.truncate(packed.len() / 2);
    assert_eq!(told("a.py.gz", &packed), ["a.py.gz!a.py:1 assigned-secret", "a.py.gz:1 unsearched"]);
    let mut archive = tar("a.py", text.as_bytes());
    archive[0] = b'x';
    assert_eq!(told("a.tar", &archive), ["a.tar:1 unsearched"]);
    assert_eq!(told("a.zip", b"PK\x03\x04 and no more"), ["a.zip:1 unsearched"]);
}

#[test]
fn an_archive_behind_a_program_is_found() {
    let mut program = b"#!/bin/sh\nexec unzip $0\n".to_vec();
    program.extend_from_slice(&zip(&[("app/.env", ENV)]));
    assert_eq!(told("install", &program), ["install!app/.env:2 env-value"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn no_archive_panics(kind in 0..4, cut in 0_usize..2_000, at in 0_usize..2_000, byte in any::<u8>()) {
        let inner = tar("app/.env", ENV);
        let mut archive = match kind {
            0 => gzip(&inner),
            1 => zstd(&inner),
            2 => zip(&[("a.tar", &inner), ("b", b"c")]),
            _ => inner,
        };
        let length = archive.len();
        archive[at % length] = byte;
        archive.truncate(length.saturating_sub(cut % length));
        let whole = found("a.bin", &archive);
        let stream = scan_stream(&path("a.bin"), archive.as_slice(), Limits::default()).expect("read");
        prop_assert_eq!(stream, whole);
    }
}
