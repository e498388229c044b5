//! Who sends what the core has put into outboxes.

use std::sync::Arc;

use replica::Connection;
use tokio::runtime::Handle;

/// With so few connections to answer, the thread that decides sends the answers itself: to wake
/// another one takes longer.
const ANSWERED_DIRECTLY: usize = 4;

/// With so few it does if nothing else waits for it.
const ANSWERED_AT_LEISURE: usize = 16;

/// More are left to the threads that move bytes, so many to a task: to wake the task of each
/// connection would cost two switches of threads for each.
const ANSWERED_BY_ONE_TASK: usize = 8;

/// Sees to it that these connections send what they have. `at_leisure`: nothing else waits for
/// this thread.
pub(crate) fn answer(touched: Vec<Arc<Connection>>, at_leisure: bool, runtime: &Handle) {
    let few = match at_leisure {
        true => ANSWERED_AT_LEISURE,
        false => ANSWERED_DIRECTLY,
    };
    if touched.len() <= few {
        send(&touched);
    } else {
        runtime.spawn(async move { send_in_parts(touched) });
    }
}

/// Keeps the first part, and leaves the others to whoever is free.
fn send_in_parts(mut touched: Vec<Arc<Connection>>) {
    while touched.len() > ANSWERED_BY_ONE_TASK {
        let part = touched.split_off(touched.len() - ANSWERED_BY_ONE_TASK);
        tokio::spawn(async move { send(&part) });
    }
    send(&touched);
}

/// One whose input waited for its answers goes on by itself, and sends them with what comes after.
fn send(touched: &[Arc<Connection>]) {
    for connection in touched {
        if connection.is_parked() {
            connection.wake();
        } else {
            connection.send_now();
        }
    }
}
