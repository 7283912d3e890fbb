//! Downloads files from a mirror over HTTP.
//!
//! A mirror that cannot be reached is given up at once, for all its files, so that a machine
//! without a network learns so in seconds. Sizes are limited by what is known of the files.

use std::io::Read;
use std::time::Duration;

use ureq::Agent;

use super::{Collector, Expected, Failure, Origin, Progress};
use crate::content::{ContentError, read_uncompressed};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(15);
const STALL_TIMEOUT: Duration = Duration::from_secs(30);
const GLOBAL_TIMEOUT: Duration = Duration::from_mins(15);
const MAX_REDIRECTS: u32 = 5;

/// By how much a compressed file may exceed its content.
const GZIP_OVERHEAD: u64 = 64 * 1024;

const CHUNK: usize = 64 * 1024;

/// Offers every missing file that the mirror has under `base`.
pub(super) fn search(base: &str, collector: &mut Collector<'_>) {
    let agent = agent();
    for expected in collector.missing() {
        let address = format!("{base}{}.gz", expected.file.name());
        let origin = Origin::Download(address.clone());
        let content = download(&agent, &address, &expected, |done, total| {
            (collector.progress)(Progress {
                file: expected.file,
                origin: &origin,
                done,
                total,
            });
        });
        if let Err(failure @ Failure::Unreachable(_)) = content {
            collector.give_up(base, failure);
            return;
        }
        collector.offer(expected.file, origin, content);
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

fn download(
    agent: &Agent,
    address: &str,
    expected: &Expected,
    mut progress: impl FnMut(u64, Option<u64>),
) -> Result<Vec<u8>, Failure> {
    let mut response = agent.get(address).call().map_err(|error| match error {
        ureq::Error::StatusCode(status) => Failure::Status(status),
        error => Failure::Unreachable(error.to_string()),
    })?;
    let body = response.body_mut();
    let total = body.content_length();
    let transferred = receive(
        body.as_reader(),
        expected.limit.saturating_add(GZIP_OVERHEAD),
        |done| progress(done, total),
    )?;
    Ok(read_uncompressed(&*transferred, expected.limit)?)
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
