//! The times of tiles, counted in what NVIDIA's compiler makes of them: an instruction of a warp takes a cycle of one of
//! the four schedulers of a multiprocessor, and a block has two warps for each of these.

use std::collections::{BTreeMap, HashMap};
use std::ops::RangeInclusive;
use std::process::Command;
use std::{env, fs};

use super::nvidia;
use super::tile::TILES;

const ARCHITECTURE: &str = "sm_90";

/// Threads along one side of a tile.
const SIDE: usize = 16;
/// The elements of A and B in a part that are a thread's.
const LOADS: usize = 16;

/// The instructions of a kernel.
struct Code<'a> {
    instructions: Vec<&'a str>,
    /// The instruction behind each label.
    labels: HashMap<&'a str, usize>,
}

impl<'a> Code<'a> {
    fn of(kernel: &str, text: &'a str) -> Self {
        let section = format!(".text.{kernel}:\n");
        let (_, code) = text.split_once(&section).expect("the kernel is there");
        let code = code.split("\n.text.").next().unwrap_or_default();
        let (mut instructions, mut labels) = (Vec::new(), HashMap::new());
        for line in code.lines() {
            if let Some(label) = line.strip_prefix(".L_x_") {
                labels.insert(label.trim_end_matches(':'), instructions.len());
            } else if let Some((instruction, _)) = line.split_once(" ;") {
                instructions.extend(instruction.split_once("*/").map(|(_, it)| it.trim()));
            }
        }
        Self {
            instructions,
            labels,
        }
    }

    /// The instruction that this one may go on at, if it is a branch.
    fn target(&self, at: usize) -> Option<usize> {
        let (_, label) = self.instructions[at].split_once("BRA `(.L_x_")?;
        self.labels.get(label.trim_end_matches(')')).copied()
    }

    fn count(&self, part: &RangeInclusive<usize>, operation: &str) -> usize {
        let part = &self.instructions[part.clone()];
        part.iter().filter(|it| it.contains(operation)).count()
    }

    /// The parts that are executed again and again.
    fn loops(&self) -> impl Iterator<Item = RangeInclusive<usize>> {
        let ends = 0..self.instructions.len();
        ends.filter_map(|end| Some(self.target(end)?..=end))
            .filter(|part| !part.is_empty())
    }

    /// The fewest instructions from the first to the last of `part`, once through each loop in it, that load and keep all
    /// elements of a thread without a condition and go through `inner`.
    fn shortest(&self, part: &RangeInclusive<usize>, inner: &RangeInclusive<usize>) -> usize {
        // By instruction, and by how much of that is done.
        let mut reached = BTreeMap::from([((*part.start(), 0, 0, false), 0)]);
        while let Some(((at, loads, keeps, is_through), length)) = reached.pop_first() {
            let instruction = self.instructions[at];
            let loads = loads + usize::from(instruction.starts_with("LDG.E "));
            let keeps = keeps + usize::from(instruction.starts_with("STS"));
            let is_through = is_through || inner.contains(&at);
            let is_done = is_through && loads.min(keeps) >= LOADS;
            if at == *part.end() && is_done {
                return length + 1;
            }
            let target = self.target(at);
            let goes_on = target.is_none() || instruction.starts_with('@');
            let next = goes_on.then_some(at + 1);
            for next in next.into_iter().chain(target) {
                if next > at && part.contains(&next) {
                    let found = reached
                        .entry((next, loads, keeps, is_through))
                        .or_insert(usize::MAX);
                    *found = length.saturating_add(1).min(*found);
                }
            }
        }
        panic!("no way through the loop loads and keeps everything")
    }
}

/// Disassembles the kernels for [`ARCHITECTURE`] with NVIDIA's program at this path.
fn disassembled(program: &str) -> String {
    let image = nvidia::Compiled::new(ARCHITECTURE)
        .unwrap()
        .image()
        .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("kernels.cubin");
    fs::write(&file, image).unwrap();
    let told = Command::new(program).arg("-c").arg(&file).output().unwrap();
    assert!(told.status.success(), "{told:?}");
    String::from_utf8(told.stdout).unwrap()
}

#[test]
fn a_compiler_of_cards_makes_tiles_of_the_times_that_are_known() {
    if !nvidia::has_compiler() {
        return assay_skips::skip("there is no libnvrtc.so here to compile the kernels with");
    }
    let Ok(program) = env::var("ASSAY_NVDISASM") else {
        return assay_skips::skip(
            "ASSAY_NVDISASM names no program to disassemble the kernels with",
        );
    };
    let text = disassembled(&program);
    for tile in TILES {
        let kernel = tile.kernel.name();
        let code = Code::of(kernel, &text);
        let multiplies = |it: &RangeInclusive<usize>| code.count(it, "FFMA");
        let parts = || code.loops().filter(|it| multiplies(it) > 0);
        let part = parts().find(|it| code.count(it, "LDG.E ") >= LOADS);
        let part = part.unwrap();
        let inside = parts().filter(|it| part.start() < it.start() && it.end() < part.end());
        let inner = inside.max_by_key(multiplies).unwrap();
        for memory in ["LDL", "STL"] {
            assert_eq!(
                code.count(&part, memory),
                0,
                "{kernel} keeps values in memory"
            );
        }

        let depth = tile.depth();
        let sums = (tile.edge / SIDE) * (tile.edge / SIDE);
        let turns = sums * depth / multiplies(&inner);
        let counted = code.shortest(&part, &inner) + (turns - 1) * inner.clone().count();
        println!(
            "{kernel}: {counted} instructions of a thread for {} multiply-adds",
            sums * depth
        );
        let known = tile.time(depth, 1) / 10;
        assert!(
            counted.abs_diff(known) * 20 <= known,
            "{kernel}: {counted}, not {known}"
        );
    }
}
