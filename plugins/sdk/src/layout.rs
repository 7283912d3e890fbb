//! The order of a tensor's elements in memory and in a saved state.
//!
//! Kernels choose the order in memory; saved states and initial values keep one canonical order
//! (`docs/methods.md`, channels before rows before columns). A [`Layout`] is the way from one to the
//! other; nothing else knows both.

use tch::{Device, Tensor};

use crate::error::Error;

/// The units of one `h_l`, in the order of its first axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Units {
    /// In canonical order: a vector, or an image that no layer looks at as one.
    Flat(i64),
    /// An image, (row, column, channel).
    Image {
        channels: i64,
        height: i64,
        width: i64,
    },
}

impl Units {
    /// `n_l`, their number.
    pub(crate) fn count(self) -> i64 {
        self.stored().iter().product()
    }

    /// Channels, and units of each: as many as there are if they are in one order only.
    pub(crate) fn planes(self) -> [i64; 2] {
        match self {
            Self::Flat(units) => [1, units],
            Self::Image {
                channels,
                height,
                width,
            } => [channels, height * width],
        }
    }

    /// True if the channels of a pixel lie one after another, false if the pixels of a channel do.
    pub(crate) fn are_interleaved(self) -> bool {
        matches!(self, Self::Image { .. })
    }

    /// The axes as they lie in memory.
    fn stored(self) -> Vec<i64> {
        match self {
            Self::Flat(units) => vec![units],
            Self::Image {
                channels,
                height,
                width,
            } => vec![height, width, channels],
        }
    }

    /// `activation`, (`n_l`, B) and contiguous, by sample: B and then the canonical axes. The
    /// memory is shared.
    pub(crate) fn by_sample(self, activation: &Tensor) -> Result<Tensor, Error> {
        let stored = self.stored();
        let batch = stored.len() as i64;
        let order: Vec<_> = std::iter::once(batch)
            .chain(self.order().iter().copied())
            .collect();
        let axes = activation.f_view([stored.as_slice(), &[-1]].concat().as_slice())?;
        Ok(axes.f_permute(order)?)
    }

    /// The places of the canonical axes among the stored ones.
    fn order(self) -> &'static [i64] {
        match self {
            Self::Flat(_) => &[0],
            Self::Image { .. } => &[2, 0, 1],
        }
    }
}

/// The arrangement of one tensor.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    /// The shape that kernels see.
    operand: Vec<i64>,
    /// The same elements with an axis for each that the canonical order moves.
    stored: Vec<i64>,
    /// The places of the canonical axes among the stored ones.
    order: Vec<i64>,
    /// The shape in a saved state.
    saved: Vec<i64>,
}

impl Layout {
    /// A tensor whose axes are saved in the order `order` of the stored ones.
    pub(crate) fn permuted(stored: &[i64], order: &[i64]) -> Self {
        Self {
            operand: stored.to_vec(),
            stored: stored.to_vec(),
            order: order.to_vec(),
            saved: order.iter().map(|&axis| stored[axis as usize]).collect(),
        }
    }

    /// A tensor that is saved as it lies.
    pub(crate) fn plain(shape: &[i64]) -> Self {
        let order: Vec<_> = (0..shape.len() as i64).collect();
        Self::permuted(shape, &order)
    }

    /// One number for each of `units`, saved as (C, H, W) for an image.
    pub(crate) fn units(units: Units) -> Self {
        Self::permuted(&units.stored(), units.order())
    }

    /// A matrix from `columns` to `rows`, saved with both in canonical order.
    pub(crate) fn matrix(rows: Units, columns: Units) -> Self {
        let axes = rows.stored().len() as i64;
        let moved = columns.order().iter().map(|axis| axis + axes);
        let shape = vec![rows.count(), columns.count()];
        Self {
            operand: shape.clone(),
            stored: [rows.stored(), columns.stored()].concat(),
            order: rows.order().iter().copied().chain(moved).collect(),
            saved: shape,
        }
    }

    /// The shape that kernels see.
    pub(crate) fn operand(&self) -> &[i64] {
        &self.operand
    }

    /// The shape in a saved state.
    pub(crate) fn saved(&self) -> &[i64] {
        &self.saved
    }

    /// The number of elements.
    pub(crate) fn count(&self) -> i64 {
        self.operand.iter().product()
    }

    /// `tensor`, contiguous and of this layout, as it is saved. The memory is shared.
    pub(crate) fn canonical(&self, tensor: &Tensor) -> Result<Canonical, Error> {
        Ok(Canonical {
            view: tensor
                .f_view(self.stored.as_slice())?
                .f_permute(&self.order)?,
            saved: self.saved.clone(),
        })
    }
}

/// A tensor as it is saved: a view that runs through its elements in canonical order.
#[derive(Debug)]
pub(crate) struct Canonical {
    view: Tensor,
    saved: Vec<i64>,
}

impl Canonical {
    /// The elements in canonical order, on axes that multiply to those of the saved shape.
    pub(crate) fn view(&self) -> &Tensor {
        &self.view
    }

    /// The shape in a saved state.
    pub(crate) fn shape(&self) -> &[i64] {
        &self.saved
    }

    /// A contiguous copy in main memory; the tensor itself where it is one.
    pub(crate) fn read(&self) -> Result<Tensor, Error> {
        Ok(self.view.f_to_device(Device::Cpu)?.f_contiguous()?)
    }

    /// Takes the elements of `value`, contiguous and of the saved shape.
    pub(crate) fn write(&self, value: &Tensor) -> Result<(), Error> {
        let value = value.f_view(self.view.size().as_slice())?;
        self.view.shallow_clone().f_copy_(&value)?;
        Ok(())
    }
}

/// A tensor that is saved as it lies.
impl From<Tensor> for Canonical {
    fn from(view: Tensor) -> Self {
        let saved = view.size();
        Self { view, saved }
    }
}
