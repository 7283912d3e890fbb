//! The place in its author's own code that a panic came from.
//!
//! A panic is often raised on somebody else's line: that of an `unwrap` inside a library. What
//! helps is the line of the plugin that led there, which the stack knows at that moment alone.

use std::backtrace::Backtrace;
use std::cell::Cell;
use std::panic::{Location, PanicHookInfo, set_hook, take_hook};
use std::sync::Once;
use std::thread;

thread_local! {
    /// The place of this thread's last panic.
    static PLACE: Cell<Option<String>> = const { Cell::new(None) };
}

/// The sources of the crates beside this one that lie between an author's code and the boundary.
const BETWEEN: [&str; 3] = ["abi/src/", "network/src/", "sdk/src/"];

/// Has each panic from now on leave its place for [`take`], and then do what it did before.
pub(crate) fn observe() {
    static OBSERVED: Once = Once::new();
    // The hook cannot be changed while a panic unwinds, as when a learner is dropped by one.
    if thread::panicking() {
        return;
    }
    OBSERVED.call_once(|| {
        let before = take_hook();
        set_hook(Box::new(move |info| {
            // A thread that is ending has no place to leave it at.
            let _ = PLACE.try_with(|place| place.set(place_of(info)));
            before(info);
        }));
    });
}

/// The place of this thread's last panic, as `FILE:LINE:COLUMN`, unless it was taken already.
pub(crate) fn take() -> Option<String> {
    PLACE.try_with(Cell::take).ok().flatten()
}

/// The innermost line of the author's own, or else the line that panicked.
fn place_of(info: &PanicHookInfo<'_>) -> Option<String> {
    let location = info.location()?;
    if is_own_file(location) {
        return Some(location.to_string());
    }
    // Costs some milliseconds, once: the panic ends the learner.
    let stack = Backtrace::force_capture().to_string();
    Some(own_line(&stack).unwrap_or_else(|| location.to_string()))
}

/// True if a location is in neither the standard library nor a dependency nor the crates beside this
/// one that a plugin is made with.
fn is_own_file(location: &Location<'_>) -> bool {
    let (file, here) = (location.file(), file!());
    let beside = here.strip_suffix("abi/src/panics.rs").unwrap_or(here);
    !is_dependency(file) && !is_between(file, beside)
}

/// True if a file is one of the standard library or of a crate that cargo fetched.
fn is_dependency(file: &str) -> bool {
    file.starts_with("/rustc/")
        || ["/rustlib/src/", "/registry/src/", "/git/checkouts/"]
            .iter()
            .any(|folder| file.contains(folder))
}

/// True if a file is one of [`BETWEEN`], which all lie in the folder `beside`.
fn is_between(file: &str, beside: &str) -> bool {
    let inside = file.strip_prefix(beside);
    inside.is_some_and(|it| BETWEEN.iter().any(|crate_| it.starts_with(crate_)))
}

/// The innermost line in `stack`, a backtrace in the words of the standard library, of a file that
/// lies neither with a dependency nor between. The search ends at the boundary: what lies beyond is
/// the host's. Functions tell nothing, since one that was inlined is called by its last name.
fn own_line(stack: &str) -> Option<String> {
    let lines = stack.lines().map(str::trim_start);
    let mut places = lines.filter_map(|line| line.strip_prefix("at "));
    // Above the panic itself lies the hook, which is of this very file.
    let here = places.find(|place| place.contains("panics.rs:"))?;
    let (ours, _) = here.split_once("panics.rs:")?;
    let beside = ours.strip_suffix("abi/src/").unwrap_or(ours);
    places
        .skip_while(|place| !place.contains("panicking.rs:"))
        .take_while(|place| !place.starts_with(ours))
        .find(|place| !is_dependency(place) && !is_between(place, beside))
        .map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    const STACK: &str = "   0: assay_abi::panics::place_of
             at /clone/plugins/abi/src/panics.rs:57:17
   1: std::panicking::panic_with_hook
             at /rustc/598/library/std/src/panicking.rs:833:13
   2: core::panicking::panic_fmt
             at /rustc/598/library/core/src/panicking.rs:55:14
   3: tch::wrappers::tensor_generated::<impl tch::wrappers::tensor::Tensor>::mm
             at /home/me/.cargo/registry/src/index/tch-0.24.0/src/wrappers/tensor_generated.rs:9:9
   4: <drtp::Rule as assay_sdk::algorithm::Algorithm>::directions
             at ./src/lib.rs:42:13
   5: assay_sdk::learner::Trainer<A>::compute
             at /clone/plugins/sdk/src/learner/mod.rs:100:9
   6: assay_abi::guard::guard
             at /clone/plugins/abi/src/guard.rs:14:11
   7: pipeline::main
             at /clone/host/cli/src/main.rs:3:1
";

    #[test]
    fn the_authors_line_is_the_innermost_between_the_panic_and_the_boundary() {
        assert_eq!(own_line(STACK).as_deref(), Some("./src/lib.rs:42:13"));
        let inlined = STACK.replace("<drtp::Rule as assay_sdk::algorithm::Algorithm>::", "");
        assert_eq!(own_line(&inlined).as_deref(), Some("./src/lib.rs:42:13"));
        let fetched = STACK.replace("./src/lib.rs", "/x/registry/src/ndarray/src/lib.rs");
        assert_eq!(own_line(&fetched), None);
        assert_eq!(own_line("no backtrace"), None);
    }
}
