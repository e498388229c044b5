use std::collections::VecDeque;

use jute::OpCode;

use super::failed;
use crate::session::event::{Effect, Failure, Token};
use crate::session::request::Request;

/// A request that waits to be sent.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) token: Token,
    pub(super) request: Request,
    /// When it was submitted.
    pub(super) since_us: u64,
}

/// A request on its way.
#[derive(Debug)]
pub(super) struct Sent {
    pub(super) token: Token,
    pub(super) xid: i32,
    pub(super) op: OpCode,
    /// The request, if what becomes of it changes what is watched. Of others nothing is needed any
    /// more.
    pub(super) watching: Option<Box<Request>>,
    /// When it was sent.
    pub(super) sent_us: u64,
}

/// An auth packet on its way.
#[derive(Debug)]
pub(super) struct SentAuth {
    /// Without one if it was sent again by ourselves.
    pub(super) token: Option<Token>,
    /// Number of the credential.
    pub(super) credential: u64,
}

/// Requests not yet answered, in order.
#[derive(Debug, Default)]
pub(super) struct Outstanding {
    /// Not sent: there is no connection, or enough is on its way.
    pub(super) waiting: VecDeque<Waiting>,
    /// Sent on this connection.
    pub(super) sent: VecDeque<Sent>,
    /// Auth packets sent on this connection.
    pub(super) auth: VecDeque<SentAuth>,
    /// When pings were sent on this connection: three at the most, for silence ends it.
    pub(super) pings_us: VecDeque<u64>,
}

impl Outstanding {
    pub(super) fn len(&self) -> usize {
        self.waiting.len() + self.sent.len() + self.auth.len()
    }

    /// Takes a request back that was not sent.
    pub(super) fn withdraw(&mut self, token: Token) -> bool {
        // Tokens grow, so those that wait are sorted.
        let found = self
            .waiting
            .binary_search_by_key(&token, |waiting| waiting.token);
        found.is_ok_and(|at| self.waiting.remove(at).is_some())
    }

    /// Answers everything that was sent; returns the requests that are about watches.
    pub(super) fn fail_sent(&mut self, effects: &mut Vec<Effect>) -> Vec<Request> {
        self.pings_us.clear();
        let auth = self.auth.drain(..).filter_map(|auth| auth.token);
        let auth = auth.map(|token| failed(token, Failure::ConnectionLoss));
        let mut requests = Vec::new();
        for sent in self.sent.drain(..) {
            effects.push(failed(sent.token, Failure::ConnectionLoss));
            requests.extend(sent.watching.map(|request| *request));
        }
        effects.extend(auth);
        requests
    }

    /// Answers everything that was not sent; returns its requests.
    pub(super) fn fail_waiting(
        &mut self,
        failure: Failure,
        effects: &mut Vec<Effect>,
    ) -> Vec<Request> {
        let mut requests = Vec::with_capacity(self.waiting.len());
        for waiting in self.waiting.drain(..) {
            effects.push(failed(waiting.token, failure));
            requests.push(waiting.request);
        }
        requests
    }
}
