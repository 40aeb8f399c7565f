//! A meter without an SDK: it keeps the callbacks of the instruments, so that they can be run for nothing but their
//! own cost.

use opentelemetry::KeyValue;
use opentelemetry::metrics::{
    AsyncInstrument, AsyncInstrumentBuilder, Callback, InstrumentProvider, Meter, ObservableCounter,
    ObservableGauge, ObservableUpDownCounter,
};
use std::hint::black_box;
use std::sync::{Arc, Mutex, PoisonError};

use crate::instrument::{About, Build, build};

/// Keeps the observable instruments that are built on its [meter](Bare::meter). Cheap to clone.
#[derive(Clone, Default)]
pub struct Bare {
    instruments: Arc<Instruments>,
}

/// Instruments taken out of a [`Bare`], to be run or built on another meter.
pub struct Callbacks(Vec<Box<dyn Observable>>);

#[derive(Default)]
struct Instruments(Mutex<Vec<Box<dyn Observable>>>);

/// An instrument, whatever its kind of number.
trait Observable: Send + Sync {
    fn run(&self);
    fn build_on(&self, meter: &Meter);
}

/// What is known of an instrument whose values are `N`.
struct Kept<N: 'static> {
    about: About,
    callbacks: Vec<Arc<Callback<N>>>,
    build: Build<N>,
}

/// Where values go that nobody wants.
struct Nowhere;

impl Bare {
    /// A meter whose instruments are kept here. What is recorded on its synchronous instruments is lost.
    #[must_use]
    pub fn meter(&self) -> Meter {
        Meter::new(Arc::<Instruments>::clone(&self.instruments))
    }

    /// The instruments that were built so far.
    #[must_use]
    pub fn take(&self) -> Callbacks {
        Callbacks(std::mem::take(&mut *self.instruments.0.lock().unwrap_or_else(PoisonError::into_inner)))
    }
}

impl Callbacks {
    /// Runs every callback, as a collection does, and drops what it observes.
    pub fn run(&self) {
        self.0.iter().for_each(|instrument| instrument.run());
    }

    /// Builds the same instruments with the same callbacks.
    pub fn build_on(&self, meter: &Meter) {
        self.0.iter().for_each(|instrument| instrument.build_on(meter));
    }

    /// How many instruments there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no instrument.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<N> AsyncInstrument<N> for Nowhere {
    fn observe(&self, value: N, attributes: &[KeyValue]) {
        black_box((value, attributes));
    }
}

impl<N: 'static> Observable for Kept<N> {
    fn run(&self) {
        for callback in &self.callbacks {
            callback(&Nowhere);
        }
    }

    fn build_on(&self, meter: &Meter) {
        for callback in self.callbacks.iter().cloned() {
            (self.build)(meter, self.about.clone(), Box::new(move |instrument| callback(instrument)));
        }
    }
}

macro_rules! keep {
    ($($method:ident: $instrument:ident<$number:ty>;)*) => {
        impl InstrumentProvider for Instruments {
            $(fn $method(
                &self,
                builder: AsyncInstrumentBuilder<'_, $instrument<$number>, $number>,
            ) -> $instrument<$number> {
                let kept = Kept {
                    about: About {
                        name: builder.name,
                        unit: builder.unit.unwrap_or_default(),
                        description: builder.description.unwrap_or_default(),
                    },
                    callbacks: builder.callbacks.into_iter().map(Arc::new).collect(),
                    build: build!($method),
                };
                self.0.lock().unwrap_or_else(PoisonError::into_inner).push(Box::new(kept));
                $instrument::new()
            })*
        }
    };
}

keep! {
    u64_observable_counter: ObservableCounter<u64>;
    f64_observable_counter: ObservableCounter<f64>;
    i64_observable_up_down_counter: ObservableUpDownCounter<i64>;
    f64_observable_up_down_counter: ObservableUpDownCounter<f64>;
    u64_observable_gauge: ObservableGauge<u64>;
    i64_observable_gauge: ObservableGauge<i64>;
    f64_observable_gauge: ObservableGauge<f64>;
}
