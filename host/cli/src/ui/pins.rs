//! Pins of a store or of a remote, as text and as JSON.

use assay_core::ObjectHash;
use assay_core::graph::Node;
use serde::Serialize;

/// Pins, or some of them.
#[derive(Serialize)]
pub(crate) struct PinsView<'a> {
    pins: Vec<PinView<'a>>,
}

#[derive(Serialize)]
struct PinView<'a> {
    label: &'a str,
    kind: &'static str,
    hash: ObjectHash,
    #[serde(skip)]
    pinned: Node,
}

impl<'a> PinsView<'a> {
    pub(crate) fn of(pins: impl IntoIterator<Item = (&'a String, &'a Node)>) -> Self {
        let pins = pins.into_iter().map(|(label, pinned)| PinView {
            label,
            kind: pinned.what(),
            hash: pinned.object(),
            pinned: *pinned,
        });
        Self {
            pins: pins.collect(),
        }
    }

    /// The text that lists them.
    pub(crate) fn listed(&self) -> String {
        if self.pins.is_empty() {
            return "nothing is pinned\n".to_owned();
        }
        let width = self.pins.iter().map(|pin| pin.label.len()).max();
        let width = width.unwrap_or_default();
        self.lines(|pin| format!("{:width$}  {}\n", pin.label, pin.pinned))
    }

    /// The text that says that they were made.
    pub(crate) fn made(&self) -> String {
        self.lines(|pin| format!("pinned {} as {}\n", pin.pinned, pin.label))
    }

    /// The text that says that they were removed.
    pub(crate) fn removed(&self) -> String {
        self.lines(|pin| format!("unpinned {}, which was {}\n", pin.pinned, pin.label))
    }

    fn lines(&self, line: impl Fn(&PinView<'a>) -> String) -> String {
        self.pins.iter().map(line).collect()
    }
}

/// Nothing has that name among the pins.
#[derive(Debug, thiserror::Error)]
#[error("nothing is pinned as `{name}`; `{list}` lists what is")]
pub(crate) struct NotPinned {
    pub(crate) name: String,
    /// The command that lists pins.
    pub(crate) list: String,
}

impl assay_core::Advice for NotPinned {}
