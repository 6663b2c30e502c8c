//! Panics of the storage engine: on a damaged page it may panic, and that is an error like any other here.
//!
//! Owns the wall around the engine. Contains nothing else: a panic of this program's own code is a bug and shows as
//! one. Invariant: what was contained comes back as [`StoreError::Damaged`], and once [`log_contained`] was called
//! it is a line of the log and not a cry on stderr.

use std::any::Any;
use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe, PanicHookInfo};

use crate::error::StoreError;

thread_local! {
    /// Whether this thread is behind the wall.
    static CONTAINED: Cell<bool> = const { Cell::new(false) };
}

/// From now on contained panics of this process are told to the log alone. The program calls it when it starts.
pub fn log_contained() {
    let otherwise = panic::take_hook();
    panic::set_hook(Box::new(move |panic| if CONTAINED.get() { log(panic) } else { otherwise(panic) }));
}

fn log(panic: &PanicHookInfo<'_>) {
    let place = panic.location().map(ToString::to_string).unwrap_or_default();
    tracing::error!(
        place,
        reason = said(panic.payload()),
        "the storage engine panicked; the panic is contained"
    );
}

/// Runs `work` and turns a panic of the engine into an error.
pub(crate) fn contained<T>(work: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
    caught(work).unwrap_or_else(|reason| Err(StoreError::Damaged(reason)))
}

/// The result of `work`, or the words of its panic.
pub(crate) fn caught<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    let outer = CONTAINED.replace(true);
    let result = panic::catch_unwind(AssertUnwindSafe(work));
    CONTAINED.set(outer);
    result.map_err(|panic| said(&*panic).to_owned())
}

/// The words of a panic.
fn said(payload: &(dyn Any + Send)) -> &str {
    let text = payload.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or("the engine panicked")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_behind_the_wall_is_an_error_with_its_words() {
        let outcome = contained(|| -> Result<(), _> { panic!("page {} is no page", 7) });
        assert!(
            matches!(&outcome, Err(StoreError::Damaged(text)) if text == "page 7 is no page"),
            "{outcome:?}"
        );
        assert!(!CONTAINED.get(), "the wall ends with the work");
    }

    #[test]
    fn the_wall_of_an_inner_work_does_not_end_that_of_the_outer() {
        let outer = contained(|| {
            let inner = contained(|| -> Result<(), _> { panic!("inner") });
            assert!(inner.is_err() && CONTAINED.get());
            Ok(())
        });
        assert!(outer.is_ok());
    }
}
