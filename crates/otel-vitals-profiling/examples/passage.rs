//! A library that calls back into the program that has loaded it, so that stacks lead through it.
#![allow(unsafe_code, missing_docs, reason = "what is exported is called by a test alone")]

/// Calls `act`, and does something after it.
#[unsafe(no_mangle)]
pub extern "C" fn passage(act: extern "C" fn()) {
    act();
    std::hint::black_box(act);
}
