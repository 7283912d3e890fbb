//! A random direction, and the estimate of the gradient along it.

use assay_sdk::{Distribution, Draw, Error, Pass, Setup, Tensor, divide, mean};

use crate::derivative::{along_activities, along_weights, difference};
use crate::settings::{Estimator, Place, Settings, Values};

/// One direction: `v_l` for l = 1..L-1, or `V_l` and `v_l` for l = 1..L.
pub(super) enum Direction {
    Activities(Vec<Draw>),
    Weights(Vec<[Draw; 2]>),
}

impl Direction {
    /// The direction number k.
    pub(super) fn declare(setup: &mut Setup<'_>, config: &Settings, k: u32) -> Result<Self, Error> {
        let values = match config.values {
            Values::Normal => Distribution::Normal(1.0),
            Values::Sign => Distribution::Sign,
        };
        let (tag, depth) = (format!("direction.{k}"), setup.model().depth());
        Ok(match config.place {
            Place::Activities => Self::Activities(
                (1..depth)
                    .map(|l| setup.draw(&tag, l, values))
                    .collect::<Result<_, Error>>()?,
            ),
            Place::Weights => Self::Weights(
                (1..=depth)
                    .map(|l| {
                        let weight = setup.draw_weight(&tag, l, values)?;
                        Ok([weight, setup.draw_bias(&tag, l, values)?])
                    })
                    .collect::<Result<_, Error>>()?,
            ),
        })
    }

    /// For each layer in turn `d v_l/B`, or `g V_l` and `g v_l`.
    pub(super) fn estimate(
        &self,
        pass: &Pass<'_>,
        settings: &Settings,
    ) -> Result<Vec<Vec<Tensor>>, Error> {
        match self {
            Self::Activities(draws) => activities(pass, draws, settings),
            Self::Weights(draws) => weights(pass, draws),
        }
    }
}

/// `d v_l/B` for l = 1..L-1.
fn activities(
    pass: &Pass<'_>,
    draws: &[Draw],
    settings: &Settings,
) -> Result<Vec<Vec<Tensor>>, Error> {
    let mut v = Vec::new();
    for (l, draw) in (1..).zip(draws) {
        let values = pass.temporary(l)?;
        pass.draw(draw, &values)?;
        v.push(values);
    }
    let d = match settings.estimator {
        Estimator::Jvp => along_activities(pass, &v)?,
        Estimator::Difference => difference(pass, &v, settings.step)?,
    };
    divide(&d, pass.samples() as f64)?;
    v.iter().map(|v| Ok(vec![v.f_mul(&d)?])).collect()
}

/// `g V_l` and `g v_l` for l = 1..L.
fn weights(pass: &Pass<'_>, draws: &[[Draw; 2]]) -> Result<Vec<Vec<Tensor>>, Error> {
    let mut v = Vec::new();
    for (l, [weight, bias]) in (1..).zip(draws) {
        let layer = pass.layer(l);
        let values = [layer.weight().f_zeros_like()?, layer.bias().f_zeros_like()?];
        pass.draw(weight, &values[0])?;
        pass.draw(bias, &values[1])?;
        v.push(values);
    }
    let g = mean(&along_weights(pass, &v)?)?; // ⟨eᵀ ȧ_L⟩
    let scaled = v
        .iter()
        .map(|[weight, bias]| Ok(vec![weight.f_mul_scalar(g)?, bias.f_mul_scalar(g)?]));
    scaled.collect()
}
