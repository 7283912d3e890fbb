//! Every kernel on an emulated card against the operation on the processor, bit for bit, with memory around the operands
//! that may be neither read into a result nor written.

use std::cell::Cell;
use std::rc::Rc;

use assay_abi::{Crop, Places, StoredSamples, StoredSplit};
use proptest::prelude::*;
use tch::{Device, Kind, Tensor};

use super::nvidia;
use super::tile::TILES;
use super::{
    Argument, Card, Count, Job, KeptOrder, KeptSplit, Kernel, Products, Shape, Start, elements,
    enter,
};
use crate::arithmetic;
use crate::function::{Denominators, Function, Normalised, normalise, softmax};
use crate::layer::matrix;
use crate::layout::Layout;
use crate::noise::{Noise, Source};
use crate::optimiser::{Adam, Optimiser, OptimiserState};
use crate::parameters::{Declaration, Parameters};
use crate::product::{Term, TransposeBuffer};
use crate::rng::Initial;
use crate::sums;
use crate::value;

const FUNCTIONS: [Function; 3] = [Function::Identity, Function::Tanh, Function::Relu];

/// Floats around a tensor's own.
const AROUND: usize = 300;

fn card() -> Rc<Card> {
    Card::emulated(assay_emulation::library()).unwrap()
}

/// A tensor in the middle of memory that holds no numbers.
struct Guarded {
    all: Tensor,
    tensor: Tensor,
}

impl Guarded {
    fn new(values: &[f32], size: &[i64]) -> Self {
        let length = (values.len() + 2 * AROUND) as i64;
        let all = Tensor::full([length], f64::NAN, (Kind::Float, Device::Cpu));
        let tensor = all.narrow(0, AROUND as i64, values.len() as i64);
        tensor.shallow_clone().copy_(&Tensor::from_slice(values));
        Self {
            tensor: tensor.view(size),
            all,
        }
    }

    fn zeros(size: &[i64]) -> Self {
        Self::new(&vec![0.0; size.iter().product::<i64>() as usize], size)
    }

    /// The bits of the tensor, around which nothing was written.
    fn bits(&self) -> Vec<u32> {
        let all = Vec::<f32>::try_from(&self.all).unwrap();
        let (before, rest) = all.split_at(AROUND);
        let (inside, after) = rest.split_at(rest.len() - AROUND);
        assert!(
            before.iter().chain(after).all(|it| it.is_nan()),
            "written outside"
        );
        bits(inside)
    }
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|it| it.to_bits()).collect()
}

fn bits_of(tensor: &Tensor) -> Vec<u32> {
    bits(&Vec::<f32>::try_from(tensor.contiguous().view(-1)).unwrap())
}

/// Numbers from −1 to 1, every eleventh of them zero with either sign.
fn values(count: usize, seed: u64) -> Vec<f32> {
    let mut state = seed | 1;
    let mut next = |at: usize| {
        state = state
            .wrapping_mul(0x5851_f42d_4c95_7f2d)
            .wrapping_add(0x1405_7b7e_f767_814f);
        let value = (state >> 40) as f32 / 8_388_608.0 - 1.0;
        if at.is_multiple_of(11) {
            0.0_f32.copysign(value)
        } else {
            value
        }
    };
    (0..count).map(&mut next).collect()
}

fn matrix_of(rows: usize, columns: usize, seed: u64) -> Guarded {
    Guarded::new(
        &values(rows * columns, seed),
        &[rows as i64, columns as i64],
    )
}

/// The same bits from `body` on a processor and, twice, on an emulated card, whose threads take turns in the one and in the other
/// direction; and in the first calls of a test, from the kernels as they are read for a card.
fn assert_same<T: PartialEq + std::fmt::Debug>(body: impl Fn() -> T) {
    let expected = body();
    let card = card();
    let same = |card: &Rc<Card>| {
        let found = enter(Some(card), &body);
        assert!(found == expected, "{found:?}\n{expected:?}");
    };
    for _ in 0..2 {
        same(&card);
        // One more launch, so that the next begin in the other direction.
        enter(Some(&card), || {
            arithmetic::tanh(&Tensor::zeros([1], (Kind::Float, Device::Cpu)))
        })
        .unwrap();
    }
    on_threads().iter().for_each(same);
}

