//! The body of an answer, which shows that its request is still in progress.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use axum::body::{Body, Bytes};
use hyper::body::{Frame, SizeHint};

use super::shares::RequestInProgress;

/// The body of an answer.
pub(super) struct AnswerBody {
    body: Body,
    _in_progress: RequestInProgress,
}

impl AnswerBody {
    /// The request is in progress until the body is dropped.
    pub(super) fn new(body: Body, in_progress: RequestInProgress) -> Self {
        Self { body, _in_progress: in_progress }
    }
}

impl hyper::body::Body for AnswerBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        task: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(task)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
