//! Text of strangers made fit for a terminal: the names, messages and logs of files, plugins and
//! bundles. A terminal obeys control characters, and some characters change the order in which a
//! line is read; here they are written out, such as `\u{1b}`, so that they are seen and do nothing.

use std::borrow::Cow;

/// Whether a terminal obeys the character or turns the line's order by it, instead of showing it.
/// So it is with line breaks and tabs.
pub fn steers_terminal(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            // Marks, embeddings, overrides and isolates of the direction of writing.
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
            // Line and paragraph separators.
            | '\u{2028}' | '\u{2029}'
        )
}

/// The text with every character that steers a terminal written out, but for `\n` and tabs.
pub fn printable(text: &str) -> Cow<'_, str> {
    escape(text, |character| {
        !matches!(character, '\n' | '\t') && steers_terminal(character)
    })
}

/// The text on one line: as [`printable`], with line breaks and tabs written out too.
pub fn printable_line(text: &str) -> Cow<'_, str> {
    escape(text, steers_terminal)
}

fn escape(text: &str, is_unfit: impl Fn(char) -> bool) -> Cow<'_, str> {
    let Some(first) = text.find(&is_unfit) else {
        return Cow::Borrowed(text);
    };
    let (fit, rest) = text.split_at(first);
    let mut escaped = String::with_capacity(text.len() + 16);
    escaped.push_str(fit);
    for character in rest.chars() {
        if is_unfit(character) {
            escaped.extend(character.escape_default());
        } else {
            escaped.push(character);
        }
    }
    Cow::Owned(escaped)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_that_steer_a_terminal_are_written_out() {
        let text = "\u{1b}[2J\u{7}\r\u{7f}\u{9b}1m\u{202e}x\u{2066}\u{61c}\u{2028}";
        assert_eq!(
            printable(text),
            r"\u{1b}[2J\u{7}\r\u{7f}\u{9b}1m\u{202e}x\u{2066}\u{61c}\u{2028}"
        );
    }

    #[test]
    fn line_breaks_stay_in_texts_and_not_in_lines() {
        assert_eq!(printable("one\n\ttwo"), "one\n\ttwo");
        assert_eq!(printable_line("one\n\ttwo"), r"one\n\ttwo");
    }

    #[test]
    fn what_a_terminal_shows_is_left_as_it_is() {
        for text in ["", "δ ∘ tanh′ — fine", "שלום", "e\u{301}", r"C:\u{1b}"] {
            assert!(matches!(printable(text), Cow::Borrowed(same) if same == text));
        }
    }
}
