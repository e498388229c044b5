//! Reads: answered at once, many under one guard.

use jute::OpCode;
use state::read::ReadContext;

use super::{Class, Gate, Next};
use crate::ahead;
use crate::answer::push_read;
use crate::connection::OUTBOX_HIGH_WATER;

/// A guard is given up after so many reads, so that a write never waits long.
const READS_PER_GUARD: usize = 64;

impl<'a> Gate<'a> {
    /// Answers the reads at the front of the input, if no earlier write of the connection
    /// is unanswered. Each reads, registers its watch and queues its answer under one
    /// guard, so an event can neither be missed nor come before the answer.
    pub(super) fn reads(&mut self) -> Option<Next> {
        if let Some(wait) = self.wait_for_writes() {
            return Some(wait);
        }
        let identities = self.connection.identities();
        let context = ReadContext {
            session: self.connection.session(),
            watcher: self.connection.id(),
            identities: &identities,
            auth: &self.replica.options.auth,
        };
        let state = self.replica.read();
        // Under the guard: what is served now was not given up for want of a leader.
        if self.replica.service().holds() {
            drop(state);
            return Some(self.hold());
        }
        ahead::of_requests(&state, self.further_reads());
        let mut outbox = self.connection.outbox();
        let mut answered = 0;
        let mut next = None;
        while answered < READS_PER_GUARD {
            if outbox.len() > OUTBOX_HIGH_WATER {
                next = Some(Next::Drain);
                break;
            }
            let Ok(Some(request)) = self.request() else {
                break;
            };
            let (Class::Read, op) = self.classify(request.op) else {
                break;
            };
            if op == OpCode::Ping && self.was_answered_ahead() {
                self.done(request);
                continue;
            }
            push_read(
                &mut outbox,
                &state,
                &context,
                (request.xid, op),
                request.body,
            );
            let (now_us, zxid) = (self.now.monotonic_us, state.last_zxid().0);
            outbox.note_answer(op, request.xid, zxid, now_us, 0);
            self.done(request);
            answered += 1;
        }
        drop(outbox);
        drop(state);
        self.replica.count_answers(answered as u64, 0);
        next
    }

    /// The bodies of the reads at the front of the input, but for the first: that is looked up at
    /// once.
    fn further_reads(&self) -> impl Iterator<Item = &'a [u8]> {
        let reads = self
            .requests()
            .take_while(|request| matches!(self.classify(request.op).0, Class::Read));
        reads
            .map(|request| request.body)
            .take(READS_PER_GUARD)
            .skip(1)
    }
}
