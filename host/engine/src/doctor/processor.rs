//! The processor, as far as it matters for what is computed.

use std::fs;
use std::num::NonZero;
use std::thread;

use crate::environment::cpu_capability;

/// The processor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Processor {
    /// Its name, where the system says it.
    pub name: Option<String>,
    /// The number of threads that this process may run at a time.
    pub threads: usize,
    /// The vector instructions it has, of those that matter here.
    pub instructions: Vec<&'static str>,
    /// The vector instructions that libtorch is held to, as an action's environment spells them.
    pub kernels: &'static str,
}

impl Processor {
    pub(super) fn look() -> Self {
        let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let mut lines = text.lines().filter_map(|line| line.split_once(':'));
        let name = lines.find(|(name, _)| name.trim() == "model name");
        Self {
            name: name.map(|(_, value)| value.trim().to_owned()),
            threads: thread::available_parallelism().map_or(1, NonZero::get),
            instructions: instructions(),
            kernels: cpu_capability(),
        }
    }
}

fn instructions() -> Vec<&'static str> {
    #[cfg(target_arch = "x86_64")]
    {
        let known = [
            ("avx", std::arch::is_x86_feature_detected!("avx")),
            ("avx2", std::arch::is_x86_feature_detected!("avx2")),
            ("fma", std::arch::is_x86_feature_detected!("fma")),
            ("avx512f", std::arch::is_x86_feature_detected!("avx512f")),
        ];
        let there = known.into_iter().filter(|(_, there)| *there);
        there.map(|(name, _)| name).collect()
    }
    #[cfg(not(target_arch = "x86_64"))]
    Vec::new()
}
