//! What most tests of a pair begin with.

use super::node::{Node, Seat, members, options, seats};
use super::raw::{RawLink, RawServer};

/// Server 3, which has dialled server 1 and said round 10 to it.
pub(super) struct Dialled {
    pub(super) large: Seat,
    pub(super) peer: RawServer,
    pub(super) node: Node,
    pub(super) link: RawLink,
    /// Keeps its port.
    pub(super) _small: Seat,
}

impl Dialled {
    pub(super) async fn new() -> Self {
        let [small, large] = seats([1, 3]);
        let peer = RawServer::listen(&small);
        let node = Node::start(&large, members([&small, &large]), options()).await;
        node.notify(1, 10);
        let mut link = peer.accept(&large).await;
        assert_eq!(link.received().await, 10);
        Self {
            large,
            peer,
            node,
            link,
            _small: small,
        }
    }
}

/// Server 1, which was dialled by server 3 and has heard round 5.
pub(super) struct Heard {
    pub(super) small: Seat,
    pub(super) large: Seat,
    pub(super) node: Node,
    pub(super) link: RawLink,
}

impl Heard {
    pub(super) async fn new() -> Self {
        let [small, large] = seats([1, 3]);
        let mut node = Node::start(&small, members([&small, &large]), options()).await;
        let mut link = RawLink::dial_as(&large, &small).await;
        link.send(5).await;
        assert_eq!(node.received().await, (3, 5));
        Self {
            small,
            large,
            node,
            link,
        }
    }
}
