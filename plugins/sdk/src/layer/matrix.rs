//! Products of whole matrices: the SDK's own on a CPU and with the kernels of a card, libtorch's elsewhere.

use std::rc::Rc;

use tch::Tensor;

use crate::card::{self, Card, Job, Key, Products, Shape};
use crate::cost;
use crate::error::Error;
use crate::function::Function;
use crate::product::{Product, Start, Term, TransposeBuffer};
use crate::tensor_slices::slices;

/// Floats of `h` that [`outer`] transposes at a time: a quarter of a megabyte, which a processor's
/// own cache holds while all rows of the product pass over it.
const BLOCK: usize = 1 << 16;

/// Columns of the widest tile of a product.
const TILE: usize = 64;

/// `out = function(W h + b)`, from `h` (k, B) into `out` (n, B); b, (n), is zero if there is none.
#[track_caller]
pub(crate) fn affine(
    weight: &Tensor,
    bias: Option<&Tensor>,
    function: Function,
    h: &Tensor,
    out: &Tensor,
) -> Result<(), Error> {
    let ([rows, depth], [_, samples]) = (size(weight)?, size(h)?);
    cost::count(rows * depth, samples);
    let product = Product {
        rows,
        columns: samples,
        depth,
        a_row: depth,
        a_depth: 1,
        b_depth: samples,
        out_row: samples,
    };
    if let Some((card, out, [weight, h, values])) =
        card::operands(out, [weight, h, bias.unwrap_or(h)])?
    {
        let start = bias.map_or(card::Start::Zero, |_| card::Start::Rows(values));
        let product = on_card(
            &card,
            Operation::Affine,
            (&product).into(),
            [samples, depth],
        )?;
        return card.run(&product, function, start, out, [weight, h]);
    }
    // SAFETY: only the product uses these slices.
    let slices = unsafe { slices(out, [weight, h, bias.unwrap_or(h)]) }?;
    let Some((out, [weight, h, values])) = slices else {
        match bias {
            Some(bias) => bias
                .f_view([-1, 1])?
                .f_addmm_out(out, weight, h)
                .map(drop)?,
            None => weight.f_mm_out(out, h).map(drop)?,
        }
        return function.apply_to(out);
    };
    let biased = bias.is_some();
    product.share(out, |product, first, out| {
        let start = if biased {
            Start::Rows(&values[first..])
        } else {
            Start::Zero
        };
        product.run(out, &weight[first * depth..], h, &Term::FIRST, start);
        function.apply(out);
    });
    Ok(())
}

/// `out = Wᵀ δ`, from `delta` (n, B) into `out` (k, B).
#[track_caller]
pub(crate) fn transposed(weight: &Tensor, delta: &Tensor, out: &Tensor) -> Result<(), Error> {
    let ([depth, rows], [_, samples]) = (size(weight)?, size(delta)?);
    cost::count(rows * depth, samples);
    let product = Product {
        rows,
        columns: samples,
        depth,
        a_row: 1,
        a_depth: rows,
        b_depth: samples,
        out_row: samples,
    };
    if let Some((card, out, factors)) = card::operands(out, [weight, delta])? {
        let product = on_card(
            &card,
            Operation::Transposed,
            (&product).into(),
            [samples, depth],
        )?;
        return card.run(
            &product,
            Function::Identity,
            card::Start::Zero,
            out,
            factors,
        );
    }
    // SAFETY: only the product uses these slices.
    let Some((out, [weight, delta])) = unsafe { slices(out, [weight, delta]) }? else {
        weight.f_tr()?.f_mm_out(out, delta).map(drop)?;
        return Ok(());
    };
    product.share(out, |product, first, out| {
        product.run(out, &weight[first..], delta, &Term::FIRST, Start::Zero);
    });
    Ok(())
}

