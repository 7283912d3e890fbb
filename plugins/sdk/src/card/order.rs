//! The order of the launches of a step: each waits for those before it whose memory it shares, where one of the two writes there.
//! Launches that share none may run at the same time, which small networks need to fill a card.

use std::ops::Range;

use super::graph::Node;

/// For each launch the numbers of those that it has to wait for, but for those that another of them waits for.
pub(super) fn waits(nodes: &[Node]) -> Vec<Vec<usize>> {
    let touched: Vec<_> = nodes.iter().map(touched).collect();
    let words = nodes.len().div_ceil(64);
    // The launches that are over when one begins, as bits.
    let mut over: Vec<Vec<u64>> = Vec::with_capacity(nodes.len());
    let mut all = Vec::with_capacity(nodes.len());
    for (at, own) in touched.iter().enumerate() {
        let (mut waits, mut known) = (Vec::new(), vec![0; words]);
        for before in (0..at).rev() {
            let is_known = known[before / 64] >> (before % 64) & 1 == 1;
            if is_known || !conflict(&touched[before], own) {
                continue;
            }
            waits.push(before);
            known[before / 64] |= 1 << (before % 64);
            for (known, of_before) in known.iter_mut().zip(&over[before]) {
                *known |= of_before;
            }
        }
        over.push(known);
        all.push(waits);
    }
    all
}

/// Memory that a launch touches, and true where it writes.
type Touched = Vec<(Range<usize>, bool)>;

fn touched(node: &Node) -> Touched {
    let arguments = node.arguments.iter().enumerate();
    let of_arguments = arguments.filter_map(|(at, argument)| {
        let memory = argument.memory()?;
        Some((memory, node.kernel.writes(at)))
    });
    let beside = node.reads.iter().map(|memory| (memory.clone(), false));
    let all = of_arguments.chain(beside);
    all.filter(|(memory, _)| !memory.is_empty()).collect()
}

fn conflict(first: &Touched, second: &Touched) -> bool {
    let share = |a: &Range<usize>, b: &Range<usize>| a.start < b.end && b.start < a.end;
    first.iter().any(|(memory, is_written)| {
        let mut others = second.iter();
        others.any(|(other, writes)| (*is_written || *writes) && share(memory, other))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tch::{Device, Kind, Tensor};

    use super::*;
    use crate::arithmetic::{add, copy, scale, tanh};
    use crate::card::{Argument, Card, Kernel, enter};
    use crate::error::Error;

    const BUFFERS: usize = 5;

    /// Buffers of other numbers each, which lie apart.
    fn buffers() -> Vec<Tensor> {
        let all = Tensor::arange(3 * BUFFERS as i64, (Kind::Float, Device::Cpu)) / 7.0 - 1.0;
        (0..BUFFERS as i64)
            .map(|at| all.narrow(0, 3 * at, 3))
            .collect()
    }

    /// One launch, chosen by numbers.
    fn launch(buffers: &[Tensor], [operation, out, a, b]: [usize; 4]) -> Result<(), Error> {
        let [out, a, b] = [out, a, b].map(|at| &buffers[at]);
        match operation {
            0 => add(a, b, out),
            1 => copy(a, out),
            2 => scale(out, -0.5),
            _ => tanh(out),
        }
    }

    fn bits(buffers: &[Tensor]) -> Vec<u32> {
        let values = buffers.iter().map(|it| Vec::<f32>::try_from(it).unwrap());
        values.flatten().map(f32::to_bits).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn launches_that_do_not_wait_change_no_bit(
            launches in proptest::collection::vec(
                [0..4_usize, 0..BUFFERS, 0..BUFFERS, 0..BUFFERS], 1..90,
            ),
        ) {
            let card = Card::emulated(assay_emulation::library()).unwrap();
            enter(Some(&card), || {
                let (found, expected) = (buffers(), buffers());
                for _ in 0..3 {
                    let step = || launches.iter().try_for_each(|it| launch(&found, *it));
                    card.as_graph(3, step).unwrap();
                    launches.iter().try_for_each(|it| launch(&expected, *it)).unwrap();
                    prop_assert_eq!(bits(&found), bits(&expected));
                }
                prop_assert_eq!(card.graphs_launched(), 2);
                Ok(())
            })?;
        }
    }

    #[test]
    fn launches_wait_for_those_alone_whose_memory_they_share() {
        let memory = buffers();
        let node = |out: usize, inputs: [usize; 2]| Node {
            kernel: Kernel::Elementwise,
            blocks: 1,
            arguments: [out, inputs[0], inputs[1]]
                .map(|at| Argument::of(&memory[at]))
                .into(),
            reads: Vec::new(),
        };
        let mut beside = node(4, [4, 4]);
        beside.reads.push(crate::operand::extent(&memory[1]));
        let nodes = [
            node(1, [0, 0]),
            // Reads what the first reads.
            node(2, [0, 0]),
            // Reads what both wrote.
            node(3, [1, 2]),
            // Writes what the third reads; the second is over by then.
            node(2, [0, 0]),
            // Reads memory that the first wrote, beside its arguments.
            beside,
        ];
        let expected: [&[usize]; 5] = [&[], &[], &[1, 0], &[2], &[0]];
        assert_eq!(waits(&nodes), expected);
    }
}
