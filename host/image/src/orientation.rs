//! The orientation that EXIF states, and undoing it.

use exif::{In, Reader, Tag};

/// The turn and mirroring by which an image comes to stand upright.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Orientation {
    /// Rows become columns, before anything is mirrored.
    transposed: bool,
    /// The stored image is read from the last row up.
    rows_reversed: bool,
    /// The stored image is read from the last column back.
    columns_reversed: bool,
}

impl Orientation {
    pub(super) const UPRIGHT: Self = Self::new(false, false, false);

    const fn new(transposed: bool, rows_reversed: bool, columns_reversed: bool) -> Self {
        Self {
            transposed,
            rows_reversed,
            columns_reversed,
        }
    }

    /// The orientation that the EXIF data state, given from their TIFF header on; upright where
    /// they state none.
    pub(super) fn of(exif: Vec<u8>) -> Self {
        let exif = Reader::new().read_raw(exif).ok();
        let field = exif
            .as_ref()
            .and_then(|exif| exif.get_field(Tag::Orientation, In::PRIMARY));
        // The numbers of EXIF 2.3, section 4.6.4.
        match field.and_then(|field| field.value.get_uint(0)) {
            Some(2) => Self::new(false, false, true),
            Some(3) => Self::new(false, true, true),
            Some(4) => Self::new(false, true, false),
            Some(5) => Self::new(true, false, false),
            Some(6) => Self::new(true, true, false),
            Some(7) => Self::new(true, true, true),
            Some(8) => Self::new(true, false, true),
            _ => Self::UPRIGHT,
        }
    }

    /// Turns `stored`, of `width` × `height` interleaved RGB pixels, upright into `upright`, whose
    /// width and height it returns.
    pub(super) fn undo(
        self,
        [width, height]: [u32; 2],
        stored: &[u8],
        upright: &mut Vec<u8>,
    ) -> [u32; 2] {
        let (columns, rows) = (width as usize, height as usize);
        let (out_columns, out_rows) = if self.transposed {
            (rows, columns)
        } else {
            (columns, rows)
        };
        upright.clear();
        upright.reserve(columns * rows * 3);
        for out_row in 0..out_rows {
            for out_column in 0..out_columns {
                let (mut row, mut column) = if self.transposed {
                    (out_column, out_row)
                } else {
                    (out_row, out_column)
                };
                if self.rows_reversed {
                    row = rows - 1 - row;
                }
                if self.columns_reversed {
                    column = columns - 1 - column;
                }
                let at = (row * columns + column) * 3;
                upright.extend_from_slice(&stored[at..at + 3]);
            }
        }
        [out_columns as u32, out_rows as u32]
    }
}
