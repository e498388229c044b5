use jute::wire::Limits;

/// What a session is configured with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Session timeout asked for, milliseconds. The server may grant another one.
    pub timeout_ms: i32,
    /// How long a connection may take until the server has answered the first packet,
    /// microseconds.
    pub connect_timeout_us: u64,
    /// Rest between the end of a connection and the next attempt, microseconds.
    pub reconnect_delay_us: u64,
    /// Requests that may be unanswered, sent or not; more are refused at once.
    pub outstanding_max: usize,
    /// Longest packet taken from a server, bytes (`jute.maxbuffer`).
    pub max_frame: usize,
    /// Bounds inside a packet.
    pub limits: Limits,
}

/// Default of `outstanding_max`.
const OUTSTANDING_MAX: usize = 1024;

/// Default of `jute.maxbuffer` for clients, bytes.
const MAX_FRAME: usize = 0xf_ffff;

impl Default for Options {
    fn default() -> Self {
        Self {
            timeout_ms: 30_000,
            connect_timeout_us: 10_000_000,
            reconnect_delay_us: 100_000,
            outstanding_max: OUTSTANDING_MAX,
            max_frame: MAX_FRAME,
            limits: Limits::default(),
        }
    }
}
