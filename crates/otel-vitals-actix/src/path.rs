//! Where a route is, literally: the configuration takes no path that has what is a pattern to actix, braces and stars, or
//! that a client or the router would write another way.

use actix_web::dev::ResourceDef;

/// The path of `route` below `prefix`.
pub(crate) fn below(prefix: &str, route: &str) -> String {
    format!("{prefix}{route}")
}

/// Matches `path` and nothing else.
pub(crate) fn exactly(path: &str) -> ResourceDef {
    ResourceDef::new(path)
}

/// Matches `path` and what is below it.
pub(crate) fn tree(path: &str) -> ResourceDef {
    ResourceDef::prefix(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::dev::Path;
    use proptest::prelude::*;

    /// Of what the configuration takes for a route.
    const ROUTE: &str = "(/[-a-zA-Z0-9._~!$&'()+,;=:@]{1,6}){1,3}";

    fn takes(definition: &ResourceDef, path: &str) -> bool {
        definition.capture_match_info(&mut Path::new(path))
    }

    proptest! {
        #[test]
        fn a_route_matches_itself_and_no_other(route in ROUTE, other in ROUTE) {
            prop_assert!(takes(&exactly(&route), &route));
            prop_assert_eq!(takes(&exactly(&route), &other), route == other);
            prop_assert!(takes(&tree(&route), &route));
            prop_assert!(takes(&tree(&route), &below(&route, &other)));
            let below = route == other || other.starts_with(&format!("{route}/"));
            prop_assert_eq!(takes(&tree(&route), &other), below);
        }
    }
}
