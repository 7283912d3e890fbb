//! The looks of a mark, as classes that the page's style sheet defines.

/// Colours that the style sheet defines, as `c0`, `c1`, ….
const COLOURS: usize = 7;
/// Dash patterns that the style sheet defines, as `d0`, `d1`, …. It shares no factor with the colours, so that
/// neighbours differ in both, and grey print tells them apart.
const DASHES: usize = 4;

/// The looks of a mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Those of the method with this number: a colour and a dash pattern of its own up to 28 methods.
    Method(usize),
    /// In the background.
    Muted,
    /// One that stands out of others in the background.
    Accent,
}

impl Style {
    /// Its classes, for lines.
    pub(crate) fn line(self) -> String {
        match self {
            Self::Method(number) => {
                format!("line c{} d{}", number % COLOURS, number % DASHES)
            }
            Self::Muted => "line muted".to_owned(),
            Self::Accent => "line accent".to_owned(),
        }
    }

    /// Its class, for everything that is filled.
    pub(crate) fn fill(self) -> String {
        match self {
            Self::Method(number) => format!("c{}", number % COLOURS),
            Self::Muted => "muted".to_owned(),
            Self::Accent => "accent".to_owned(),
        }
    }
}
