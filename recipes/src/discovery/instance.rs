use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use super::UriSpec;

/// One of those who offer a service.
#[derive(Clone, Debug, PartialEq)]
pub struct ServiceInstance<P> {
    /// The service's name.
    pub name: String,
    /// Tells it from the other instances of the service: the name of its node.
    pub id: String,
    /// The host's name or address.
    pub address: Option<String>,
    /// A port without TLS.
    pub port: Option<i32>,
    /// A port with TLS.
    pub ssl_port: Option<i32>,
    /// What the application has to say of it.
    pub payload: Option<P>,
    /// When it was registered, by its own clock: milliseconds since 1970-01-01, UTC.
    pub registered_ms: i64,
    /// How long its node stays.
    pub service_type: ServiceType,
    /// How it is reached.
    pub uri_spec: Option<UriSpec>,
    /// Providers pass over instances that are not enabled.
    pub enabled: bool,
}

/// How long the node of an instance stays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ServiceType {
    /// As long as its session: ephemeral.
    #[default]
    Dynamic,
    /// Until it is removed.
    Static,
    /// Until it is removed. To ZooKeeper there is no difference to [`Static`](Self::Static).
    Permanent,
    /// As [`Dynamic`](Self::Dynamic), with a sequence number behind the id. Its node has a
    /// UUID before the id.
    DynamicSequential,
}

impl ServiceType {
    const ALL: [Self; 4] = [
        Self::Dynamic,
        Self::Static,
        Self::Permanent,
        Self::DynamicSequential,
    ];

    /// Curator's name of it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Dynamic => "DYNAMIC",
            Self::Static => "STATIC",
            Self::Permanent => "PERMANENT",
            Self::DynamicSequential => "DYNAMIC_SEQUENTIAL",
        }
    }

    pub(super) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// Curator's name of it.
impl fmt::Display for ServiceType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl<P> ServiceInstance<P> {
    /// An instance that is enabled, and stays as long as its session. `id` must be no other
    /// instance's: a UUID, or host and port. `registered` is told to others, and nothing depends
    /// on it here.
    #[must_use]
    pub fn new(name: impl Into<String>, id: impl Into<String>, registered: SystemTime) -> Self {
        let since = registered.duration_since(UNIX_EPOCH).unwrap_or_default();
        Self {
            name: name.into(),
            id: id.into(),
            address: None,
            port: None,
            ssl_port: None,
            payload: None,
            registered_ms: i64::try_from(since.as_millis()).unwrap_or(i64::MAX),
            service_type: ServiceType::default(),
            uri_spec: None,
            enabled: true,
        }
    }

    /// With this address.
    #[must_use]
    pub fn address(mut self, address: impl Into<String>) -> Self {
        self.address = Some(address.into());
        self
    }

    /// With this port, without TLS.
    #[must_use]
    pub fn port(mut self, port: u16) -> Self {
        self.port = Some(port.into());
        self
    }

    /// With this port, with TLS.
    #[must_use]
    pub fn ssl_port(mut self, port: u16) -> Self {
        self.ssl_port = Some(port.into());
        self
    }

    /// With this payload.
    #[must_use]
    pub fn payload(mut self, payload: P) -> Self {
        self.payload = Some(payload);
        self
    }

    /// Whose node stays so long.
    #[must_use]
    pub fn service_type(mut self, service_type: ServiceType) -> Self {
        self.service_type = service_type;
        self
    }

    /// That is reached so.
    #[must_use]
    pub fn uri_spec(mut self, uri_spec: UriSpec) -> Self {
        self.uri_spec = Some(uri_spec);
        self
    }

    /// The URI by its [`UriSpec`], if it has one.
    #[must_use]
    pub fn uri(&self) -> Option<String> {
        self.uri_spec.as_ref().map(|spec| spec.build(self, &[]))
    }
}
