//! What every simulated server is configured with.

use jute::wire::Limits;
use replica::throttle::ConnectionThrottleOptions;
use replica::{ReaperOptions, ReplicaOptions, RidingOptions};
use state::acl::{AuthConfig, DigestAlgorithm, digest_id};
use state::tree::OwnerRules;

/// Who may reconfigure, as `user:password`.
pub(crate) const SUPER: &str = "super:secret";

pub(crate) fn auth_config() -> AuthConfig {
    AuthConfig {
        super_digest: Some(digest_id(DigestAlgorithm::Sha1, SUPER)),
        ..AuthConfig::default()
    }
}

pub(crate) fn state_options() -> state::Options {
    state::Options {
        owner_rules: OwnerRules {
            extended_types: true,
            emulate_353_ttl: false,
        },
        digest_enabled: true,
        limits: Limits::default(),
    }
}

pub(crate) fn replica_options(server_id: u8, tick_ms: u32, seed: u64) -> ReplicaOptions {
    let tick = i32::try_from(tick_ms).unwrap_or(i32::MAX);
    ReplicaOptions {
        server_id,
        tick_time_ms: tick_ms,
        min_session_timeout_ms: 2 * tick,
        max_session_timeout_ms: 20 * tick,
        max_frame: Limits::DEFAULT_MAX_BUFFER,
        limits: Limits::default(),
        global_outstanding_limit: 1000,
        riding: RidingOptions {
            busy_outstanding: (seed % 4) as i64,
            short_round_us: 100_000,
        },
        throttled_op_wait_ms: 0,
        large_request_threshold: -1,
        large_request_max_bytes: 0,
        connection_throttle: ConnectionThrottleOptions::default(),
        auth: auth_config(),
        enforced_schemes: None,
        // Its refusals are in no log, against which the checkers hold every answer.
        eager_acl_check: false,
        reaper: ReaperOptions {
            check_interval_ms: 2000,
            ..ReaperOptions::default()
        },
        seed,
    }
}
