//! Waiting for what comes from other nodes.
//!
//! A node answers after a while that something is still on its way, and goes on from there when it is asked again.
//! Owns how long that is done. Invariant: what is waited for is said, and nothing twice in a row.

use std::time::{Duration, Instant};

use super::Context;
use crate::failure::Failure;

/// How long a command waits in all.
const WAIT_MAX: Duration = Duration::from_secs(600);
/// How the API calls it.
const CODE: &str = "files_on_the_way";

/// Asks again until it is there, or the time is over.
pub(super) async fn patiently<T>(
    context: &Context,
    ask: impl AsyncFn() -> Result<T, Failure>,
) -> Result<T, Failure> {
    patiently_until(Instant::now() + WAIT_MAX, |words| context.out.note(words), ask).await
}

async fn patiently_until<T>(
    end: Instant,
    say: impl Fn(&str),
    ask: impl AsyncFn() -> Result<T, Failure>,
) -> Result<T, Failure> {
    let mut said = String::new();
    loop {
        match ask().await {
            Err(failure) if failure.code == CODE && Instant::now() < end => {
                if said != failure.message {
                    say(&failure.message);
                    said = failure.message;
                }
            }
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
        let end = Instant::now() + WAIT_MAX;
        let answer = patiently_until(
            end,
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
    async fn what_takes_too_long_or_fails_otherwise_ends_the_command() {
        for (code, end) in [(CODE, Instant::now()), ("files_missing", Instant::now() + WAIT_MAX)] {
            let asked = Cell::new(0);
            let answer = patiently_until(
                end,
                |_| {},
                async || {
                    asked.set(asked.get() + 1);
                    Err::<(), _>(Failure::new(Exit::Conflict, code, "not here"))
                },
            );
            assert_eq!(answer.await.expect_err("it ends").code, code);
            assert_eq!(asked.get(), 1);
        }
    }
}
