use jute::data::Stat;
use jute::path::CONFIG;

use super::NodeData;
use super::nodes::node_data;
use crate::session::{Reply, Request};
use crate::shell::call::Call;
use crate::shell::client::{Client, nothing, pick};

/// One identity of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientInfo {
    /// The scheme: `ip`, `digest`, `x509`, `sasl`, `super`.
    pub scheme: String,
    /// The user in it.
    pub user: String,
}

/// A change of the ensemble's membership.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reconfig {
    /// Servers that join or change, as `server.N=host:port:port:role;port`, separated by commas.
    pub joining: Option<String>,
    /// Ids of servers that leave, separated by commas.
    pub leaving: Option<String>,
    /// The whole new membership, instead of the other two.
    pub new_members: Option<String>,
    /// The version of the configuration that is to be changed; any if `None`.
    pub from_config: Option<i64>,
}

impl Client {
    /// Adds an identity to this connection and all that follow, for example `digest` and
    /// `user:password`. It may overtake calls that wait to be sent.
    ///
    /// A server that refuses it answers [`AuthFailed`](jute::ErrorCode::AuthFailed) and closes
    /// the connection; the client goes on without it.
    ///
    /// Cancellation: dropping the future does not take the identity back.
    pub fn add_auth(&self, scheme: &str, auth: impl Into<Vec<u8>>) -> Call<()> {
        let request = Request::Auth {
            scheme: scheme.to_owned(),
            auth: auth.into(),
        };
        self.call(Ok(request), nothing)
    }

    /// The identities of this connection. Needs a server of 3.7 or later.
    ///
    /// Cancellation: see [`Call`].
    pub fn who_am_i(&self) -> Call<Vec<ClientInfo>> {
        self.call(Ok(Request::WhoAmI), |answer, _| {
            pick(answer.outcome, |reply| match reply {
                Reply::Identities(list) => {
                    let list = list.into_iter();
                    let list = list.map(|(scheme, user)| ClientInfo { scheme, user });
                    Some(list.collect())
                }
                _ => None,
            })
        })
    }

    /// The ensemble's configuration, whatever the client's root is.
    ///
    /// Cancellation: see [`Call`].
    pub fn get_config(&self) -> Call<NodeData> {
        let request = Request::GetData {
            path: CONFIG.to_owned(),
            watch: false,
        };
        self.call(Ok(request), |answer, _| node_data(answer.outcome))
    }

    /// Changes the ensemble; the new configuration as text, and its Stat.
    ///
    /// Cancellation: see [`Call`]; what was sent may change the ensemble.
    pub fn reconfig(&self, change: &Reconfig) -> Call<(String, Stat)> {
        let request = Request::Reconfig {
            joining: change.joining.clone(),
            leaving: change.leaving.clone(),
            new_members: change.new_members.clone(),
            version: change.from_config.unwrap_or(-1),
        };
        self.call(Ok(request), |answer, _| {
            let NodeData { data, stat } = node_data(answer.outcome)?;
            let text = String::from_utf8_lossy(&data.unwrap_or_default()).into_owned();
            Ok((text, stat))
        })
    }
}
