//! Sheets of small tables, pixel by pixel.

use proptest::prelude::*;

use super::layout::{Layout, Resize};
use super::*;
use crate::table::{Scaling, TableWriter};

fn table(shape: [u32; 3], classes: u32, images: &[(Vec<u8>, u16)]) -> ImageTable {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("table.arrow");
    let shape = ImageShape::try_from(shape).unwrap();
    let mut writer = TableWriter::create(&path, shape, classes, &Scaling::UnitInterval).unwrap();
    for (pixels, label) in images {
        writer.push(pixels, *label).unwrap();
    }
    writer.finish().unwrap();
    // The map outlives the file's name.
    ImageTable::open(&path).unwrap()
}

fn colour(sheet: &Sheet, column: u32, row: u32) -> [u8; 3] {
    let at = (row * sheet.width + column) as usize * 3;
    sheet.pixels[at..at + 3].try_into().unwrap()
}

#[test]
fn classes_are_rows_and_images_keep_their_order_and_orientation() {
    // One row of two pixels, magnified 32 times: 64 × 32 each.
    let images = [(vec![10, 20], 1), (vec![30, 40], 0), (vec![50, 60], 1)];
    let sheet = Sheet::draw(&table([1, 1, 2], 2, &images), 5).unwrap();
    assert_eq!(sheet.size(), (2 + 2 * 66, 2 + 2 * 34));
    assert_eq!(sheet.columns(), 2);
    assert_eq!(colour(&sheet, 2, 2), [30; 3]);
    assert_eq!(colour(&sheet, 2 + 63, 2 + 31), [40; 3]);
    assert_eq!(colour(&sheet, 2, 2 + 34), [10; 3]);
    assert_eq!(colour(&sheet, 2 + 32, 2 + 34), [20; 3]);
    assert_eq!(colour(&sheet, 2 + 66, 2 + 34), [50; 3]);
    // Between images, and where a class has fewer.
    for (column, row) in [(0, 0), (66, 2), (2, 34), (2 + 66, 2)] {
        assert_eq!(colour(&sheet, column, row), [BACKGROUND; 3]);
    }
    let fewer = Sheet::draw(&table([1, 1, 2], 2, &images), 1).unwrap();
    assert_eq!(fewer.columns(), 1);
    assert_eq!(colour(&fewer, 2, 2 + 34), [10; 3]);
}

#[test]
fn channels_are_red_green_and_blue() {
    let sheet = Sheet::draw(&table([3, 1, 1], 1, &[(vec![1, 2, 3], 0)]), 1).unwrap();
    assert_eq!(colour(&sheet, 2, 2), [1, 2, 3]);
    assert_eq!(colour(&sheet, 65, 65), [1, 2, 3]);
}

#[test]
fn large_images_are_reduced_to_the_means_of_squares() {
    // 65 columns by 2 rows: squares of 2 × 2, and a last one of 1 × 2.
    let pixels = (0..130).map(|at| if at % 65 == 64 { 9 } else { (at % 2) * 3 });
    let sheet = Sheet::draw(&table([1, 2, 65], 1, &[(pixels.collect(), 0)]), 1).unwrap();
    assert_eq!(sheet.size(), (2 + 33 + 2, 2 + 1 + 2));
    // Columns of row 0 alternate 0, 3 and those of row 1, which starts odd, 3, 0: mean 1.5.
    assert_eq!(colour(&sheet, 2, 2), [2; 3]);
    assert_eq!(colour(&sheet, 2 + 32, 2), [9; 3]);
}

#[test]
fn what_cannot_be_shown_is_refused() {
    let two = table([2, 1, 1], 1, &[(vec![0, 0], 0)]);
    assert!(matches!(Sheet::draw(&two, 1), Err(SheetError::Channels(2))));
    let none = table([1, 1, 1], 3, &[]);
    assert!(matches!(Sheet::draw(&none, 1), Err(SheetError::Empty)));
    let one = table([1, 1, 1], 3, &[(vec![0], 0)]);
    assert!(matches!(Sheet::draw(&one, 0), Err(SheetError::Empty)));
    let wide = Layout::new((1, 1 << 40), 1, 1);
    assert!(wide.checked_size().is_err());
}

#[test]
fn a_png_holds_the_pixels_of_the_sheet() {
    let sheet = Sheet::draw(&table([3, 1, 2], 2, &[(vec![1, 2, 3, 4, 5, 6], 1)]), 1).unwrap();
    let file = sheet.to_png().unwrap();
    let mut reader = png::Decoder::new(io::Cursor::new(file))
        .read_info()
        .unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut pixels).unwrap();
    assert_eq!((info.width, info.height), sheet.size());
    assert_eq!(info.color_type, png::ColorType::Rgb);
    assert_eq!(pixels, sheet.pixels);
}

proptest! {
    #[test]
    fn images_lie_apart_within_the_sheet(
        height in 1_u32..300,
        width in 1_u32..300,
        columns in 1_u64..12,
        classes in 1_u64..200,
    ) {
        let shape = ImageShape::new(1, height, width).unwrap();
        let size = Resize::of(shape).size(shape);
        prop_assert!(size.0.max(size.1) <= 64 && size.0.min(size.1) >= 1);
        let layout = Layout::new(size, columns, classes);
        let (width, height) = layout.checked_size().unwrap();
        let mut places: Vec<_> = (0..classes)
            .flat_map(|class| (0..columns).map(move |column| layout.place(class, column)))
            .collect();
        for &(left, top) in &places {
            prop_assert!(left + size.0 < u64::from(width) && top + size.1 < u64::from(height));
        }
        let count = places.len();
        // Places are on a grid of more than an image's size, so different ones do not overlap.
        places.sort_unstable();
        places.dedup();
        prop_assert_eq!(places.len(), count);
    }
}
