//! Parsers of text: the configuration, and what stands in paths, ACLs and quota nodes.

use jute::data::{Acl, Id, perms};
use jute::path;
use jute::wire::{Limits, Reader};
use server::config::{Config, Env};
use state::acl::{self, AuthConfig, DigestAlgorithm};
use state::quota::QuotaText;

/// A `zoo.cfg`, behind a zero byte the words of `SERVER_JVMFLAGS`.
pub fn zoo_cfg(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let (text, flags) = text.split_once('\0').unwrap_or((&text, ""));
    let env = Env {
        server_jvmflags: flags.to_owned(),
        ..Env::default()
    };
    match Config::from_text("zoo.cfg", text, &env) {
        Ok(config) => {
            assert!(config.min_session_timeout_ms <= config.max_session_timeout_ms);
            one_line(&config.warnings);
        }
        Err(error) => one_line(&[error]),
    }
}

/// What an operator is told fits the log: one line each.
fn one_line(messages: &[impl ToString]) {
    for message in messages.iter().map(ToString::to_string) {
        assert!(!message.is_empty());
        assert!(!message.contains(['\n', '\r']), "{message:?}");
    }
}

/// Quotas, paths and ACLs.
pub fn text(input: &[u8]) {
    quota(input);
    let text = String::from_utf8_lossy(input);
    valid_path(&text);
    let (scheme, rest) = text.split_once(':').unwrap_or(("ip", &text));
    let (id, peer) = rest.split_once('\n').unwrap_or((rest, "127.0.0.1"));
    identity(scheme, id, peer);
    let mut reader = Reader::new(input, Limits::default());
    if let Ok(Some(list)) = reader.vector::<Acl<'_>>() {
        list_of(
            &list,
            &[Id::new("ip", "10.1.2.3"), Id::new("digest", "u:p")],
        );
    }
}

fn quota(input: &[u8]) {
    if let Ok(quota) = QuotaText::parse(Some(input)) {
        let again = QuotaText::parse(Some(quota.to_string().as_bytes()));
        assert_eq!(again, Ok(quota), "{quota}");
    }
}

fn valid_path(text: &str) {
    if path::validate(text).is_ok() && text != path::ROOT {
        let (parent, name) = path::split(text).expect("a valid path has a slash");
        assert!(!name.is_empty());
        assert!(
            parent.is_empty() || path::validate(parent).is_ok(),
            "{text}"
        );
        assert_eq!(format!("{parent}/{name}"), text);
    }
}

/// What an auth packet gives, and what a list with the same text lets through.
fn identity(scheme: &str, id: &str, peer: &str) {
    let config = config();
    let mut identities = acl::peer_identities([127, 0, 0, 1].into(), None);
    if let Ok(more) = acl::authenticate(&config, scheme, Some(id.as_bytes()), peer) {
        identities = acl::with_identities(&identities, more);
    }
    let shown = acl::who_am_i(&identities, &config);
    assert!(shown.len() <= identities.len());
    list_of(&[Acl::new(perms::ALL, scheme, id)], &identities);
    list_of(
        &[Acl::new(perms::ALL, "ip", id)],
        &[Id::new("ip", peer.to_owned())],
    );
}

/// A list that is stored is stored again as it is, and decides the same.
fn list_of(list: &[Acl<'_>], identities: &[Id<'static>]) {
    let config = config();
    acl::allowed(list, perms::READ, identities, &config);
    let Ok(stored) = acl::fixup(Some(list), identities, &config, MAX_LEN) else {
        return;
    };
    assert!(!stored.is_empty());
    assert_eq!(acl::mask_digests(&stored).len(), stored.len());
    let again = acl::fixup(Some(&stored), identities, &config, MAX_LEN);
    if let Ok(again) = again {
        let decides = |list| acl::allowed(list, perms::READ, identities, &config);
        assert_eq!(decides(&again), decides(&stored));
    }
}

/// Longest list, bytes.
const MAX_LEN: usize = 1 << 16;

fn config() -> AuthConfig {
    AuthConfig {
        super_digest: Some(acl::digest_id(DigestAlgorithm::Sha1, "super:secret")),
        ensemble_names: Some(vec!["one".to_owned(), "two".to_owned()]),
        ..AuthConfig::default()
    }
}
