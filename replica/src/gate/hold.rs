//! What happens to input while there is no leader: requests stay where they are, pings are
//! answered ahead of them, so that clients see a slow server rather than a dead one.

use std::sync::atomic::Ordering;

use jute::frame::Frames;
use jute::proto::ReplyHeader;

use super::{Gate, Next};

/// Above so much held input a connection is read no more, and its pings find no answer.
const HELD_INPUT_MAX: usize = 1 << 20;

impl Gate<'_> {
    /// Answers the pings behind what is held, each once.
    pub(super) fn hold(&mut self) -> Next {
        if !self.writes.is_empty() {
            // They are submitted first, and wait in order where all others wait.
            return Next::Again;
        }
        let established = self.connection.session() != 0;
        if established {
            let found = self.pings();
            let known = self.connection.held_pings().swap(found, Ordering::Relaxed);
            let zxid = self.replica.read().last_zxid().0;
            let mut outbox = self.connection.outbox();
            for _ in known..found {
                let _ = outbox.push_reply(ReplyHeader::PING_XID, zxid, |_, _| Ok(()));
                self.replica.count_sent(1);
            }
            if found > known {
                self.connection.heard(self.now, 0);
            }
        }
        match self.input.len() - self.consumed {
            // More bytes, or the end of the wait, which wakes everybody.
            ..HELD_INPUT_MAX => Next::Input,
            _ => Next::Answers,
        }
    }

    /// Whether this ping was answered while it was held.
    pub(super) fn was_answered_ahead(&self) -> bool {
        let ahead = self.connection.held_pings();
        let one_less = |count: u32| count.checked_sub(1);
        ahead
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less)
            .is_ok()
    }

    /// Whole pings in the input.
    fn pings(&self) -> u32 {
        let held = &self.input[self.consumed..];
        let bodies = Frames::new(held, self.replica.options.max_frame).map_while(Result::ok);
        let ping = ReplyHeader::PING_XID.to_be_bytes();
        bodies.map(|body| u32::from(body.starts_with(&ping))).sum()
    }
}
