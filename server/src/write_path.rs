//! Where the writes of clients go.

use std::sync::Arc;

use anyhow::Result;
use replica::Submission;

use crate::ensemble::Engine;
use crate::pipeline::Pipeline;

/// Brings what clients want into the history: of this server alone, or of an ensemble.
pub(crate) enum WritePath {
    Standalone(Box<Pipeline>),
    Ensemble(Arc<Engine>),
}

impl WritePath {
    /// Takes what a client wants. May do more before it returns, so no lock of the replica may
    /// be held.
    pub(crate) fn submit(&self, submission: Submission) {
        match self {
            Self::Standalone(pipeline) => pipeline.submit(submission),
            Self::Ensemble(engine) => engine.submit(submission),
        }
    }

    /// Runs until it is told to stop and nothing is under way.
    ///
    /// # Errors
    /// When the log can no longer be written.
    pub(crate) fn run(&self) -> Result<()> {
        match self {
            Self::Standalone(pipeline) => Ok(pipeline.run()?),
            Self::Ensemble(engine) => Ok(engine.run()?),
        }
    }

    /// Lets it finish; nothing more is taken.
    pub(crate) fn stop(&self) {
        match self {
            Self::Standalone(pipeline) => pipeline.stop(),
            Self::Ensemble(engine) => engine.stop(),
        }
    }

    /// Ends without a word to anybody: what is queued is not waited for, and a leader hands
    /// nothing over.
    pub(crate) fn abandon(&self) {
        match self {
            Self::Standalone(pipeline) => pipeline.stop(),
            Self::Ensemble(engine) => engine.abandon(),
        }
    }
}
