use super::*;
use tokio::runtime::{Builder, LogHistogram};

fn bounds(builder: &mut Builder) -> Vec<String> {
    let runtime = builder.build().unwrap();
    let name = [KeyValue::new("tokio.runtime.name", "main")];
    let scheduler = Scheduler::new(&runtime.metrics(), &name);
    let bound = |bucket: &Bucket| bucket.attributes[1].value.to_string();
    scheduler.poll_times.iter().map(bound).collect()
}

#[test]
fn bounds_are_those_that_the_runtime_was_built_with() {
    use tokio::runtime::HistogramConfiguration;
    assert_eq!(bounds(&mut Builder::new_current_thread()), Vec::<String>::new());
    let linear = HistogramConfiguration::linear(Duration::from_millis(2), 3);
    let mut builder = Builder::new_current_thread();
    builder.enable_metrics_poll_time_histogram().metrics_poll_time_histogram_configuration(linear);
    assert_eq!(bounds(&mut builder), ["0.002", "0.004", "+Inf"]);
    let logarithmic = HistogramConfiguration::log(LogHistogram::default());
    builder.metrics_poll_time_histogram_configuration(logarithmic);
    let bounds = bounds(&mut builder);
    assert_eq!(bounds.last().unwrap(), "+Inf");
    let numbers: Vec<f64> = bounds.iter().map(|bound| bound.replace('+', "").parse().unwrap()).collect();
    assert!(numbers.is_sorted_by(|one, next| one < next), "{numbers:?}");
}

#[test]
fn what_was_read_is_forgotten() {
    let runtime = Builder::new_current_thread().enable_metrics_poll_time_histogram().build().unwrap();
    let name = [KeyValue::new("tokio.runtime.name", "main")];
    let mut scheduler = Scheduler::new(&runtime.metrics(), &name);
    scheduler.read(&runtime.metrics());
    assert!(
        scheduler.values.spawned.is_some()
            && scheduler.poll_times.iter().all(|bucket| bucket.polls.is_some())
    );
    scheduler.clear();
    assert!(
        scheduler.values.spawned.is_none()
            && scheduler.poll_times.iter().all(|bucket| bucket.polls.is_none())
    );
}
