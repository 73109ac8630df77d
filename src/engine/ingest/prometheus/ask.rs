//! Asks one server for stretches of its queries, and weighs what a failure means for the rest.

use futures_util::{Stream, StreamExt, stream};

use super::windows::Stretch;
use crate::engine::clock::Timestamp;
use crate::engine::ingest::http_client::{Answer, AskError, HttpClient};

/// A query's index with the stretch that is wanted of it.
pub type Wanted = (usize, Stretch);

/// What a failure is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// The server as a whole: nothing else needs to be asked now.
    Server,
    /// Too much was asked at once: less of it may work.
    Heavy,
    /// This query only.
    Query,
}

/// What a failure is about. Statuses: <https://prometheus.io/docs/prometheus/latest/querying/api/>.
#[must_use]
pub fn weigh(error: &AskError) -> Trouble {
    match error {
        AskError::Unreachable { .. } | AskError::Untrusted { .. } => Trouble::Server,
        AskError::TimedOut { .. } | AskError::TooLarge { .. } => Trouble::Heavy,
        AskError::Unreadable { .. } => Trouble::Query,
        AskError::Refused { status, message, .. } => match status {
            400 if message.contains("maximum resolution") => Trouble::Heavy,
            300..=399 | 401 | 403 | 404 => Trouble::Server,
            413 | 422 | 429 | 503 | 504 => Trouble::Heavy,
            _ => Trouble::Query,
        },
    }
}

/// Asks for each stretch, at most `concurrency` at once; answers come in the order of `wanted`, so that of two queries that tell the same
/// series it is always the same one that is met first.
pub fn ask_all(
    client: &HttpClient,
    expressions: Vec<(Wanted, String)>,
    concurrency: usize,
    timeout_ms: i64,
) -> impl Stream<Item = (Wanted, Result<Answer, AskError>)> + Send + use<> {
    let client = client.clone();
    stream::iter(expressions)
        .map(move |(wanted, expression)| {
            let client = client.clone();
            async move {
                let answer = ask_range(&client, &expression, wanted.1, timeout_ms).await;
                (wanted, answer)
            }
        })
        .buffered(concurrency)
}

async fn ask_range(
    client: &HttpClient,
    expression: &str,
    stretch: Stretch,
    timeout_ms: i64,
) -> Result<Answer, AskError> {
    let form = [
        ("query", expression),
        ("start", &seconds(stretch.start)),
        ("end", &seconds(stretch.end)),
        ("step", &seconds(Timestamp(stretch.step_ms))),
        ("timeout", &format!("{timeout_ms}ms")),
    ];
    client.query_post("/api/v1/query_range", &form).await
}

/// Asks for the present value.
///
/// # Errors
/// See [`AskError`].
pub async fn ask_now(client: &HttpClient, expression: &str, at: Timestamp) -> Result<Answer, AskError> {
    client.query_post("/api/v1/query", &[("query", expression), ("time", &seconds(at))]).await
}

/// Milliseconds as seconds with three decimals, exactly.
fn seconds(at: Timestamp) -> String {
    format!("{}.{:03}", at.0.div_euclid(1_000), at.0.rem_euclid(1_000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_weighed_by_what_it_is_about() {
        let refused = |status, message: &str| AskError::Refused {
            address: "http://prom".into(),
            status,
            message: message.into(),
            retry_after_ms: None,
        };
        for (error, trouble) in [
            (refused(400, "1:7: parse error"), Trouble::Query),
            (refused(400, "exceeded maximum resolution of 11,000 points per timeseries"), Trouble::Heavy),
            (refused(401, ""), Trouble::Server),
            (refused(404, ""), Trouble::Server),
            (refused(422, "query processing would load too many samples"), Trouble::Heavy),
            (refused(500, ""), Trouble::Query),
            (refused(503, ""), Trouble::Heavy),
            (AskError::TimedOut { address: "x".into(), timeout_ms: 1 }, Trouble::Heavy),
            (AskError::Unreachable { address: "x".into(), problem: "refused".into() }, Trouble::Server),
        ] {
            assert_eq!(weigh(&error), trouble, "{error}");
        }
    }

    #[test]
    fn stamps_are_written_exactly() {
        for (ms, text) in [(0, "0.000"), (1_700_000_000_015, "1700000000.015"), (-1, "-1.999"), (5 * 60_000, "300.000")]
        {
            assert_eq!(seconds(Timestamp(ms)), text);
        }
    }
}
