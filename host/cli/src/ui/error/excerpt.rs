//! The lines of a source that a complaint is about, fit for a terminal.

use std::ops::Range;

use assay_core::steers_terminal;

/// The most of a place that is shown: lines, and characters.
const MOST_LINES: usize = 6;
const MOST_CHARACTERS: usize = 400;
/// The most characters that are shown behind a place on its last line.
const LONGEST_REST: usize = 200;

/// The lines of a source around a place.
pub(crate) struct Excerpt {
    /// The lines. Each character stands for one of the source, so that columns stay right.
    pub(crate) text: String,
    /// The number of the first line, from 1.
    pub(crate) first_line: usize,
    /// The place in `text`.
    pub(crate) place: Range<usize>,
}

impl Excerpt {
    /// The lines of `source` that hold `place`, which may be of any length and lie anywhere.
    pub(crate) fn of(source: &str, place: &Range<usize>) -> Self {
        let start = source.floor_char_boundary(place.start);
        let end = source.floor_char_boundary(place.end).max(start);
        let (before, rest) = source.split_at(start);
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let within = beginning(&rest[..end - start], MOST_LINES, MOST_CHARACTERS);
        let behind = rest[within.len()..].split('\n').next().unwrap_or_default();
        let shown_behind = beginning(behind, 1, LONGEST_REST);
        let mut text = visible(&before[line_start..]);
        let from = text.len();
        text.push_str(&visible(within));
        let place = from..text.len();
        text.push_str(&visible(shown_behind));
        if shown_behind.len() < behind.len() {
            text.push('…');
        }
        Self {
            text,
            first_line: before.matches('\n').count() + 1,
            place,
        }
    }
}

/// At most so many lines and characters of the text's beginning.
fn beginning(text: &str, lines: usize, characters: usize) -> &str {
    let end_of_lines = text.match_indices('\n').nth(lines - 1);
    let text = end_of_lines.map_or(text, |(at, _)| &text[..at]);
    let end = text.char_indices().nth(characters);
    end.map_or(text, |(at, _)| &text[..at])
}

/// The text with a visible character in place of each that steers a terminal, but for line breaks,
/// and tabs, which the renderer widens.
fn visible(text: &str) -> String {
    let visible = text.chars().map(|character| match character {
        '\n' | '\t' => character,
        // The pictures of control characters follow each other in their order.
        '\0'..='\u{1f}' => char::from_u32(0x2400 + u32::from(character)).unwrap_or('\u{fffd}'),
        _ if steers_terminal(character) => char::REPLACEMENT_CHARACTER,
        _ => character,
    });
    visible.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_lines_of_the_place_and_no_others() {
        let source = "first\nsecond = 1\nthird\n";
        let excerpt = Excerpt::of(source, &(15..16));
        assert_eq!(
            (excerpt.text.as_str(), excerpt.first_line),
            ("second = 1", 2)
        );
        assert_eq!(&excerpt.text[excerpt.place], "1");
        let two_lines = Excerpt::of(source, &(6..20));
        assert_eq!(two_lines.text, "second = 1\nthird");
    }

    #[test]
    fn nothing_of_it_steers_a_terminal_and_columns_stay() {
        let excerpt = Excerpt::of("a\u{1b}\u{9b}\u{202e} = 1", &(0..1));
        assert_eq!(excerpt.text, "a\u{241b}\u{fffd}\u{fffd} = 1");
    }

    #[test]
    fn long_places_and_what_follows_them_are_cut() {
        let long = "x".repeat(100_000);
        let excerpt = Excerpt::of(&long, &(0..100_000));
        assert_eq!(excerpt.place, 0..MOST_CHARACTERS);
        assert!(excerpt.text.len() < 1000 && excerpt.text.ends_with('…'));
        let lines = "line\n".repeat(100_000);
        assert_eq!(
            Excerpt::of(&lines, &(0..500_000)).text.lines().count(),
            MOST_LINES
        );
    }

    #[test]
    fn places_beyond_the_source_are_taken_to_its_end() {
        let excerpt = Excerpt::of("short", &(90..100));
        assert_eq!((excerpt.text.as_str(), excerpt.place), ("short", 5..5));
        let excerpt = Excerpt::of("é", &(1..1));
        assert_eq!(excerpt.place, 0..0);
    }
}
