//! Windowed layers against plain loops over positions and against libtorch's convolution, both
//! in 64-bit floats.
//!
//! The layers themselves compute in 32-bit floats, with the SDK's own products, and in 64-bit ones,
//! for which they turn to libtorch as they do on other devices.

use proptest::prelude::*;
use tch::{Device, Kind, Tensor};

use super::windowed::{Image, Sharing, Windowed};
use super::*;
use crate::arithmetic::tanh;
use crate::card::{Card, enter};
use crate::layout::Layout;
use crate::rng::Initial;
use crate::tensor_slices::copy_f32;

/// Of the sum of the terms' magnitudes: the rounding errors of a sum in f32 grow with those and
/// with 6e-8, however much of the sum cancels. The longest sums here have some thousand terms.
const TOLERANCE: f64 = 1e-5;

const KINDS: [Kind; 2] = [Kind::Float, Kind::Double];

/// A window on an image and a batch.
#[derive(Clone, Copy, Debug)]
struct Problem {
    channels: i64,
    height: i64,
    width: i64,
    outputs: i64,
    kernel: i64,
    stride: i64,
    samples: i64,
    shared: bool,
    seed: u64,
}

fn problems() -> impl Strategy<Value = Problem> {
    (
        prop_oneof![1..5_i64, Just(24)],
        [1..13_i64, 1..13, 1..6],
        prop_oneof![Just(1_i64), Just(3), Just(5), Just(9)],
        1..=4_i64,
        1..=9_i64,
        any::<bool>(),
        any::<u64>(),
    )
        .prop_map(
            |(channels, [height, width, outputs], kernel, stride, samples, shared, seed)| Problem {
                channels,
                height,
                width,
                outputs,
                kernel,
                stride,
                samples,
                shared,
                seed,
            },
        )
}

/// Tensors in canonical order.
struct Values {
    weight: Vec<f32>,
    bias: Vec<f32>,
    /// (B, C, H, W)
    h: Vec<f32>,
    /// (B, O, oh, ow)
    delta: Vec<f32>,
}

impl Values {
    fn magnitudes(&self) -> Self {
        let magnitudes = |values: &[f32]| values.iter().map(|value| value.abs()).collect();
        Self {
            weight: magnitudes(&self.weight),
            bias: magnitudes(&self.bias),
            h: magnitudes(&self.h),
            delta: magnitudes(&self.delta),
        }
    }
}

/// Results of the layer's operations, in canonical order.
struct Results {
    forward: Vec<f64>,
    transposed: Vec<f64>,
    weight: Vec<f64>,
    bias: Vec<f64>,
}

impl Results {
    fn bits(&self) -> [Vec<u64>; 4] {
        let all = [&self.forward, &self.transposed, &self.weight, &self.bias];
        all.map(|values| values.iter().map(|it| it.to_bits()).collect())
    }
}

impl Problem {
    fn rows(&self) -> i64 {
        (self.height + self.stride - 1) / self.stride
    }

    fn columns(&self) -> i64 {
        (self.width + self.stride - 1) / self.stride
    }

    /// The number of sets of weights.
    fn sets(&self) -> i64 {
        if self.shared {
            1
        } else {
            self.rows() * self.columns()
        }
    }

    fn values(&self) -> Values {
        let draw = |name: &str, count: i64| {
            let one = Initial::Glorot {
                fan_in: 3,
                fan_out: 3,
                scale: 1.0,
            };
            one.values(self.seed, name, count as usize)
        };
        let patch = self.channels * self.kernel * self.kernel;
        let outputs = self.outputs * self.rows() * self.columns();
        Values {
            weight: draw("weight", self.outputs * self.sets() * patch),
            bias: draw("bias", self.outputs * self.sets()),
            h: draw("h", self.samples * self.channels * self.height * self.width),
            delta: draw("delta", self.samples * outputs),
        }
    }