/// Calls of a test that run on threads too: a block takes milliseconds there.
const ON_THREADS: usize = 2;

/// A card whose kernels are read as for a real one, in the first calls of a thread, which is that of a test.
fn on_threads() -> Option<Rc<Card>> {
    thread_local! {
        static CALLS: Cell<usize> = const { Cell::new(0) };
    }
    let before = CALLS.replace(CALLS.get() + 1);
    let library = assay_emulation::library_on_threads;
    (before < ON_THREADS).then(|| Card::emulated(library()).unwrap())
}

/// The bits of `log Σ e^a` of each sample, of which the softmax is written into `out`.
fn logarithms(a: &Tensor, out: &Tensor) -> Vec<u32> {
    let logs = match softmax(a, out).unwrap() {
        Denominators::Known(logs) => logs,
        Denominators::OnCard(parts) => {
            let mut read = parts.read().unwrap();
            let samples = read.len() / 3;
            read[2 * samples..].fill(0.0);
            value::cross_entropies(&read)
        }
        Denominators::Unknown => panic!("libtorch made the softmax"),
    };
    let halves = |it: f64| [it.to_bits() as u32, (it.to_bits() >> 32) as u32];
    logs.into_iter().flat_map(halves).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn products_of_matrices(
        rows in 1..200_usize,
        depth in prop_oneof![1..70_usize, Just(300)],
        samples in 1..150_usize,
        function in 0..3_usize,
        biased: bool,
        seed: u64,
    ) {
        let weight = matrix_of(rows, depth, seed);
        let (h, bias) = (matrix_of(depth, samples, !seed), matrix_of(1, rows, seed ^ 1));
        let delta = matrix_of(rows, samples, seed ^ 2);
        let bias = biased.then(|| bias.tensor.view(-1));
        assert_same(|| {
            let size = |rows: usize, columns: usize| Guarded::zeros(&[rows as i64, columns as i64]);
            let outs = [size(rows, samples), size(depth, samples), size(rows, depth)];
            let [affine, transposed, outer] = outs.each_ref().map(|it| &it.tensor);
            let function = FUNCTIONS[function];
            matrix::affine(&weight.tensor, bias.as_ref(), function, &h.tensor, affine).unwrap();
            matrix::transposed(&weight.tensor, &delta.tensor, transposed).unwrap();
            matrix::outer(&delta.tensor, &h.tensor, outer, &TransposeBuffer::default()).unwrap();
            outs.map(|it| it.bits())
        });
    }

    #[test]
    fn tiles_change_no_bit(
        [rows, columns] in [1..200_usize, 1..200],
        depth in prop_oneof![1..40_usize, Just(128), 130..300_usize],
        terms in 1..4_usize,
        [a_by_depth, b_by_depth]: [bool; 2],
        seed: u64,
    ) {
        let card = card();
        let whole = depth * terms;
        let (a, b) = (matrix_of(rows, whole, seed), matrix_of(whole, columns, !seed));
        let [a_row, a_depth] = if a_by_depth { [whole, 1] } else { [1, rows] };
        let [b_depth, b_column] = if b_by_depth { [1, whole] } else { [columns, 1] };
        let shape = Shape { rows, a_row, a_depth, b_depth, b_column, out_row: columns };
        // From the last one on, since they need not lie one after another.
        let terms: Vec<_> = (0..terms).rev().map(|it| Term { a: it * depth * a_depth, b: it * depth * b_depth }).collect();
        let job = Job { columns, depth, terms: terms.clone(), ..Job::default() };
        let product = Products::new(&card, shape, &[job]).unwrap();

        let start = values(rows * columns, 5);
        let (of_a, of_b) = (values(rows * whole, seed), values(whole * columns, !seed));
        let sum = |(at, start): (usize, &f32)| {
            let (row, column) = (at / columns, at % columns);
            let pairs = terms.iter().flat_map(|term| (0..depth).map(move |k| (term.a + k * a_depth, term.b + k * b_depth)));
            pairs.fold(*start, |sum, (a, b)| of_a[a + row * a_row].mul_add(of_b[b + column * b_column], sum))
        };
        let sums: Vec<_> = start.iter().enumerate().map(sum).collect();
        let size = [rows as i64, columns as i64];
        let cards: Vec<_> = on_threads().into_iter().chain([card]).collect();
        for (card, tile) in cards.iter().flat_map(|card| TILES.map(|tile| (card, tile))) {
            for function in [Function::Identity, Function::Tanh] {
                let (out, expected) = (Guarded::new(&start, &size), Guarded::new(&sums, &size));
                let factors = [elements(&a.tensor), elements(&b.tensor)];
                product.run_with(card, tile, function, Start::Out, elements(&out.tensor), factors).unwrap();
                function.apply_to(&expected.tensor).unwrap();
                prop_assert_eq!(out.bits(), expected.bits());
            }
        }
    }

    #[test]
    fn functions_of_units(units in 1..40_usize, samples in 1..300_usize, seed: u64, scale in 0.1..40_f32) {
        let scaled = |seed| values(units * samples, seed).iter().map(|it| scale * it).collect::<Vec<_>>();
        let size = [units as i64, samples as i64];
        assert_same(|| {
            let mut found = Vec::new();
            for function in FUNCTIONS {
                let (a, delta) = (Guarded::new(&scaled(seed), &size), Guarded::new(&scaled(!seed), &size));
                function.apply_to(&a.tensor).unwrap();
                function.derivative(&delta.tensor, &a.tensor).unwrap();
                found.extend([a.bits(), delta.bits()]);
            }
            let logistic = Guarded::new(&scaled(seed), &size);
            arithmetic::logistic(&logistic.tensor).unwrap();
            found.push(logistic.bits());
            let (a, out) = (Guarded::new(&scaled(seed), &size), Guarded::zeros(&size));
            found.extend([logarithms(&a.tensor, &out.tensor), out.bits()]);
            let (normal, delta) = (Guarded::new(&scaled(seed), &size), Guarded::new(&scaled(!seed), &size));
            let kept = Normalised::like(&normal.tensor).unwrap();
            kept.take(&normal.tensor).unwrap();
            kept.multiply_jacobian(&delta.tensor, &normal.tensor).unwrap();
            normalise(&a.tensor).unwrap();
            found.extend([normal.bits(), delta.bits(), a.bits()]);
            found
        });
    }

    #[test]
    fn arithmetic_on_elements(rows in 1..40_i64, columns in 1..300_i64, factor in -3.0..3.0_f64, seed: u64) {
        // Whole matrices, and halves, whose rows lie apart.
        for width in [columns, 2 * columns] {
            assert_same(|| {
                let whole = |seed| matrix_of(rows as usize, width as usize, seed);
                let all = [whole(seed), whole(!seed), whole(seed ^ 1)];
                let [a, b, out] = all.each_ref().map(|it| it.tensor.narrow(1, width - columns, columns));
                let mut found = Vec::new();
                arithmetic::add(&a, &b, &out).unwrap();
                found.push(bits_of(&out));
                arithmetic::subtract(&a, &out, &out).unwrap();
                found.push(bits_of(&out));
                arithmetic::scaled_difference(&out, &b, factor, &out).unwrap();
                found.push(bits_of(&out));
                arithmetic::scale(&out, factor).unwrap();
                arithmetic::add_scaled(&out, factor, &a).unwrap();
                arithmetic::divide(&out, 3.0 * factor).unwrap();
                found.push(bits_of(&out));
                arithmetic::copy(&out, &b).unwrap();
                let square = Guarded::new(&values(columns as usize, seed).iter().map(|it| it * it).collect::<Vec<_>>(), &[columns]);
                arithmetic::root(&square.tensor).unwrap();
                found.push(square.bits());
                arithmetic::clear(&a).unwrap();
                // Nothing beside the halves was written.
                found.extend(all.map(|it| it.bits()));
                found
            });
        }
    }

    #[test]
    fn sums_of_all_kinds(
        (outputs, positions) in (1..20_usize, prop_oneof![Just(1_usize), 2..40_usize]),
        samples in 1..80_usize,
        seed: u64,
    ) {
        let rows = outputs * positions;
        // Large numbers that cancel, so that another order would leave others of the small ones.
        let wide = |seed: u64| {
            let large = [2_f32.powi(70), -2_f32.powi(70)];
            let drawn = values(rows * samples, seed).into_iter().enumerate();
            let drawn: Vec<_> = drawn.map(|(at, it)| *large.get(at % 3).unwrap_or(&it)).collect();
            Guarded::new(&drawn, &[rows as i64, samples as i64])
        };
        let (a, b) = (wide(seed), wide(!seed));
        assert_same(|| {
            let (a, b) = (&a.tensor, &b.tensor);
            let whole = [sums::dot(a, b).unwrap(), sums::mean(a).unwrap()].map(f64::to_bits);
            let out = Guarded::zeros(&[outputs as i64]);
            sums::sum_over_batch(a, &out.tensor).unwrap();
            let of_units = [sums::dot_over_units(a, b), sums::mean_over_units(a)];
            (whole, out.bits(), of_units.map(|it| bits_of(&it.unwrap())))
        });
    }

    #[test]
    fn noise(units in 1..300_i64, samples in 1..40_i64, key: u64, step: i64) {
        assert_same(|| {
            let step = Count::fixed(step);
            let source = Source::Drawn { scale: 0.36, key, step };
            let out = Guarded::zeros(&[units, samples]);
            Noise::new(source, Rc::from([1, units]), samples).write(1, &out.tensor).unwrap();
            out.bits()
        });
    }

    #[test]
    fn optimisers(size in 1..700_i64, learning_rate in 1e-4..0.1_f64, seed: u64) {
        let descent = Optimiser::descent(learning_rate, 0.9);
        let adam = Optimiser::from(Adam { learning_rate, beta1: 0.5, ..Adam::default() });
        let factors = [0.3, 1.0, 0.0];
        for optimiser in [descent.clone(), adam.clone(), descent.with_rate_factors(factors).with_decay(0.01), adam.with_rate_factors(factors).with_epsilon_factors(factors)] {
            assert_same(|| {
                let declaration = |layer| Declaration {
                    name: format!("w{layer}"),
                    layer,
                    layout: Layout::plain(&[size]),
                    initial: Initial::Uniform { limit: 1.0 },
                };
                let declarations = (1..=3).map(declaration).collect();
                let mut parameters = Parameters::new(declarations, seed, Device::Cpu).unwrap();
                let mut state = OptimiserState::new(&optimiser, &parameters).unwrap();
                for step in 0..200_u64 {
                    let gradients = parameters.flat().1;
                    // After some steps none, so that moments fade until they are subnormal.
                    let scale = if step < 5 { 1e-3 } else { 0.0 };
                    let drawn = Tensor::from_slice(&values(gradients.numel(), seed ^ step));
                    gradients.copy_(&(drawn * scale));
                    let _ = state.step(&mut parameters).unwrap();
                }
                let moments = state.state("w", &parameters).unwrap();
                let moments = moments.into_iter().map(|(name, it)| (name, bits_of(&it.read().unwrap().to_kind(Kind::Float))));
                (bits_of(parameters.flat().0), moments.collect::<Vec<_>>())
            });
        }
    }
}

