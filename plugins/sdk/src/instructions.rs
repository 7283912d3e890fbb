//! Loops over slices, compiled once for each set of instructions that a processor may have.
//!
//! The source of a loop is the same for all, and the compiler turns none of its operations into
//! another: where each is rounded once, fused multiplication among them, all give the same bits.

#[cfg(target_arch = "x86_64")]
use std::sync::LazyLock;

/// Floats in a line of a processor's cache.
pub(crate) const LINE: usize = 16;

/// A loop together with the slices that it runs over.
pub(crate) trait Loop {
    /// Has to be `#[inline(always)]`, with all that it calls, so that it is compiled for the
    /// instructions of its caller.
    fn run(self);
}

/// Instructions that this processor has: there is no other way to a value than [`available`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Instructions(Set);

#[derive(Clone, Copy, Debug)]
enum Set {
    #[cfg(target_arch = "x86_64")]
    Avx512,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// Those that every processor of the target has.
    Base,
}

/// True if loops may use AVX2 and fused multiplication.
#[cfg(target_arch = "x86_64")]
pub(crate) fn has_avx2() -> bool {
    use std::arch::is_x86_feature_detected as has;
    has!("avx2") && has!("fma") && !is_held_to_base()
}

/// True if loops may use AVX-512.
#[cfg(target_arch = "x86_64")]
pub(crate) fn has_avx512() -> bool {
    std::arch::is_x86_feature_detected!("avx512f") && !is_held_to_base() && !is_held_to_avx2()
}

/// True if the host holds libtorch to the instructions that every processor has. The SDK keeps to
/// that too, so that it can be tried whether instructions change a bit.
#[cfg(target_arch = "x86_64")]
fn is_held_to_base() -> bool {
    static HELD: LazyLock<bool> =
        LazyLock::new(|| std::env::var_os("ATEN_CPU_CAPABILITY").is_some_and(|it| it == "default"));
    *HELD
}

/// A variable that holds loops to AVX2 with the value `avx2`, so that a processor with AVX-512 stands in for one without
/// it in measurements. It changes no bit.
#[cfg(target_arch = "x86_64")]
const VECTORS: &str = "ASSAY_VECTORS";

#[cfg(target_arch = "x86_64")]
fn is_held_to_avx2() -> bool {
    static HELD: LazyLock<bool> =
        LazyLock::new(|| std::env::var_os(VECTORS).is_some_and(|it| it == "avx2"));
    *HELD
}

/// Instruction sets that loops may use here, the widest vectors first.
pub(crate) fn available() -> impl Iterator<Item = Instructions> {
    #[cfg(target_arch = "x86_64")]
    let wide = [
        has_avx512().then_some(Set::Avx512),
        has_avx2().then_some(Set::Avx2),
    ];
    #[cfg(not(target_arch = "x86_64"))]
    let wide = [None];
    let sets = wide.into_iter().flatten().chain([Set::Base]);
    sets.map(Instructions)
}

/// Runs a loop with the widest vectors that this processor has.
pub(crate) fn run<L: Loop>(work: L) {
    if let Some(instructions) = available().next() {
        instructions.run(work);
    }
}

impl Instructions {
    pub(crate) fn run<L: Loop>(self, work: L) {
        match self.0 {
            // SAFETY: here and below: the processor has them, by the type's promise.
            #[cfg(target_arch = "x86_64")]
            Set::Avx512 => unsafe { avx512(work) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Set::Avx2 => unsafe { avx2(work) },
            Set::Base => work.run(),
        }
    }
}

/// Has the processor fetch what lies there into its cache, if anything does.
#[inline(always)]
#[allow(clippy::inline_always)]
pub(crate) fn fetch(from: *const f32) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a hint, which reads nothing and may name any address; every x86-64 processor has the instruction.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(from.cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = from;
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
fn avx512<L: Loop>(work: L) {
    work.run();
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn avx2<L: Loop>(work: L) {
    work.run();
}