    fn map(&self) -> Map {
        let input = Image {
            channels: self.channels,
            height: self.height,
            width: self.width,
        };
        let output = Image {
            channels: self.outputs,
            height: self.rows(),
            width: self.columns(),
        };
        let sharing = if self.shared {
            Sharing::Positions
        } else {
            Sharing::None
        };
        Map::Windowed(Windowed::new(
            input,
            output,
            self.kernel,
            self.stride,
            sharing,
        ))
    }

    /// Results of the map under test in floats of `kind`.
    fn computed(&self, values: &Values, kind: Kind) -> Results {
        let map = self.map();
        let [weight, bias] = map.declarations(1).map(|declaration| declaration.layout);
        let tensor = |layout: &Layout, values: &[f32]| {
            let tensor = Tensor::zeros(layout.operand(), (kind, Device::Cpu));
            copy_f32(layout.canonical(&tensor).unwrap().view(), values).unwrap();
            tensor
        };
        let (w, b) = (tensor(&weight, &values.weight), tensor(&bias, &values.bias));
        let input = [self.height, self.width, self.channels];
        let output = [self.rows(), self.columns(), self.outputs];
        let h = self.activation(input, kind, Some(&values.h));
        let delta = self.activation(output, kind, Some(&values.delta));
        let (out, below) = (
            self.activation(output, kind, None),
            self.activation(input, kind, None),
        );
        let (weight_gradient, bias_gradient) = (w.zeros_like(), b.full_like(f64::NAN));
        map.forward(&w, Some(&b), Function::Identity, &h, &out)
            .unwrap();
        map.transposed(&w, &delta, &below).unwrap();
        // The second time over what the first has left, as from step to step.
        for _ in 0..2 {
            map.weight_gradient(&delta, &h, &weight_gradient).unwrap();
        }
        sum_over_batch(&delta, &bias_gradient).unwrap();
        Results {
            forward: self.canonical(output, &out),
            transposed: self.canonical(input, &below),
            weight: list(weight.canonical(&weight_gradient).unwrap().view()),
            bias: list(bias.canonical(&bias_gradient).unwrap().view()),
        }
    }

    /// (units, B) of an image (row, column, channel); not a number unless `values` are given.
    fn activation(&self, image: [i64; 3], kind: Kind, values: Option<&[f32]>) -> Tensor {
        let units = image.iter().product::<i64>();
        let options = (kind, Device::Cpu);
        let tensor = Tensor::full([units, self.samples], f64::NAN, options);
        if let Some(values) = values {
            copy_f32(&self.as_host(image, &tensor), values).unwrap();
        }
        tensor
    }

    fn canonical(&self, image: [i64; 3], activation: &Tensor) -> Vec<f64> {
        list(&self.as_host(image, activation))
    }

    /// (B, C, H, W) of an activation.
    fn as_host(&self, [height, width, channels]: [i64; 3], activation: &Tensor) -> Tensor {
        activation
            .view([height, width, channels, self.samples])
            .permute([3, 2, 0, 1])
    }

    /// The same by loops over output positions.
    fn looped(&self, values: &Values) -> Results {
        let (weight, bias) = (wide(&values.weight), wide(&values.bias));
        let (h, delta) = (wide(&values.h), wide(&values.delta));
        let mut results = Results {
            forward: vec![0.0; delta.len()],
            transposed: vec![0.0; h.len()],
            weight: vec![0.0; weight.len()],
            bias: vec![0.0; bias.len()],
        };
        let patch = self.channels * self.kernel * self.kernel;
        for (unit, &d) in delta.iter().enumerate() {
            let [sample, o, row, column] = self.unit(unit as i64);
            let position = if self.shared {
                0
            } else {
                row * self.columns() + column
            };
            let set = o * self.sets() + position;
            results.forward[unit] += bias[set as usize];
            results.bias[set as usize] += d;
            for tap in 0..patch {
                if let Some(below) = self.met(sample, row, column, tap) {
                    let at = (set * patch + tap) as usize;
                    results.forward[unit] += weight[at] * h[below];
                    results.transposed[below] += weight[at] * d;
                    results.weight[at] += d * h[below];
                }
            }
        }
        results
    }

