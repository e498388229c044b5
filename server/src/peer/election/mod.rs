//! stub
pub(crate) struct ElectionLinks;
impl ElectionLinks {
    pub(crate) fn notify(&self, _to: zab::ServerId, _n: zab::election::Notification) {}
}
