//! The description of a network in the paper's notation, with its shapes checked.
