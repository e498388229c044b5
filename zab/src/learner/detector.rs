//! When a silent leader is given up.

use crate::leave::Leave;
use crate::message::LeaderPacket;
use crate::time::earlier;
use crate::{Options, Time};

/// So many pings in close order, and the leader is one that pings often.
pub(crate) const TRUST_AFTER: u32 = 8;
/// So many looks without a sign of life, and a leader that pings often is given up.
const SILENT_LOOKS_MAX: u32 = 5;
/// Time between two looks at the least, whatever tickTime is: machines stall for a moment.
const LOOK_INTERVAL_MS_MIN: u64 = 100;

/// Two detectors in one.
///
/// The plain one is Apache's: silence for initLimit, after NEWLEADER for syncLimit. The fast one
/// works only with a leader that has been seen to ping at least every tickTime/4; it looks every
/// tickTime/8 and gives up after five looks without a sign of life. It counts looks, not time: a
/// pause of this process, in which it could not have heard anything, counts for one look.
#[derive(Clone, Debug)]
pub(super) struct Detector {
    limit_ms: u64,
    heard: Time,
    /// A gap between pings above this, and the leader is no longer trusted to ping often.
    close_ms: u64,
    last_ping: Option<Time>,
    close_pings: u32,
    look_interval_ms: u64,
    next_look: Time,
    silent_looks: u32,
}

impl Detector {
    pub(super) fn new(options: &Options, now: Time) -> Self {
        let look_interval_ms = (options.tick_time_ms / 8).max(LOOK_INTERVAL_MS_MIN);
        Self {
            limit_ms: options.init_limit_ms(),
            heard: now,
            close_ms: options.tick_time_ms / 4,
            last_ping: None,
            close_pings: 0,
            look_interval_ms,
            next_look: now.after_ms(look_interval_ms),
            silent_looks: 0,
        }
    }

    /// NEWLEADER arrived: from here on syncLimit holds.
    pub(super) fn synchronised(&mut self, options: &Options, now: Time) {
        self.limit_ms = options.sync_limit_ms();
        self.progress(now);
    }

    /// A sign of life.
    pub(super) fn progress(&mut self, now: Time) {
        self.heard = now;
        self.silent_looks = 0;
    }

    pub(super) fn heard(&mut self, now: Time, packet: &LeaderPacket) {
        self.progress(now);
        if let LeaderPacket::Ping { .. } = packet {
            let close = |last: Time| now <= last.after_ms(self.close_ms);
            if self.last_ping.is_some_and(close) {
                self.close_pings = self.close_pings.saturating_add(1);
            } else {
                self.close_pings = 0;
            }
            self.last_ping = Some(now);
            if self.close_pings == TRUST_AFTER {
                self.next_look = now.after_ms(self.look_interval_ms);
            }
        }
    }

    fn is_fast(&self) -> bool {
        self.close_pings >= TRUST_AFTER
    }

    pub(super) fn next_deadline(&self) -> Time {
        let plain = self.heard.after_ms(self.limit_ms);
        let look = self.is_fast().then_some(self.next_look);
        earlier(look, Some(plain)).unwrap_or(plain)
    }

    pub(super) fn on_deadline(&mut self, now: Time) -> Result<(), Leave> {
        let silence_ms = now.0.saturating_sub(self.heard.0);
        if self.is_fast() && now >= self.next_look {
            self.next_look = now.after_ms(self.look_interval_ms);
            self.silent_looks += 1;
            if self.silent_looks >= SILENT_LOOKS_MAX {
                return Err(Leave::Silent { ms: silence_ms });
            }
        }
        if silence_ms >= self.limit_ms {
            return Err(Leave::Silent { ms: silence_ms });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use jute::Zxid;

    use super::*;

    const PING: LeaderPacket = LeaderPacket::Ping { zxid: Zxid::ZERO };

    fn options() -> Options {
        Options {
            tick_time_ms: 2000,
            sync_limit: 5,
            ..Options::default()
        }
    }

    /// Pings every `interval_ms`, then silence: after how long the leader is given up, if
    /// every deadline is kept but for one pause of this process.
    fn given_up_after_ms(interval_ms: u64, pings: u32, pause_ms: u64) -> u64 {
        let mut now = Time(0);
        let mut detector = Detector::new(&options(), now);
        detector.synchronised(&options(), now);
        for _ in 0..pings {
            now = now.after_ms(interval_ms);
            while detector.next_deadline() <= now {
                detector.on_deadline(now).expect("it pings");
            }
            detector.heard(now, &PING);
        }
        let last = now;
        now = now.after_ms(pause_ms);
        loop {
            if detector.next_deadline() <= now {
                if detector.on_deadline(now).is_err() {
                    return now.0 - last.0;
                }
            } else {
                now = detector.next_deadline();
            }
        }
    }

    #[test]
    fn a_leader_that_pings_often_is_given_up_early() {
        for (interval_ms, pings, pause_ms, expected) in [
            // Ours: five looks, 250 ms apart.
            (250, 20, 0, 1250),
            (250, 9, 0, 1250),
            // Not yet known well enough.
            (250, 8, 0, 10_000),
            // Stock: every tickTime/2.
            (1000, 100, 0, 10_000),
            (501, 100, 0, 10_000),
            (500, 100, 0, 1250),
            // A pause of our own counts for one look.
            (250, 20, 5000, 6000),
            (250, 20, 400, 1400),
        ] {
            let found = given_up_after_ms(interval_ms, pings, pause_ms);
            assert_eq!(found, expected, "{interval_ms} {pings} {pause_ms}");
        }
    }

    #[test]
    fn one_late_ping_and_it_is_no_longer_trusted() {
        let mut detector = Detector::new(&options(), Time(0));
        for n in 0..20 {
            detector.heard(Time(n * 250), &PING);
        }
        assert!(detector.is_fast());
        detector.heard(Time(20 * 250 + 600), &PING);
        assert!(!detector.is_fast());
    }
}
