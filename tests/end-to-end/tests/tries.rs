//! What other threads, or a busy machine, may disturb: one of a few tries has to fit.

/// Tries again where it says what did not fit.
pub(crate) fn in_one_of_a_few(mut attempt: impl FnMut() -> Result<(), String>) {
    const TRIES: usize = 4;
    let misfits: Vec<_> = (0..TRIES).map_while(|_| attempt().err()).collect();
    assert!(misfits.len() < TRIES, "{misfits:#?}");
}

/// Says `what` where it does not fit.
pub(crate) fn fits(does: bool, what: impl FnOnce() -> String) -> Result<(), String> {
    if does { Ok(()) } else { Err(what()) }
}
