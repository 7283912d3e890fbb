//! `loads` and `layout`: a library can be used at all.

use crate::check::{Body, Check, Evidence, Loading, failed, skipped};

pub(super) const LOADS: Check = Check {
    name: "loads",
    promise: "The library opens in a worker, and its handshake and root module are those of this \
              boundary.",
    why: "Otherwise nothing else can be asked of it.",
    body: Body::Library(loads),
};

pub(super) const LAYOUT: Check = Check {
    name: "layout",
    promise: "Every type of the root module is laid out in memory as this host expects it.",
    why: "Otherwise each side would read other fields than the other side wrote.",
    body: Body::Library(layout),
};

fn loads(loading: &Loading) -> Evidence {
    match loading {
        Loading::Refused(reason) => failed(reason),
        Loading::Loaded(_) | Loading::Layout(_) => Ok("a worker opened it".to_owned()),
    }
}

fn layout(loading: &Loading) -> Evidence {
    match loading {
        Loading::Loaded(_) => Ok("it is this host's".to_owned()),
        Loading::Layout(reason) => failed(reason),
        Loading::Refused(_) => skipped("it does not load"),
    }
}
