//! Plots as SVG text: marks on scales, and nothing that depends on fonts, time or a browser.
//!
//! A [`Plot`] has two [`Scale`]s and any number of [`Mark`]s; several plots with the same scales beside each
//! other are facets. The same plot gives the same bytes. Colours, dashes and fonts are classes that the page
//! defines ([`Style`]), so that one page can be light, dark and printed. A [`Point`] that is not finite is left
//! out. Coordinates are in pixels of the view box, with one digit after the point. A curve of many
//! points is drawn through the means of neighbouring ones, a band around their extremes.

mod curve;
mod mark;
mod plot;
mod scale;
mod style;

pub use mark::{Mark, Point};
pub use plot::{Axis, Plot, STYLES, swatch};
pub use scale::Scale;
pub use style::Style;
