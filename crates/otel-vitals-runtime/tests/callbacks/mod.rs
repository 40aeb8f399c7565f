//! An SDK that keeps the callbacks, so that they can be called without one, which would allocate itself.
#![allow(dead_code, reason = "not every test asks for everything")]

use opentelemetry::KeyValue;
use opentelemetry::metrics::{
    AsyncInstrument, AsyncInstrumentBuilder, InstrumentProvider, Meter, ObservableCounter, ObservableGauge,
    ObservableUpDownCounter,
};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// The instruments that were declared, by their callbacks.
#[derive(Default)]
pub(crate) struct Callbacks(Mutex<Vec<(String, Callback)>>);

type Callback = Box<dyn Fn(&Values) + Send + Sync>;

/// Where callbacks put their values: counted and added up, not kept.
#[derive(Default)]
struct Values {
    count: AtomicU64,
    sum: AtomicU64,
}

impl Callbacks {
    /// A meter whose callbacks come here.
    pub(crate) fn meter(self: &Arc<Self>) -> Meter {
        Meter::new(Arc::<Callbacks>::clone(self))
    }

    /// How many values all callbacks give.
    pub(crate) fn count(&self) -> u64 {
        self.called(|_| true).count.into_inner()
    }

    /// The sum of all series of the integer instrument `name`; none where it has none.
    pub(crate) fn sum(&self, name: &str) -> Option<u64> {
        let values = self.called(|known| known == name);
        (values.count.into_inner() > 0).then(|| values.sum.into_inner())
    }

    /// How many instruments there are.
    pub(crate) fn instruments(&self) -> usize {
        self.kept().len()
    }

    fn called(&self, chosen: impl Fn(&str) -> bool) -> Values {
        let values = Values::default();
        for (_, callback) in self.kept().iter().filter(|(name, _)| chosen(name)) {
            callback(&values);
        }
        values
    }

    fn keep<I, N: 'static>(&self, builder: AsyncInstrumentBuilder<'_, I, N>)
    where
        Values: AsyncInstrument<N>,
    {
        let name = builder.name.into_owned();
        for callback in builder.callbacks {
            self.kept().push((name.clone(), Box::new(move |values| callback(values))));
        }
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Vec<(String, Callback)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

macro_rules! take_values {
    ($($number:ty),*) => {
        $(impl AsyncInstrument<$number> for Values {
            fn observe(&self, value: $number, _attributes: &[KeyValue]) {
                self.count.fetch_add(1, Ordering::Relaxed);
                self.sum.fetch_add(value as u64, Ordering::Relaxed);
            }
        })*
    };
}

take_values!(u64, i64, f64);

macro_rules! keep {
    ($($method:ident: $instrument:ident<$number:ty>;)*) => {
        impl InstrumentProvider for Callbacks {
            $(fn $method(
                &self,
                builder: AsyncInstrumentBuilder<'_, $instrument<$number>, $number>,
            ) -> $instrument<$number> {
                self.keep(builder);
                $instrument::new()
            })*
        }
    };
}

keep! {
    u64_observable_counter: ObservableCounter<u64>;
    f64_observable_counter: ObservableCounter<f64>;
    i64_observable_up_down_counter: ObservableUpDownCounter<i64>;
    f64_observable_gauge: ObservableGauge<f64>;
}
