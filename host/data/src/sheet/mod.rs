//! A contact sheet: the first images of each class of a table in one picture, a row for each
//! class. Pixels are shown as stored, before scaling; nothing is drawn at random.

mod layout;

use std::io;

use self::layout::{Layout, Resize};
use crate::table::{ImageShape, ImageTable};

/// The grey between images.
const BACKGROUND: u8 = 96;

/// A picture of red, green and blue bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sheet {
    width: u32,
    height: u32,
    columns: u32,
    pixels: Vec<u8>,
}

/// A table of which there is no sheet.
#[derive(Debug, thiserror::Error)]
pub enum SheetError {
    /// Only grey and colour images can be looked at.
    #[error("images of {0} channels cannot be shown; a sheet shows 1 (grey) or 3 (colour)")]
    Channels(u32),
    /// There is nothing to show.
    #[error("there are no images to show")]
    Empty,
    /// The sheet would be too large.
    #[error("the sheet would have {0} million pixels; ask for fewer images of each class")]
    TooLarge(u64),
    /// The picture could not be encoded.
    #[error("the sheet cannot be encoded as PNG")]
    Encode(#[from] png::EncodingError),
}

impl Sheet {
    /// The first `per_class` images of each class of `table`, in the order of the table. Classes
    /// run down the sheet by label, and go on in another column of rows where the sheet would be
    /// more than twice as high as wide. Small images are magnified by a whole number, large ones
    /// reduced by one.
    ///
    /// # Errors
    /// There is nothing that could be shown, or too much.
    pub fn draw(table: &ImageTable, per_class: u32) -> Result<Self, SheetError> {
        let shape = table.shape();
        if ![1, 3].contains(&shape.channels()) {
            return Err(SheetError::Channels(shape.channels()));
        }
        let chosen = first_of_each(table, per_class);
        let columns = chosen.iter().map(Vec::len).max().unwrap_or(0);
        if columns == 0 {
            return Err(SheetError::Empty);
        }
        let resize = Resize::of(shape);
        let layout = Layout::new(resize.size(shape), columns as u64, chosen.len() as u64);
        let (width, height) = layout.checked_size().map_err(SheetError::TooLarge)?;
        let mut sheet = Self {
            width,
            height,
            columns: columns as u32,
            pixels: vec![BACKGROUND; width as usize * height as usize * 3],
        };
        for (class, images) in chosen.iter().enumerate() {
            for (column, &index) in images.iter().enumerate() {
                if let Some((pixels, _)) = table.row(index) {
                    let place = layout.place(class as u64, column as u64);
                    sheet.paint(place, shape, pixels, resize);
                }
            }
        }
        Ok(sheet)
    }

    /// Width and height in pixels.
    pub fn size(&self) -> (u32, u32) {
        (self.width, self.height)
    }

    /// Images in a row.
    pub fn columns(&self) -> u32 {
        self.columns
    }

    /// The sheet as a PNG file.
    ///
    /// # Errors
    /// [`SheetError::Encode`].
    pub fn to_png(&self) -> Result<Vec<u8>, SheetError> {
        let mut file = io::Cursor::new(Vec::new());
        let mut encoder = png::Encoder::new(&mut file, self.width, self.height);
        encoder.set_color(png::ColorType::Rgb);
        encoder.set_depth(png::BitDepth::Eight);
        let mut writer = encoder.write_header()?;
        writer.write_image_data(&self.pixels)?;
        writer.finish()?;
        Ok(file.into_inner())
    }

    /// Paints an image with its upper left corner at `place`, (column, row).
    fn paint(&mut self, place: (u64, u64), shape: ImageShape, pixels: &[u8], resize: Resize) {
        let (width, height) = resize.size(shape);
        let channels: Vec<_> = pixels
            .chunks_exact(shape.height() as usize * shape.width() as usize)
            .collect();
        for row in 0..height {
            let start = (place.1 + row) * u64::from(self.width) + place.0;
            for column in 0..width {
                let at = (start + column) as usize * 3;
                let Some(colour) = self.pixels.get_mut(at..at + 3) else {
                    continue;
                };
                for (number, value) in colour.iter_mut().enumerate() {
                    // A grey image's one channel stands for all three.
                    let channel = channels.get(number).or(channels.first());
                    *value = channel.map_or(BACKGROUND, |channel| {
                        resize.value(shape, channel, column, row)
                    });
                }
            }
        }
    }
}

/// The positions of the first `count` images of each class, by label.
fn first_of_each(table: &ImageTable, count: u32) -> Vec<Vec<u32>> {
    let mut chosen = vec![Vec::new(); table.classes() as usize];
    let mut unfilled = chosen.len();
    for index in 0..table.len() {
        let class = table.row(index).map(|(_, label)| label as usize);
        if let Some(images) = class.and_then(|class| chosen.get_mut(class))
            && images.len() < count as usize
        {
            images.push(index);
            if images.len() == count as usize {
                unfilled -= 1;
                if unfilled == 0 {
                    break;
                }
            }
        }
    }
    chosen
}

#[cfg(test)]
mod tests;
