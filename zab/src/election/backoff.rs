//! When to say again what was not answered.

use crate::{Options, Time};

/// Doubles the wait from `minNotificationInterval` to `maxNotificationInterval`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Backoff {
    interval_ms: u64,
    max_ms: u64,
    due: Time,
}

impl Backoff {
    pub(super) fn new(options: &Options, now: Time) -> Self {
        let interval_ms = options.min_notification_interval_ms;
        Self {
            interval_ms,
            max_ms: options.max_notification_interval_ms,
            due: now.after_ms(interval_ms),
        }
    }

    /// To say it for the first time at that moment.
    pub(super) fn starting(options: &Options, at: Time) -> Self {
        Self {
            interval_ms: options.min_notification_interval_ms.div_ceil(2),
            max_ms: options.max_notification_interval_ms,
            due: at,
        }
    }

    pub(super) fn due(&self) -> Time {
        self.due
    }

    /// Something came in: the silence starts anew, the interval stays.
    pub(super) fn heard(&mut self, now: Time) {
        self.due = now.after_ms(self.interval_ms);
    }

    /// The silence was too long: whether it is time to repeat. Doubles the interval.
    pub(super) fn expired(&mut self, now: Time) -> bool {
        if now < self.due {
            return false;
        }
        self.interval_ms = (self.interval_ms * 2).min(self.max_ms);
        self.due = now.after_ms(self.interval_ms);
        true
    }
}
