//! Members that hold what a moment names, and send something else: each is refused by name, and the content comes
//! from whoever is honest.

use serde_json::json;
use tempfile::TempDir;
use xyn_net::wire::Payload;
use xyn_net::wire::blobs::{Answer, Ask, PARCEL_BYTES_MAX};
use xyn_store::blobs::{Blobs, Manifest, Parcel};
use xyn_store::{Digest, Options, Store};

use crate::content::{KEEP, noise};
use crate::flood::{holder, member};
use crate::node::{self, eventually};
use crate::team::{Mate, converge};

/// How a holder lies, and what that is called in counters and trace, and in the log.
const LIES: [(Lie, &str, &str); 4] = [
    (Lie::Flipped, "false_chunk", "it sent a false chunk"),
    (Lie::Another, "false_chunk", "it sent a false chunk"),
    (Lie::Junk, "false_manifest", "it sent a false manifest"),
    (Lie::Babble, "false_manifest", "it sent a false manifest"),
];

#[derive(Clone, Copy, Debug)]
enum Lie {
    /// A bit of each chunk is not what it was.
    Flipped,
    /// Chunks that verify, and that nobody asked for.
    Another,
    /// The manifest lists other chunks, which come as it says.
    Junk,
    /// The manifest is none.
    Babble,
}

/// What a holder has.
struct Shelf {
    blobs: Blobs,
    object: Digest,
    junk: Digest,
    _home: (TempDir, Store),
}

impl Shelf {
    fn new(bytes: &[u8]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Store::open(folder.path(), Options::default()).expect("it opens");
        let blobs = store.blobs().clone();
        let put = |bytes: &[u8]| blobs.put(bytes).expect("there is room");
        let (object, junk) = (put(bytes), put(&noise(bytes.len() / 2)));
        Self { blobs, object, junk, _home: (folder, store) }
    }

    fn manifest(&self, lie: Lie) -> Vec<u8> {
        let of = |blob| self.blobs.manifest(blob).expect("it reads").expect("it is here");
        match lie {
            Lie::Flipped | Lie::Another => of(&self.object).encode(),
            Lie::Junk => Manifest::new(self.object, of(&self.junk).parts().to_vec()).encode(),
            Lie::Babble => b"whatever you like".to_vec(),
        }
    }

    fn answer(&self, lie: Lie, ask: Ask) -> Answer {
        match ask {
            Ask::Manifest { object, from, credit, .. } if object == self.object => {
                Answer::page(&self.manifest(lie), from, credit).expect("it is short")
            }
            Ask::Manifest { .. } => Answer::Absent,
            Ask::Chunks { chunks, .. } => {
                let mut parcel = match lie {
                    Lie::Another => Parcel::of(b"nobody asked for it"),
                    _ => self.blobs.parcel(&chunks, Vec::new(), PARCEL_BYTES_MAX).expect("it reads"),
                };
                if let (Lie::Flipped, Some(last)) = (lie, parcel.last_mut()) {
                    *last ^= 1;
                }
                Answer::Chunks(Payload::new(&parcel).expect("it fits"))
            }
        }
    }
}

// Holders answer while this waits for a command.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_that_holds_what_a_moment_names_and_sends_something_else_is_refused_by_name() {
    let [mut ada, mut bob] = ["ada", "bob"].map(Mate::new);
    ada.up(None).await;
    bob.up(Some(&ada.invite().await)).await;
    bob.node().promote(&bob.folder, KEEP).await;
    let text: String = noise(300_000).iter().map(|byte| format!("{byte:02x}")).collect();
    let run = bob.node().run("bp.keep", json!({ "name": "plan.txt", "text": text })).await;
    bob.node().ended(&run).await;
    let made = bob.node().all(&format!("/api/v1/artifacts?run_id={run}")).await;
    let id = made[0]["artifact_id"].as_str().expect("an id");
    bob.note("it is made").await;
    converge(&[&ada, &bob], &["it is made"]).await;
    let known = async || {
        let path = format!("/api/v1/artifacts/{id}");
        let answer = node::Answer::of(ada.node().request("GET", &path)).await.expect("the node answers");
        (answer.status == 200).then_some(())
    };
    eventually("its moment comes", known).await;
    bob.stop().await;

    for (who, (lie, reason, words)) in (1..).zip(LIES) {
        let (key, shelf) = (member(&ada, who).await, Shelf::new(text.as_bytes()));
        let (node, before) = (key.public(), ada.refusals(reason).await);
        let host = ada.node().mesh()[0].clone();
        let holder = tokio::spawn(holder::serve(key, host, move |ask| shelf.answer(lie, ask)));
        let told = ada.folder.xyn(["artifact", "get", id]);
        told.says(6, &["is not here, and nobody who is connected has it"]);
        eventually("it is refused by its name", async || {
            let trace = ada.node().get("/api/v1/peers/trace?limit=200").await;
            let lines = trace["items"].as_array().expect("a list").clone();
            let is_its = |line: &serde_json::Value| line["node"] == json!(node) && line["reason"] == reason;
            (ada.refusals(reason).await > before && lines.iter().any(is_its)).then_some(())
        })
        .await;
        assert_eq!(ada.refusals(reason).await, before + 1, "{lie:?}: once");
        let log = ada.node().log();
        let is_logged = |line: &str| line.contains(words) && line.contains(&node.to_string());
        assert!(log.lines().any(is_logged), "{lie:?}: {log}");
        holder.abort();
    }
    assert_eq!(ada.refusals("lie").await, 0);

    bob.up(None).await;
    bob.note("he is back").await;
    converge(&[&ada, &bob], &["he is back"]).await;
    assert!(ada.folder.xyn(["artifact", "get", id]).ok() == text, "it comes from who is honest");
}