#[test]
fn logarithms_are_those_of_the_processor() {
    // Of each sample m is 0, and so is a.
    let exponents = (0..2048_u64).map(|it| it << 52);
    let drawn = values(20_000, 7)
        .into_iter()
        .map(|it| u64::from(it.to_bits()) << 31);
    let near_one = (0..2000_u64).map(|it| 1.0_f64.to_bits() - 1000 + it);
    let special = [0.0, -0.0, -1.0, f64::INFINITY, f64::NAN, 5e-324];
    let all = exponents.chain(drawn).chain(near_one).map(f64::from_bits);
    let all: Vec<_> = all.chain(special).collect();
    let parts: Vec<_> = all.iter().flat_map(|s| [0.0, *s, 0.0]).collect();
    let (parts, card) = (Tensor::from_slice(&parts), card());
    let sums = Tensor::zeros([all.len() as i64], (Kind::Double, Device::Cpu));
    let arguments = [
        Argument::of(&sums),
        Argument::of(&parts),
        Argument::count(3),
        Argument::I32(1),
    ];
    // SAFETY: there are three parts and a sum for each row.
    unsafe { card.launch(Kernel::SumsOfRows, all.len(), arguments) }.unwrap();
    for (s, found) in all.iter().zip(Vec::<f64>::try_from(sums).unwrap()) {
        let expected = 0.0 + libm::log(*s) - 0.0;
        let are_same = found.to_bits() == expected.to_bits() || found.is_nan() && expected.is_nan();
        assert!(are_same, "log {s:e}: {found:e}, expected {expected:e}");
    }
}

