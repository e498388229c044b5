use crate::wire::record;
use crate::{Buffer, Ustring};

record! {
    /// Wait until this server has caught up.
    pub struct SyncRequest<'a> {
        /// Echoed.
        pub path: Ustring<'a>,
    }
}

record! {
    /// Answer to [`SyncRequest`].
    pub struct SyncResponse<'a> {
        /// The request's path.
        pub path: Ustring<'a>,
    }
}

record! {
    /// Add an identity to the connection.
    pub struct AuthPacket<'a> {
        /// Ignored.
        pub kind: i32,
        /// The scheme.
        pub scheme: Ustring<'a>,
        /// The credential; its form depends on the scheme.
        pub auth: Buffer<'a>,
    }
}

record! {
    /// One identity of a connection.
    pub struct ClientInfo<'a> {
        /// The scheme.
        pub auth_scheme: Ustring<'a>,
        /// The user, without secrets.
        pub user: Ustring<'a>,
    }
}

record! {
    /// Answer to whoAmI.
    pub struct WhoAmIResponse<'a> {
        /// All identities, in no order.
        pub client_info: Option<Vec<ClientInfo<'a>>>,
    }
}

record! {
    /// One step of a SASL exchange.
    pub struct GetSaslRequest<'a> {
        /// The client's token.
        pub token: Buffer<'a>,
    }
}

record! {
    /// Answer to [`GetSaslRequest`].
    pub struct SetSaslResponse<'a> {
        /// The server's token.
        pub token: Buffer<'a>,
    }
}

record! {
    /// Change the ensemble.
    pub struct ReconfigRequest<'a> {
        /// Servers to add, comma separated.
        pub joining_servers: Ustring<'a>,
        /// Ids of servers to remove, comma separated.
        pub leaving_servers: Ustring<'a>,
        /// The whole new membership.
        pub new_members: Ustring<'a>,
        /// The version that the current configuration must have, -1 for any.
        pub cur_config_id: i64,
    }
}
