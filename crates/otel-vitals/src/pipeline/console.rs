//! Metrics on standard output, one line a series, for a look without a collector.

use opentelemetry::KeyValue;
use opentelemetry_sdk::metrics::data::{AggregatedMetrics, Metric, MetricData, ResourceMetrics};
use std::fmt::Display;
use std::io::{self, Write};

use super::reader::{Failure, Outcome};

/// Writes every batch to standard output: a line for the resource, then `name{attributes} value unit`.
pub(super) struct Console;

impl Console {
    pub(super) fn export(&self, batch: &ResourceMetrics) -> Outcome {
        let mut text = Vec::with_capacity(16 << 10);
        write(batch, &mut text)
            // One write, so that lines of other threads do not fall between; a closed pipe is an error, not a panic.
            .and_then(|()| io::stdout().lock().write_all(&text))
            .and_then(|()| io::stdout().lock().flush())
            .map_err(|error| Failure::Refused(format!("standard output: {error}")))
    }
}

fn write(batch: &ResourceMetrics, out: &mut impl Write) -> io::Result<()> {
    write!(out, "# resource")?;
    for (key, value) in batch.resource().iter() {
        write!(out, " {key}={value}")?;
    }
    writeln!(out)?;
    for scope in batch.scope_metrics() {
        writeln!(out, "# scope {} {}", scope.scope().name(), scope.scope().version().unwrap_or_default())?;
        for metric in scope.metrics() {
            match metric.data() {
                AggregatedMetrics::F64(data) => points(metric, data, out)?,
                AggregatedMetrics::U64(data) => points(metric, data, out)?,
                AggregatedMetrics::I64(data) => points(metric, data, out)?,
            }
        }
    }
    writeln!(out)
}

fn points<T: Copy + Display>(metric: &Metric, data: &MetricData<T>, out: &mut impl Write) -> io::Result<()> {
    match data {
        MetricData::Gauge(gauge) => {
            for point in gauge.data_points() {
                line(metric, point.attributes(), format_args!("{}", point.value()), out)?;
            }
        }
        MetricData::Sum(sum) => {
            for point in sum.data_points() {
                line(metric, point.attributes(), format_args!("{}", point.value()), out)?;
            }
        }
        MetricData::Histogram(histogram) => {
            for point in histogram.data_points() {
                let value = format_args!("count={} sum={}", point.count(), point.sum());
                line(metric, point.attributes(), value, out)?;
            }
        }
        MetricData::ExponentialHistogram(histogram) => {
            for point in histogram.data_points() {
                let value = format_args!("count={} sum={}", point.count(), point.sum());
                line(metric, point.attributes(), value, out)?;
            }
        }
    }
    Ok(())
}

fn line<'a>(
    metric: &Metric,
    attributes: impl Iterator<Item = &'a KeyValue>,
    value: std::fmt::Arguments<'_>,
    out: &mut impl Write,
) -> io::Result<()> {
    write!(out, "{}{{", metric.name())?;
    for (at, attribute) in attributes.enumerate() {
        let comma = if at == 0 { "" } else { "," };
        write!(out, "{comma}{}={:?}", attribute.key, attribute.value.as_str())?;
    }
    writeln!(out, "}} {value} {}", metric.unit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use opentelemetry::metrics::MeterProvider as _;
    use opentelemetry_sdk::Resource;
    use opentelemetry_sdk::metrics::{InMemoryMetricExporter, SdkMeterProvider};

    #[test]
    fn writes_a_line_a_series() {
        let exporter = InMemoryMetricExporter::default();
        let resource =
            Resource::builder_empty().with_attribute(KeyValue::new("service.name", "shop")).build();
        let provider = SdkMeterProvider::builder()
            .with_resource(resource)
            .with_periodic_exporter(exporter.clone())
            .build();
        let meter = provider.meter("scope");
        let orders = meter.u64_counter("orders").with_unit("{order}").build();
        orders.add(3, &[KeyValue::new("kind", "a \"b\"")]);
        orders.add(4, &[]);
        meter.f64_histogram("latency").with_unit("s").build().record(0.5, &[]);
        provider.force_flush().unwrap();

        let batches = exporter.get_finished_metrics().unwrap();
        let mut text = Vec::new();
        write(batches.first().unwrap(), &mut text).unwrap();
        let text = String::from_utf8(text).unwrap();
        let expected = "# resource service.name=shop\n\
            # scope scope \n\
            orders{} 4 {order}\n\
            orders{kind=\"a \\\"b\\\"\"} 3 {order}\n\
            latency{} count=1 sum=0.5 s\n\n";
        assert_eq!(text, expected);
    }
}
