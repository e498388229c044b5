use std::sync::Arc;

use jute::ErrorCode;
use jute::data::{Acl, Id, perms};

use super::provider::Provider;
use super::*;

const BOB: &str = "bob:ikIaKsbtGweaHnb/jKn7OHqbunM=";

fn ids(list: &[(&str, &str)]) -> Identities {
    list.iter()
        .map(|(scheme, id)| Id::new((*scheme).to_owned(), (*id).to_owned()))
        .collect()
}

fn acl(list: &[(i32, &str, &str)]) -> Vec<Acl<'static>> {
    list.iter()
        .map(|(perms, scheme, id)| Acl::new(*perms, (*scheme).to_owned(), (*id).to_owned()))
        .collect()
}

fn fixed_up(
    list: Option<&[Acl<'_>]>,
    identities: &[Id<'static>],
    config: &AuthConfig,
) -> Result<Vec<Acl<'static>>, ErrorCode> {
    fixup(list, identities, config, 1 << 20)
}

#[test]
fn digest_ids_are_those_of_java() {
    let table = [
        (DigestAlgorithm::Sha1, "bob:pw", BOB),
        (
            DigestAlgorithm::Sha1,
            "al:x",
            "al:2tyCbtmDhasc0Ee3xp1WY4zfRnA=",
        ),
        (
            DigestAlgorithm::Sha1,
            "super:secret",
            "super:lK75jTNcA+U9vtVEw5vB51mj/w4=",
        ),
        (
            DigestAlgorithm::Sha256,
            "bob:pw",
            "bob:lXdkgIa9O1CDDWAryQ0pe9wUYi2LkG6M7Uocn/Vyn2g=",
        ),
    ];
    for (algorithm, text, id) in &table {
        assert_eq!(digest_id(*algorithm, text), *id);
    }
    let lengths = [
        ("SHA1", 28),
        ("sha-224", 40),
        ("SHA-256", 44),
        ("SHA-384", 64),
        ("SHA-512", 88),
        ("SHA-512/224", 40),
        ("SHA-512/256", 44),
    ];
    for (name, len) in lengths {
        let algorithm = DigestAlgorithm::from_name(name).expect("a known algorithm");
        let id = digest_id(algorithm, "a:b:c");
        assert_eq!(id.strip_prefix("a:").map(str::len), Some(len), "{name}");
    }
    assert_eq!(DigestAlgorithm::from_name("MD5"), None);
    assert!(digest_id(DigestAlgorithm::Sha1, "nocolon").starts_with("nocolon:"));
}

#[test]
fn which_ids_may_stand_in_a_list() {
    let table = [
        ("digest", "a:b", true),
        ("digest", ":b", true),
        ("digest", "a:b:", true),
        ("digest", "a", false),
        ("digest", "a:", false),
        ("digest", ":", false),
        ("digest", "", false),
        ("digest", "a:b:c", false),
        ("ip", "10.0.0.1", true),
        ("ip", "10.0.0.1/0", true),
        ("ip", "10.0.0.1/32", true),
        ("ip", "10.0.0.1/33", false),
        ("ip", "10.0.0.1/-1", false),
        ("ip", "10.0.0.1/", false),
        ("ip", "10.0.0.1/8/8", false),
        ("ip", "10.0.0", false),
        ("ip", "10.0.0.0.1", false),
        ("ip", "10.0.0.256", false),
        ("ip", "", false),
        ("ip", "::", true),
        ("ip", "::1", true),
        ("ip", "2001:db8::", true),
        ("ip", "2001:db8::/32", true),
        ("ip", "1:2:3:4:5:6:7:8/128", true),
        ("ip", "1:2:3:4:5:6:7:8/129", false),
        ("ip", "1:2:3:4:5:6:7", false),
        ("ip", "1:2:3:4:5:6:7:8:9", false),
        ("ip", "1:2:3:4::5:6:7:8", false),
        ("ip", "1::2::3", false),
        ("ip", ":::", false),
        ("ip", "12345::", false),
        ("ip", "::g", false),
        ("ip", "::ffff:1.2.3.4", false),
        ("ensemble", "x", false),
    ];
    let config = AuthConfig {
        ensemble_names: Some(vec!["x".to_owned()]),
        ..AuthConfig::default()
    };
    for (scheme, id, valid) in table {
        let provider = Provider::of(scheme, &config).expect("configured");
        assert_eq!(provider.accepts(id), valid, "{scheme}:{id}");
    }
    for scheme in ["world", "auth", "super", "sasl", "x509", "nonsense"] {
        assert_eq!(Provider::of(scheme, &config), None, "{scheme}");
    }
}

#[test]
fn leading_bits_decide_about_addresses() {
    let table = [
        ("10.1.2.3", "10.1.2.3", true),
        ("10.1.2.3", "10.1.2.4", false),
        ("10.1.2.3", "10.1.0.0/16", true),
        ("10.1.2.3", "10.2.0.0/16", false),
        ("10.1.2.3", "10.0.0.0/15", true),
        ("10.2.2.3", "10.0.0.0/15", false),
        ("10.1.2.3", "99.0.0.0/0", true),
        ("10.1.2.3", "::/0", false),
        ("0:0:0:0:0:0:0:1", "::1", true),
        ("0:0:0:0:0:0:0:1", "::/127", true),
        ("0:0:0:0:0:0:0:2", "::/127", false),
        ("fe80:0:0:0:0:0:0:7%eth0", "fe80::/10", true),
        ("nonsense", "10.0.0.0/0", false),
        ("10.1.2.3", "nonsense", false),
    ];
    for (address, pattern, expected) in table {
        assert_eq!(
            ip::matches(address, pattern),
            expected,
            "{address} {pattern}"
        );
    }
}

#[test]
fn peers_are_written_as_java_writes_them() {
    let table = [
        ("127.0.0.1", None, "127.0.0.1"),
        ("::1", None, "0:0:0:0:0:0:0:1"),
        ("2001:db8::a0b", None, "2001:db8:0:0:0:0:0:a0b"),
        ("fe80::1", Some("eth0"), "fe80:0:0:0:0:0:0:1%eth0"),
        ("::ffff:1.2.3.4", None, "1.2.3.4"),
    ];
    for (address, scope, text) in table {
        let address = address.parse().expect("an address");
        assert_eq!(peer_text(address, scope), text);
        assert_eq!(
            peer_identities(address, scope)[..],
            ids(&[("ip", text)])[..]
        );
    }
}

#[test]
fn auth_packets_add_identities_or_fail() {
    let config = AuthConfig {
        super_digest: Some(BOB.to_owned()),
        ensemble_names: Some(vec!["east".to_owned(), "west".to_owned()]),
        ..AuthConfig::default()
    };
    type Case<'c> = (
        &'c str,
        Option<&'c [u8]>,
        Result<&'c [(&'c str, &'c str)], AuthError>,
    );
    let table: &[Case<'_>] = &[
        (
            "digest",
            Some(b"bob:pw"),
            Ok(&[("super", ""), ("digest", BOB)]),
        ),
        (
            "digest",
            Some(b"al:x"),
            Ok(&[("digest", "al:2tyCbtmDhasc0Ee3xp1WY4zfRnA=")]),
        ),
        (
            "digest",
            Some(b""),
            Ok(&[("digest", ":2jmj7l5rSw0yVb/vlWAYkK/YBwk=")]),
        ),
        ("digest", None, Err(AuthError::NoCredential)),
        ("ip", None, Ok(&[("ip", "1.2.3.4")])),
        ("ensemble", Some(b"west"), Ok(&[])),
        ("ensemble", None, Ok(&[])),
        ("ensemble", Some(b"north"), Err(AuthError::WrongEnsemble)),
        ("world", Some(b"anyone"), Err(AuthError::UnknownScheme)),
        ("super", Some(b""), Err(AuthError::UnknownScheme)),
        ("sasl", Some(b"x"), Err(AuthError::UnknownScheme)),
    ];
    for (scheme, credential, expected) in table {
        let result = authenticate(&config, scheme, *credential, "1.2.3.4");
        assert_eq!(
            result,
            expected.map(|list| ids(list).to_vec()),
            "{scheme} {credential:?}"
        );
    }
    let off = AuthConfig {
        digest_enabled: false,
        ..AuthConfig::default()
    };
    let refused = authenticate(&off, "digest", Some(b"a:b"), "1.2.3.4");
    assert_eq!(refused, Err(AuthError::UnknownScheme));
    let refused = authenticate(&off, "ensemble", None, "1.2.3.4");
    assert_eq!(refused, Err(AuthError::UnknownScheme));
}

