//! Complaints that are found in several places and put together.

use assay_core::{Complaints, Diagnostic, Place, SourceError};
use proptest::prelude::*;

fn complaint(number: u8) -> Diagnostic {
    let place = Place {
        source: 0,
        bytes: 0..1,
    };
    Diagnostic::new(format!("complaint {number}"), &place)
}

fn error(complaints: Complaints) -> SourceError {
    SourceError::new(Vec::new(), complaints)
}

proptest! {
    #[test]
    fn siblings_together_are_as_one_list(
        first in prop::collection::vec(0..60_u8, 0..40),
        parts in prop::collection::vec(prop::collection::vec(0..60_u8, 0..80), 0..4),
    ) {
        let mut whole = Complaints::default();
        let mut joined = Complaints::default();
        for &number in &first {
            whole.push(complaint(number));
            joined.push(complaint(number));
        }
        let siblings: Vec<_> = parts
            .iter()
            .map(|part| {
                let mut sibling = joined.sibling();
                sibling.extend(part.iter().map(|&number| complaint(number)));
                sibling
            })
            .collect();
        whole.extend(parts.iter().flatten().map(|&number| complaint(number)));
        for sibling in siblings {
            joined.append(sibling);
        }
        prop_assert_eq!(joined.made(), whole.made());
        prop_assert_eq!(error(joined), error(whole));
    }
}
