//! Observable instruments of any kind, built from their parts.

use opentelemetry::metrics::{Callback, Meter};
use std::borrow::Cow;

/// What an instrument says of itself.
#[derive(Clone, Debug)]
pub(crate) struct About {
    pub(crate) name: Cow<'static, str>,
    pub(crate) unit: Cow<'static, str>,
    pub(crate) description: Cow<'static, str>,
}

/// Builds an observable instrument of one kind, whose values are `N`.
pub(crate) type Build<N> = fn(&Meter, About, Callback<N>);

/// The [`Build`] of the meter's method of that name.
macro_rules! build {
    ($method:ident) => {
        |meter: &opentelemetry::metrics::Meter, about: $crate::instrument::About, callback| {
            meter
                .$method(about.name)
                .with_unit(about.unit)
                .with_description(about.description)
                .with_callback(callback)
                .build();
        }
    };
}
pub(crate) use build;
