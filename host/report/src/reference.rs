//! Published figures for a report to set its own beside. It owns the format of a file of such
//! figures, which is not trusted; it never reads one from disk.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::conditions::PublishedConditions;

/// Where figures were published and what they are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Citation {
    /// Name of the publication in a heading, such as `Bartunov et al. 2018`.
    pub name: String,
    /// How its figures came about, as a sentence.
    pub protocol: String,
}

/// Published figures of one method on one network. All are percent of samples, 0 to 100.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Figures {
    /// The train error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub train_error: Option<f64>,
    /// The test error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test_error: Option<f64>,
    /// The share of test samples whose class is not among the five likeliest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test_top_5_error: Option<f64>,
    /// What they were measured under.
    #[serde(default, skip_serializing_if = "PublishedConditions::is_empty")]
    pub conditions: PublishedConditions,
}

/// A file of figures.
///
/// ```toml
/// name = "Bartunov et al. 2018"
/// protocol = "The best test error within 500 epochs."
///
/// [conditions.mnist-fc]
/// epochs = 500
/// train_images = 60_000
///
/// [figures.mnist-fc]
/// bp = { train_error = 0.00, test_error = 1.48 }
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Reference {
    /// Where the figures are from.
    pub citation: Citation,
    figures: Table,
}

/// By network and method.
type Table = BTreeMap<String, BTreeMap<String, Figures>>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    name: String,
    protocol: String,
    /// By network.
    #[serde(default)]
    conditions: BTreeMap<String, PublishedConditions>,
    figures: Table,
}

/// Why a text is no file of figures.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ReferenceError {
    /// It is not TOML of the right form.
    #[error("{0}")]
    Form(String),
    /// Conditions are given of a network that no figure is of.
    #[error("`conditions.{network}` has no `figures.{network}` that it could be of")]
    NoFigures {
        /// The network.
        network: String,
    },
    /// A figure is no percentage.
    #[error("`figures.{network}.{method}` has a figure of {value}; errors are percent, 0 to 100")]
    Percent {
        /// The network.
        network: String,
        /// The method.
        method: String,
        /// The figure.
        value: f64,
    },
}

impl Reference {
    /// Reads a file's text.
    ///
    /// # Errors
    /// Text that is not of the form, an unknown key, a figure that is no percentage.
    pub fn parse(text: &str) -> Result<Self, ReferenceError> {
        let mut file: File =
            toml::from_str(text).map_err(|error| ReferenceError::Form(error.to_string()))?;
        if let Some(network) = file
            .conditions
            .keys()
            .find(|it| !file.figures.contains_key(*it))
        {
            let network = network.clone();
            return Err(ReferenceError::NoFigures { network });
        }
        for (network, methods) in &mut file.figures {
            let conditions = file.conditions.get(network).copied().unwrap_or_default();
            for (method, figures) in methods {
                if figures.conditions.is_empty() {
                    figures.conditions = conditions;
                }
                let wrong = figures.all().find(|value| !(0.0..=100.0).contains(value));
                if let Some(value) = wrong {
                    return Err(ReferenceError::Percent {
                        network: network.clone(),
                        method: method.clone(),
                        value,
                    });
                }
            }
        }
        Ok(Self {
            citation: Citation {
                name: file.name,
                protocol: file.protocol,
            },
            figures: file.figures,
        })
    }

    /// Its figures of a method on a network.
    pub fn figures(&self, network: &str, method: &str) -> Option<Figures> {
        self.figures.get(network)?.get(method).copied()
    }

    /// Every network and method that it has figures of.
    pub fn cells(&self) -> impl Iterator<Item = (&str, &str)> {
        self.figures.iter().flat_map(|(network, methods)| {
            let methods = methods.keys();
            methods.map(move |method| (network.as_str(), method.as_str()))
        })
    }
}

impl Figures {
    fn all(&self) -> impl Iterator<Item = f64> {
        let all = [self.train_error, self.test_error, self.test_top_5_error];
        all.into_iter().flatten()
    }
}

/// How far a measurement is from a published figure, in percentage points: `+1.38`, `−0.20`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Difference {
    /// Published figure.
    pub(crate) published: f64,
    /// Measured value.
    pub(crate) measured: f64,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rounded = format!("{:+.2}", self.measured - self.published);
        // A sign that is as wide as the plus, and none where there is no difference to speak of.
        match rounded.as_str() {
            "+0.00" | "-0.00" => f.write_str("0.00"),
            other => f.write_str(&other.replace('-', "−")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = r#"
        name = "A. Paper"
        protocol = "As it says."
        [conditions.fc]
        epochs = 500
        [figures.fc]
        bp = { train_error = 0.0, test_error = 1.48 }
        [figures.lc]
        bp = { test_error = 71.43, test_top_5_error = 49.07 }
    "#;

    #[test]
    fn figures_are_found_by_network_and_method() {
        let reference = Reference::parse(FILE).unwrap();
        assert_eq!(reference.citation.name, "A. Paper");
        let figures = reference.figures("fc", "bp").unwrap();
        assert_eq!(
            (figures.train_error, figures.test_error),
            (Some(0.0), Some(1.48))
        );
        assert_eq!(figures.conditions.epochs, Some(500));
        let figures = reference.figures("lc", "bp").unwrap();
        assert!(figures.conditions.is_empty());
        assert_eq!(
            (figures.train_error, figures.test_top_5_error),
            (None, Some(49.07))
        );
        assert_eq!(reference.figures("fc", "dtp"), None);
        assert_eq!(
            reference.cells().collect::<Vec<_>>(),
            [("fc", "bp"), ("lc", "bp")]
        );
    }

    #[test]
    fn what_is_no_reference_is_refused() {
        let refused = |text: &str| Reference::parse(text).unwrap_err().to_string();
        assert!(refused(&FILE.replace("1.48", "148")).contains("`figures.fc.bp`"));
        assert!(refused(&FILE.replace("1.48", "nan")).contains("percent"));
        assert!(refused(&FILE.replace("train_error", "training_error")).contains("training_error"));
        assert!(refused("name = 3").contains("name"));
        assert!(
            refused(&FILE.replace("[conditions.fc]", "[conditions.fd]"))
                .contains("`conditions.fd`")
        );
    }

    #[test]
    fn a_difference_has_a_sign_unless_there_is_none() {
        let shown = |published, measured| {
            Difference {
                published,
                measured,
            }
            .to_string()
        };
        assert_eq!(shown(1.48, 2.86), "+1.38");
        assert_eq!(shown(2.86, 1.48), "−1.38");
        assert_eq!(shown(1.0, 0.999), "0.00");
    }
}
