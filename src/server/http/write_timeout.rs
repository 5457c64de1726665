//! Giving up on clients that take nothing of their answer.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::Sleep,
};

/// A stream that gives up when too little of what is written gets through in some time. The time begins
/// when something has to wait, and ends when all of it has got through: what is worked on meanwhile, or
/// read, does not count.
pub(super) struct WriteTimeout<S> {
    stream: S,
    limit: Duration,
    waiting: Option<Pin<Box<Sleep>>>,
    /// Bytes that got through since the waiting began.
    taken: usize,
    /// Whether something waits to be written, for others to see.
    writing: Arc<AtomicBool>,
}

/// A client takes at least so much in its time, or it is given up: else one byte a minute would
/// keep a connection for ever.
const LEAST: usize = 16 * 1024;

impl<S> WriteTimeout<S> {
    pub(super) fn new(stream: S, limit: Duration, writing: Arc<AtomicBool>) -> Self {
        Self { stream, limit, waiting: None, taken: 0, writing }
    }

    fn check_written(
        &mut self,
        task: &mut Context<'_>,
        written: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if let Poll::Ready(Ok(bytes)) = &written {
            self.taken = self.taken.saturating_add(*bytes);
            if self.taken >= LEAST {
                self.waiting = None;
                self.taken = 0;
            }
        }
        self.check_progress(task, written)
    }

    fn check_progress<T>(
        &mut self,
        task: &mut Context<'_>,
        written: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        self.writing.store(written.is_pending(), Ordering::SeqCst);
        if written.is_ready() {
            return written;
        }
        let limit = self.limit;
        let waiting = self.waiting.get_or_insert_with(|| Box::pin(tokio::time::sleep(limit)));
        ready!(waiting.as_mut().poll(task));
        self.waiting = None;
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for WriteTimeout<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        task: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(task, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for WriteTimeout<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        task: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(task, bytes);
        self.check_written(task, written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(task);
        if matches!(flushed, Poll::Ready(Ok(()))) {
            self.waiting = None;
            self.taken = 0;
        }
        self.check_progress(task, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        let closed = Pin::new(&mut self.stream).poll_shutdown(task);
        self.check_progress(task, closed)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        task: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(task, slices);
        self.check_written(task, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    #[tokio::test]
    async fn an_answer_that_got_through_leaves_its_time_to_the_next_and_reading_ends_none() {
        let (ours, mut theirs) = tokio::io::duplex(16);
        let mut ours = WriteTimeout::new(ours, Duration::from_secs(3600), Arc::default());
        // It has to wait, and a further request comes meanwhile.
        assert_eq!(ours.write(&[7; 20]).await.unwrap(), 16);
        let mut task = Context::from_waker(std::task::Waker::noop());
        assert!(Pin::new(&mut ours).poll_write(&mut task, &[7; 4]).is_pending());
        theirs.write_all(b"GET /").await.unwrap();
        ours.read_exact(&mut [0; 5]).await.unwrap();
        assert!(ours.waiting.is_some(), "a client that only sends takes nothing");
        theirs.read_exact(&mut [0; 16]).await.unwrap();
        ours.write_all(&[7; 4]).await.unwrap();
        ours.flush().await.unwrap();
        assert!(ours.waiting.is_none() && ours.taken == 0, "the work on the next begins");
    }

    #[tokio::test]
    async fn a_client_that_takes_nothing_is_given_up() {
        let (ours, mut theirs) = tokio::io::duplex(16);
        let mut ours = WriteTimeout::new(ours, Duration::from_millis(1), Arc::default());
        let error = ours.write_all(&[7; 36]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        // What got through got through, and the next byte has its own time.
        theirs.read_exact(&mut [0; 16]).await.unwrap();
        ours.write_all(&[7; 16]).await.unwrap();
    }
}
