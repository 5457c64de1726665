//! Bodies that are read from disk while they are sent.

use std::io;

use axum::body::{Body, Bytes};

/// A body of blocks that are read from disk one at a time, when the client is ready for the next.
pub(super) fn blocking_body(
    blocks: impl Iterator<Item = io::Result<Bytes>> + Send + 'static,
) -> Body {
    let stream = futures_util::stream::unfold(Some(blocks), |blocks| async {
        let mut blocks = blocks?;
        let read = tokio::task::spawn_blocking(move || (blocks.next(), blocks));
        match read.await {
            Ok((Some(Ok(block)), blocks)) => Some((Ok(block), Some(blocks))),
            Ok((Some(Err(error)), _)) => {
                tracing::error!(%error, "an answer was broken off");
                Some((Err(error), None))
            }
            Ok((None, _)) => None,
            Err(error) => Some((Err(io::Error::other(error)), None)),
        }
    });
    Body::from_stream(stream)
}
