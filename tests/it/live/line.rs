//! A line that is long and, where nothing else makes it so, thin: what goes over it comes late, and so much of it
//! at a time.
//!
//! Owns a process that carries what is said to one address on to another. It is no part of the test's own, since it
//! has to live in the network of the lab. Invariant: it ends with whoever holds it.

use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// How long it takes there and back.
pub(super) const ROUND_TRIP: Duration = Duration::from_millis(200);
/// What goes through each way.
pub(super) const BITS_PER_SECOND: u64 = 1_000_000;

/// Carries each connection on to another address, every piece after a while and none before those ahead of it went
/// through. What is under way is bounded: who sends more waits.
const CARRY: &str = r#"
import asyncio, os, sys, time

listen, host, port, delay, rate = sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4]), float(sys.argv[5])

async def read(reader, pieces):
    through, piece = 0.0, None
    while piece != b"":
        try:
            piece = await reader.read(16384)
        except OSError:
            piece = b""
        through = max(through, time.monotonic()) + len(piece) / rate
        await pieces.put((through + delay, piece))

async def write(pieces, writer):
    while True:
        due, piece = await pieces.get()
        await asyncio.sleep(due - time.monotonic())
        if piece == b"":
            return writer.close()
        writer.write(piece)
        await writer.drain()

async def carry(reader, writer):
    pieces = asyncio.Queue(64)
    reading = asyncio.create_task(read(reader, pieces))
    try:
        await write(pieces, writer)
    except OSError:
        writer.close()
    finally:
        reading.cancel()

async def connect(reader, writer):
    try:
        there = await asyncio.open_connection(host, port)
    except OSError:
        return writer.close()
    await asyncio.gather(carry(reader, there[1]), carry(there[0], writer))

async def main():
    door = await asyncio.start_server(connect, listen, 0)
    print(door.sockets[0].getsockname()[1], flush=True)
    await asyncio.to_thread(sys.stdin.read)
    os._exit(0)

asyncio.run(main())
"#;

/// A line that is open.
pub(super) struct Line {
    process: Child,
    /// Where it begins.
    pub(super) begins: SocketAddrV4,
}

impl Line {
    /// Opens one from an address of the namespace `space`, or of this one, to `to`. Unless something else makes it
    /// thin it does that itself.
    pub(super) fn open(space: Option<&str>, from: Ipv4Addr, to: SocketAddrV4, is_thin: bool) -> Self {
        let starter = space.map_or(vec![], |space| vec!["ip", "netns", "exec", space]);
        let mut words = starter.into_iter().chain(["python3", "-c", CARRY]);
        let mut command = Command::new(words.next().expect("there are several"));
        let bytes_per_second = if is_thin { f64::INFINITY } else { (BITS_PER_SECOND / 8) as f64 };
        let delay = (ROUND_TRIP / 2).as_secs_f64();
        command.args(words).args([from, *to.ip()].map(|it| it.to_string())).arg(to.port().to_string());
        command.args([delay, bytes_per_second].map(|it| it.to_string()));
        let process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut process = process.expect("python3 starts");
        let mut port = String::new();
        let out = process.stdout.take().expect("it is piped");
        BufReader::new(out).read_line(&mut port).expect("a line of text");
        let port = port.trim().parse().expect("it says where it listens");
        Self { process, begins: SocketAddrV4::new(from, port) }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        // One that has ended is what is wanted.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
