//! Connections that deliver late, in pieces, in part, or not at all; never out of order.

use std::collections::VecDeque;
use std::sync::Arc;

use replica::{Connection, Next};

use crate::rng::Rng;

/// One direction of a connection.
#[derive(Debug, Default)]
pub(crate) struct Pipe {
    /// Under way, oldest first. An empty piece is the end.
    pieces: VecDeque<Vec<u8>>,
    /// When the last piece arrives, microseconds.
    last_us: u64,
    ended: bool,
}

impl Pipe {
    /// Puts bytes on the way, cut into pieces; returns when each arrives.
    pub(crate) fn send(
        &mut self,
        rng: &mut Rng,
        now_us: u64,
        delay_us: u64,
        bytes: &[u8],
    ) -> Vec<u64> {
        let mut times = Vec::new();
        let mut rest = bytes;
        while !rest.is_empty() && !self.ended {
            let len = if rng.percent(85) {
                rest.len()
            } else {
                rng.between(1..rest.len() as u64 + 1) as usize
            };
            let (piece, behind) = rest.split_at(len);
            rest = behind;
            self.pieces.push_back(piece.to_vec());
            times.push(self.arrival(rng, now_us, delay_us));
        }
        times
    }

    /// Nothing more comes; returns when that is noticed.
    pub(crate) fn end(&mut self, rng: &mut Rng, now_us: u64, delay_us: u64) -> Option<u64> {
        if self.ended {
            return None;
        }
        self.ended = true;
        self.pieces.push_back(Vec::new());
        Some(self.arrival(rng, now_us, delay_us))
    }

    /// Loses what is under way from some byte on. True if that was in the middle of it.
    pub(crate) fn lose_tail(&mut self, rng: &mut Rng) -> bool {
        let kept = rng.below(self.pieces.len() as u64 + 1) as usize;
        let lost = kept < self.pieces.len();
        self.pieces.truncate(kept);
        if lost && let Some(last) = self.pieces.back_mut() {
            let len = last.len() as u64;
            if len > 1 {
                last.truncate(rng.between(1..len) as usize);
            }
        }
        lost
    }

    /// Is nothing under way?
    pub(crate) fn is_idle(&self) -> bool {
        self.pieces.is_empty()
    }

    /// Loses everything under way, and all that comes: not even the end arrives.
    pub(crate) fn go_dead(&mut self) {
        self.pieces.clear();
        self.ended = true;
    }

    /// The next piece; `None` if it was lost.
    pub(crate) fn arrive(&mut self) -> Option<Vec<u8>> {
        self.pieces.pop_front()
    }

    fn arrival(&mut self, rng: &mut Rng, now_us: u64, delay_us: u64) -> u64 {
        let at = now_us + delay_us + rng.between(20..400);
        self.last_us = self.last_us.max(at);
        self.last_us
    }
}

/// A connection.
pub(crate) struct Link {
    pub(crate) client: usize,
    /// Which server the client wants.
    pub(crate) server: usize,
    pub(crate) up: Pipe,
    pub(crate) down: Pipe,
    /// The server's end, once it has accepted.
    pub(crate) connection: Option<Arc<Connection>>,
    /// What the server has received and not handled.
    pub(crate) input: Vec<u8>,
    pub(crate) next: Next,
    /// Until then nothing gets through.
    pub(crate) stalled_until_us: u64,
}

impl Link {
    pub(crate) fn new(client: usize, server: usize) -> Self {
        Self {
            client,
            server,
            up: Pipe::default(),
            down: Pipe::default(),
            connection: None,
            input: Vec::new(),
            next: Next::Input,
            stalled_until_us: 0,
        }
    }

    /// How much later than usual a piece arrives.
    pub(crate) fn delay_us(&self, now_us: u64) -> u64 {
        self.stalled_until_us.saturating_sub(now_us)
    }
}