#[test]
fn identities_accumulate_without_duplicates() {
    let first = ids(&[("ip", "1.2.3.4")]);
    let second = with_identities(
        &first,
        ids(&[("digest", "a:b"), ("ip", "1.2.3.4")]).to_vec(),
    );
    assert_eq!(second[..], ids(&[("ip", "1.2.3.4"), ("digest", "a:b")])[..]);
    let third = with_identities(&second, ids(&[("super", "")]).to_vec());
    let shown = who_am_i(&third, &AuthConfig::default());
    let shown: Vec<_> = shown
        .iter()
        .map(|info| (info.auth_scheme.as_deref(), info.user.as_deref()))
        .collect();
    let expected = [("ip", "1.2.3.4"), ("digest", "a"), ("super", "")];
    assert_eq!(
        shown,
        expected.map(|(scheme, user)| (Some(scheme), Some(user)))
    );
}

#[test]
fn identities_of_a_connection_are_bounded() {
    let mut all = ids(&[("ip", "1.2.3.4")]);
    for at in 1..IDENTITIES_MAX {
        let more = vec![Id::new("digest", format!("u{at}:x"))];
        all = with_identities(&all, more);
    }
    assert_eq!(all.len(), IDENTITIES_MAX);
    let more = vec![Id::new("digest", "one:more")];
    assert_eq!(with_identities(&all, more), all);
    let long = vec![Id::new("digest", "x".repeat(IDENTITIES_BYTES_MAX))];
    let few = ids(&[("ip", "1.2.3.4")]);
    assert_eq!(with_identities(&few, long), few);
}

