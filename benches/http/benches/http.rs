//! The heartbeat beside an empty route of the same server, and all routes beside a gin service that has them, asked by the
//! same client in turns. Needs Go; `--rounds N` for more than a look, `--threads N` for more threads of each server, `--at-once N` for more
//! requests on their way on each connection.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a bench prints what it measured"
)]

use bench_harness::Table;
use benches_http::{Asked, Client};
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Connections that ask at once.
const CONNECTIONS: usize = 32;
/// How long one route is asked before it is the next one's turn.
const SLICE: Duration = Duration::from_millis(200);
/// Requests over which heap allocations are counted.
const COUNTED: usize = 2_000;

const HEARTBEAT: &str = "/status/health";
const PATHS: [&str; 6] = [
    "/empty",
    HEARTBEAT,
    "/status/hardware/disk",
    "/status/hardware/ram",
    "/status/hardware/cpu",
    "/debug/vars",
];

fn main() {
    let (rounds, threads) = (argument("--rounds", 5), argument("--threads", 1));
    let at_once = argument("--at-once", 1);
    let mut ours = Command::new(env!("CARGO_BIN_EXE_http_ours"));
    ours.arg(threads.to_string());
    let mut servers = vec![Server::new("otel-vitals", ours)];
    if let Some(program) = gin() {
        let gin = |argument: &[&str]| {
            let mut gin = Command::new(&program);
            gin.args(argument).env("GOMAXPROCS", threads.to_string());
            gin
        };
        servers.push(Server::new("gin", gin(&["-logger"])));
        servers.push(Server::new("gin without its logger", gin(&[])));
    } else {
        println!("(gin is left out: it cannot be built here)");
    }
    for server in &mut servers {
        PATHS.iter().for_each(|path| drop(server.client.ask(path, SLICE, at_once)));
    }
    let all = turns(&mut servers, rounds, at_once);
    println!(
        "\n{CONNECTIONS} connections; threads of each server: {threads}; {rounds} rounds of {SLICE:?} a route"
    );
    heartbeat(&servers, &all);
    routes(&mut servers, all);
}

fn argument(name: &str, otherwise: usize) -> usize {
    let arguments: Vec<_> = std::env::args().collect();
    arguments.windows(2).find(|pair| pair[0] == name).map_or(otherwise, |pair| pair[1].parse().unwrap())
}

/// Every route of every server in turns, `rounds` times: by server, then by path, then by round.
fn turns(servers: &mut [Server], rounds: usize, at_once: usize) -> Vec<Vec<Vec<Asked>>> {
    let mut all: Vec<Vec<Vec<Asked>>> =
        servers.iter().map(|_| PATHS.iter().map(|_| Vec::new()).collect()).collect();
    for round in 0..rounds {
        for (server, asked) in servers.iter_mut().zip(&mut all) {
            for turn in 0..PATHS.len() {
                // Each route comes first as often as last.
                let at = if round % 2 == 0 { turn } else { PATHS.len() - 1 - turn };
                let before = server.cpu_time();
                let mut asking = server.client.ask(PATHS[at], SLICE, at_once);
                asking.cpu_time = server.cpu_time() - before;
                asked[at].push(asking);
            }
        }
    }
    all
}

fn heartbeat(servers: &[Server], all: &[Vec<Vec<Asked>>]) {
    let mut table =
        Table::new(["heartbeat beside", "× its requests a second, median of rounds", "from", "to"]);
    let mut row = |name: String, beside: &[Asked]| {
        let mut ratios: Vec<_> =
            all[0][1].iter().zip(beside).map(|(ours, other)| ours.rate() / other.rate()).collect();
        ratios.sort_by(f64::total_cmp);
        let shown = |ratio: f64| format!("{ratio:.3}");
        table.row([name, shown(ratios[ratios.len() / 2]), shown(ratios[0]), shown(ratios[ratios.len() - 1])]);
    };
    row("an empty route of the same server".to_owned(), &all[0][0]);
    for (server, asked) in servers.iter().zip(all).skip(1) {
        row(format!("that of {}", server.name), &asked[1]);
    }
    println!("\n## Heartbeat (budget: 0.98 × the empty route, 2 × gin)\n\n{table}");
}

fn routes(servers: &mut [Server], all: Vec<Vec<Vec<Asked>>>) {
    let mut table = Table::new([
        "route",
        "server",
        "requests a second",
        "p50, µs",
        "p99, µs",
        "CPU time a request, µs",
        "heap allocations a request",
    ]);
    let mut by_server: Vec<_> = all.into_iter().map(Vec::into_iter).collect();
    for path in PATHS {
        for (server, asked) in servers.iter_mut().zip(&mut by_server) {
            let mut whole = Asked::default();
            for round in asked.next().unwrap() {
                whole.latencies.extend(round.latencies);
                whole.took += round.took;
                whole.cpu_time += round.cpu_time;
            }
            let micros = |time: Duration| format!("{:.0}", time.as_secs_f64() * 1e6);
            table.row([
                path.to_owned(),
                server.name.to_owned(),
                format!("{:.0}", whole.rate()),
                micros(whole.quantile(0.5)),
                micros(whole.quantile(0.99)),
                format!("{:.1}", whole.cpu_time.as_secs_f64() * 1e6 / whole.latencies.len() as f64),
                format!("{:.1}", server.allocations(path)),
            ]);
        }
    }
    println!("\n## Routes\n\n{table}");
}

struct Server {
    name: &'static str,
    process: Child,
    client: Client,
}

impl Server {
    fn new(name: &'static str, mut program: Command) -> Self {
        let mut process = program.stdout(Stdio::piped()).spawn().unwrap();
        let mut address = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut address).unwrap();
        let client = Client::connect(address.trim().parse().unwrap(), CONNECTIONS);
        Server { name, process, client }
    }

    /// Of all its threads.
    fn cpu_time(&self) -> Duration {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.process.id())).unwrap();
        let fields: Vec<_> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
        let ticks: u64 = fields[11..13].iter().map(|field| field.parse::<u64>().unwrap()).sum();
        // USER_HZ is a hundred on all that Linux runs on today.
        Duration::from_millis(ticks * 10)
    }

    /// Blocks that the heap gave out for a request of `path`.
    fn allocations(&mut self, path: &str) -> f64 {
        let mut mallocs = || {
            let vars: serde_json::Value =
                serde_json::from_str(body(&self.client.get("/debug/vars"))).unwrap();
            vars["memstats"]["Mallocs"].as_u64().unwrap()
        };
        let (first, second) = (mallocs(), mallocs());
        self.client.repeat(path, COUNTED);
        let mut mallocs = || {
            let vars: serde_json::Value =
                serde_json::from_str(body(&self.client.get("/debug/vars"))).unwrap();
            vars["memstats"]["Mallocs"].as_u64().unwrap()
        };
        // Looking allocates as well.
        let looking = second - first;
        (mallocs() - second).saturating_sub(looking) as f64 / COUNTED as f64
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The JSON of an answer that may come in chunks.
fn body(text: &str) -> &str {
    let (start, end) = (text.find('{').unwrap(), text.rfind('}').unwrap());
    &text[start..=end]
}

/// The gin service, built anew; none where there is no Go or its modules cannot be had.
fn gin() -> Option<PathBuf> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("gin");
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join("http_gin");
    let built = Command::new("go").arg("build").arg("-o").arg(&program).arg(".").current_dir(source).status();
    built.is_ok_and(|status| status.success()).then_some(program)
}
