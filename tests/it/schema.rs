//! Schemathesis against a running node: what the OpenAPI document says is what the node does.
//!
//! `tests/run` installs schemathesis and names it in `XYN_SCHEMATHESIS`. Left out are streams, which do
//! not end, and the rotation of the key, after which the node starts anew.

use std::process::Command;

use crate::node::{Folder, Node};

/// Test cases for an operation, at most.
const EXAMPLES: &str = "20";
/// Whatever is found is found again.
const SEED: &str = "20261121";

#[tokio::test]
async fn the_document_holds_against_what_schemathesis_makes_of_it() {
    let Some(schemathesis) = std::env::var_os("XYN_SCHEMATHESIS") else {
        panic!(
            "XYN_SCHEMATHESIS names no program: run `tests/run`, or `pip install schemathesis` and \
             XYN_SCHEMATHESIS=$(command -v schemathesis) cargo nextest run -p xyn --test it schema"
        );
    };
    let folder = Folder::new();
    let mut command = folder.program();
    command.env("XYN_LOG", "warn").env("XYN_MESH", "on").env("XYN_MESH_LISTEN", "/ip4/127.0.0.1/tcp/0");
    let node = Node::start_with(&folder, command, &[]).await;
    let settings = concat!(env!("CARGO_MANIFEST_DIR"), "/api/schemathesis.toml");
    let output = Command::new(schemathesis)
        .args(["--config-file", settings, "run", &node.url("/api/openapi.json")])
        .args(["--phases", "examples,coverage,fuzzing", "--max-examples", EXAMPLES, "--seed", SEED])
        .args(["--exclude-path-regex", "(stream|rotate)$", "--request-timeout", "20"])
        .args(["--generation-database", "none", "--no-color", "--warnings", "off"])
        .current_dir(folder.data())
        .output()
        .expect("schemathesis starts");
    let said = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\n{errors}");
    assert!(node.stop().await.success());
}