#[test]
fn lists_of_requests_are_fixed_up() {
    let identities = ids(&[
        ("ip", "1.2.3.4"),
        ("digest", "a:1"),
        ("super", ""),
        ("digest", "b:2"),
    ]);
    type Case<'c> = (
        &'c [(i32, &'c str, &'c str)],
        Option<&'c [(i32, &'c str, &'c str)]>,
    );
    let table: &[Case<'_>] = &[
        (&[], None),
        (&[(31, "world", "anyone")], Some(&[(31, "world", "anyone")])),
        (
            &[(0, "world", "anyone"), (255, "world", "anyone")],
            Some(&[(0, "world", "anyone"), (255, "world", "anyone")]),
        ),
        (&[(1, "world", "other")], None),
        (
            &[
                (1, "digest", "x:y"),
                (2, "world", "anyone"),
                (1, "digest", "x:y"),
            ],
            Some(&[(1, "digest", "x:y"), (2, "world", "anyone")]),
        ),
        (
            &[(7, "auth", "whatever")],
            Some(&[(7, "digest", "a:1"), (7, "digest", "b:2")]),
        ),
        (&[(1, "digest", "a:b:c")], None),
        (&[(1, "ip", "10.0.0.0/8")], Some(&[(1, "ip", "10.0.0.0/8")])),
        (&[(1, "ip", "10.0.0.0/80")], None),
        (&[(1, "super", "x")], None),
        (&[(1, "sasl", "x")], None),
        (&[(31, "world", "anyone"), (1, "nonsense", "x")], None),
    ];
    let config = AuthConfig::default();
    for (given, expected) in table {
        let fixed = fixed_up(Some(&acl(given)), &identities, &config);
        assert_eq!(
            fixed,
            expected.map(acl).ok_or(ErrorCode::InvalidAcl),
            "{given:?}"
        );
    }
    assert_eq!(
        fixed_up(None, &identities, &config),
        Err(ErrorCode::InvalidAcl)
    );
    let nobody = fixed_up(
        Some(&acl(&[(31, "auth", "")])),
        &ids(&[("ip", "1.2.3.4")]),
        &config,
    );
    assert_eq!(nobody, Err(ErrorCode::InvalidAcl));
    let nulls = [
        (None, Some("x"), ErrorCode::InvalidAcl),
        (Some("world"), None, ErrorCode::MarshallingError),
        (Some("digest"), None, ErrorCode::MarshallingError),
        (Some("ip"), None, ErrorCode::MarshallingError),
        (Some("nosuch"), None, ErrorCode::InvalidAcl),
    ];
    for (scheme, id, expected) in nulls {
        let id = Id {
            scheme: scheme.map(Into::into),
            id: id.map(Into::into),
        };
        let list = [Acl { perms: 31, id }];
        let fixed = fixed_up(Some(&list), &identities, &config);
        assert_eq!(fixed, Err(expected), "{scheme:?}");
    }
}