    /// Sample, channel, row and column of an element of (B, O, oh, ow).
    fn unit(&self, at: i64) -> [i64; 4] {
        let (rows, columns) = (self.rows(), self.columns());
        let image = at / columns / rows;
        [
            image / self.outputs,
            image % self.outputs,
            at / columns % rows,
            at % columns,
        ]
    }

    /// The element of (B, C, H, W) that a tap of (C, k, k) meets from an output position, unless
    /// that is padding.
    fn met(&self, sample: i64, row: i64, column: i64, tap: i64) -> Option<usize> {
        let k = self.kernel;
        let y = row * self.stride + tap / k % k - k / 2;
        let x = column * self.stride + tap % k - k / 2;
        let image = sample * self.channels + tap / (k * k);
        let inside = (0..self.height).contains(&y) && (0..self.width).contains(&x);
        inside.then(|| ((image * self.height + y) * self.width + x) as usize)
    }

    /// The same by libtorch's convolution and autograd; weights are shared.
    fn convolved(&self, values: &Values) -> Results {
        let leaf = |values: &[f32], shape: &[i64]| {
            Tensor::from_slice(values)
                .view(shape)
                .to_kind(Kind::Double)
                .set_requires_grad(true)
        };
        let (channels, k) = (self.channels, self.kernel);
        let weight = leaf(&values.weight, &[self.outputs, channels, k, k]);
        let bias = leaf(&values.bias, &[self.outputs]);
        let image = [self.samples, channels, self.height, self.width];
        let h = leaf(&values.h, &image);
        let stride = [self.stride; 2];
        let out = h.conv2d(&weight, Some(&bias), stride, [k / 2; 2], [1, 1], 1);
        let delta = Tensor::from_slice(&values.delta).view(out.size().as_slice());
        (&out * delta).sum(Kind::Double).backward();
        Results {
            forward: list(&out),
            transposed: list(&h.grad()),
            weight: list(&weight.grad()),
            bias: list(&bias.grad()),
        }
    }
}

/// Fails unless a map that applies tanh itself gives the bits of tanh after the map.
fn assert_tanh_of_sums(map: &Map, samples: i64, kind: Kind, seed: u64) {
    let random = |name: &str, shape: &[i64]| {
        let values = map
            .glorot(9.0)
            .values(seed, name, shape.iter().product::<i64>() as usize);
        let tensor = Tensor::zeros(shape, (kind, Device::Cpu));
        copy_f32(&tensor, &values).unwrap();
        tensor
    };
    let own = map.declarations(1);
    let [weight, bias] = own.map(|it| random(&it.name, it.layout.operand()));
    let feedback = random("inverse.1.weight", map.feedback_layout().operand());
    let shift = random("inverse.1.bias", Layout::units(map.inputs()).operand());
    let h = random("h", &[map.inputs().count(), samples]);
    let u = random("u", &[map.outputs().count(), samples]);
    let [sums, found] = [Function::Identity, Function::Tanh].map(|function| {
        let (out, image) = (u.full_like(f64::NAN), h.full_like(f64::NAN));
        map.forward(&weight, Some(&bias), function, &h, &out)
            .unwrap();
        map.feedback(&feedback, Some(&shift), function, &u, &image)
            .unwrap();
        [out, image]
    });
    for (sums, found) in sums.iter().zip(&found) {
        Function::Tanh.apply_to(sums).unwrap();
        assert_eq!(list(sums), list(found));
    }
}

fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().copied().map(f64::from).collect()
}

/// The elements, row-major.
fn list(tensor: &Tensor) -> Vec<f64> {
    Vec::try_from(tensor.to_kind(Kind::Double).reshape(-1)).unwrap()
}

