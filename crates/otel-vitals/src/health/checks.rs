//! Checks that are ready to be registered.

mod event_loop;
mod export;
mod room;
mod tcp;
