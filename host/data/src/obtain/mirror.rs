//! Downloads files, or the archive that holds them, from a mirror over HTTP.
//!
//! A mirror that cannot be reached is given up at once, for all its files, so that a machine
//! without a network learns so in seconds. Sizes are limited by what is known of the files.

use std::io::Read;
use std::time::Duration;

use ureq::Agent;

use super::{Collector, Failure, Origin, Progress, PublishedArchive, archive};
use crate::content::{ContentError, read_uncompressed};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(15);
const STALL_TIMEOUT: Duration = Duration::from_secs(30);
/// Large enough for the largest archive over a slow line; a transfer that stalls ends earlier.
const GLOBAL_TIMEOUT: Duration = Duration::from_hours(2);
const MAX_REDIRECTS: u32 = 5;

/// By how much a compressed file may exceed its content.
const GZIP_OVERHEAD: u64 = 64 * 1024;

const CHUNK: usize = 64 * 1024;

/// Offers every missing file that the mirror has under `base`, each compressed by itself.
pub(super) fn search(base: &str, collector: &mut Collector<'_>) {
    let agent = agent();
    for expected in collector.missing() {
        let address = format!("{base}{}.gz", expected.name);
        let origin = Origin::Download(address);
        let limit = expected.limit.saturating_add(GZIP_OVERHEAD);
        let content = download(&agent, &origin, expected.name, limit, collector);
        if let Err(failure @ Failure::Unreachable(_)) = content {
            collector.give_up(base, failure);
            return;
        }
        let content = content.and_then(|bytes| Ok(read_uncompressed(&*bytes, expected.limit)?));
        collector.offer(expected.name, origin, content);
    }
}

/// Offers every missing file of the archive that the mirror has under `base`.
pub(super) fn search_archive(base: &str, known: &PublishedArchive, collector: &mut Collector<'_>) {
    let origin = Origin::Download(format!("{base}{}", known.name));
    match download(&agent(), &origin, known.name, known.bytes, collector) {
        Ok(bytes) => archive::offer(&*bytes, known.folder, origin, collector),
        Err(failure) => collector.give_up(origin, failure),
    }
}

fn agent() -> Agent {
    Agent::config_builder()
        .timeout_resolve(Some(CONNECT_TIMEOUT))
        .timeout_connect(Some(CONNECT_TIMEOUT))
        .timeout_recv_response(Some(RESPONSE_TIMEOUT))
        .timeout_per_read(Some(STALL_TIMEOUT))
        .timeout_global(Some(GLOBAL_TIMEOUT))
        .max_redirects(MAX_REDIRECTS)
        .build()
        .into()
}

/// The body that `origin` sends, as transferred, of at most `limit` bytes.
fn download(
    agent: &Agent,
    origin: &Origin,
    file: &'static str,
    limit: u64,
    collector: &mut Collector<'_>,
) -> Result<Vec<u8>, Failure> {
    let response = agent.get(origin.to_string()).call();
    let mut response = response.map_err(|error| match error {
        ureq::Error::StatusCode(status) => Failure::Status(status),
        error => Failure::Unreachable(error.to_string()),
    })?;
    let body = response.body_mut();
    let total = body.content_length();
    receive(body.as_reader(), limit, |done| {
        (collector.progress)(Progress {
            file,
            origin,
            done,
            total,
        });
    })
}

fn receive(
    mut body: impl Read,
    limit: u64,
    mut progress: impl FnMut(u64),
) -> Result<Vec<u8>, Failure> {
    let mut received = Vec::new();
    loop {
        let chunk = body.by_ref().take(CHUNK as u64).read_to_end(&mut received);
        let count = chunk.map_err(|error| Failure::Unreachable(error.to_string()))?;
        progress(received.len() as u64);
        if received.len() as u64 > limit {
            return Err(ContentError::TooLarge { limit }.into());
        }
        if count < CHUNK {
            return Ok(received);
        }
    }
}