#[test]
fn duplicates_go_from_long_lists_too() {
    let given: Vec<_> = (0..100)
        .map(|at| Acl::new(1, "digest", format!("u{}:x", at % 30)))
        .collect();
    let expected = given[..30].to_vec();
    assert_eq!(
        fixed_up(Some(&given), &[], &AuthConfig::default()),
        Ok(expected)
    );
}

#[test]
fn lists_decide() {
    use perms::{ADMIN, READ, WRITE};
    let me = ids(&[("ip", "10.1.2.3"), ("digest", "a:1")]);
    let root = ids(&[("super", "")]);
    type Case<'c> = (&'c [(i32, &'c str, &'c str)], i32, bool);
    let table: &[Case<'_>] = &[
        (&[], WRITE, true),
        (&[(READ, "world", "anyone")], READ, true),
        (&[(READ, "world", "anyone")], WRITE, false),
        (&[(READ, "world", "anyone")], READ | ADMIN, true),
        (&[(0, "world", "anyone")], READ, false),
        (&[(WRITE, "digest", "a:1")], WRITE, true),
        (&[(WRITE, "digest", "a:2")], WRITE, false),
        (
            &[(WRITE, "digest", "a:2"), (WRITE, "ip", "10.0.0.0/8")],
            WRITE,
            true,
        ),
        (&[(WRITE, "ip", "junk")], WRITE, false),
        (&[(WRITE, "sasl", "a:1")], WRITE, false),
    ];
    let config = AuthConfig::default();
    let skipping = AuthConfig {
        skip_acl: true,
        ..AuthConfig::default()
    };
    for (list, wanted, expected) in table {
        let list = acl(list);
        assert_eq!(
            allowed(&list, *wanted, &me, &config),
            *expected,
            "{list:?} {wanted}"
        );
        assert!(allowed(&list, *wanted, &root, &config));
        assert!(allowed(&list, *wanted, &me, &skipping));
    }
    let no_digest = AuthConfig {
        digest_enabled: false,
        ..AuthConfig::default()
    };
    assert!(!allowed(
        &acl(&[(WRITE, "digest", "a:1")]),
        WRITE,
        &me,
        &no_digest
    ));
    let list: AclList = Arc::from(acl(&[(READ, "world", "anyone")]));
    assert!(node_allows(Some(&list), READ, &me, &config));
    assert!(!node_allows(None, READ, &me, &config));
    assert!(node_allows(None, READ, &root, &config));
}

#[test]
fn hashes_are_masked() {
    let list = acl(&[
        (1, "digest", "a:hash:more"),
        (2, "ip", "1.2.3.4"),
        (3, "world", "anyone"),
    ]);
    let masked = mask_digests(&list);
    assert_eq!(
        masked,
        acl(&[
            (1, "digest", "a:x"),
            (2, "ip", "1.2.3.4"),
            (3, "world", "anyone")
        ])
    );
}

#[test]
fn lists_that_grow_too_long_are_given_up_early() {
    let identities: Vec<_> = (0..1000)
        .map(|at| Id::new("digest", format!("u{at}:x")))
        .collect();
    let list: Vec<_> = (0..1000).map(|perms| Acl::new(perms, "auth", "")).collect();
    let fixed = fixed_up(Some(&list), &identities, &AuthConfig::default());
    assert_eq!(fixed, Err(ErrorCode::MarshallingError));
    let fixed = fixed_up(Some(&list[..3]), &identities, &AuthConfig::default());
    assert_eq!(fixed.map(|fixed| fixed.len()), Ok(3000));
}
