//! Listens on the election port, and finds out who dials.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tracing::error;

use super::complaints::Fault;
use super::greeting::{self, Caller};
use super::hub::Hub;
use super::mailbox::{Arrival, Connection};

/// After an accept that failed for lack of descriptors, wait before the next.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Accepts peers, for ever.
pub(super) async fn accept(hub: Arc<Hub>, listener: TcpListener) {
    loop {
        let Ok(place) = Arc::clone(&hub.handshakes).acquire_owned().await else {
            return;
        };
        match listener.accept().await {
            Ok((stream, from)) => {
                let from = SocketAddr::new(from.ip().to_canonical(), from.port());
                let shared = Arc::clone(&hub);
                hub.spawn(async move {
                    if let Err(fault) = welcome(&shared, stream, from).await {
                        shared.complaints.log(from, &fault);
                    }
                    drop(place);
                });
            }
            Err(error) => {
                error!("cannot accept a connection to the election port: {error}");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Hears who dialled, and hands the connection over if it is to stand.
async fn welcome(hub: &Arc<Hub>, mut stream: TcpStream, from: SocketAddr) -> Result<(), Fault> {
    super::conversation::prepare(&stream, &hub.options).map_err(|_| Fault::Gone)?;
    let (message, input) = greeting::receive(&mut stream, hub.options.cnx_timeout).await?;
    let caller = Caller::from_message(message, hub.me, |server| hub.is_member(server))?;
    let server = caller.server.unwrap_or_else(|| hub.private_id());
    let arrival = if server < hub.me {
        drop(stream);
        Arrival::CallBack(caller.told)
    } else {
        Arrival::Connection(Connection {
            stream,
            address: from,
            input,
            told: caller.told,
        })
    };
    hub.arrived(server, arrival)
}