/// `out = δ hᵀ`, from `delta` (n, B) and `h` (k, B) into `out` (n, k).
#[track_caller]
pub(crate) fn outer(
    delta: &Tensor,
    h: &Tensor,
    out: &Tensor,
    by_sample: &TransposeBuffer,
) -> Result<(), Error> {
    let ([rows, samples], [columns, _]) = (size(delta)?, size(h)?);
    cost::count(rows * columns, samples);
    if let Some((card, out, factors)) = card::operands(out, [delta, h])? {
        let shape = Shape {
            rows,
            a_row: samples,
            a_depth: 1,
            b_depth: 1,
            b_column: samples,
            out_row: columns,
        };
        let product = on_card(&card, Operation::Outer, shape, [columns, samples])?;
        return card.run(
            &product,
            Function::Identity,
            card::Start::Zero,
            out,
            factors,
        );
    }
    // SAFETY: only the product uses these slices.
    let Some((out, [delta, h])) = unsafe { slices(out, [delta, h]) }? else {
        delta.f_mm_out(out, &h.f_tr()?).map(drop)?;
        return Ok(());
    };
    let parts = h.len().div_ceil(BLOCK).max(1);
    let width = columns.div_ceil(parts).max(1).next_multiple_of(TILE);
    for column in (0..columns).step_by(width) {
        let width = width.min(columns - column);
        let h = by_sample.fill(&h[column * samples..][..width * samples], width, samples);
        let product = Product {
            rows,
            columns: width,
            depth: samples,
            a_row: samples,
            a_depth: 1,
            b_depth: width,
            out_row: columns,
        };
        product.share(&mut out[column..], |product, first, out| {
            product.run(
                out,
                &delta[first * samples..],
                &h,
                &Term::FIRST,
                Start::Zero,
            );
        });
    }
    Ok(())
}

/// The operations of a matrix, by their numbers in the keys of their products.
#[derive(Clone, Copy)]
enum Operation {
    Affine,
    Transposed,
    Outer,
}

/// The product of whole matrices with so many columns and terms.
fn on_card(
    card: &Card,
    operation: Operation,
    shape: Shape,
    [columns, depth]: [usize; 2],
) -> Result<Rc<[Products]>, Error> {
    let sizes = [operation as usize, shape.rows, columns, depth];
    card.products(Key::Matrix(sizes.map(|it| it as i64)), || {
        let job = Job {
            columns,
            depth,
            terms: Term::FIRST.to_vec(),
            ..Job::default()
        };
        (shape, vec![vec![job]])
    })
}

fn size(matrix: &Tensor) -> Result<[usize; 2], Error> {
    let (rows, columns) = matrix.size2()?;
    Ok([rows as usize, columns as usize])
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind};

    use super::*;

    #[test]
    fn an_outer_product_by_parts_has_the_bits_of_its_sums() {
        let (rows, samples) = (5, 128);
        // One part, parts of one size, and a last one that is smaller.
        for columns in [1, 512, 1024, 1100] {
            let values = |count: usize| -> Vec<f32> {
                (0..count)
                    .map(|at| (at * 37 % 101) as f32 / 7.0 - 7.0)
                    .collect()
            };
            let (delta, h) = (values(rows * samples), values(columns * samples));
            let tensor = |values: &[f32], rows: usize| {
                Tensor::from_slice(values).view([rows as i64, samples as i64])
            };
            let size = [rows as i64, columns as i64];
            let out = Tensor::full(size, f64::NAN, (Kind::Float, Device::Cpu));
            let (d, k) = (tensor(&delta, rows), tensor(&h, columns));
            outer(&d, &k, &out, &TransposeBuffer::default()).unwrap();
            let found = Vec::<f32>::try_from(out.view(-1)).unwrap();
            for (at, found) in found.iter().enumerate() {
                let delta = &delta[at / columns * samples..][..samples];
                let h = &h[at % columns * samples..][..samples];
                let terms = delta.iter().zip(h);
                let sum = terms.fold(0.0_f32, |sum, (d, h)| d.mul_add(*h, sum));
                assert_eq!(found.to_bits(), sum.to_bits(), "{at} of {columns}");
            }
        }
    }
}
