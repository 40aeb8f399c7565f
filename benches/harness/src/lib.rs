//! What the benches share.

mod arguments;
mod table;

pub use arguments::number;
pub use table::Table;
