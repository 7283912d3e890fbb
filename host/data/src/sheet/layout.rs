//! The place and the size of each image on a sheet. Nothing here touches pixels of a
//! sheet.

use crate::table::ImageShape;

/// Images are drawn about this large, whatever their size.
const SIDE: u32 = 64;
/// Between neighbouring images, and around all of them.
const GAP: u64 = 2;
/// Between columns of rows.
const WIDE_GAP: u64 = 16;
/// The most pixels of a sheet.
const LARGEST: u64 = 1 << 28;

/// A change of size by a whole number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Resize {
    /// Every pixel becomes a square of so many.
    Magnify(u32),
    /// Every square of so many becomes their mean.
    Reduce(u32),
}

impl Resize {
    /// The change of size that brings the longer side of an image of `shape` near [`SIDE`].
    pub(super) fn of(shape: ImageShape) -> Self {
        let longer = shape.height().max(shape.width());
        if longer <= SIDE {
            Self::Magnify(SIDE / longer)
        } else {
            Self::Reduce(longer.div_ceil(SIDE))
        }
    }

    /// The width and height of an image of `shape` as drawn.
    pub(super) fn size(self, shape: ImageShape) -> (u64, u64) {
        let side = |side: u32| match self {
            Self::Magnify(factor) => u64::from(side) * u64::from(factor),
            Self::Reduce(factor) => u64::from(side.div_ceil(factor)),
        };
        (side(shape.width()), side(shape.height()))
    }

    /// The drawn pixel at (`column`, `row`) of one channel of an image of `shape`.
    pub(super) fn value(self, shape: ImageShape, channel: &[u8], column: u64, row: u64) -> u8 {
        let width = u64::from(shape.width());
        let at = |column: u64, row: u64| channel.get((row * width + column) as usize).copied();
        match self {
            Self::Magnify(factor) => {
                let factor = u64::from(factor);
                at(column / factor, row / factor).unwrap_or(0)
            }
            Self::Reduce(factor) => {
                let factor = u64::from(factor);
                let along = |start: u64, side: u32| {
                    start * factor..((start + 1) * factor).min(u64::from(side))
                };
                let (columns, rows) = (along(column, shape.width()), along(row, shape.height()));
                let square = rows.flat_map(|row| columns.clone().map(move |column| (column, row)));
                let (mut sum, mut count) = (0, 0);
                for value in square.filter_map(|(column, row)| at(column, row)) {
                    sum += u64::from(value);
                    count += 1;
                }
                // To the nearest.
                ((sum + count / 2) / count.max(1)) as u8
            }
        }
    }
}

/// The arrangement of a sheet in columns of rows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Layout {
    /// Width and height of an image as drawn.
    image: (u64, u64),
    /// Images in a row.
    columns: u64,
    /// Classes in a column of rows.
    rows: u64,
    /// Columns of rows.
    stacks: u64,
}

impl Layout {
    pub(super) fn new(image: (u64, u64), columns: u64, classes: u64) -> Self {
        let with = |stacks| Self {
            image,
            columns,
            rows: classes.div_ceil(stacks),
            stacks,
        };
        let mut layout = with(1);
        while layout.rows > 1 && layout.size().1 > 2 * layout.size().0 {
            layout = with(layout.stacks + 1);
        }
        layout
    }

    /// The size of the sheet.
    ///
    /// # Errors
    /// It is too large: so many million pixels.
    pub(super) fn checked_size(&self) -> Result<(u32, u32), u64> {
        let (width, height) = self.size();
        match (u32::try_from(width), u32::try_from(height)) {
            (Ok(columns), Ok(rows)) if width.saturating_mul(height) <= LARGEST => {
                Ok((columns, rows))
            }
            _ => Err(width.saturating_mul(height) / 1_000_000),
        }
    }

    fn size(&self) -> (u64, u64) {
        let stacks = self.stacks * self.stack_width() + (self.stacks - 1) * WIDE_GAP;
        (GAP + stacks, GAP + self.rows * (self.image.1 + GAP))
    }

    fn stack_width(&self) -> u64 {
        self.columns * (self.image.0 + GAP)
    }

    /// The upper left corner, (column, row), of image number `column` of a class.
    pub(super) fn place(&self, class: u64, column: u64) -> (u64, u64) {
        let (stack, row) = (class / self.rows, class % self.rows);
        let left = stack * (self.stack_width() + WIDE_GAP) + column * (self.image.0 + GAP);
        (GAP + left, GAP + row * (self.image.1 + GAP))
    }
}
