//! Sockets with the options that every port of a server wants.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::net::{TcpListener, TcpStream};

/// Java's default backlog is 50; more costs nothing and survives a storm of reconnects.
pub(crate) const DEFAULT_BACKLOG: i32 = 1024;

/// Listens on an address. The wildcard of IPv6 stands for that of IPv4 too.
pub(crate) fn listen(address: SocketAddr, backlog: i32) -> io::Result<TcpListener> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    socket.set_reuse_address(true)?;
    if address.is_ipv6() && address.ip().is_unspecified() {
        socket.set_only_v6(false)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(backlog)?;
    TcpListener::from_std(socket.into())
}

/// Listens on all addresses, of both families where the system has both.
///
/// # Errors
/// With the address that was tried last.
pub(crate) fn listen_all(port: u16, backlog: i32) -> Result<TcpListener, (SocketAddr, io::Error)> {
    let v6 = SocketAddr::from((Ipv6Addr::UNSPECIFIED, port));
    let v4 = SocketAddr::from((Ipv4Addr::UNSPECIFIED, port));
    listen(v6, backlog)
        .or_else(|_| listen(v4, backlog))
        .map_err(|source| (v4, source))
}

/// Small messages leave at once. `keep_alive` has the system find out about dead peers.
pub(crate) fn set_options(stream: &TcpStream, keep_alive: bool) -> io::Result<()> {
    stream.set_nodelay(true)?;
    if keep_alive {
        SockRef::from(stream).set_keepalive(true)?;
    }
    Ok(())
}
