//! How a body gets to the client: compressed, slowly, or not to its end.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{Extensions, HeaderMap, StatusCode, Version, header};
use axum::response::Response;
use futures_util::{Stream, StreamExt as _, stream};
use tower_http::CompressionLevel;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{DefaultPredicate, Predicate};

use super::PowerSchool;

/// Pieces a second in which a slow body is sent.
const PIECES_PER_SECOND: u64 = 10;

/// Gzip for clients that accept it, unless a fault says otherwise.
pub(super) fn compression(state: Arc<PowerSchool>) -> CompressionLayer<impl Predicate> {
    let wanted = move |_: StatusCode, _: Version, _: &HeaderMap, _: &Extensions| !state.faults().no_gzip;
    CompressionLayer::new()
        .quality(CompressionLevel::Fastest)
        .compress_when(DefaultPredicate::new().and(wanted))
}

/// The answer with the faults that strike its body.
pub(super) fn disturbed(state: &Arc<PowerSchool>, response: Response) -> Response {
    let (cut, slow) = {
        let faults = state.faults();
        (faults.cut_body.map(|cut| cut.after_bytes), faults.slow_body)
    };
    if cut.is_none() && slow.is_none() {
        return response;
    }
    let (mut head, body) = response.into_parts();
    // Hyper must not promise a length that it cannot know any more.
    head.headers.remove(header::CONTENT_LENGTH);
    let mut body = Body::new(body);
    if let Some(after) = cut {
        body = Body::from_stream(cut_after(state.clone(), after, body.into_data_stream()));
    }
    if let Some(rate) = slow {
        body = Body::from_stream(slowly(rate, body.into_data_stream()));
    }
    Response::from_parts(head, body)
}

type Piece = Result<Bytes, std::io::Error>;

/// Ends with an error once `after` bytes have gone out and more would follow.
fn cut_after(
    state: Arc<PowerSchool>,
    after: u64,
    body: impl Stream<Item = Result<Bytes, axum::Error>> + Send + Unpin + 'static,
) -> impl Stream<Item = Piece> + Send + 'static {
    enum At {
        Byte(u64),
        Cut,
        Whole,
    }
    stream::unfold((At::Byte(0), body), move |(at, mut body)| {
        let state = state.clone();
        async move {
            let sent = match at {
                At::Whole => {
                    let piece = body.next().await?;
                    return Some((piece.map_err(std::io::Error::other), (At::Whole, body)));
                }
                At::Cut => {
                    // Lets the connection send what it has before it breaks.
                    tokio::task::yield_now().await;
                    return Some((Err(std::io::ErrorKind::ConnectionReset.into()), (At::Whole, body)));
                }
                At::Byte(sent) => sent,
            };
            let piece = match body.next().await? {
                Ok(piece) => piece,
                Err(error) => return Some((Err(std::io::Error::other(error)), (At::Whole, body))),
            };
            let end = sent.saturating_add(piece.len() as u64);
            if end <= after {
                return Some((Ok(piece), (At::Byte(end), body)));
            }
            if !state.faults().take_cut() {
                return Some((Ok(piece), (At::Whole, body)));
            }
            let left = usize::try_from(after - sent).unwrap_or(piece.len());
            Some((Ok(piece.slice(..left)), (At::Cut, body)))
        }
    })
}

/// Sends at most `rate` bytes a second.
fn slowly(
    rate: u64,
    body: impl Stream<Item = Result<Bytes, axum::Error>> + Send + Unpin + 'static,
) -> impl Stream<Item = Piece> + Send + 'static {
    let most = usize::try_from((rate / PIECES_PER_SECOND).max(1)).unwrap_or(usize::MAX);
    let pause = Duration::from_millis(1_000 / PIECES_PER_SECOND.min(rate.max(1)));
    stream::unfold((Bytes::new(), body), move |(mut waiting, mut body)| async move {
        if waiting.is_empty() {
            waiting = match body.next().await? {
                Ok(piece) => piece,
                Err(error) => return Some((Err(std::io::Error::other(error)), (Bytes::new(), body))),
            };
        }
        tokio::time::sleep(pause).await;
        let piece = waiting.split_to(most.min(waiting.len()));
        Some((Ok(piece), (waiting, body)))
    })
}
