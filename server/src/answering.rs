//! Who sends what the core has put into outboxes.

use std::sync::Arc;

use replica::Connection;

/// With so few connections to answer, the thread that decides sends the answers itself; with
/// more their tasks do, on all cores.
const ANSWERED_DIRECTLY: usize = 4;

/// Sees to it that these connections send what they have. One whose input waited for its answers
/// goes on by itself, and sends them with what comes after.
pub(crate) fn answer(touched: &[Arc<Connection>]) {
    let few = touched.len() <= ANSWERED_DIRECTLY;
    for connection in touched {
        if few && !connection.is_parked() {
            connection.send_now();
        } else {
            connection.wake();
        }
    }
}
