//! LocalPrimaryOrder: what a primary broadcasts is delivered in the order of its broadcasts, and
//! nothing of it is left out. GlobalPrimaryOrder: what a primary of an earlier epoch broadcast is
//! delivered before what one of a later epoch did.
//!
//! Every server delivers the one history (`total_order`), and each transaction of it is looked
//! at here with the one before it: an epoch's transactions are counted from 1 without a gap, and
//! epochs only grow. So any pair is in order, and none is missing.
//!
//! Source: section 17 of the Zab facts, `LocalPrimaryOrder` (all pairs, not the existence of
//! one) and `GlobalPrimaryOrder`.

use jute::Zxid;

use crate::violation::{Checked, ensure};

const NAME: &str = "primary_order";

/// `next` is delivered right behind `last`.
pub(crate) fn delivered(last: i64, next: i64) -> Checked {
    let (last, next) = (Zxid(last), Zxid(next));
    let goes_on = last.epoch() == next.epoch() && next.0 == last.0 + 1;
    let begins = last.epoch() < next.epoch() && next.counter() == 1;
    ensure!(goes_on || begins, NAME, "{next} is delivered behind {last}");
    Ok(())
}
