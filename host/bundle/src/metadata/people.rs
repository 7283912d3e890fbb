//! Who stands behind a bundle, and what others may do with it: what only a person can say.

use serde_json::{Value, json};

use super::ROOT;
use super::check::{Stated, text};
use super::graph::{Graph, all, reference};

/// Who made a run, and under which licence it is given to others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attribution {
    /// An SPDX identifier such as `CC-BY-4.0`, or an address.
    pub license: Option<String>,
    /// The name of who ran it.
    pub author: Option<String>,
    /// The name of the organisation that publishes it, and that the author belongs to.
    pub organization: Option<String>,
}

pub(super) const AUTHOR: &str = "#author";
pub(super) const ORGANIZATION: &str = "#organization";
const NO_LICENSE: &str = "#no-licence";

impl Attribution {
    /// Reads the attribution from the entities of a crate.
    pub(super) fn read(stated: &Stated) -> Self {
        let name = |id| Some(text(stated.entity(id)?.name.as_ref())?.to_owned());
        let root = stated.entity(ROOT);
        let license = root.and_then(|root| text(root.license.as_ref()?.get("@id")));
        Self {
            license: license.filter(|id| *id != NO_LICENSE).and_then(name),
            author: name(AUTHOR),
            organization: name(ORGANIZATION),
        }
    }

    /// The identifier of the licence. A crate must have one, so that there being none is said.
    pub(super) fn license_id(&self) -> String {
        match &self.license {
            None => NO_LICENSE.to_owned(),
            Some(license) if license.contains(':') => license.clone(),
            Some(license) => format!("https://spdx.org/licenses/{license}"),
        }
    }

    /// Who ran it: the author, or else the organisation.
    pub(super) fn author_id(&self) -> Option<&'static str> {
        let author = self.author.is_some().then_some(AUTHOR);
        author.or_else(|| self.publisher_id())
    }

    pub(super) fn publisher_id(&self) -> Option<&'static str> {
        self.organization.is_some().then_some(ORGANIZATION)
    }
}

pub(super) fn add(graph: &mut Graph<'_>, about: &Attribution) {
    let (name, description) = match &about.license {
        Some(license) => (license.as_str(), "the licence of this crate".to_owned()),
        None => (
            "no licence stated",
            "Whoever made this crate stated no licence: ask before you publish it.".to_owned(),
        ),
    };
    let fields = [("name", json!(name)), ("description", json!(description))];
    graph.add(&about.license_id(), "CreativeWork", fields);
    if let Some(name) = &about.author {
        let affiliation = about.publisher_id().map(reference);
        let fields = [("name", json!(name)), ("affiliation", all(affiliation))];
        graph.add(AUTHOR, "Person", fields);
    }
    if let Some(name) = &about.organization {
        let fields: [(&str, Value); 1] = [("name", json!(name))];
        graph.add(ORGANIZATION, "Organization", fields);
    }
}
