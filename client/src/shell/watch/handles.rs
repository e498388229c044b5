use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use super::mailbox::{Mail, Mailbox};
use super::{Class, Notice, WatchEnd, WatchEvent};
use crate::session;
use crate::shell::chroot::Chroot;
use crate::shell::shared::Shared;

/// A place in the registry; given up when it is dropped.
#[derive(Debug)]
pub(crate) struct Subscription {
    pub(crate) shared: Arc<Shared>,
    pub(crate) class: Class,
    /// In full.
    pub(crate) path: String,
    pub(crate) id: u64,
    pub(crate) mailbox: Arc<Mailbox>,
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.shared.unsubscribe(self.class, &self.path, self.id);
    }
}

/// A watch that tells one change: a future of the event.
///
/// It is kept through reconnections, and a change that happened meanwhile is told then.
/// Dropping it removes the watch at the server, in the background, unless another part of the
/// application has the same one.
#[derive(Debug)]
#[must_use = "dropping it removes the watch"]
pub struct OneshotWatcher {
    subscription: Subscription,
    chroot: Chroot,
}

impl OneshotWatcher {
    pub(crate) fn new(subscription: Subscription, chroot: &Chroot) -> Self {
        Self {
            subscription,
            chroot: chroot.clone(),
        }
    }
}

impl Future for OneshotWatcher {
    type Output = Result<WatchEvent, WatchEnd>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        loop {
            let mail = ready!(self.subscription.mailbox.poll(context))?;
            // Standard watches are told nothing but events.
            if let Mail::Event(event) = mail {
                return Poll::Ready(Ok(seen(event, &self.chroot)));
            }
        }
    }
}

/// A persistent watch: a stream of [`Notice`]s that ends with a reason.
///
/// It is kept through reconnections, but changes that happen meanwhile are not told: a pair of
/// [`Notice::Disconnected`] and [`Notice::Reconnected`] stands in their place. Its buffer is
/// bounded: what a slow reader misses is counted in a [`Notice::Lost`].
///
/// Dropping it removes the watch at the server, in the background, unless another part of the
/// application has the same one.
#[derive(Debug)]
#[must_use = "dropping it removes the watch"]
pub struct Watcher {
    subscription: Subscription,
    chroot: Chroot,
}

impl Watcher {
    pub(crate) fn new(subscription: Subscription, chroot: &Chroot) -> Self {
        Self {
            subscription,
            chroot: chroot.clone(),
        }
    }

    /// The next notice; or why there is none, again and again.
    ///
    /// Cancellation: nothing is lost when the future is dropped.
    pub async fn next(&mut self) -> Result<Notice, WatchEnd> {
        poll_fn(|context| self.poll_next(context)).await
    }

    /// As [`next`](Self::next), for those who poll by hand.
    pub fn poll_next(&mut self, context: &Context<'_>) -> Poll<Result<Notice, WatchEnd>> {
        let mail = ready!(self.subscription.mailbox.poll(context))?;
        Poll::Ready(Ok(match mail {
            Mail::Event(event) => Notice::Event(seen(event, &self.chroot)),
            Mail::Disconnected => Notice::Disconnected,
            Mail::Reconnected => Notice::Reconnected,
            Mail::Lost(count) => Notice::Lost(count),
        }))
    }
}

fn seen(event: session::WatchEvent, chroot: &Chroot) -> WatchEvent {
    // A watch is set below the root that the application sees, and so are its events.
    let path = chroot.seen(&event.path).map(str::to_owned);
    WatchEvent {
        kind: event.kind,
        path: path.unwrap_or(event.path),
        zxid: (event.zxid > 0).then_some(event.zxid),
    }
}
