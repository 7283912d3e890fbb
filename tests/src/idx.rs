//! Small datasets in IDX format that a small network can learn: each class is a noisy pattern.

use std::fs;
use std::path::Path;

/// Classes of the dataset that [`write_dataset`] writes.
pub const CLASSES: u8 = 4;

/// Square images of some classes.
#[derive(Clone, Copy, Debug)]
pub struct Images {
    /// Their number of rows and columns.
    pub side: usize,
    /// Their number of classes.
    pub classes: u8,
}

/// A multiplicative congruential generator: enough for test images, the same everywhere.
struct Noise(u64);

impl Noise {
    fn byte(&mut self) -> u8 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.0 >> 56) as u8
    }
}

/// Writes the four files into `folder`: `train` and `test` images of 8 × 8 pixels.
pub fn write_dataset(folder: &Path, train: u32, test: u32) {
    let images = Images {
        side: 8,
        classes: CLASSES,
    };
    images.write(folder, train, test);
}

impl Images {
    /// Writes the four files into `folder`, with `train` and `test` images.
    pub fn write(self, folder: &Path, train: u32, test: u32) {
        fs::create_dir_all(folder).unwrap();
        for (prefix, count, seed) in [("train", train, 1), ("t10k", test, 2)] {
            let (images, labels) = self.split(count, seed);
            fs::write(folder.join(format!("{prefix}-images-idx3-ubyte")), images).unwrap();
            fs::write(folder.join(format!("{prefix}-labels-idx1-ubyte")), labels).unwrap();
        }
    }

    fn split(self, count: u32, seed: u64) -> (Vec<u8>, Vec<u8>) {
        let Self { side, classes } = self;
        let mut noise = Noise(seed);
        let mut images = header(3, &[count, side as u32, side as u32]);
        let mut labels = header(1, &[count]);
        // A class is a bright tile of the image, under noise that hides it now and then.
        let tiles = usize::from(classes).isqrt();
        let tiles = tiles + usize::from(tiles * tiles < usize::from(classes));
        for _ in 0..count {
            let class = noise.byte() % classes;
            labels.push(class);
            for place in 0..side * side {
                let (row, column) = (place / side, place % side);
                let tile = row * tiles / side * tiles + column * tiles / side;
                let level = if tile == usize::from(class) { 90 } else { 0 };
                images.push(level + noise.byte() % 160);
            }
        }
        (images, labels)
    }
}

fn header(dimensions: u8, sizes: &[u32]) -> Vec<u8> {
    let mut header = vec![0, 0, 8, dimensions];
    for size in sizes {
        header.extend(size.to_be_bytes());
    }
    header
}
