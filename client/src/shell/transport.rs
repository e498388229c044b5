use std::hash::{BuildHasher, RandomState};
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

use super::environment::{Environment, Stream};
use super::hosts::{Candidate, Host};

/// A connection to a server.
#[derive(Debug)]
pub(super) enum Transport {
    /// Others than the driver may send on it.
    Plain(OwnedReadHalf, Arc<OwnedWriteHalf>),
    #[cfg(feature = "tls")]
    Tls(Box<tokio_rustls::client::TlsStream<TcpStream>>),
    /// Of another environment.
    Given(Box<dyn Stream>),
}

/// How connections are made, and the rest of what is outside of the client.
#[derive(Clone, Debug, Default)]
pub(super) struct Connector {
    #[cfg(feature = "tls")]
    pub(super) tls: Option<super::tls::Tls>,
    /// `None` for that of the operating system.
    pub(super) environment: Option<Arc<dyn Environment>>,
}

impl Connector {
    pub(super) async fn connect(&self, candidate: &Candidate) -> io::Result<Transport> {
        if let Some(environment) = &self.environment {
            let stream = environment.connect(candidate.address).await?;
            return Ok(Transport::Given(stream));
        }
        let stream = TcpStream::connect(candidate.address).await?;
        // What is sent is a batch already.
        stream.set_nodelay(true)?;
        #[cfg(feature = "tls")]
        if let Some(tls) = &self.tls {
            let stream = tls.handshake(stream, &candidate.name).await?;
            return Ok(Transport::Tls(Box::new(stream)));
        }
        let (reader, writer) = stream.into_split();
        Ok(Transport::Plain(reader, Arc::new(writer)))
    }

    /// The addresses of a server.
    pub(super) async fn resolve(&self, host: &Host) -> io::Result<Vec<SocketAddr>> {
        if let Some(environment) = &self.environment {
            return environment.resolve(&host.name, host.port).await;
        }
        let found = tokio::net::lookup_host((host.name.as_str(), host.port)).await?;
        Ok(found.collect())
    }

    pub(super) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        match &self.environment {
            Some(environment) => environment.spawn(Box::pin(task)),
            None => drop(tokio::spawn(task)),
        }
    }

    /// A random number; another one for each purpose.
    pub(super) fn random(&self, purpose: &str) -> u64 {
        match &self.environment {
            Some(environment) => {
                let mut bytes = [0; 8];
                environment.random(&mut bytes);
                u64::from_be_bytes(bytes)
            }
            // From the operating system, by way of the keys of a hash map.
            None => RandomState::new().hash_one(purpose),
        }
    }
}

impl Transport {
    /// Where others than the driver may send, if bytes go as they are.
    pub(super) fn writer(&self) -> Option<Arc<OwnedWriteHalf>> {
        match self {
            Self::Plain(_, writer) => Some(Arc::clone(writer)),
            _ => None,
        }
    }

    pub(super) fn poll_read(
        &mut self,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self {
            Self::Plain(reader, _) => Pin::new(reader).poll_read(context, buffer),
            #[cfg(feature = "tls")]
            Self::Tls(stream) => Pin::new(stream).poll_read(context, buffer),
            Self::Given(stream) => Pin::new(stream).poll_read(context, buffer),
        }
    }

    pub(super) fn poll_write(
        &mut self,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self {
            Self::Plain(_, writer) => loop {
                ready!(writer.as_ref().as_ref().poll_write_ready(context))?;
                match writer.try_write(bytes) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    wrote => return Poll::Ready(wrote),
                }
            },
            #[cfg(feature = "tls")]
            Self::Tls(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Given(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    pub(super) fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Plain(..) => Poll::Ready(Ok(())),
            #[cfg(feature = "tls")]
            Self::Tls(stream) => Pin::new(stream).poll_flush(context),
            Self::Given(stream) => Pin::new(stream).poll_flush(context),
        }
    }
}
