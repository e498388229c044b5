//! A server, or an ensemble of three, inside a test or a program.
//!
//! ```
//! use server::embedded::EmbeddedServer;
//!
//! # fn main() -> anyhow::Result<()> {
//! let mut server = EmbeddedServer::start()?;
//! println!("connect to {}", server.connect_string());
//! // Connections break, as if the process had been killed; the port and the data stay.
//! server.kill()?;
//! server.restart()?;
//! // Finishes what was submitted, then ends. Dropping it would do as well.
//! server.stop()?;
//! # Ok(())
//! # }
//! ```
//!
//! ```
//! use server::embedded::EmbeddedEnsemble;
//!
//! # fn main() -> anyhow::Result<()> {
//! let mut ensemble = EmbeddedEnsemble::start()?;
//! let leader = ensemble.leader().expect("there is one after the start");
//! ensemble.kill(leader)?;
//! assert_ne!(ensemble.wait_for_leader()?, leader);
//! ensemble.restart(leader)?;
//! # Ok(())
//! # }
//! ```
//!
//! * **It is the server that ships**: real sockets of 127.0.0.1, real files, the same threads.
//!   `start` blocks until clients are served, some ten milliseconds. It may be called from any
//!   thread, also from within a runtime: each server has a runtime of its own.
//! * **Ports** come from the system and are held from the start until the drop, also while the
//!   server is down. So no one else ever answers on them, and a restarted server is found under
//!   the old connect string.
//! * **Directories**: a temporary one, deleted at the drop and not synced (what a kill of the
//!   server leaves is complete; what a power failure leaves is not); or one that is given with
//!   [`Settings::data_dir`], which is synced and stays.
//! * **Sessions may be short**: `tickTime` is 200 ms, sessions from 400 ms to a minute.
//!   [`Settings::line`] sets any other key of `zoo.cfg`. The environment's `SERVER_JVMFLAGS` are
//!   not looked at.
//! * **Servers do not disturb each other or the program.** Nothing is shared between those of a
//!   process but one bound on lookups of names. They install no signal handlers, no logger (they
//!   log with `tracing`, to whatever subscriber there is) and no allocator.
//! * **Fatal errors**: a log that cannot be written ends the server; [`EmbeddedServer::stop`]
//!   tells. A panic in a thread of the write path ends the *process*, as it does when the server
//!   stands alone: half a round may be committed, and reads that go on would show it. No input
//!   is known to cause one; a test that finds one should fail loudly.

mod ensemble;
mod instance;
mod settings;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;

use anyhow::Result;

pub use ensemble::EmbeddedEnsemble;
use instance::{Instance, Place};
use reserved_port::ReservedPort;
pub use settings::Settings;

/// A standalone server. Dropping it ends it, as [`EmbeddedServer::kill`] does.
#[derive(Debug)]
pub struct EmbeddedServer {
    instance: Instance,
}

impl EmbeddedServer {
    /// Starts one with the default settings. Blocks until it serves.
    ///
    /// # Errors
    /// When the system has no port, no directory or no thread left.
    pub fn start() -> Result<Self> {
        Self::start_with(&Settings::default())
    }

    /// Starts one with these settings. Blocks until it serves.
    ///
    /// # Errors
    /// As [`EmbeddedServer::start`], and for settings that no server starts with.
    pub fn start_with(settings: &Settings) -> Result<Self> {
        let place = Place::new(settings)?;
        let port = ReservedPort::reserve()?;
        let config = settings.standalone(place.path(), port.address().port())?;
        let mut instance = Instance::new(place, port, config);
        instance.start()?;
        Ok(Self { instance })
    }

    /// `host:port`, for clients.
    #[must_use]
    pub fn connect_string(&self) -> String {
        self.address().to_string()
    }

    /// The client port.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.instance.address()
    }

    /// Whether it is up.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.instance.is_running()
    }

    /// Finishes what was submitted, delivers the answers, and ends. Nothing happens if it is
    /// down. Sessions stay on disk, as in any stop of a server.
    ///
    /// # Errors
    /// What ended it before, if it did not last until now.
    pub fn stop(&mut self) -> Result<()> {
        self.instance.stop()
    }

    /// Ends at once, as if the process had been killed.
    ///
    /// # Errors
    /// As [`EmbeddedServer::stop`].
    pub fn kill(&mut self) -> Result<()> {
        self.instance.kill()
    }

    /// Starts it again, on the same port and data. Nothing happens if it is up.
    ///
    /// # Errors
    /// As [`EmbeddedServer::start_with`], and for data that no server starts with.
    pub fn restart(&mut self) -> Result<()> {
        self.instance.start()
    }
}
