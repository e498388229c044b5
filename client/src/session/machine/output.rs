use jute::frame;

/// What is to be sent on the present connection.
#[derive(Debug, Default)]
pub(super) struct Output {
    /// Frames. Whoever sends them takes them out.
    pub(super) bytes: Vec<u8>,
    /// When the last one was added.
    pub(super) sent_us: u64,
}

impl Output {
    /// Adds a frame whose body `write` appends.
    pub(super) fn send(&mut self, now_us: u64, write: impl FnOnce(&mut Vec<u8>)) {
        frame::append(&mut self.bytes, write);
        self.sent_us = now_us;
    }
}