/// `magnitudes` is what the loops make of the magnitudes of the values.
fn assert_close(found: &Results, expected: &Results, magnitudes: &Results) {
    for (name, found, expected, magnitudes) in [
        (
            "forward",
            &found.forward,
            &expected.forward,
            &magnitudes.forward,
        ),
        (
            "transposed",
            &found.transposed,
            &expected.transposed,
            &magnitudes.transposed,
        ),
        (
            "weight gradient",
            &found.weight,
            &expected.weight,
            &magnitudes.weight,
        ),
        (
            "bias gradient",
            &found.bias,
            &expected.bias,
            &magnitudes.bias,
        ),
    ] {
        assert_eq!(found.len(), expected.len(), "{name}");
        for (at, (a, b)) in found.iter().zip(expected).enumerate() {
            let bound = TOLERANCE * magnitudes[at];
            assert!((a - b).abs() <= bound, "{name} {at}: {a} {b}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn windows_are_what_loops_over_positions_find(problem in problems()) {
        let values = problem.values();
        let magnitudes = problem.looped(&values.magnitudes());
        for kind in KINDS {
            assert_close(&problem.computed(&values, kind), &problem.looped(&values), &magnitudes);
        }
    }

    #[test]
    fn an_emulated_card_finds_the_same_bits(problem in problems()) {
        let values = problem.values();
        let expected = problem.computed(&values, Kind::Float).bits();
        let card = Card::emulated(assay_emulation::library()).unwrap();
        // The second time with threads that take turns in the other direction.
        for _ in 0..2 {
            let found = enter(Some(&card), || problem.computed(&values, Kind::Float));
            prop_assert!(found.bits() == expected);
            enter(Some(&card), || tanh(&Tensor::zeros([1], (Kind::Float, Device::Cpu)))).unwrap();
        }
    }

    #[test]
    fn tanh_is_that_of_the_sums(problem in problems()) {
        for kind in KINDS {
            let windowed = problem.map();
            let dense = Map::dense(windowed.inputs(), windowed.outputs());
            for map in [windowed, dense] {
                assert_tanh_of_sums(&map, problem.samples, kind, problem.seed);
            }
        }
    }

    #[test]
    fn shared_weights_are_libtorchs_convolution(problem in problems()) {
        let problem = Problem { shared: true, ..problem };
        let values = problem.values();
        let magnitudes = problem.looped(&values.magnitudes());
        for kind in KINDS {
            let found = problem.computed(&values, kind);
            assert_close(&found, &problem.convolved(&values), &magnitudes);
        }
    }

    #[test]
    fn tied_weights_are_libtorchs_convolution(problem in problems()) {
        let tied = Problem { shared: true, ..problem };
        let free = Problem { shared: false, ..problem };
        let values = tied.values();
        let sets = free.sets() as usize;
        let patch = (problem.channels * problem.kernel * problem.kernel) as usize;
        let repeat = |values: &[f32], each: usize| {
            values.chunks(each).flat_map(|unit| unit.repeat(sets)).collect::<Vec<_>>()
        };
        let mut found = free.computed(&Values {
            weight: repeat(&values.weight, patch),
            bias: repeat(&values.bias, 1),
            h: values.h.clone(),
            delta: values.delta.clone(),
        }, Kind::Float);
        // The gradient of a shared weight is the sum over those that share it.
        let summed = |values: &[f64], each: usize| {
            values
                .chunks(sets * each)
                .flat_map(|unit| {
                    (0..each).map(|at| unit.iter().skip(at).step_by(each).sum()).collect::<Vec<f64>>()
                })
                .collect::<Vec<_>>()
        };
        found.weight = summed(&found.weight, patch);
        found.bias = summed(&found.bias, 1);
        let magnitudes = tied.looped(&values.magnitudes());
        assert_close(&found, &tied.convolved(&values), &magnitudes);
    }
}
