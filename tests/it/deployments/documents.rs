//! Seeds that are documents: merged into the one that is there.

use std::fs;

use serde_json::json;
use xyn_store::timeline::merge_documents;

use super::Bench;
use super::process::{SERVER, app};

// Two saved documents of Automerge that were made of one: each puts a word of its own.
pub(super) const OURS: &str = "856f4a83552d5ebc00720201010102011588ef9545484f4efb1f6a3f684a50a2dd280d922f3a75bf9dc17324\
    1f4b2b5b07010303031302230240034302560208150b2103230234014202560257028001027e00017e010002\
    0102007e00017f0002077e0462617365046f7572737e0001020102020102140101020001";
pub(super) const THEIRS: &str = "856f4a83dfd456bc007402010101030137d7315b47c1c2b73ed2f11e14806e34f03175532af922bcd4d067d4\
    f8a1bb4c07010303031302230240034302560208150d2103230234014202560257028001027e00017e010002\
    0102007e00017f0002077e0462617365067468656972737e0001020102020102140101020001";

pub(super) fn bytes(hex: &str) -> Vec<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16).expect("hex") as u8;
    hex.as_bytes().chunks_exact(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
}

#[tokio::test]
async fn a_document_is_merged_into_the_one_that_is_there_and_once() {
    let bench = Bench::new().await;
    bench.write("server.pl", SERVER);
    let pack = |version: &str, document: &[u8]| {
        bench.write("board.automerge", document);
        let mut manifest = app("one");
        manifest["seeds"] = json!([{ "name": "board", "type": "crdt", "path": "board.automerge" }]);
        bench.pack(version, &manifest);
    };
    pack("1.0.0", &bytes(OURS));
    bench.deploy("dev");
    let board = bench.folder.data().join("deployments/shop.dev.process/data/board/board.automerge");
    assert_eq!(fs::read(&board).expect("laid out"), bytes(OURS));
    pack("1.1.0", &bytes(THEIRS));
    bench.deploy("dev");
    let both = merge_documents(&bytes(OURS), &bytes(THEIRS)).expect("merges");
    assert_eq!(fs::read(&board).expect("there"), both);
    assert!(both != bytes(OURS) && both != bytes(THEIRS));
    // It is the app's own from then on: what it takes out does not come back.
    fs::write(&board, bytes(OURS)).expect("the app's own");
    bench.deploy("dev");
    assert_eq!(fs::read(&board).expect("there"), bytes(OURS));

    // What is none is refused before anything is touched.
    pack("1.2.0", b"no document");
    let refused = bench.node_folder(&["capsule", "deploy", "shop", "--stage", "dev"]);
    assert!(refused.code == 6 && refused.err.contains("is no saved Automerge document"), "{refused:?}");
    assert_eq!(fs::read(&board).expect("there"), bytes(OURS));
}