/// The pixel values of a split, their levels and its labels.
type Stored = (Vec<u8>, Vec<f32>, Vec<i64>);

/// A split of so many images, whose pixels and labels have every value that there is room for.
fn stored([channels, height, width]: [usize; 3], samples: usize, classes: i64) -> Stored {
    let size = channels * height * width;
    let pixels = (0..samples * size).map(|at| (at * 37 % 256) as u8);
    let labels = (0..samples as i64).map(|at| at * 5 % classes);
    (
        pixels.collect(),
        values(256 * channels, 9),
        labels.collect(),
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn samples_of_a_split(
        image in [1..4_usize, 1..9_usize, 1..9_usize],
        kept in 1..30_usize,
        draws in proptest::collection::vec((any::<u32>(), -10..10_i32, -10..10_i32, 0..3_i32), 1..80),
        (first, cropped, interleaved) in (0..80_usize, any::<bool>(), any::<bool>()),
        cut in 0..30_usize,
    ) {
        let classes = 7;
        let (pixels, levels, labels) = stored(image, kept, classes);
        let [channels, height, width] = image;
        let (area, size) = (height * width, channels * height * width);
        let cut = cut.min(kept);
        let (some, rest) = pixels.split_at(cut * size);
        let parts = [
            StoredSamples::new(some, &labels[..cut]),
            StoredSamples::new(rest, &labels[cut..]),
        ];
        let split = StoredSplit::new(image.map(|size| size as u32), &levels, &parts);
        let card = on_threads().unwrap_or_else(card);
        let split = Rc::new(KeptSplit::new(&card, &split).unwrap().unwrap());
        let samples: Vec<_> = draws.iter().map(|it| it.0 % kept as u32).collect();
        let crops: Vec<_> = draws.iter().map(|&(_, rows, columns, flip)| Crop { rows, columns, flip }).collect();
        let crops = if cropped { crops } else { Vec::new() };
        let order = KeptOrder::new(split.clone(), &samples, &crops).unwrap();
        let first = first % samples.len();
        let count = samples.len() - first;
        let places = Places { first: first as u32, count: count as u32 };
        let batch = order.at(places).unwrap();

        let images = matrix_of(size, count, 3);
        let one_hot = matrix_of(classes as usize, count, 4);
        batch.write_images(&images.tensor, interleaved).unwrap();
        batch.write_labels(&one_hot.tensor).unwrap();
        let mut expected = vec![0; size * count];
        let mut expected_labels = vec![0; classes as usize * count];
        for place in 0..count {
            let sample = samples[first + place] as usize;
            let crop = crops.get(first + place).copied().unwrap_or_default();
            expected_labels[labels[sample] as usize * count + place] = 1.0_f32.to_bits();
            for channel in 0..channels {
                for (y, x) in (0..height).flat_map(|y| (0..width).map(move |x| (y, x))) {
                    let from_y = if crop.flip == Crop::TOP_BOTTOM { height - 1 - y } else { y };
                    let from_x = if crop.flip == Crop::LEFT_RIGHT { width - 1 - x } else { x };
                    let from_y = from_y.checked_add_signed(crop.rows as isize).filter(|&it| it < height);
                    let from_x = from_x.checked_add_signed(crop.columns as isize).filter(|&it| it < width);
                    let pixel = from_y.zip(from_x).map_or(0, |(y, x)| {
                        pixels[sample * size + channel * area + y * width + x]
                    });
                    let pixel_place = y * width + x;
                    let unit = if interleaved { pixel_place * channels + channel } else { channel * area + pixel_place };
                    expected[unit * count + place] = levels[256 * channel + usize::from(pixel)].to_bits();
                }
            }
        }
        prop_assert_eq!(images.bits(), expected);
        prop_assert_eq!(one_hot.bits(), expected_labels);
    }
}

#[test]
fn samples_that_a_split_does_not_have_are_refused() {
    let (pixels, levels, labels) = stored([1, 2, 3], 4, 3);
    let parts = [StoredSamples::new(&pixels, &labels)];
    let split = StoredSplit::new([1, 2, 3], &levels, &parts);
    let split = Rc::new(KeptSplit::new(&card(), &split).unwrap().unwrap());
    let order = |samples: &[u32], crops: &[Crop]| KeptOrder::new(split.clone(), samples, crops);
    let message = |error: Option<crate::error::Error>| error.unwrap().to_string();
    let far = message(order(&[3, 4], &[]).err());
    assert!(far.contains("sample 4 of a split of 4"), "{far}");
    let few = message(order(&[3, 3], &[Crop::default()]).err());
    assert!(few.contains("1 crops for 2 samples"), "{few}");
    let order = order(&[3, 3], &[]).unwrap();
    let places = |first, count| Places { first, count };
    for (first, count) in [(0, 3), (2, 1), (0, 0), (u32::MAX, u32::MAX)] {
        assert!(order.at(places(first, count)).is_err(), "{first} {count}");
    }
    assert!(split.at(places(1, 4)).is_err());
    let samples = split.at(places(0, 4)).unwrap();
    let small = Tensor::zeros([6, 3], (Kind::Float, Device::Cpu));
    assert!(samples.write_images(&small, false).is_err());
    let transposed = Tensor::zeros([4, 6], (Kind::Float, Device::Cpu)).tr();
    assert!(samples.write_images(&transposed, false).is_err());
    assert!(samples.write_labels(&small).is_err());
    let none = StoredSplit::new([1, 2, 3], &levels, &[]);
    assert!(KeptSplit::new(&card(), &none).unwrap().is_none());
}

#[test]
fn a_negative_zero_stays_one() {
    let matrix = |values: &[f32], rows| Guarded::new(values, &[rows, values.len() as i64 / rows]);
    let (weight, h, bias) = (
        matrix(&[-0.0; 3], 1),
        matrix(&[1.0; 3], 3),
        Tensor::from_slice(&[-0.0_f32]),
    );
    assert_same(|| {
        let out = Guarded::zeros(&[1, 1]);
        matrix::affine(
            &weight.tensor,
            Some(&bias),
            Function::Identity,
            &h.tensor,
            &out.tensor,
        )
        .unwrap();
        assert_eq!(out.bits(), bits(&[-0.0]));
    });
}

#[test]
fn operands_that_are_too_short_are_refused() {
    let card = card();
    let (a, b) = (matrix_of(3, 4, 1), matrix_of(4, 5, 2));
    let shape = Shape {
        rows: 3,
        a_row: 4,
        a_depth: 1,
        b_depth: 5,
        b_column: 1,
        out_row: 5,
    };
    for (rows, columns, depth) in [(4, 5, 4), (3, 6, 4), (3, 5, 5)] {
        let job = Job {
            columns,
            depth,
            terms: Term::FIRST.to_vec(),
            ..Job::default()
        };
        let product = Products::new(&card, Shape { rows, ..shape }, &[job]).unwrap();
        let out = Guarded::zeros(&[3, 5]);
        let factors = [elements(&a.tensor), elements(&b.tensor)];
        let result = product.run(
            &card,
            Function::Identity,
            Start::Zero,
            elements(&out.tensor),
            factors,
        );
        assert!(result.unwrap_err().to_string().contains("too short"));
        assert!(out.bits().iter().all(|it| *it == 0));
    }
}

/// The ends of operations that are rounded to the nearest.
const NEAREST: [&str; 2] = [".rn.f32", ".rn.f64"];

#[test]
fn tiles_are_as_large_as_leaves_no_multiprocessor_idle_for_long() {
    let card = card();
    let chosen = |rows, columns, depth| {
        let shape = Shape {
            rows,
            a_row: depth,
            a_depth: 1,
            b_depth: columns,
            b_column: 1,
            out_row: columns,
        };
        let job = Job {
            columns,
            depth,
            terms: Term::FIRST.to_vec(),
            ..Job::default()
        };
        let products = Products::new(&card, shape, &[job]).unwrap();
        products.tile(132).edge
    };
    assert_eq!(chosen(256, 128, 256), 16);
    assert_eq!(chosen(1024, 128, 1024), 32);
    assert_eq!(chosen(1024, 1024, 1024), 64);
    assert_eq!(chosen(4096, 4096, 4096), 128);
    // With so little to add most of the time goes by for the parts.
    assert_eq!(chosen(256, 256, 1024), 16);
    assert_eq!(chosen(256, 256, 3), 32);
}

#[test]
fn a_compiler_of_cards_rounds_every_operation_to_the_nearest() {
    if !nvidia::has_compiler() {
        return assay_skips::skip("there is no libnvrtc.so here to compile the kernels with");
    }
    for architecture in ["sm_75", "sm_80", "sm_90", "sm_100"] {
        let compiled = nvidia::Compiled::new(architecture).unwrap();
        let assembly = compiled.assembly().unwrap();
        for kernel in Kernel::ALL {
            let entry = format!(".entry {}(", kernel.name());
            let code = assembly.split(&entry).nth(1);
            let code = code.unwrap_or_else(|| panic!("{architecture} has no {entry}"));
            let code = code.split(".entry").next().unwrap();
            // Values of a thread lie in registers; the one loop over them is where a product has a function.
            let from_memory = code.matches("ld.local").count();
            assert!(
                from_memory <= 2,
                "{architecture}: {from_memory} loads in {entry}"
            );
        }
        let mut found = 0;
        for word in assembly.split_whitespace() {
            let operation = word.split('.').next().unwrap();
            if [
                "add", "sub", "mul", "div", "fma", "mad", "sqrt", "rsqrt", "rcp", "ex2", "lg2",
            ]
            .contains(&operation)
                && [".f32", ".f64"].iter().any(|kind| word.ends_with(kind))
            {
                found += 1;
                assert!(
                    NEAREST.iter().any(|it| word.ends_with(it)),
                    "{architecture}: {word}"
                );
            }
            assert!(!word.contains(".ftz"), "{architecture}: {word}");
            assert!(
                !["atom", "red"].contains(&operation),
                "{architecture}: {word}"
            );
        }
        assert!(found > 500, "{architecture}: {found} operations");
    }
}

#[test]
fn a_library_that_is_none_is_refused() {
    let error = Card::emulated(std::path::Path::new("/nowhere.so"))
        .err()
        .unwrap();
    assert!(error.to_string().contains("/nowhere.so"), "{error}");
}
