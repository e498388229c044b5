//! Everything between a client and the history that decides something; no IO.
