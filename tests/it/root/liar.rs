//! A node that lies: it lists what is not so, and drafts for the root something else than was asked for.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use xyn_store::audit::key::NodeKey;
use xyn_store::audit::signature::PublicKey;
use xyn_store::scope::Principal;
use xyn_store::trust::{Certificate, Claim, EnvId, Role, Seat, Statement};
use xyn_store::{Clock, Timestamp};

use crate::node::{Folder, Said};

/// Who has nothing to say in the environment, and a friend that has.
const MALLORY: [u8; 32] = [8; 32];
const FRIEND: [u8; 32] = [9; 32];

/// The folder with the root's key, and what the command line is told.
struct Stage {
    folder: Folder,
    root: NodeKey,
}

impl Stage {
    fn new() -> Self {
        let folder = Folder::new();
        std::fs::create_dir(folder.data()).expect("own folder");
        let root = NodeKey::found_root(&folder.data()).expect("own folder");
        Self { folder, root }
    }

    /// Renews Mallory's certificate by the word of the root: how the command ends where the node lists `listed` and
    /// drafts `drafted`, and what it was asked to do besides.
    fn renewal(&self, listed: &Value, drafted: &Statement, more: &[&str]) -> (Said, Vec<String>) {
        let statement = drafted.to_hex().expect("plain data");
        let draft = json!({ "env": drafted.env, "statement": statement });
        let (url, asked) = serve(listed.clone(), draft);
        let (mallory, file) = (key(MALLORY).to_string(), self.folder.data().join("root.key"));
        let mut command = self.folder.program();
        command.args(["--url", &url, "peer", "renew", &mallory, "--role", "user", "--valid-for", "ever"]);
        let said = Said::of(command.arg("--root").arg(file).args(more));
        assert!(!format!("{}{}", said.out, said.err).contains('\u{1b}'), "it moves the cursor: {said:?}");
        let asked = asked.lock().expect("no server thread panicked").clone();
        (said, asked)
    }

    /// What an honest node would draft, but for where Mallory sits.
    fn draft(&self, above: PublicKey, principal: &str, issued_at: Timestamp) -> Statement {
        let (env, seat) = (EnvId::rooted_in(self.root.public()), Seat::Under(above));
        let certificate = Certificate {
            node: key(MALLORY),
            consent: seat.agree(env, &NodeKey::from_secret(MALLORY)),
            seat,
            principal: Principal::new(principal),
            role: Role::User,
            expires: None,
        };
        Statement { env, issuer: self.root.public(), issued_at, claim: Claim::Certificate(certificate) }
    }
}

/// What is listed and drafted, what else the command is told, its exit code, and words that it says.
type Case<'a> = (&'a Value, &'a Statement, &'a [&'a str], i32, &'a [&'a str]);

fn key(secret: [u8; 32]) -> PublicKey {
    NodeKey::from_secret(secret).public()
}

fn listed(node: PublicKey, principal: &str) -> Value {
    json!({ "node": node, "principal": principal, "role": "user", "standing": "active", "expires_at": null })
}

#[test]
fn a_node_that_lies_gets_nothing_signed_that_was_not_asked_for_and_told() {
    let stage = Stage::new();
    let (root, friend, now) = (stage.root.public(), key(FRIEND), Clock::system().now());
    let mallory = listed(key(MALLORY), "mallory@lab");
    let usual = stage.draft(friend, "mallory@lab", now);
    let below_root = stage.draft(root, "mallory@lab", now);
    let hostile = stage.draft(friend, "mallory\u{1b}[2J@lab", now);
    let later = stage.draft(friend, "mallory@lab", now.after(Duration::from_secs(86_400)));
    let another = listed(friend, "mallory@lab");
    let unclean = listed(key(MALLORY), "mallory\u{1b}[2J@lab");
    let cases: [Case; 8] = [
        (
            &mallory,
            &below_root,
            &["--yes"],
            1,
            &["directly below the root", "nothing was signed", "--below-root"],
        ),
        (&mallory, &usual, &["--yes", "--below-root"], 1, &["another seat than was asked for"]),
        (&mallory, &hostile, &["--yes"], 1, &["principal", "not plain text"]),
        (&unclean, &usual, &["--yes"], 1, &["cannot be read", "not plain text"]),
        (&another, &usual, &["--yes"], 3, &["there is no peer"]),
        (&mallory, &later, &["--yes"], 1, &["dates it", "clocks"]),
        // Nobody can be asked: no terminal is there.
        (&mallory, &usual, &[], 2, &["signs nothing unseen", "below node", "--yes"]),
        (&mallory, &below_root, &["--below-root"], 2, &["only the root can revoke it", "--yes"]),
    ];
    for (listed, drafted, more, code, words) in cases {
        let (said, asked) = stage.renewal(listed, drafted, more);
        said.says(code, words);
        assert!(!asked.iter().any(|path| path.ends_with("/renew")), "{words:?}: {asked:?}");
    }
    // What is signed is told, though nobody is asked.
    let told = format!("below node {friend}");
    for (drafted, more, words) in [
        (&usual, &["--yes"][..], told.as_str()),
        (&below_root, &["--yes", "--below-root"][..], "only the root can revoke it"),
        (&usual, &["--yes", "--json"][..], "\"root_signs\""),
    ] {
        let (said, asked) = stage.renewal(&mallory, drafted, more);
        said.says(0, &[words]);
        assert!(asked.last().is_some_and(|path| path.ends_with("/renew")), "{asked:?}");
    }
}

/// Serves one member and one draft: where, and the paths that are posted to.
fn serve(listed: Value, draft: Value) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("it is bound"));
    let asked = Arc::new(Mutex::new(Vec::new()));
    let posted = Arc::clone(&asked);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            answer(&stream, &listed, &draft, &posted);
        }
    });
    (url, asked)
}

/// Answers one request. A caller that is gone is nobody's fault.
fn answer(stream: &TcpStream, listed: &Value, draft: &Value, posted: &Mutex<Vec<String>>) -> Option<()> {
    let mut reader = BufReader::new(stream);
    let mut lines = reader.by_ref().lines();
    let first = lines.next()?.ok()?;
    let mut words = first.split(' ');
    let (method, path) = (words.next()?, words.next()?);
    let headers = lines.map_while(Result::ok).take_while(|line| !line.is_empty());
    let mut fields =
        headers.filter_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
    let length = fields.by_ref().last().unwrap_or(0_u64);
    // A body that is left unread would turn the closing into a reset.
    reader.take(length).read_to_end(&mut Vec::new()).ok()?;
    if method == "POST" {
        posted.lock().ok()?.push(path.to_owned());
    }
    let body = if path.ends_with("/drafts") { draft } else { listed }.to_string();
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close";
    write!(&mut &*stream, "{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len()).ok()
}
