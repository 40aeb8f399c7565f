use super::*;
use crate::sample;

#[test]
fn a_metric_is_a_row_of_its_group() {
    let page = markdown(&sample::declaration());
    let row = "| `system.disk.io` | counter, int | `By` | `system.device`; `disk.io.direction` = read, write | yes | \
               the disk | Bytes. |\n";
    assert!(page.contains(row), "{page}");
    let row = "| `system.uptime` | gauge, double | `s` |  | `metrics.host.uptime` | the clock | How long it is up. |\n";
    assert!(page.contains(row), "{page}");
    assert!(page.contains("otel-vitals emits 3 metrics, 2 of them by default."), "{page}");
}

#[test]
fn notes_on_attributes_are_shown() {
    let notes = "{source: the disk, absent: {system.device: Nobody knows.}, conditional: {disk.speed: when asked for}, \
                 values: {disk.io.direction: [write]}}";
    let page = markdown(&sample::with(&[("{source: the disk}", notes)]));
    let cells = "| `disk.io.direction` = write; `disk.speed` (when asked for) | yes | the disk | Bytes. Without \
                 `system.device`: Nobody knows. |\n";
    assert!(page.contains(cells), "{page}");
}

#[test]
fn sections_are_linked_and_say_how_to_turn_them_off() {
    let page = markdown(&sample::declaration());
    assert!(page.contains("| [The System](#the-system) | 2 | `metrics.host.system: false` |\n"), "{page}");
    assert!(page.contains("| [Ours](#ours) | 1 | – |\n"), "{page}");
    assert!(page.contains("\n## The System\n\nAll of it.\n"), "{page}");
}

#[test]
fn values_resource_and_what_is_left_out_are_listed() {
    let page = markdown(&sample::declaration());
    for row in [
        "| `ours.kind` | `ex` | An x. |\n",
        "| `process.pid` | always | getpid |\n",
        "| `os.type` | on an operating system | the compiler |\n",
        "| `system.heat` | It is too hot. |\n",
    ] {
        assert!(page.contains(row), "{row}{page}");
    }
}
