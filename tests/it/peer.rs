//! A server that effects reach, on a real socket: it answers, keeps callers waiting, or dies on them.
//!
//! Invariant: a call is counted before anything is answered, as a server whose work took effect would have it.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};

/// What becomes of a call once it has arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It is answered.
    Answered,
    /// Nothing comes back until [`Peer::release`].
    Held,
    /// The connection closes without an answer.
    Broken,
    /// The connection closes in the middle of the answer.
    Torn,
}

/// A call that arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Call {
    /// Method.
    pub(crate) method: String,
    /// The header `Idempotency-Key`.
    pub(crate) key: String,
}

/// A server of this machine.
pub(crate) struct Peer {
    address: SocketAddr,
    shared: Arc<(Mutex<Desk>, Condvar)>,
}

#[derive(Default)]
struct Desk {
    fates: VecDeque<Fate>,
    calls: Vec<Call>,
    released: bool,
}

impl Peer {
    /// Starts a server for whose first calls `fates` are laid out; all after them are answered.
    pub(crate) fn start(fates: &[Fate]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let desk = Desk { fates: fates.iter().copied().collect(), ..Desk::default() };
        let shared = Arc::new((Mutex::new(desk), Condvar::new()));
        let accepted = Arc::clone(&shared);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = Arc::clone(&accepted);
                std::thread::spawn(move || serve(stream, &shared));
            }
        });
        Self { address, shared }
    }

    /// Where it is reached.
    pub(crate) fn url(&self) -> String {
        format!("http://{}/act", self.address)
    }

    /// Every call that arrived, oldest first.
    pub(crate) fn calls(&self) -> Vec<Call> {
        self.shared.0.lock().expect("no server thread panicked").calls.clone()
    }

    /// Answers those who are held.
    pub(crate) fn release(&self) {
        self.shared.0.lock().expect("no server thread panicked").released = true;
        self.shared.1.notify_all();
    }
}

/// Reads one request and lets it meet its fate. A caller that is gone is nobody's fault.
fn serve(stream: TcpStream, (desk, changed): &(Mutex<Desk>, Condvar)) -> Option<()> {
    let call = read(&mut BufReader::new(&stream))?;
    let mut desk = desk.lock().ok()?;
    desk.calls.push(call);
    let fate = desk.fates.pop_front().unwrap_or(Fate::Answered);
    if fate == Fate::Held {
        desk = changed.wait_while(desk, |desk| !desk.released).ok()?;
    }
    drop(desk);
    let body = r#"{"said":"done"}"#;
    let length = match fate {
        Fate::Broken => return None,
        Fate::Torn => body.len() + 1,
        Fate::Answered | Fate::Held => body.len(),
    };
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close";
    write!(&stream, "{head}\r\ncontent-length: {length}\r\n\r\n{body}").ok()
}

fn read(stream: &mut impl BufRead) -> Option<Call> {
    let mut lines = stream.by_ref().lines();
    let method = lines.next()?.ok()?.split(' ').next()?.to_owned();
    let (mut key, mut length) = (String::new(), 0_u64);
    for line in lines.map_while(Result::ok).take_while(|line| !line.is_empty()) {
        let (name, value) = line.split_once(": ")?;
        match name.to_ascii_lowercase().as_str() {
            "idempotency-key" => key = value.to_owned(),
            "content-length" => length = value.parse().ok()?,
            _ => {}
        }
    }
    // A body that is left unread would turn the closing into a reset.
    stream.take(length).read_to_end(&mut Vec::new()).ok()?;
    Some(Call { method, key })
}
