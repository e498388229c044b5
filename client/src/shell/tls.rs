use std::io;
use std::path::Path;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use thiserror::Error;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// How to speak TLS with the servers.
///
/// The server's certificate has to be signed by one of the authorities, and has to name the
/// server as the connect string does.
#[derive(Clone, Debug)]
pub struct Tls {
    config: Arc<ClientConfig>,
    server_name: Option<ServerName<'static>>,
}

/// What is wrong with certificates, keys or names.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{what}: {why}")]
pub struct TlsError {
    what: String,
    why: String,
}

impl TlsError {
    fn new(what: impl Into<String>, why: impl ToString) -> Self {
        Self {
            what: what.into(),
            why: why.to_string(),
        }
    }
}

impl Tls {
    /// Trusts the authorities in this PEM text, and shows no certificate.
    ///
    /// # Errors
    /// When there is no certificate in it, or one is broken.
    pub fn trusting(authorities: &[u8]) -> Result<Self, TlsError> {
        Self::build(authorities, None)
    }

    /// Trusts the authorities in the one PEM text, and shows the certificate and proves the key
    /// in the other two.
    ///
    /// # Errors
    /// When one of the texts lacks what it should hold, or the key does not fit.
    pub fn with_identity(
        authorities: &[u8],
        certificate: &[u8],
        key: &[u8],
    ) -> Result<Self, TlsError> {
        Self::build(authorities, Some((certificate, key)))
    }

    /// As [`trusting`](Self::trusting) or, given files for certificate and key, as
    /// [`with_identity`](Self::with_identity).
    ///
    /// # Errors
    /// When a file cannot be read, and as these.
    pub fn from_files(
        authorities: &Path,
        identity: Option<(&Path, &Path)>,
    ) -> Result<Self, TlsError> {
        let read = |path: &Path| {
            let bytes = std::fs::read(path);
            bytes.map_err(|error| TlsError::new(path.display().to_string(), error))
        };
        let authorities = read(authorities)?;
        match identity {
            None => Self::trusting(&authorities),
            Some((certificate, key)) => {
                Self::with_identity(&authorities, &read(certificate)?, &read(key)?)
            }
        }
    }

    /// Any configuration of rustls.
    pub fn from_config(config: Arc<ClientConfig>) -> Self {
        Self {
            config,
            server_name: None,
        }
    }

    /// The name that the servers' certificates have to hold, instead of that in the connect
    /// string.
    ///
    /// # Errors
    /// When it is neither a name nor an address.
    pub fn server_name(mut self, name: &str) -> Result<Self, TlsError> {
        self.server_name = Some(server_name(name)?);
        Ok(self)
    }

    fn build(authorities: &[u8], identity: Option<(&[u8], &[u8])>) -> Result<Self, TlsError> {
        let mut roots = RootCertStore::empty();
        for authority in certificates("authorities", authorities)? {
            let added = roots.add(authority);
            added.map_err(|error| TlsError::new("authorities", error))?;
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier =
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
        let verifier = verifier.build();
        let verifier = verifier.map_err(|error| TlsError::new("authorities", error))?;
        let config =
            ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let config = config.map_err(|error| TlsError::new("TLS", error))?;
        let config = config.with_webpki_verifier(verifier);
        let config = match identity {
            None => config.with_no_client_auth(),
            Some((certificate, key)) => {
                let chain = certificates("certificate", certificate)?;
                let key = PrivateKeyDer::from_pem_slice(key);
                let key = key.map_err(|error| TlsError::new("key", error))?;
                let config = config.with_client_auth_cert(chain, key);
                config.map_err(|error| TlsError::new("certificate and key", error))?
            }
        };
        Ok(Self::from_config(Arc::new(config)))
    }

    pub(super) async fn handshake(
        &self,
        stream: TcpStream,
        host: &str,
    ) -> io::Result<TlsStream<TcpStream>> {
        let name = match &self.server_name {
            Some(name) => name.clone(),
            None => server_name(host).map_err(io::Error::other)?,
        };
        let connector = TlsConnector::from(Arc::clone(&self.config));
        connector.connect(name, stream).await
    }
}

fn certificates(what: &str, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let found = found.map_err(|error| TlsError::new(what, error))?;
    match found.is_empty() {
        true => Err(TlsError::new(what, "there is no certificate")),
        false => Ok(found),
    }
}

fn server_name(name: &str) -> Result<ServerName<'static>, TlsError> {
    let parsed = ServerName::try_from(name.to_owned());
    parsed.map_err(|error| TlsError::new(name, error))
}
