//! A relay on loopback that counts what goes through it, both ways.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread;

/// Where to connect instead, and what has passed.
pub(crate) struct Relay {
    pub(crate) port: u16,
    bytes: Arc<AtomicU64>,
}

impl Relay {
    /// Between whoever connects and `target`.
    pub(crate) fn to(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("[::1]:0").expect("loopback can be listened on");
        let port = listener.local_addr().expect("it listens").port();
        let bytes = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&bytes);
        thread::spawn(move || {
            for near in listener.incoming().map_while(Result::ok) {
                let far = TcpStream::connect(target).expect("the node listens");
                for (from, to) in [(&near, &far), (&far, &near)] {
                    from.set_nodelay(true).expect("sockets take options");
                    let ends = from.try_clone().and_then(|from| Ok((from, to.try_clone()?)));
                    let (ends, count) = (ends.expect("sockets can be shared"), Arc::clone(&count));
                    thread::spawn(move || pass(ends, &count));
                }
            }
        });
        Self { port, bytes }
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Relaxed)
    }
}

fn pass((mut from, mut to): (TcpStream, TcpStream), count: &AtomicU64) {
    let mut piece = vec![0; 256 << 10];
    while let Ok(length @ 1..) = from.read(&mut piece) {
        count.fetch_add(length as u64, Relaxed);
        if to.write_all(&piece[..length]).is_err() {
            return;
        }
    }
    // Whoever closed its end wants the other to know.
    let _ = to.shutdown(Shutdown::Write);
}
