//! What a client needs of the world around it.

use std::fmt::Debug;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;

use tokio::io::{AsyncRead, AsyncWrite};

/// What will be there later.
pub type Later<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// A connection to a server, as bytes.
pub trait Stream: AsyncRead + AsyncWrite + Debug + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Debug + Send + Unpin> Stream for S {}

/// The world around clients: names, connections, tasks and chance.
///
/// It is that of the operating system and of tokio unless
/// [`Builder::environment`](crate::Builder::environment) names another one. A simulation does, so
/// that clients, and recipes on them, run in it as they are. Time is tokio's in any case, which can
/// be paused and then moves as the simulation wants. Clients and recipes draw nothing from
/// tokio's own randomness, so the same environment leads to the same run.
pub trait Environment: Debug + Send + Sync {
    /// The addresses of a server.
    ///
    /// # Errors
    /// When the name is not known.
    fn resolve(&self, host: &str, port: u16) -> Later<io::Result<Vec<SocketAddr>>>;

    /// A connection to a server.
    ///
    /// # Errors
    /// When there is none to be had.
    fn connect(&self, address: SocketAddr) -> Later<io::Result<Box<dyn Stream>>>;

    /// Runs a task in the background.
    fn spawn(&self, task: Later<()>);

    /// Random bytes.
    fn random(&self, bytes: &mut [u8]);
}
