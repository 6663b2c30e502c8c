//! Waiting for what takes long: what comes from other nodes, and what a node reads to its end.
//!
//! A node answers after a while that something is still on its way, and goes on from there when it is asked again.
//! Owns how long that is done: as long as more of it comes. Invariant: what is waited for is said, and nothing twice
//! in a row.

use std::time::{Duration, Instant};

use super::Context;
use crate::failure::Failure;

/// How long a command waits for something of which nothing more comes.
const WAIT_MAX: Duration = Duration::from_secs(600);
/// How often is said that a node is still at it.
const SAID_EVERY: Duration = Duration::from_secs(45);
/// How the API calls it.
const CODE: &str = "files_on_the_way";

/// Asks again until it is there, or nothing more of it comes.
pub(super) async fn patiently<T>(
    context: &Context,
    ask: impl AsyncFn() -> Result<T, Failure>,
) -> Result<T, Failure> {
    patiently_within(WAIT_MAX, |words| context.out.note(words), ask).await
}

/// Does `work` of a node, which takes as long as it takes, and says every now and then that it goes on.
pub(super) async fn at_length<T>(context: &Context, what: &str, work: impl Future<Output = T>) -> T {
    saying(what, SAID_EVERY, |words| context.out.note(words), work).await
}

async fn saying<T>(what: &str, every: Duration, say: impl Fn(&str), work: impl Future<Output = T>) -> T {
    let (began, mut work) = (Instant::now(), std::pin::pin!(work));
    loop {
        match tokio::time::timeout(every, &mut work).await {
            Ok(done) => return done,
            Err(_) => say(&format!("still {what} after {} seconds", began.elapsed().as_secs())),
        }
    }
}

async fn patiently_within<T>(
    within: Duration,
    say: impl Fn(&str),
    ask: impl AsyncFn() -> Result<T, Failure>,
) -> Result<T, Failure> {
    let (mut said, mut since) = (String::new(), Instant::now());
    loop {
        match ask().await {
            // It says how much is here, so another word is progress.
            Err(failure) if failure.code == CODE && said != failure.message => {
                say(&failure.message);
                (said, since) = (failure.message, Instant::now());
            }
            Err(failure) if failure.code == CODE && since.elapsed() < within => {}
            done => return done,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};

    use super::*;
    use crate::failure::Exit;

    fn on_the_way(message: &str) -> Failure {
        Failure::new(Exit::Conflict, CODE, message)
    }

    #[tokio::test]
    async fn what_is_on_its_way_is_asked_for_again_and_said_once() {
        let (asked, said) = (Cell::new(0), RefCell::new(Vec::new()));
        let answer = patiently_within(
            WAIT_MAX,
            |words| said.borrow_mut().push(words.to_owned()),
            async || {
                asked.set(asked.get() + 1);
                match asked.get() {
                    1 | 2 => Err(on_the_way("1 blob came")),
                    3 => Err(on_the_way("2 blobs came")),
                    _ => Ok("here"),
                }
            },
        );
        assert_eq!(answer.await.expect("it comes"), "here");
        assert_eq!((asked.get(), said.into_inner()), (4, vec!["1 blob came".into(), "2 blobs came".into()]));
    }

    #[tokio::test]
    async fn what_comes_no_further_or_fails_otherwise_ends_the_command_and_what_comes_does_not() {
        for (code, within, times) in [(CODE, Duration::ZERO, 2), ("files_missing", WAIT_MAX, 1)] {
            let asked = Cell::new(0);
            let answer = patiently_within(
                within,
                |_| {},
                async || {
                    asked.set(asked.get() + 1);
                    Err::<(), _>(Failure::new(Exit::Conflict, code, "not here"))
                },
            );
            assert_eq!(answer.await.expect_err("it ends").code, code);
            assert_eq!(asked.get(), times);
        }
        let asked = Cell::new(0);
        let answer = patiently_within(
            Duration::ZERO,
            |_| {},
            async || {
                asked.set(asked.get() + 1);
                if asked.get() < 99 {
                    Err(on_the_way(&format!("{} bytes are here", asked.get())))
                } else {
                    Ok(())
                }
            },
        );
        answer.await.expect("more came each time");
    }

    #[tokio::test]
    async fn what_a_node_is_long_at_is_waited_for_and_said() {
        let said = RefCell::new(0);
        let (done, wait) = tokio::sync::oneshot::channel();
        let done = Cell::new(Some(done));
        let say = |words: &str| {
            assert!(words.starts_with("still proving after "), "{words}");
            *said.borrow_mut() += 1;
            if *said.borrow() == 3 {
                done.take().expect("once").send("proved").expect("it waits");
            }
        };
        let answer = saying("proving", Duration::from_millis(1), say, wait).await;
        assert_eq!(answer.expect("it comes"), "proved");
        assert!(said.into_inner() >= 3);
    }
}
