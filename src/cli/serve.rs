//! stub
#[derive(Debug, clap::Args)]
pub(super) struct Args {}
impl Args {
    pub(super) fn run(self, _context: &super::Context) -> anyhow::Result<super::Outcome> {
        anyhow::bail!("not yet")
    }
}
