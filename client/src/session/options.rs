use jute::wire::Limits;

/// What a session is configured with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Session timeout asked for, milliseconds. The server may grant another one.
    pub timeout_ms: i32,
    /// How long a connection may take until the server has answered the first packet,
    /// microseconds.
    pub connect_timeout_us: u64,
    /// Rest between the end of a connection and the next attempt, microseconds. It doubles
    /// with each round of attempts that fail.
    pub reconnect_delay_us: u64,
    /// Bound of the doubled rest, microseconds.
    pub reconnect_delay_max_us: u64,
    /// Attempts in a round: how many servers there are.
    pub attempts_in_round: u32,
    /// With a seed, each rest is drawn between nothing and the computed one, so that clients
    /// that lost their server together do not come back together.
    pub jitter_seed: Option<u64>,
    /// Requests that may be sent and unanswered; more wait.
    pub outstanding_max: usize,
    /// Requests that may wait to be sent; more are refused at once.
    pub waiting_max: usize,
    /// A request that cannot be sent for so long fails, and all that wait with it, microseconds.
    /// `None`: they wait as long as the session lives.
    pub unsent_timeout_us: Option<u64>,
    /// So many rounds of attempts to connect may fail before what waits fails too. `None`: only
    /// `unsent_timeout_us` counts.
    pub unsent_rounds_max: Option<u32>,
    /// Is a server good enough that has no quorum and takes no writes?
    pub read_only: bool,
    /// Longest packet taken from a server, bytes (`jute.maxbuffer`).
    pub max_frame: usize,
    /// Bounds inside a packet.
    pub limits: Limits,
}

/// Default of `outstanding_max`.
const OUTSTANDING_MAX: usize = 1024;

/// Default of `waiting_max`.
const WAITING_MAX: usize = 16 * 1024;

/// Default of `jute.maxbuffer` for clients, bytes.
const MAX_FRAME: usize = 0xf_ffff;

impl Default for Options {
    fn default() -> Self {
        Self {
            timeout_ms: 30_000,
            connect_timeout_us: 10_000_000,
            reconnect_delay_us: 100_000,
            reconnect_delay_max_us: 100_000,
            attempts_in_round: 1,
            jitter_seed: None,
            outstanding_max: OUTSTANDING_MAX,
            waiting_max: WAITING_MAX,
            unsent_timeout_us: None,
            unsent_rounds_max: None,
            read_only: false,
            max_frame: MAX_FRAME,
            limits: Limits::default(),
        }
    }
}
