use std::collections::VecDeque;
use std::task::{Context, Poll, Waker};

use parking_lot::Mutex;

use super::WatchEnd;
use crate::session::WatchEvent;

/// As [`super::Notice`], with the event's full path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Mail {
    Event(WatchEvent),
    Disconnected,
    Reconnected,
    Lost(u64),
}

/// What one reader has not read yet.
#[derive(Debug)]
pub(crate) struct Mailbox {
    capacity: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    mails: VecDeque<Mail>,
    end: Option<WatchEnd>,
    reader: Option<Waker>,
}

impl Mailbox {
    /// One that keeps up to so many events.
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            capacity: capacity.max(1),
            state: Mutex::default(),
        }
    }

    /// Adds an event; when there is no room, a note of the loss takes its place.
    pub(super) fn event(&self, event: &WatchEvent) {
        self.change(|state| {
            if state.mails.len() < self.capacity {
                state.mails.push_back(Mail::Event(event.clone()));
            } else if let Some(Mail::Lost(count)) = state.mails.back_mut() {
                *count += 1;
            } else {
                state.mails.push_back(Mail::Lost(1));
            }
        });
    }

    /// Notes that the connection is lost.
    pub(super) fn disconnected(&self) {
        self.change(|state| match state.mails.back() {
            // A gap that becomes longer is one gap.
            Some(Mail::Reconnected) => {
                state.mails.pop_back();
            }
            _ => state.mails.push_back(Mail::Disconnected),
        });
    }

    /// Notes that the watch is set again.
    pub(super) fn reconnected(&self) {
        self.change(|state| state.mails.push_back(Mail::Reconnected));
    }

    /// Notes that nothing more comes.
    pub(super) fn end(&self, end: WatchEnd) {
        self.change(|state| {
            state.end.get_or_insert(end);
        });
    }

    pub(super) fn poll(&self, context: &Context<'_>) -> Poll<Result<Mail, WatchEnd>> {
        let mut state = self.state.lock();
        if let Some(mail) = state.mails.pop_front() {
            return Poll::Ready(Ok(mail));
        }
        if let Some(end) = state.end {
            return Poll::Ready(Err(end));
        }
        state.reader = Some(context.waker().clone());
        Poll::Pending
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.state.lock();
        change(&mut state);
        let reader = state.reader.take();
        drop(state);
        if let Some(reader) = reader {
            reader.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use jute::proto::EventType;

    use super::*;

    fn event(path: &str) -> WatchEvent {
        WatchEvent {
            kind: EventType::NodeCreated,
            path: path.to_owned(),
            zxid: 1,
        }
    }

    fn read(mailbox: &Mailbox) -> Option<Result<Mail, WatchEnd>> {
        match mailbox.poll(&Context::from_waker(Waker::noop())) {
            Poll::Ready(mail) => Some(mail),
            Poll::Pending => None,
        }
    }

    #[test]
    fn what_does_not_fit_is_counted_in_its_place() {
        let mailbox = Mailbox::new(2);
        for path in ["/1", "/2", "/3", "/4"] {
            mailbox.event(&event(path));
        }
        assert_eq!(read(&mailbox), Some(Ok(Mail::Event(event("/1")))));
        assert_eq!(read(&mailbox), Some(Ok(Mail::Event(event("/2")))));
        mailbox.event(&event("/5"));
        assert_eq!(read(&mailbox), Some(Ok(Mail::Lost(2))));
        assert_eq!(read(&mailbox), Some(Ok(Mail::Event(event("/5")))));
        assert_eq!(read(&mailbox), None);
    }

    #[test]
    fn gaps_that_nobody_read_become_one() {
        let mailbox = Mailbox::new(2);
        for _ in 0..100 {
            mailbox.disconnected();
            mailbox.reconnected();
        }
        mailbox.end(WatchEnd::SessionExpired);
        mailbox.end(WatchEnd::Closed);
        assert_eq!(read(&mailbox), Some(Ok(Mail::Disconnected)));
        assert_eq!(read(&mailbox), Some(Ok(Mail::Reconnected)));
        for _ in 0..2 {
            assert_eq!(read(&mailbox), Some(Err(WatchEnd::SessionExpired)));
        }
    }
}
