use std::collections::VecDeque;

use super::failed;
use crate::event::{Effect, Failure, Token};
use crate::request::Request;

/// A request on its way.
#[derive(Debug)]
pub(super) struct Sent {
    pub(super) token: Token,
    pub(super) xid: i32,
    pub(super) request: Request,
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
    /// Not sent: there is no connection.
    pub(super) waiting: VecDeque<(Token, Request)>,
    /// Sent on this connection.
    pub(super) sent: VecDeque<Sent>,
    /// Auth packets sent on this connection.
    pub(super) auth: VecDeque<SentAuth>,
}

impl Outstanding {
    pub(super) fn len(&self) -> usize {
        self.waiting.len() + self.sent.len() + self.auth.len()
    }

    /// Answers everything that was sent, then everything that was not.
    pub(super) fn fail(&mut self, failure: Failure, effects: &mut Vec<Effect>) {
        let sent = self.sent.drain(..).map(|sent| sent.token);
        let auth = self.auth.drain(..).filter_map(|auth| auth.token);
        let waiting = self.waiting.drain(..).map(|(token, _)| token);
        let tokens = sent.chain(auth).chain(waiting);
        effects.extend(tokens.map(|token| failed(token, failure)));
    }
}
