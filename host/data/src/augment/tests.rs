use proptest::prelude::*;

use super::*;

fn shape() -> ImageShape {
    ImageShape::new(2, 3, 4).unwrap()
}

/// 1 to 24, so that zeros are padding.
fn image() -> Vec<u8> {
    (1..=24).collect()
}

fn applied(draw: Draw) -> Vec<u8> {
    let mut augmented = vec![255; 24];
    draw.apply(shape(), &image(), &mut augmented);
    augmented
}

const CENTRE: Draw = Draw {
    padding: 2,
    top: 2,
    left: 2,
    flip: None,
};

#[test]
fn without_settings_nothing_happens() {
    for index in 0..100 {
        let draw = Augmentation::default().in_epoch(1, 2).draw(index);
        assert_eq!(applied(draw), image());
    }
    assert_eq!(applied(CENTRE), image());
}

#[test]
fn a_crop_shows_the_padding_on_the_side_it_moves_to() {
    let up_left = Draw {
        top: 1,
        left: 0,
        ..CENTRE
    };
    #[rustfmt::skip]
    assert_eq!(applied(up_left), [
        0, 0, 0, 0,
        0, 0, 1, 2,
        0, 0, 5, 6,

        0, 0, 0, 0,
        0, 0, 13, 14,
        0, 0, 17, 18,
    ]);
    let down_right = Draw {
        top: 4,
        left: 3,
        ..CENTRE
    };
    #[rustfmt::skip]
    assert_eq!(applied(down_right), [
        10, 11, 12, 0,
        0, 0, 0, 0,
        0, 0, 0, 0,

        22, 23, 24, 0,
        0, 0, 0, 0,
        0, 0, 0, 0,
    ]);
}

#[test]
fn flips_mirror_the_crop() {
    let flipped = |flip| {
        applied(Draw {
            top: 1,
            left: 3,
            flip: Some(flip),
            ..CENTRE
        })
    };
    #[rustfmt::skip]
    assert_eq!(flipped(Flip::Horizontal)[..12], [
        0, 0, 0, 0,
        0, 4, 3, 2,
        0, 8, 7, 6,
    ]);
    #[rustfmt::skip]
    assert_eq!(flipped(Flip::Vertical)[..12], [
        6, 7, 8, 0,
        2, 3, 4, 0,
        0, 0, 0, 0,
    ]);
}

const CIFAR: Augmentation = Augmentation {
    crop_padding: 4,
    flip: Some(Flip::Horizontal),
};

/// The expected draws come from an independent implementation of the same description.
#[test]
fn the_draws_of_given_keys_never_change() {
    let draws = |seed, epoch| {
        let epoch = CIFAR.in_epoch(seed, epoch);
        [0, 1, 2, 49_999].map(|index| {
            let draw = epoch.draw(index);
            (draw.top, draw.left, draw.flip.is_some())
        })
    };
    assert_eq!(
        draws(0, 1),
        [(2, 8, false), (6, 6, false), (0, 1, false), (3, 7, false)]
    );
    assert_eq!(
        draws(42, 500),
        [(0, 5, false), (8, 0, true), (2, 4, false), (2, 5, true)]
    );
}

#[test]
fn a_flip_changes_no_crop() {
    let without = Augmentation {
        flip: None,
        ..CIFAR
    };
    for index in 0..100 {
        let (with, without) = (
            CIFAR.in_epoch(3, 1).draw(index),
            without.in_epoch(3, 1).draw(index),
        );
        assert_eq!((with.top, with.left), (without.top, without.left));
        assert_eq!(without.flip, None);
    }
}

#[test]
fn every_draw_appears_equally_often() {
    const IMAGES: u32 = 162_000;
    let epoch = CIFAR.in_epoch(7, 3);
    let mut counts = [0_u32; 9 * 9 * 2];
    for index in 0..IMAGES {
        let Draw {
            top, left, flip, ..
        } = epoch.draw(index);
        counts[((top * 9 + left) * 2 + u32::from(flip.is_some())) as usize] += 1;
    }
    let expected = f64::from(IMAGES) / 162.0;
    let chi_squared: f64 = counts
        .iter()
        .map(|&count| (f64::from(count) - expected).powi(2) / expected)
        .sum();
    // The 99.9 % quantile with 161 degrees of freedom.
    assert!(chi_squared < 221.0, "{chi_squared}");
}

#[test]
fn the_text_of_an_augmentation_leaves_out_what_it_does_not_do() {
    for (text, augmentation) in [
        ("{}", Augmentation::default()),
        (r#"{"crop_padding":4,"flip":"horizontal"}"#, CIFAR),
        (
            r#"{"flip":"vertical"}"#,
            Augmentation {
                crop_padding: 0,
                flip: Some(Flip::Vertical),
            },
        ),
    ] {
        assert_eq!(serde_json::to_string(&augmentation).unwrap(), text);
        let read: Augmentation = serde_json::from_str(text).unwrap();
        assert_eq!(read, augmentation);
    }
    for text in [
        r#"{"crop":4}"#,
        r#"{"flip":"both"}"#,
        r#"{"crop_padding":-1}"#,
    ] {
        assert!(
            serde_json::from_str::<Augmentation>(text).is_err(),
            "{text}"
        );
    }
}

fn flips() -> impl Strategy<Value = Option<Flip>> {
    prop_oneof![
        Just(None),
        Just(Some(Flip::Horizontal)),
        Just(Some(Flip::Vertical))
    ]
}

proptest! {
    /// Pixel by pixel, from the definition.
    #[test]
    fn a_crop_is_a_window_of_the_padded_image(
        padding in 0_u32..7,
        place in any::<[u32; 2]>(),
        flip in flips(),
    ) {
        let [top, left] = place.map(|place| place % (2 * padding + 1));
        let (source, found) = (image(), applied(Draw { padding, top, left, flip }));
        for channel in 0..2_i64 {
            for row in 0..3_i64 {
                for column in 0..4_i64 {
                    let (from_row, from_column) = match flip {
                        None => (row, column),
                        Some(Flip::Horizontal) => (row, 3 - column),
                        Some(Flip::Vertical) => (2 - row, column),
                    };
                    let y = from_row + i64::from(top) - i64::from(padding);
                    let x = from_column + i64::from(left) - i64::from(padding);
                    let inside = (0..3).contains(&y) && (0..4).contains(&x);
                    let expected = if inside {
                        source[(channel * 12 + y * 4 + x) as usize]
                    } else {
                        0
                    };
                    prop_assert_eq!(found[(channel * 12 + row * 4 + column) as usize], expected);
                }
            }
        }
    }

    #[test]
    fn seeds_epochs_and_images_draw_differently(seed: u64, epoch: u32, index: u32) {
        let draws = |seed, epoch, first: u32| {
            let epoch = CIFAR.in_epoch(seed, epoch);
            (0..30).map(move |offset| epoch.draw(first.wrapping_add(offset))).collect::<Vec<_>>()
        };
        let here = draws(seed, epoch, index);
        prop_assert_eq!(&here, &draws(seed, epoch, index));
        prop_assert_ne!(&here, &draws(seed ^ 1, epoch, index));
        prop_assert_ne!(&here, &draws(seed, epoch ^ 1, index));
        prop_assert_ne!(&here, &draws(seed, epoch, index.wrapping_add(1)));
    }

    #[test]
    fn no_padding_makes_it_panic(padding: u32, index: u32) {
        let augmentation = Augmentation { crop_padding: padding, flip: None };
        let draw = augmentation.in_epoch(0, 0).draw(index);
        draw.apply(shape(), &image(), &mut [0; 24]);
    }
}
