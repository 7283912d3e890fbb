//! The small networks that learners are made for: one of each kind that a network can be.

use assay_network::Network;

/// A network of each kind, with a name; those that most algorithms support come first. Heights and
/// widths differ, so that an algorithm which takes one for the other is found out.
pub(crate) fn candidates() -> Vec<(&'static str, Network)> {
    let notations: [(&str, [usize; 3], &[&str]); 7] = [
        (
            "fully connected",
            [1, 4, 3],
            &["fc 12", "fc 8", "softmax 4"],
        ),
        (
            "convolutional",
            [2, 5, 4],
            &["conv 3x3 4 s2", "fc 8", "softmax 4"],
        ),
        (
            "locally connected",
            [2, 5, 4],
            &["lc 3x3 4", "lc 3x3 2 s2", "softmax 4"],
        ),
        ("autoencoder", [1, 4, 3], &["fc 8", "fc 5", "fc 8", "fc 12"]),
        ("image to image", [2, 5, 4], &["conv 3x3 3", "lc 3x3 2"]),
        ("one layer", [1, 4, 3], &["softmax 4"]),
        ("two layers", [1, 4, 3], &["fc 8", "softmax 4"]),
    ];
    notations
        .into_iter()
        .filter_map(|(name, input, layers)| Some((name, Network::parse(input, layers).ok()?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_candidate_is_a_network() {
        assert_eq!(candidates().len(), 7);
    }
}
