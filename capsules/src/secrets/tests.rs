//! What is found, what is not, and what is told of it.
//!
//! Secrets are put together here, so that no scanner takes this file for what it is about.

mod nested;

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::tree::RelPath;

fn path(text: &str) -> RelPath {
    text.parse().expect(text)
}

fn found(name: &str, content: &[u8]) -> Vec<Finding> {
    scan(&path(name), content, Limits::default())
}

fn rules(name: &str, content: &str) -> Vec<&'static str> {
    found(name, content.as_bytes()).iter().map(|finding| finding.rule.name()).collect()
}

/// Letters and digits as a generator writes them, the same each time.
fn random(alphabet: &str, length: usize) -> String {
    let alphabet: Vec<char> = alphabet.chars().collect();
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        alphabet[(state >> 33) as usize % alphabet.len()]
    };
    (0..length).map(|_| next()).collect()
}

const ALPHANUMERIC: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const BASE64: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const CAPITALS: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const HEX: &str = "0123456789abcdef";

fn pem(label: &str) -> String {
    let body = random(BASE64, 256);
    let lines: Vec<_> = body.as_bytes().chunks(64).map(|line| String::from_utf8_lossy(line)).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

#[test]
fn private_keys_are_found_in_each_form() {
    for label in
        ["PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY", "OPENSSH PRIVATE KEY", "ENCRYPTED PRIVATE KEY"]
    {
        let key = pem(label);
        assert_eq!(rules("server.pem", &key), ["private-key"], "{label}");
        let literal = format!("{{\"key\": \"{}\"}}", key.replace('\n', "\\n"));
        assert_eq!(rules("account.json", &literal), ["private-key"], "{label} in JSON");
    }
    let pgp = pem("PGP PRIVATE KEY BLOCK").replace("-----\n", "-----\nVersion: 1\nComment: mine\n\n");
    assert_eq!(rules("key.asc", &pgp), ["private-key"]);
    let age =
        format!("# public key: age1x\nAGE-SECRET-KEY-1{}\n", random("QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L", 58));
    assert_eq!(rules("key.txt", &age), ["age-secret-key"]);
    let putty = format!(
        "PuTTY-User-Key-File-3: ssh-rsa\nPublic-Lines: 1\nA\nPrivate-Lines: 1\n{}\n",
        random(BASE64, 64)
    );
    assert_eq!(rules("key.ppk", &putty), ["private-key"]);
}

#[test]
fn keys_and_tokens_are_found_in_binaries() {
    let mut program = vec![0_u8; 5_000];
    program.extend_from_slice(pem("PRIVATE KEY").as_bytes());
    program.extend_from_slice(&[0; 300]);
    program.extend_from_slice(format!("ghp_{}", random(ALPHANUMERIC, 36)).as_bytes());
    program.extend_from_slice(&[0; 300]);
    program.extend_from_slice(key::DER[0]);
    program.extend((0..100).map(|index: u8| index.wrapping_mul(37)));
    let names: Vec<_> = found("program", &program).iter().map(|finding| finding.rule.name()).collect();
    assert_eq!(names, ["private-key", "github-token", "private-key"]);
}

#[test]
fn words_that_begin_a_key_are_no_key() {
    for text in [
        "const PEM: &str = \"-----BEGIN PRIVATE KEY-----\";",
        "-----BEGIN PUBLIC KEY-----\nMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAu1SU1LfVLPHCozMxH2Mo\n",
        "starts_with(\"-----BEGIN RSA PRIVATE KEY-----\") || starts_with(\"-----BEGIN EC PRIVATE KEY-----\")",
    ] {
        assert_eq!(rules("a.rs", text), [""; 0], "{text}");
    }
}

#[test]
fn tokens_are_told_by_their_provider() {
    let any = |length| random(ALPHANUMERIC, length);
    let header = data_encoding::BASE64URL_NOPAD.encode(b"{\"alg\":\"HS256\",\"typ\":\"JWT\"}");
    let payload = data_encoding::BASE64URL_NOPAD.encode(b"{\"sub\":\"ada\"}");
    let cases = [
        ("aws-access-key", format!("AKIA{}", random(CAPITALS, 16))),
        ("github-token", format!("ghp_{}", any(36))),
        ("github-token", format!("github_pat_{}_{}", any(22), any(59))),
        ("gitlab-token", format!("glpat-{}", any(20))),
        (
            "slack-token",
            format!("xoxb-{}-{}-{}", random("0123456789", 12), random("0123456789", 13), any(24)),
        ),
        ("slack-webhook", format!("https://hooks.slack.com/services/T{}/B{}/{}", any(9), any(10), any(24))),
        ("stripe-key", format!("sk_live_{}", any(24))),
        ("google-api-key", format!("AIza{}", any(35))),
        ("openai-key", format!("sk-{}", any(48))),
        ("openai-key", format!("sk-proj-{}", any(100))),
        ("anthropic-key", format!("sk-ant-api03-{}AA", any(93))),
        ("npm-token", format!("npm_{}", any(36))),
        ("pypi-token", format!("pypi-AgEI{}", any(100))),
        ("json-web-token", format!("{header}.{payload}.{}", any(43))),
        ("azure-key", format!("AccountName=a;AccountKey={}==;", random(BASE64, 86))),
        ("sendgrid-key", format!("SG.{}.{}", any(22), any(43))),
        ("vault-token", format!("hvs.{}", any(24))),
    ];
    for (rule, token) in cases {
        for text in
            [format!("x = \"{token}\""), format!("see {token} there"), format!("{{\"a\":\"b\\n{token}\"}}")]
        {
            assert_eq!(rules("notes.txt", &text), [rule], "{text}");
        }
    }
}

#[test]
fn what_only_looks_like_a_token_is_none() {
    let any = |length| random(ALPHANUMERIC, length);
    for text in [
        "AKIAIOSFODNN7EXAMPLE".to_owned(),
        format!("ghp_{}", "x".repeat(36)),
        "ghp_0123456789abcdefghijklmnopqrstuvwxyz".into(),
        format!("task-{}", any(48)),
        format!("npm_{}", any(60)),
        "xoxb-your-token-goes-here-please".into(),
        format!("a.{}.b", any(20)),
    ] {
        assert_eq!(rules("notes.txt", &text), [""; 0], "{text}");
    }
}

#[test]
fn literals_given_to_secret_names_are_found() {
    for text in [
        "password = \"Tr0ub4dor&3\"",
        "\"db_password\": \"s3cr3tpw!9\"",
        "const API_KEY: &str = \"9f8e7d6c5b4a39281706f5e4d3c2b1a0\";",
        "let clientSecret = 'Zk8Jq2Lw9Xv4Bn6M';",
        "self.auth_token = b\"Zk8Jq2Lw9Xv4Bn6M\"",
        "{\\\"token\\\": \\\"Zk8Jq2Lw9Xv4Bn6M\\\"}",
        "secret_key_base => 'f00dfeedf11dbeef5c0ffee5a1ad0b57'",
        "<password>s3cr3tpw!9</password>",
        "config[\"api-key\"] = \"Zk8Jq2Lw9Xv4Bn6M\"",
    ] {
        assert_eq!(rules("a.py", text), ["assigned-secret"], "{text}");
    }
    assert_eq!(rules("app.yaml", "db:\n  password: Tr0ub4dor3x\n"), ["assigned-secret"]);
    assert_eq!(rules("app.ini", "api_key=Zk8Jq2Lw9Xv4Bn6M\n"), ["assigned-secret"]);
}

#[test]
fn what_code_says_of_secrets_is_none() {
    for text in [
        "password = os.environ[\"DB_PASSWORD\"]",
        "password: \"Enter your password\"",
        "token_count = \"a1b2c3d4e5f6g7h8\"",
        "secret: \"my-secret-value\"",
        "api_key = \"<your api key 1234>\"",
        "api_key: \"${API_KEY_2}\"",
        "token: \"csrf-token-v2\"",
        "\"password\": \"Passwort\"",
        "let token = Token::Ident1(\"x\");",
        "secretName: \"db-credentials-1\"",
        "password = \"password123\"",
        "import token from \"./lib2/token\"",
    ] {
        assert_eq!(rules("a.ts", text), [""; 0], "{text}");
    }
    assert_eq!(rules("app.yaml", "password: ${DB_PASSWORD}\ntoken: '{{ vault.token1 }}'\n"), [""; 0]);
}

#[test]
fn passwords_in_urls_and_headers_are_found() {
    for text in [
        "postgres://app:k3rnelPan1c@db.internal:5432/shop",
        "redis://:k3rnelPan1c@cache/0",
        "https://Zk8Jq2Lw9Xv4Bn6Mq1Ty@github.com/a/b.git",
    ] {
        assert_eq!(rules("a.txt", text), ["url-password"], "{text}");
    }
    let pair = data_encoding::BASE64.encode(b"ada:k3rnelPan1c");
    assert_eq!(rules("a.sh", &format!("curl -H 'Authorization: Basic {pair}'")), ["authorization"]);
    let bearer = random(ALPHANUMERIC, 40);
    assert_eq!(rules("a.sh", &format!("curl -H \"Authorization: Bearer {bearer}\"")), ["authorization"]);
    for text in [
        "postgres://user:password@localhost/db",
        "postgres://postgres:postgres@localhost/db",
        "https://user:${PASSWORD}@host/",
        "git+ssh://git@github.com/a/b.git",
        "https://example.com/@scope/name",
        "http://a:b1c2d3@example.com/",
    ] {
        assert_eq!(rules("a.txt", text), [""; 0], "{text}");
    }
}

#[test]
fn values_of_environment_files_are_found_unless_everyone_may_know_them() {
    let text = "# settings\nNODE_ENV=production\nPORT=3000\nURL=https://shop.test/a\nexport DB_PASSWORD=hunter2 # old\n\
                SESSION_SECRET=\"correct horse\"\nEMPTY_TOKEN=\nDSN=https://k3y0fS0meKind77@errors.test/1\nDEBUG=true\n";
    let lines: Vec<_> = found(".env", text.as_bytes()).iter().map(|finding| finding.line).collect();
    assert_eq!(lines, [5, 6, 8]);
    assert_eq!(rules(".env.example", "DB_PASSWORD=hunter2x\n"), [""; 0]);
    assert_eq!(rules("config/.env.production", "A_TOKEN=abc\r\n"), ["env-value"]);
}

#[test]
fn what_only_a_generator_writes_is_found() {
    let value = random(BASE64, 40);
    assert_eq!(rules("a.js", &format!("f(\"{value}\")")), ["high-entropy"]);
    assert_eq!(rules("a.yaml", &format!("x: {value}\n")), ["high-entropy"]);
}

#[test]
fn hashes_identifiers_and_data_are_no_secrets() {
    let (value, hex) = (random(BASE64, 86), random(HEX, 64));
    for text in [
        format!("\"{hex}\""),
        format!("integrity: \"sha512-{value}==\""),
        format!("<script integrity='sha384-{}'>", random(BASE64, 64)),
        "\"0190f5fe-7c00-7a00-8000-000000000001\"".into(),
        "\"getElementsByTagNameAndNamespaceVersion2\"".into(),
        "\"Win32_System_RemoteDesktop_D3D12\"".into(),
        format!("url(data:image/png;base64,{})", random(BASE64, 4_000)),
        format!("\"{}\"", random(BASE64, 4_000)),
        format!("ssh-ed25519 {}", random(BASE64, 68)),
        format!("-----BEGIN CERTIFICATE-----\n{}\n", random(BASE64, 64)),
        format!("https://cdn.test/{}/a.js", random(ALPHANUMERIC, 40)),
        "{\"version\":3,\"mappings\":\"AAAA,SAASA,KAAKC,GAAGC,EAAEC,GAAG,OAAOC,MAAM\"}".into(),
    ] {
        assert_eq!(rules("a.js", &text), [""; 0], "{text}");
    }
    let lock = format!("name = \"a\"\nchecksum = \"{hex}\"\nx = \"{}\"\n", random(BASE64, 40));
    assert_eq!(rules("Cargo.lock", &lock), [""; 0]);
}

#[test]
fn files_that_are_key_stores_are_found_by_name() {
    assert_eq!(rules("certs/site.p12", "x"), ["secret-file"]);
    assert_eq!(rules(".netrc", "machine a login b password c"), ["secret-file"]);
}

#[test]
fn a_finding_says_where_and_never_what() {
    let (first, second) = (random(ALPHANUMERIC, 36), "k3rnelPan1c");
    let text = format!("a\nb\n  url = \"redis://:{second}@c/0\"; \x1b[31mkey\u{202e} = \"ghp_{first}\"\n");
    let findings = found("src/a.rs", text.as_bytes());
    let places: Vec<_> = findings.iter().map(|finding| (finding.line, finding.column)).collect();
    assert_eq!(places, [(3, 19), (3, 52)]);
    assert_eq!(findings[0].excerpt, "url = \"redis://:‹11 bytes›");
    assert_eq!(findings[1].excerpt, "@c/0\"; \\u{1b}[31mkey\\u{202e} = \"‹40 bytes›");
    for finding in findings {
        let told = format!("{finding} {finding:?}");
        assert!(!told.contains(&first) && !told.contains(second), "{told}");
        assert!(told.starts_with("`src/a.rs`:3:") && told.contains(".capsuleallow"), "{told}");
        assert!(!told.contains(['\x1b', '\u{202e}']), "{told}");
    }
}

#[test]
fn a_fingerprint_outlives_an_edit_elsewhere_and_changes_with_the_value() {
    let secret =
        |value: &str, before: &str| found("a.py", format!("{before}password = \"{value}\"").as_bytes());
    let first = secret("Tr0ub4dor&3", "");
    assert_eq!(first[0].fingerprint, secret("Tr0ub4dor&3", "\n\nx = 1\n")[0].fingerprint);
    assert_ne!(first[0].fingerprint, secret("Tr0ub4dor&4", "")[0].fingerprint);
}

#[test]
fn what_is_allowed_is_allowed_by_fingerprint_path_rule_or_mark() {
    let finding = found("docs/a.py", b"password = \"Tr0ub4dor&3\"").remove(0);
    let allows = |text: &str| Allow::parse(text.as_bytes()).expect(text).allows(&finding);
    assert!(allows(&format!("# the docs\n{}  # shown to all\n", finding.fingerprint)));
    assert!(allows("docs/*.py") && allows("**/*.py") && allows("assigned-secret docs/**"));
    assert!(!allows("") && !allows("*.py") && !allows("private-key docs/**") && !allows("0123456789abcdef"));
    assert_eq!(rules("a.py", "password = \"Tr0ub4dor&3\"  # capsule:allow: a joke"), [""; 0]);
    for (text, said) in [
        ("a\nno-rule docs/**", "`.capsuleallow`:2: `no-rule` is no rule"),
        ("a b c", "`.capsuleallow`:1: is neither a fingerprint, nor a path, nor a rule and a path"),
        ("[", "`.capsuleallow`:1: `[`: unclosed character class; missing ']'"),
    ] {
        assert_eq!(Allow::parse(text.as_bytes()).expect_err(text).to_string(), said);
    }
}

#[test]
fn an_environment_is_parted_into_what_may_be_packed_and_names() {
    let env = json!({
        "NODE_ENV": "production", "PORT": 3000, "DB_PASSWORD": "", "STRIPE": format!("sk_live_{}", random(ALPHANUMERIC, 24)),
        "DATABASE_URL": "postgres://app:k3rnelPan1c@db/shop", "PUBLIC_URL": "https://shop.test/", "PIN_SECRET": 1234,
        "NEXT_PUBLIC_TOKEN": "a", "OPTIONS": { "apiKey": "x", "level": 2 }, "LEVELS": ["a", "b"], "NOTHING": null,
        "RANDOM": random(BASE64, 40),
    });
    let (kept, required) = redact_env(env.as_object().expect("an object").clone());
    let kept: Vec<_> = kept.keys().map(String::as_str).collect();
    assert_eq!(kept, ["NODE_ENV", "PORT", "PUBLIC_URL", "NEXT_PUBLIC_TOKEN", "LEVELS", "NOTHING"]);
    let required: Vec<_> = required.iter().map(String::as_str).collect();
    assert_eq!(required, ["DATABASE_URL", "DB_PASSWORD", "OPTIONS", "PIN_SECRET", "RANDOM", "STRIPE"]);
}

#[test]
fn findings_of_one_file_are_bounded() {
    let text: String = (0..5_000).map(|index| format!("password = \"Tr0ub4dor&{index}\"\n")).collect();
    let findings = found("a.py", text.as_bytes());
    assert_eq!(findings.len(), Limits::default().findings + 1);
    assert_eq!(findings.last().expect("some").rule, Rule::TooMany);
}

#[test]
fn a_stream_has_the_findings_of_the_file_wherever_its_windows_end() {
    let mut text = String::new();
    while text.len() < 3 << 20 {
        text.push_str("nothing to see in this line of text, nor in the next one\n");
        if text.len().is_multiple_of(7) {
            text.push_str("    password = \"Tr0ub4dor&3\" ");
        }
        if text.len().is_multiple_of(1_000) {
            text.push_str(&pem("RSA PRIVATE KEY"));
        }
    }
    let limits = Limits { findings: 1_000_000, ..Limits::default() };
    let whole = scan(&path("a.py"), text.as_bytes(), limits);
    assert!(whole.len() > 1_000, "{}", whole.len());
    assert_eq!(scan_stream(&path("a.py"), text.as_bytes(), limits).expect("read"), whole);
}

#[test]
fn the_error_of_a_reader_is_its_own() {
    struct Broken;
    impl std::io::Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Err(std::io::Error::other("the disk is gone"))
        }
    }
    let begin = [0x1f, 0x8b, 8, 0];
    let read = scan_stream(&path("a.gz"), std::io::Read::chain(&begin[..], Broken), Limits::default());
    assert_eq!(read.expect_err("broken").to_string(), "the disk is gone");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn no_input_panics(
        pieces in prop::collection::vec(
            prop_oneof![
                prop::collection::vec(any::<u8>(), 0..60),
                prop::sample::select(vec![
                    &b"-----BEGIN RSA PRIVATE KEY-----"[..], b"password", b"=\"", b"\"", b"://", b"@", b"eyJ", b"\n",
                    b"Basic ", b"api_key", b": ", b"\\", b"<", b">", b"ghp_", b"AccountKey=", b"PK\x03\x04",
                    b"\x1f\x8b\x08", b"\x28\xb5\x2f\xfd", b"\xff\xfe", b"PuTTY-User-Key-File-", b"openssh-key-v1\0",
                ]).prop_map(<[u8]>::to_vec),
                "[A-Za-z0-9+/=_-]{0,90}".prop_map(String::into_bytes),
            ],
            0..20,
        ),
        name in prop::sample::select(vec!["a.rs", ".env", "a.yaml", "Cargo.lock", "a.tgz"]),
    ) {
        let bytes = pieces.concat();
        let whole = scan(&path(name), &bytes, Limits::default());
        prop_assert_eq!(scan_stream(&path(name), bytes.as_slice(), Limits::default()).expect("read"), whole);
        let _ = Allow::parse(&bytes);
    }
}
