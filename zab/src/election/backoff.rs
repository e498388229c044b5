//! When to say again what was not answered.

use crate::{Options, Time};

/// Doubles the wait from `minNotificationInterval` to `maxNotificationInterval`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Backoff {
    interval_ms: u64,
    max_ms: u64,
    /// When it was said last.
    said: Time,
    due: Time,
}

impl Backoff {
    pub(super) fn new(options: &Options, now: Time) -> Self {
        let interval_ms = options.min_notification_interval_ms;
        Self {
            interval_ms,
            max_ms: options.max_notification_interval_ms,
            said: now,
            due: now.after_ms(interval_ms),
        }
    }

    /// To say it for the first time at that moment.
    pub(super) fn starting(options: &Options, at: Time) -> Self {
        Self {
            interval_ms: options.min_notification_interval_ms.div_ceil(2),
            max_ms: options.max_notification_interval_ms,
            said: at,
            due: at,
        }
    }

    pub(super) fn due(&self) -> Time {
        self.due
    }

    /// Something came in: the silence starts anew, the interval stays.
    ///
    /// But not for ever: who never heard our better vote says its own again and again, and if its
    /// clock is a little faster than ours, each time just before our silence ends.
    pub(super) fn heard(&mut self, now: Time) {
        let silence = now.after_ms(self.interval_ms);
        self.due = silence
            .min(self.said.after_ms(2 * self.interval_ms))
            .max(now);
    }

    /// The silence was too long: whether it is time to repeat. Doubles the interval.
    pub(super) fn expired(&mut self, now: Time) -> bool {
        if now < self.due {
            return false;
        }
        self.interval_ms = (self.interval_ms * 2).min(self.max_ms);
        self.said = now;
        self.due = now.after_ms(self.interval_ms);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Simulator seed 747: two servers whose clocks differ by 3 per mille, and one never heard the
    /// other's better vote.
    #[test]
    fn who_hears_others_all_the_time_repeats_what_it_said() {
        let options = Options::default();
        let mut backoff = Backoff::new(&options, Time(0));
        let mut now = Time(0);
        let mut repeated = Vec::new();
        for _ in 0..40 {
            now = now.after_ms(backoff.interval_ms - 1);
            if backoff.expired(now) {
                repeated.push(now);
            }
            backoff.heard(now);
        }
        assert!(repeated.len() >= 10, "{repeated:?}");
    }
}
