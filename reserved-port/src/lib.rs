//! Ports for servers that are yet to start: embedded ones, and real processes in tests and benches.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use socket2::{Domain, Socket, Type};

/// A loopback port for a server that is yet to start; nobody else gets it meanwhile.
///
/// To ask the system for a free port and give it back at once is not enough: until the
/// server binds it, another test can be given the same one, and then talks to the wrong
/// server. So the port stays bound here, without a listener, for as long as this lives.
/// The system hands a bound port to nobody who asks for any port, be it for a listener or
/// for the near end of a connection. A server that asks for this very port gets it, because
/// both sockets allow their address to be reused (as ours and Apache's do) and this one
/// does not listen.
#[derive(Debug)]
pub struct ReservedPort {
    address: SocketAddr,
    /// Holds the port.
    _bound: Socket,
}

impl ReservedPort {
    /// Reserves a port of 127.0.0.1.
    ///
    /// # Errors
    /// When the system has no port, or no descriptor, left.
    pub fn reserve() -> io::Result<Self> {
        let bound = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        bound.set_reuse_address(true)?;
        bound.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())?;
        let address = bound.local_addr()?.as_socket();
        Ok(Self {
            address: address.expect("an IPv4 socket has an IPv4 address"),
            _bound: bound,
        })
    }

    /// The address with the port.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::net::{TcpListener, TcpStream};

    use super::*;

    /// So many of some ten thousand ports that chance alone would give one twice.
    const MANY: usize = 600;

    #[test]
    fn no_port_is_given_twice() {
        let reserved: Vec<_> = (0..MANY)
            .map(|_| ReservedPort::reserve().expect("a free port"))
            .collect();
        let ports: BTreeSet<_> = reserved.iter().map(ReservedPort::address).collect();
        assert_eq!(ports.len(), MANY);
        for _ in 0..MANY {
            let other = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
            assert!(!ports.contains(&other.local_addr().expect("an address")));
        }
    }

    #[test]
    fn a_server_gets_it_and_gets_it_again() {
        let reserved = ReservedPort::reserve().expect("a free port");
        for _ in 0..3 {
            assert!(TcpStream::connect(reserved.address()).is_err(), "no server");
            // The standard library's listener allows reuse, as servers do.
            let server = TcpListener::bind(reserved.address()).expect("it is free for a server");
            let client = TcpStream::connect(reserved.address()).expect("the server listens");
            let (_, peer) = server.accept().expect("a client");
            assert_eq!(peer, client.local_addr().expect("an address"));
        }
    }
}
