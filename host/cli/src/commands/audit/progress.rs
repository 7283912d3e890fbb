//! How an audit gets on.

use std::time::Instant;

use assay_audit::AuditObserver;

use crate::ui::bytes::BytesView;

/// Shows how an audit gets on.
pub(crate) struct AuditProgress {
    started: Instant,
    bytes: BytesView,
}

impl AuditProgress {
    pub(super) fn new() -> Self {
        Self {
            started: Instant::now(),
            bytes: BytesView::new("reading"),
        }
    }

    /// Ends it; returns how long it took, in milliseconds.
    pub(crate) fn finish(&self) -> u64 {
        self.bytes.finish();
        self.started.elapsed().as_millis() as u64
    }
}

impl AuditObserver for AuditProgress {
    fn begin(&self, _files: u64, bytes: u64) {
        self.bytes.begin(bytes);
    }

    fn read(&self, bytes: u64) {
        self.bytes.add(bytes);
    }
}
