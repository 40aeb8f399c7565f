//! The command line.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use std::ffi::OsString;

use crate::answer;
use crate::state::State;

/// The program, and its arguments where `monitor.cmdline` says so.
pub(super) fn answer(state: &State) -> HttpResponse {
    let most = if state.monitor().cmdline { usize::MAX } else { 1 };
    answer::text(StatusCode::OK, joined(std::env::args_os().take(most)))
}

/// The arguments, with a NUL between them.
fn joined(arguments: impl Iterator<Item = OsString>) -> Vec<u8> {
    let mut line = Vec::new();
    for (index, argument) in arguments.enumerate() {
        if index > 0 {
            line.push(0);
        }
        line.extend_from_slice(argument.as_encoded_bytes());
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_have_a_nul_between_them() {
        assert_eq!(joined(["shop", "--port", ""].into_iter().map(OsString::from)), b"shop\0--port\0");
        assert_eq!(joined(std::iter::empty()), b"");
    }
}
