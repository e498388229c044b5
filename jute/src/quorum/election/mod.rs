//! The election port: an initial message from the dialler, then framed notifications in
//! both directions.

mod initial;
mod notification;

pub use initial::{ADDRESSES_LEN_MAX, InitialForm, InitialMessage, first_initial};
pub use notification::{Notification, NotificationFault, ServerState};

use crate::frame::{self, BadFrameLength};

/// Longest frame in bytes. An empty one is not allowed either.
pub const FRAME_LEN_MAX: usize = 512 << 10;

/// The frame at the front of `buf`, behind the initial message: its body, or `None` while it is
/// incomplete. The next one starts [`frame::PREFIX_LEN`] + body length further on.
///
/// # Errors
/// A length outside 1..=[`FRAME_LEN_MAX`]: the connection must be closed.
pub fn first_frame(buf: &[u8]) -> Result<Option<&[u8]>, BadFrameLength> {
    match frame::first(buf, FRAME_LEN_MAX)? {
        Some([]) => Err(BadFrameLength(0)),
        body => Ok(body),
    }
}
