//! Reading the files of a web server one by one. It is asked for nothing but files (`GET`, `HEAD`, ranges), it gets
//! no credentials, and nothing that it says is kept but the bytes of files, which others check.

use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::Stream;
use reqwest::header::{CONTENT_LENGTH, CONTENT_RANGE, RANGE};
use reqwest::{Client, Method, Response, StatusCode, Url};

use crate::place::{CONNECT, REPEAT, REPETITIONS, WAITS};

/// For the next bytes of an answer. A whole file may take as long as it needs.
const SILENCE: Duration = Duration::from_secs(30);

/// A web server that cannot be asked, or answers with something else than was asked for.
#[derive(Debug, thiserror::Error)]
pub enum WebError {
    /// The request could not be made, or the answer broke off.
    #[error("the request failed")]
    Request(#[from] reqwest::Error),
    /// It has no file to give.
    #[error("the server answered `{0}`")]
    Status(StatusCode),
    /// The length of a file is unknown.
    #[error("the server does not say how long it is")]
    NoLength,
    /// Other bytes came than were asked for.
    #[error("the server sent another part than the one from byte {from}")]
    OtherPart {
        /// The first byte that was asked for.
        from: u64,
    },
}

/// The files below a URL.
#[derive(Debug)]
pub(crate) struct WebFiles {
    client: Client,
    base: Url,
}

impl WebFiles {
    /// Makes ready to ask; no request is made.
    pub(crate) fn new(base: &Url) -> Result<Self, WebError> {
        let client = Client::builder()
            .user_agent(concat!("assay/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT)
            .read_timeout(SILENCE)
            .build()?;
        let base = base.clone();
        Ok(Self { client, base })
    }

    /// The size of a file, if it is there.
    pub(crate) async fn size(&self, name: &str) -> Result<Option<u64>, WebError> {
        let answer = self.ask(Method::HEAD, name, 0).await?;
        match answer.status() {
            status if is_nowhere(status) => Ok(None),
            StatusCode::OK => {
                // The client counts the body, which an answer to `HEAD` has none of.
                let length = answer.headers().get(CONTENT_LENGTH);
                let length = length.and_then(|length| length.to_str().ok()?.parse().ok());
                length.map(Some).ok_or(WebError::NoLength)
            }
            status => Err(WebError::Status(status)),
        }
    }

    /// The bytes of a file from `from` on, as many as the server will; nothing if it is not there.
    pub(crate) async fn read(
        &self,
        name: &str,
        from: u64,
    ) -> Result<Option<impl Stream<Item = Result<Bytes, WebError>> + use<>>, WebError> {
        let answer = self.ask(Method::GET, name, from).await?;
        let skip = match answer.status() {
            status if is_nowhere(status) => return Ok(None),
            // It gives nothing but whole files.
            StatusCode::OK => from,
            StatusCode::PARTIAL_CONTENT if begins_at(&answer, from) => 0,
            StatusCode::PARTIAL_CONTENT => return Err(WebError::OtherPart { from }),
            status => return Err(WebError::Status(status)),
        };
        let body =
            futures_util::stream::try_unfold((answer, skip), |(mut answer, mut skip)| async move {
                while let Some(piece) = answer.chunk().await? {
                    let skipped = piece.len().min(usize::try_from(skip).unwrap_or(usize::MAX));
                    skip -= skipped as u64;
                    if skipped < piece.len() {
                        return Ok(Some((piece.slice(skipped..), (answer, skip))));
                    }
                }
                Ok(None)
            });
        Ok(Some(body))
    }

    /// The answer to a request; one that may succeed later is repeated a few times. The body of an answer that
    /// is an error is never read: it may have no end.
    async fn ask(&self, method: Method, name: &str, from: u64) -> Result<Response, WebError> {
        let url = format!("{}/{name}", self.base.as_str().trim_end_matches('/'));
        let begun = Instant::now();
        let mut repetitions = 0;
        let mut wait = WAITS[0];
        loop {
            let mut request = self.client.request(method.clone(), &url);
            if from > 0 {
                request = request.header(RANGE, format!("bytes={from}-"));
            }
            let answer = request.send().await;
            let may_pass = match &answer {
                Ok(answer) => {
                    let status = answer.status();
                    status.is_server_error()
                        || status == StatusCode::TOO_MANY_REQUESTS
                        || status == StatusCode::REQUEST_TIMEOUT
                }
                Err(error) => error.is_request() && !error.is_redirect(),
            };
            if !may_pass || repetitions == REPETITIONS || begun.elapsed() > REPEAT {
                return Ok(answer?);
            }
            tokio::time::sleep(wait).await;
            wait = WAITS[1].min(wait * 2);
            repetitions += 1;
        }
    }
}

fn is_nowhere(status: StatusCode) -> bool {
    status == StatusCode::NOT_FOUND || status == StatusCode::GONE
}

/// True if the part of a file that an answer has is the one from this byte on.
fn begins_at(answer: &Response, from: u64) -> bool {
    let range = answer.headers().get(CONTENT_RANGE);
    let first = range.and_then(|range| {
        let range = range.to_str().ok()?.strip_prefix("bytes ")?;
        range.split_once('-')?.0.parse().ok()
    });
    first == Some(from)
}
