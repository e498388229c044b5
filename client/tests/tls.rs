//! TLS: a relay that speaks it stands before a plain server.

#![cfg(feature = "tls")]
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "tests of the shell have clocks and sockets"
)]

mod common;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use client::{Client, Error, Tls};
use common::Server;
use rcgen::{BasicConstraints, Certificate, CertificateParams, IsCa, KeyPair};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

struct Authority {
    certificate: Certificate,
    key: KeyPair,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.self_signed(&key).expect("a certificate");
        Self { certificate, key }
    }

    /// PEM of a certificate for this name, and of its key.
    fn issue(&self, name: &str) -> (String, String) {
        let params = CertificateParams::new(vec![name.to_owned()]).expect("a name");
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.certificate, &self.key);
        (certificate.expect("signed").pem(), key.serialize_pem())
    }
}

/// A relay whose clients have to show a certificate of the authority.
async fn relay(server: SocketAddr, authority: &Authority, name: &str) -> SocketAddr {
    let (certificate, key) = authority.issue(name);
    let mut roots = RootCertStore::empty();
    roots
        .add(authority.certificate.der().clone())
        .expect("an authority");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_client_cert_verifier(verifier.build().expect("a verifier"))
        .with_single_cert(
            vec![CertificateDer::from_pem_slice(certificate.as_bytes()).expect("PEM")],
            PrivateKeyDer::from_pem_slice(key.as_bytes()).expect("PEM"),
        );
    let acceptor = TlsAcceptor::from(Arc::new(config.expect("it fits")));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((near, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let mut near = acceptor.accept(near).await?;
                let mut far = TcpStream::connect(server).await?;
                tokio::io::copy_bidirectional(&mut near, &mut far).await
            });
        }
    });
    address
}

async fn connect(address: SocketAddr, tls: Tls) -> Result<Client, Error> {
    let builder = Client::builder(address.to_string());
    let builder = builder.connect_patience(Duration::from_secs(2)).tls(tls);
    builder.connect().await
}

#[tokio::test]
async fn both_sides_show_who_they_are() {
    let server = Server::start().await;
    let authority = Authority::new();
    let trusted = authority.certificate.pem();
    let (certificate, key) = authority.issue("client");
    let identity = || {
        Tls::with_identity(trusted.as_bytes(), certificate.as_bytes(), key.as_bytes())
            .expect("it fits")
    };
    let by_address = relay(server.address, &authority, "127.0.0.1").await;
    let client = connect(by_address, identity()).await.expect("a session");
    assert!(client.exists("/").await.is_ok());
    client.close().await.expect("closed");

    let by_name = relay(server.address, &authority, "zk.example").await;
    let named = identity().server_name("zk.example").expect("a name");
    assert!(connect(by_name, named).await.is_ok());

    // Another name, another authority, no certificate.
    let stranger = Authority::new().certificate.pem();
    let refused = [
        (by_name, identity()),
        (by_address, Tls::trusting(stranger.as_bytes()).expect("PEM")),
        (by_address, Tls::trusting(trusted.as_bytes()).expect("PEM")),
    ];
    for (address, tls) in refused {
        let failed = connect(address, tls).await.expect_err("refused");
        assert!(matches!(failed, Error::Unreachable(_)), "{failed}");
    }
}

#[test]
fn table_of_what_is_no_pem() {
    let authority = Authority::new();
    let trusted = authority.certificate.pem();
    let (certificate, _) = authority.issue("client");
    let (_, other_key) = authority.issue("other");
    assert!(Tls::trusting(b"").is_err());
    assert!(Tls::trusting(b"-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----").is_err());
    let no_key = Tls::with_identity(trusted.as_bytes(), certificate.as_bytes(), b"");
    assert!(no_key.is_err());
    let wrong_key = Tls::with_identity(
        trusted.as_bytes(),
        certificate.as_bytes(),
        other_key.as_bytes(),
    );
    assert!(wrong_key.is_err());
    let missing = Tls::from_files(std::path::Path::new("/nowhere/ca.pem"), None);
    assert!(
        missing
            .expect_err("no file")
            .to_string()
            .contains("/nowhere/ca.pem")
    );
}
