use crate::server::Launcher;
use anyhow::Result;
#[derive(Debug, Default, clap::Args)]
pub(crate) struct Options {}
pub(crate) fn run(_l: &Launcher, _o: &Options) -> Result<bool> {
    Ok(true)
}
