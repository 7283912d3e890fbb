//! Work on several threads, as many as libtorch was told to use.
//!
//! Work is handed out piece by piece, so that no thread is left with a large rest while another was
//! held up. Whoever shares work sees to it that the order of the pieces changes no bit.

use std::sync::{Arc, Mutex, PoisonError};

use rayon::{ThreadPool, ThreadPoolBuilder};

/// How many threads an operation may use.
pub(crate) fn count() -> usize {
    usize::try_from(tch::get_num_threads()).unwrap_or(1)
}

/// Calls `work` for each of `pieces`, on this thread and the others. Each thread has a scratch of
/// its own, made by `scratch`.
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
    let Some(helpers) = helpers(threads) else {
        let mut scratch = scratch();
        return pieces.for_each(|piece| work(&mut scratch, piece));
    };
    let pieces = Mutex::new(pieces);
    let next = || pieces.lock().unwrap_or_else(PoisonError::into_inner).next();
    let take = || {
        let mut scratch = scratch();
        while let Some(piece) = next() {
            work(&mut scratch, piece);
        }
    };
    helpers.in_place_scope(|scope| {
        for _ in 1..threads {
            scope.spawn(|_| take());
        }
        take();
    });
}

/// The threads beside the calling one; `None` if there are none, or none can be had: then the
/// calling thread does everything, and the result is the same.
fn helpers(threads: usize) -> Option<Arc<ThreadPool>> {
    static HELPERS: Mutex<Option<Arc<ThreadPool>>> = Mutex::new(None);
    let wanted = threads.checked_sub(1).filter(|&wanted| wanted > 0)?;
    let mut helpers = HELPERS.lock().unwrap_or_else(PoisonError::into_inner);
    if helpers
        .as_ref()
        .is_none_or(|pool| pool.current_num_threads() != wanted)
    {
        let pool = ThreadPoolBuilder::new().num_threads(wanted).build().ok()?;
        *helpers = Some(Arc::new(pool));
    }
    helpers.clone()
}
