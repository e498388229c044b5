//! Ensembles of peers in memory: scripts with printed transcripts, and seeded random runs.

mod early_learner;
mod ensemble;
mod foreign_log;
mod hostile;
mod observer_master;
mod random;
mod scripts;
mod slow_learner;
mod unnamed_vote;
mod voters_only;
