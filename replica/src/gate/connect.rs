//! The first packet of a connection.

use jute::frame::{self, PREFIX_LEN};
use jute::proto::ConnectRequest;
use jute::wire::{Decode, Reader};
use state::session::password;

use super::{Ask, Gate, Next};
use crate::Service;
use crate::connection::Ending;
use crate::throttle::SessionKind;

impl Gate<'_> {
    /// Section 2.2 of the protocol: what is decided without the history is decided here.
    pub(super) fn before_session(&mut self) -> (Next, Option<Ask>) {
        if self.connection.is_opening() {
            let waiting = self.connection.park();
            return (if waiting { Next::Answers } else { Next::Again }, None);
        }
        let service = self.replica.service();
        match service {
            Service::Serving | Service::ReadOnly => {}
            Service::Holding => return (self.hold(), None),
            Service::HoldingOld | Service::Closed => {
                return self.refuse_connect(Ending::NoLeader);
            }
        }
        let rest = &self.input[self.consumed..];
        let body = match frame::first(rest, self.replica.options.max_frame) {
            Ok(Some(body)) => body,
            Ok(None) => return (Next::Input, None),
            Err(frame::BadFrameLength(len)) => return self.refuse_connect(Ending::BadFrame(len)),
        };
        self.consumed += PREFIX_LEN + body.len();
        self.packets += 1;
        let mut reader = Reader::new(body, self.replica.options.limits);
        let Ok(request) = ConnectRequest::decode(&mut reader) else {
            return self.refuse_connect(Ending::BadConnectRequest);
        };
        self.admit(&request, service)
    }

    fn admit(&mut self, request: &ConnectRequest<'_>, service: Service) -> (Next, Option<Ask>) {
        let options = &self.replica.options;
        let kind = match request.session_id {
            0 => SessionKind::New,
            _ => SessionKind::Renewed,
        };
        let mut throttle = self.replica.connection_throttle.lock();
        if !throttle.admit(kind, self.now) {
            drop(throttle);
            return self.refuse_connect(Ending::Throttled);
        }
        drop(throttle);
        if request.last_zxid_seen > self.replica.position().0 {
            return self.refuse_connect(Ending::ClientAhead);
        }
        if service == Service::ReadOnly && request.read_only != Some(true) {
            return self.refuse_connect(Ending::ReadOnly);
        }
        let timeout_ms = request
            .timeout_ms
            .max(options.min_session_timeout_ms)
            .min(options.max_session_timeout_ms);
        self.connection
            .begin_opening(timeout_ms, request.read_only.is_none());
        let ask = match request.session_id {
            0 => Ask::Open,
            session => Ask::Renew {
                session,
                password_matches: request.passwd == Some(&password(session)[..]),
            },
        };
        (Next::Again, Some(ask))
    }

    /// Closes without a byte, so that the client tries another server.
    fn refuse_connect(&self, ending: Ending) -> (Next, Option<Ask>) {
        self.connection.end(ending);
        (Next::End, None)
    }
}
