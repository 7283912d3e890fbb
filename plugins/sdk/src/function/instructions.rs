//! Loops over slices, compiled once for each set of instructions that a processor may have.
//!
//! The source of a loop is the same for all, and the compiler turns none of its operations into
//! another: where each is rounded once, fused multiplication among them, all give the same bits.

/// A loop together with the slices that it runs over.
pub(super) trait Loop {
    /// Has to be `#[inline(always)]`, with all that it calls, so that it is compiled for the
    /// instructions of its caller.
    fn run(self);
}

/// Instructions that this processor has: there is no other way to a value than [`available`].
#[derive(Clone, Copy, Debug)]
pub(super) struct Instructions(Set);

#[derive(Clone, Copy, Debug)]
enum Set {
    #[cfg(target_arch = "x86_64")]
    Avx512,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// Those that every processor of the target has.
    Base,
}

/// Instruction sets that this processor has, the widest vectors first.
pub(super) fn available() -> impl Iterator<Item = Instructions> {
    #[cfg(target_arch = "x86_64")]
    let wide = {
        use std::arch::is_x86_feature_detected as has;
        [
            has!("avx512f").then_some(Set::Avx512),
            (has!("avx2") && has!("fma")).then_some(Set::Avx2),
        ]
    };
    #[cfg(not(target_arch = "x86_64"))]
    let wide = [None];
    let sets = wide.into_iter().flatten().chain([Set::Base]);
    sets.map(Instructions)
}

/// Runs a loop with the widest vectors that this processor has.
pub(super) fn run<L: Loop>(work: L) {
    if let Some(instructions) = available().next() {
        instructions.run(work);
    }
}

impl Instructions {
    pub(super) fn run<L: Loop>(self, work: L) {
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
