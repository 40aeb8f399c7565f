//! Writes `docs/metrics.md`.

use conformance::{Declaration, Error, reference};

fn main() -> Result<(), Error> {
    let declaration = Declaration::load()?;
    let path = conformance::root().join(reference::FILE);
    std::fs::write(&path, reference::markdown(&declaration)).map_err(|source| Error::File { path, source })
}
