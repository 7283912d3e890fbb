//! How a caller follows long work and ends it early. Nothing here decides what is shown.

/// Who is told how far the work is, and asked whether to go on.
#[derive(Clone, Copy)]
pub struct Watch<'a> {
    /// Is told how many bytes are done, and of how many.
    pub progress: &'a dyn Fn(u64, u64),
    /// Says whether to stop.
    pub stopped: &'a dyn Fn() -> bool,
}

impl Watch<'static> {
    /// Nobody.
    pub const NONE: Self = Self {
        progress: &|_, _| {},
        stopped: &|| false,
    };
}

impl std::fmt::Debug for Watch<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watch").finish_non_exhaustive()
    }
}
