//! The auxiliary output z of AO-SDTP: fixed random features of `h_{L-1}`, never trained.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tch::Tensor;

use crate::error::Error;
use crate::function::Function;
use crate::layer::matrix::affine;
use crate::setup::Setup;

/// The function between the affine map and z.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AuxiliaryActivation {
    /// `z = tanh(A h_{L-1} + d)`
    Tanh,
    /// `z = A h_{L-1} + d`
    Linear,
}

/// `z = φ(A h_{L-1} + d)` with A and d fixed and random.
pub(super) struct Auxiliary {
    weight: Tensor,
    bias: Tensor,
    units: i64,
    activation: AuxiliaryActivation,
}

impl Auxiliary {
    /// `units` features: `auxiliary.weight` (`units`, `n_{L-1}`) and `auxiliary.bias` (`units`),
    /// both Glorot-uniform.
    pub(super) fn new(
        setup: &mut Setup<'_>,
        units: u32,
        activation: AuxiliaryActivation,
    ) -> Result<Self, Error> {
        let units = units.into();
        let [weight, bias] = setup.auxiliary(units)?;
        Ok(Self {
            weight,
            bias,
            units,
            activation,
        })
    }

    /// The number of features.
    pub(super) fn units(&self) -> i64 {
        self.units
    }

    /// Writes z, from `h` (`n_{l-1}`, B) into `out` (units, B).
    pub(super) fn apply(&self, h: &Tensor, out: &Tensor) -> Result<(), Error> {
        let function = match self.activation {
            AuxiliaryActivation::Tanh => Function::Tanh,
            AuxiliaryActivation::Linear => Function::Identity,
        };
        affine(&self.weight, Some(&self.bias), function, h, out)
    }
}
