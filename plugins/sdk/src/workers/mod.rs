//! Work on several threads, as many as libtorch was told to use.
//!
//! Work is handed out piece by piece, so that no thread is left with a large rest while another was
//! held up. Whoever shares work sees to it that the order of the pieces changes no bit.

mod openmp;

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Mutex, PoisonError};

/// The number of threads that an operation may use.
pub(crate) fn count() -> usize {
    usize::try_from(tch::get_num_threads()).unwrap_or(1)
}

/// Calls `work` for each of `pieces`, on this thread and the others. Each thread has a scratch of
/// its own, made by `scratch`.
///
/// # Panics
/// `work` or `scratch` panics, on whichever thread.
pub(crate) fn share<P, S>(
    pieces: impl Iterator<Item = P> + Send,
    scratch: impl Fn() -> S + Sync,
    work: impl Fn(&mut S, P) + Sync,
) where
    P: Send,
{
    let threads = match pieces.size_hint() {
        (_, Some(0 | 1)) => 1,
        _ => count(),
    };
    let pieces = Mutex::new(pieces);
    let next = || pieces.lock().unwrap_or_else(PoisonError::into_inner).next();
    let panicked: Mutex<Option<Box<dyn Any + Send>>> = Mutex::new(None);
    let take = || {
        let taken = catch_unwind(AssertUnwindSafe(|| {
            let mut scratch = scratch();
            while let Some(piece) = next() {
                work(&mut scratch, piece);
            }
        }));
        if let Err(payload) = taken {
            *panicked.lock().unwrap_or_else(PoisonError::into_inner) = Some(payload);
        }
    };
    openmp::run(threads, &take);
    let payload = panicked
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner);
    if let Some(payload) = payload {
        resume_unwind(payload);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread;
    use std::time::Duration;

    use super::*;

    #[test]
    fn every_piece_is_worked_on_once_and_by_every_thread() {
        tch::set_num_threads(2);
        let sum = AtomicUsize::new(0);
        let threads = Mutex::new(HashSet::new());
        share(
            0..50,
            || (),
            |(), piece| {
                thread::sleep(Duration::from_millis(1));
                sum.fetch_add(piece, Ordering::Relaxed);
                threads.lock().unwrap().insert(thread::current().id());
            },
        );
        assert_eq!(sum.into_inner(), 49 * 50 / 2);
        assert_eq!(threads.into_inner().unwrap().len(), 2);
    }

    #[test]
    fn a_panic_reaches_the_caller() {
        let caught = catch_unwind(|| {
            share(0..10, || (), |(), piece| assert!(piece != 7, "at seven"));
        });
        assert_eq!(caught.unwrap_err().downcast_ref(), Some(&"at seven"));
    }
}
