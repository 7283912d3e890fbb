//! Every kernel against the sums written out, bit for bit; and transposed copies.

use std::ops::Range;

use proptest::prelude::*;

use super::*;

/// A product with its operands, in which every element that it must not touch is not a number.
#[derive(Clone, Debug)]
struct Problem {
    product: Product,
    terms: Vec<Term>,
    a: Vec<f32>,
    b: Vec<f32>,
    out: Vec<f32>,
    rows: Vec<f32>,
    start: u8,
}

fn problems(depth: Range<usize>) -> impl Strategy<Value = Problem> {
    let sizes = (1..30_usize, 1..170_usize, depth, 0..4_usize);
    let steps = (0..4_usize, 0..4_usize, 0..4_usize, any::<bool>());
    problems_of(sizes, steps)
}

/// Those whose A is copied, in several blocks or one.
fn far_problems() -> impl Strategy<Value = Problem> {
    let [rows, columns] = COPIED;
    let sizes = (1..2 * rows + 9, 1..40_usize, 1..columns + 99, 1..4_usize);
    let steps = (FAR..FAR + 9, 0..4_usize, 0..4_usize, Just(true));
    problems_of(sizes, steps)
}

fn problems_of(
    sizes: impl Strategy<Value = (usize, usize, usize, usize)>,
    steps: impl Strategy<Value = (usize, usize, usize, bool)>,
) -> impl Strategy<Value = Problem> {
    (sizes, steps, 0..3_u8, any::<u64>()).prop_map(|(sizes, steps, start, seed)| {
        let (rows, columns, depth, terms) = sizes;
        let (a_gap, b_gap, out_gap, by_column) = steps;
        let (a_row, a_depth) = if by_column {
            (1, rows + a_gap)
        } else {
            (depth + a_gap, 1)
        };
        let product = Product {
            rows,
            columns,
            depth,
            a_row,
            a_depth,
            b_depth: columns + b_gap,
            out_row: columns + out_gap,
        };
        let mut next = seed | 1;
        let mut draw = || {
            next = next.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
            (next >> 40) as f32 / (1 << 23) as f32 - 1.0
        };
        let terms: Vec<_> = (0..terms)
            .map(|at| Term {
                a: 3 * at,
                b: 5 * at,
            })
            .collect();
        let of_a = (depth + 1) * a_depth + (rows + 1) * a_row;
        let (mut a, mut b) = (vec![f32::NAN; 9 + of_a], Vec::new());
        b.resize(15 + (depth + 1) * product.b_depth, f32::NAN);
        let mut out = vec![f32::NAN; rows * product.out_row];
        for term in &terms {
            for k in 0..depth {
                (0..rows).for_each(|i| a[term.a + i * a_row + k * a_depth] = draw());
                (0..columns).for_each(|j| b[term.b + k * product.b_depth + j] = draw());
            }
        }
        for row in out.chunks_mut(product.out_row) {
            row[..columns].iter_mut().for_each(|value| *value = draw());
        }
        let rows = (0..rows).map(|_| draw()).collect();
        Problem {
            product,
            terms,
            a,
            b,
            out,
            rows,
            start,
        }
    })
}

impl Problem {
    fn start(&self) -> Start<'_> {
        match self.start {
            0 => Start::Zero,
            1 => Start::Rows(&self.rows),
            _ => Start::Out,
        }
    }

    fn computed(&self, kernel: tile::Kernel) -> Vec<u32> {
        let mut out = self.out.clone();
        let factors = [&self.a[..], &self.b];
        self.product
            .run_with(kernel, &mut out, factors, &self.terms, self.start());
        out.into_iter().map(f32::to_bits).collect()
    }

    /// The sums in their order, one rounding for each of their terms.
    fn written_out(&self) -> Vec<u32> {
        let (p, mut out) = (&self.product, self.out.clone());
        for i in 0..p.rows {
            for j in 0..p.columns {
                let mut sum = match self.start() {
                    Start::Zero => 0.0,
                    Start::Rows(values) => values[i],
                    Start::Out => out[i * p.out_row + j],
                };
                for term in &self.terms {
                    for k in 0..p.depth {
                        let a = self.a[term.a + i * p.a_row + k * p.a_depth];
                        sum = a.mul_add(self.b[term.b + k * p.b_depth + j], sum);
                    }
                }
                out[i * p.out_row + j] = sum;
            }
        }
        out.into_iter().map(f32::to_bits).collect()
    }
}

#[test]
fn copies_begin_with_a_line_of_the_cache() {
    let buffer = TransposeBuffer::default();
    for units in [1, 5, 64, 1000] {
        let copy = buffer.fill(&vec![1.0; units * 128], units, 128);
        assert_eq!(copy.as_ptr() as usize % 64, 0, "{units} units");
        assert_eq!(copy.len(), units * 128);
    }
}

proptest! {
    #[test]
    fn every_kernel_gives_the_bits_of_the_sums_written_out(problem in problems(0..20)) {
        for (at, kernel) in tile::kernels().enumerate() {
            prop_assert!(problem.computed(kernel) == problem.written_out(), "kernel {at}");
        }
    }

    #[test]
    fn sums_go_on_where_a_part_has_ended(problem in problems(DEPTH - 3..2 * DEPTH + 9)) {
        for (at, kernel) in tile::kernels().enumerate() {
            prop_assert!(problem.computed(kernel) == problem.written_out(), "kernel {at}");
        }
    }

    #[test]
    fn columns_that_lie_apart_give_the_same_sums(problem in far_problems()) {
        prop_assert!(problem.product.is_copied());
        for (at, kernel) in tile::kernels().enumerate() {
            prop_assert!(problem.computed(kernel) == problem.written_out(), "kernel {at}");
        }
    }

    #[test]
    fn a_short_operand_is_refused(problem in problems(1..9), which in 0..3_u8) {
        prop_assume!(!problem.terms.is_empty());
        let mut short = problem.clone();
        let p = problem.product;
        let last = problem.terms[problem.terms.len() - 1];
        match which {
            0 => short.a.truncate(last.a + (p.rows - 1) * p.a_row + (p.depth - 1) * p.a_depth),
            1 => short.b.truncate(last.b + (p.depth - 1) * p.b_depth + p.columns - 1),
            _ => short.out.truncate((p.rows - 1) * p.out_row + p.columns - 1),
        }
        let kernel = tile::kernels().next().unwrap();
        prop_assert!(std::panic::catch_unwind(|| short.computed(kernel)).is_err());
    }

    #[test]
    fn a_transposed_matrix_has_rows_for_columns(
        (rows, columns) in (0..40_usize, 0..40_usize),
        (from_gap, to_gap) in (0..3_usize, 0..3_usize),
    ) {
        let transpose = Transpose { rows, columns, from_row: columns + from_gap, to_row: rows + to_gap };
        let from: Vec<_> = (0..(rows + 1) * transpose.from_row).map(|at| at as f32).collect();
        let mut to = vec![-1.0; columns * transpose.to_row];
        transpose.run(&mut to, &from);
        for j in 0..columns {
            for i in 0..transpose.to_row {
                let expected = if i < rows { from[i * transpose.from_row + j] } else { -1.0 };
                prop_assert_eq!(to[j * transpose.to_row + i].to_bits(), expected.to_bits());
            }
        }
    }
}
