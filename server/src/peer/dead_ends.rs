//! Where a dial does not come to anything.

use std::net::SocketAddr;

use socket2::{Domain, Socket, Type};

/// A name that no resolver needs to be asked about: no part of a name is so long.
pub(crate) fn unknown_host() -> String {
    "x".repeat(70)
}

/// A port that is listened on, but takes no more connections: a dial to it gets no answer.
pub(crate) struct FullPort {
    address: SocketAddr,
    _listener: Socket,
    _waiting: Vec<Socket>,
}

impl FullPort {
    pub(crate) fn new() -> Self {
        let listener = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        listener.bind(&any.into()).expect("a port");
        listener.listen(0).expect("it listens");
        let address = listener.local_addr().expect("bound").as_socket();
        let address = address.expect("an IPv4 address");
        // Nothing is ever accepted: after a few, the system answers no more.
        let waiting = (0..8).map(|_| {
            let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
            socket.set_nonblocking(true).expect("a socket");
            // It goes on behind our back.
            let _ = socket.connect(&address.into());
            socket
        });
        Self {
            address,
            _waiting: waiting.collect(),
            _listener: listener,
        }
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    pub(crate) fn host_and_port(&self) -> (String, u16) {
        (self.address.ip().to_string(), self.port())
    }
}
