//! The small real task: telling digits apart in little pictures, without a file to download.
//!
//! Each picture holds one digit of a 3 × 5 dot font, anywhere in a frame, drawn light on dark or
//! dark on light, with noise. It is real in what makes recognition hard: neither place nor contrast
//! says anything about the class. And no linear model can do it, which does not rest on a
//! measurement: a picture and its negative are equally likely and of the same class, so the classes
//! have the same mean, and whatever evidence a linear model takes from a picture, its negative
//! takes back.

use crate::random::Random;
use crate::samples::Samples;

/// (C, H, W) of a picture.
pub(crate) const INPUT: [usize; 3] = [1, 6, 4];
/// The number of digits to tell apart.
pub(crate) const CLASSES: usize = 4;

/// Rows of three dots, top to bottom, of digits that share most of their dots.
const FONT: [[u8; 5]; CLASSES] = [
    [0b111, 0b101, 0b101, 0b101, 0b111],
    [0b010, 0b110, 0b010, 0b010, 0b111],
    [0b101, 0b101, 0b111, 0b001, 0b001],
    [0b111, 0b001, 0b001, 0b010, 0b010],
];
/// The most that noise moves a dot of contrast 1.
const NOISE: f32 = 0.4;

/// `count` pictures with their classes, of which there are equally many up to one.
pub(crate) fn pictures(count: usize, seed: u64) -> Samples {
    let mut random = Random::new(seed);
    let mut inputs = Vec::with_capacity(count * INPUT.iter().product::<usize>());
    let mut labels = Vec::with_capacity(count);
    for at in 0..count {
        let class = at % CLASSES;
        draw(class, &mut random, &mut inputs);
        labels.push(class as i64);
    }
    Samples::new(INPUT, inputs, labels)
}

/// Appends a picture of the digit `class`.
fn draw(class: usize, random: &mut Random, out: &mut Vec<f32>) {
    let [_, height, width] = INPUT;
    let top = random.below(height - FONT[class].len() + 1);
    let left = random.below(width - 3 + 1);
    let contrast = if random.below(2) == 0 { 1.0 } else { -1.0 };
    for row in 0..height {
        for column in 0..width {
            let dots = row.checked_sub(top).and_then(|row| FONT[class].get(row));
            let column = column.checked_sub(left).filter(|&column| column < 3);
            let lit = dots
                .zip(column)
                .is_some_and(|(dots, at)| dots >> (2 - at) & 1 == 1);
            let ink = if lit { contrast } else { -contrast };
            out.push(ink * (1.0 - NOISE) + NOISE * random.symmetric());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linear;

    #[test]
    fn a_linear_model_gets_most_pictures_wrong() {
        let (train, test) = (pictures(2000, 1), pictures(1000, 2));
        let error = linear::lowest_error(&train, &test, CLASSES);
        assert!(error > 0.5, "{error}");
    }

    #[test]
    fn pictures_are_the_same_for_a_seed_and_differ_between_seeds() {
        let values = |seed| {
            pictures(8, seed)
                .inputs()
                .flatten()
                .copied()
                .collect::<Vec<_>>()
        };
        assert_eq!(values(1), values(1));
        assert_ne!(values(1), values(2));
        assert!(values(1).iter().all(|value| value.abs() <= 1.0));
    }
}
