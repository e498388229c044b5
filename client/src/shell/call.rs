use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::sync::oneshot;

use super::chroot::Chroot;
use super::error::Error;
use super::shared::{Answer, Shared};
use crate::session::Token;

/// Makes what the application asked for from what came back.
pub(super) type Convert<T> = fn(Answer, &Chroot) -> Result<T, Error>;

/// A call on its way: a future of its result.
///
/// The call took its place when it was made, not when it is first polled: calls are sent, and
/// executed by the server, in the order in which they were made. So many as the builder's
/// `outstanding_max` are sent without waiting for an answer; more wait in the client, also in
/// their order, and are sent as answers come, whether their futures are polled or not. When
/// `waiting_max` calls wait, further ones fail with [`Error::TooManyWaiting`].
///
/// Cancellation: dropping the future takes the call back if it was not sent yet, so what waits
/// is bounded by the futures that are kept. What was sent is not cancelled: it happens, or
/// not, and nobody is told. A watch that it sets is removed.
#[derive(Debug)]
#[must_use = "dropping it takes the call back if it was not sent yet"]
pub struct Call<T>(Progress<T>);

#[derive(Debug)]
enum Progress<T> {
    /// It was never submitted.
    Failed(Option<Error>),
    Submitted(Submitted<T>),
}

#[derive(Debug)]
struct Submitted<T> {
    answer: oneshot::Receiver<Answer>,
    is_answered: bool,
    shared: Arc<Shared>,
    token: Token,
    chroot: Chroot,
    convert: Convert<T>,
}

impl<T> Call<T> {
    pub(super) fn failed(error: Error) -> Self {
        Self(Progress::Failed(Some(error)))
    }

    pub(super) fn submitted(
        shared: &Arc<Shared>,
        (token, answer): (Token, oneshot::Receiver<Answer>),
        chroot: &Chroot,
        convert: Convert<T>,
    ) -> Self {
        Self(Progress::Submitted(Submitted {
            answer,
            is_answered: false,
            shared: Arc::clone(shared),
            token,
            chroot: chroot.clone(),
            convert,
        }))
    }

    /// The result with the zxid in the reply's header: of the transaction for a write, for a
    /// read the last one that the server had applied. 0 where the protocol says nothing.
    ///
    /// Cancellation: as that of the call.
    pub async fn with_zxid(mut self) -> Result<(T, i64), Error> {
        std::future::poll_fn(|context| self.poll_with_zxid(context)).await
    }

    fn poll_with_zxid(&mut self, context: &mut Context<'_>) -> Poll<Result<(T, i64), Error>> {
        match &mut self.0 {
            Progress::Failed(error) => Poll::Ready(Err(error.take().unwrap_or(Error::Closed))),
            Progress::Submitted(submitted) => {
                let answer = ready!(Pin::new(&mut submitted.answer).poll(context));
                submitted.is_answered = true;
                // Without an answer the runtime that ran the client has gone.
                let answer = answer.map_err(|_| Error::ConnectionLoss)?;
                let zxid = answer.zxid;
                let result = (submitted.convert)(answer, &submitted.chroot);
                Poll::Ready(result.map(|result| (result, zxid)))
            }
        }
    }
}

impl<T> Future for Call<T> {
    type Output = Result<T, Error>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let result = ready!(self.get_mut().poll_with_zxid(context));
        Poll::Ready(result.map(|(result, _)| result))
    }
}

// Nothing in it is ever pinned.
impl<T> Unpin for Call<T> {}

impl<T> Drop for Submitted<T> {
    fn drop(&mut self) {
        if !self.is_answered {
            self.shared.withdraw(self.token);
        }
    }
}
