//! Which route is where, what it answers, and that all else is the application's.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

mod wire;

use actix_web::middleware::{DefaultHeaders, NormalizePath};
use actix_web::{App, HttpResponse, web};
use otel_vitals::MonitorConfig;
use otel_vitals_actix::routes;
use wire::{ask, get, raw, vitals};

const METHODS: [&str; 8] = ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "BREW"];

#[test]
fn the_heartbeat_answers_get_and_head_and_refuses_the_rest() {
    let started = vitals(|_| {});
    let mounted = routes(&started.vitals);
    let server = serve!(App::new().configure(mounted.clone()));
    for query in ["", "?", "?verbose=1", "?a=%zz&&=="] {
        let answer = get(server.address, &format!("/status/health{query}"));
        assert_eq!((answer.status, answer.text()), (200, "OK"));
        assert_eq!(answer.assert_ours().header("content-type"), "text/plain; charset=utf-8");
        assert_eq!(answer.header("content-length"), "2");
    }
    let head = ask(server.address, "HEAD", "/status/health", &[]);
    assert_eq!((head.status, head.text()), (200, ""));
    assert_eq!(head.assert_ours().header("content-length"), "2");
    for method in METHODS.iter().filter(|method| **method != "CONNECT") {
        let answer = ask(server.address, method, "/status/health", &[]);
        assert_eq!(answer.status, 405, "{method}");
        assert_eq!(answer.assert_ours().header("allow"), "GET, HEAD");
    }
    let body =
        b"GET /status/health HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 4\r\n\r\nbody";
    assert_eq!(raw(server.address, body).text(), "OK");
    let old = b"GET /status/health HTTP/1.0\r\n\r\n";
    assert_eq!(raw(server.address, old).text(), "OK");
}

#[test]
fn many_requests_on_one_connection_are_all_answered() {
    let started = vitals(|_| {});
    let mounted = routes(&started.vitals);
    let server = serve!(App::new().configure(mounted.clone()));
    let one = "GET /status/health HTTP/1.1\r\nHost: a\r\n\r\n";
    let last = "GET /status/health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    let answer = raw(server.address, format!("{}{last}", one.repeat(99)).as_bytes());
    let all = String::from_utf8(answer.body).unwrap();
    assert_eq!(all.matches("HTTP/1.1 200 OK").count(), 99, "and the first");
    assert!(all.ends_with("OK"));
}

#[test]
fn what_is_off_is_the_applications() {
    let started = vitals(|config| config.monitor.status = false);
    let mounted = routes(&started.vitals);
    let server = serve!(App::new().configure(mounted.clone()));
    for path in ["/status/health", "/debug/pprof", "/debug/pprof/", "/debug/pprof/cmdline"] {
        let answer = get(server.address, path);
        assert_eq!((answer.status, answer.all("cache-control").len()), (404, 0), "{path}");
    }
}

#[test]
fn prefix_and_routes_are_where_they_are_said_to_be_literally() {
    let started = vitals(|config| {
        config.monitor.prefix = "/in.ter-nal".to_owned();
        config.monitor.health = "/alive(1)+~$".to_owned();
        config.monitor.pprof = true;
        config.monitor.debug_pprof = "/p:@x/y".to_owned();
    });
    let mounted = routes(&started.vitals);
    let server = serve!(App::new().configure(mounted.clone()));
    for path in ["/in.ter-nal/alive(1)+~$", "/in%2Eter-nal/alive%281)+%7e%24"] {
        assert_eq!(get(server.address, path).text(), "OK", "{path}");
    }
    assert_eq!(get(server.address, "/in.ter-nal/p:@x/y/").status, 200);
    assert_eq!(get(server.address, "/in.ter-nal/p:@x/y").status, 200);
    for path in
        ["/status/health", "/alive(1)+~$", "/in-ter-nal/alive(1)+~$", "/in.ter-nal/alive1", "/in.ter-nal"]
    {
        assert_eq!(get(server.address, path).status, 404, "{path}");
    }
}

/// The keys of all routes, and the paths that they have by themselves.
const KEYS: [(&str, &str); 10] = [
    ("health", "/status/health"),
    ("live", "/status/live"),
    ("ready", "/status/ready"),
    ("startup", "/status/startup"),
    ("status_hardware.disk", "/status/hardware/disk"),
    ("status_hardware.ram", "/status/hardware/ram"),
    ("status_hardware.cpu", "/status/hardware/cpu"),
    ("status_hardware.cpu_info", "/status/hardware/cpu_info"),
    ("debug_vars", "/debug/vars"),
    ("debug_pprof", "/debug/pprof"),
];

fn route<'a>(monitor: &'a mut MonitorConfig, key: &str) -> &'a mut String {
    match key {
        "health" => &mut monitor.health,
        "live" => &mut monitor.live,
        "ready" => &mut monitor.ready,
        "startup" => &mut monitor.startup,
        "status_hardware.disk" => &mut monitor.status_hardware.disk,
        "status_hardware.ram" => &mut monitor.status_hardware.ram,
        "status_hardware.cpu" => &mut monitor.status_hardware.cpu,
        "status_hardware.cpu_info" => &mut monitor.status_hardware.cpu_info,
        "debug_vars" => &mut monitor.debug_vars,
        "debug_pprof" => &mut monitor.debug_pprof,
        other => panic!("{other}"),
    }
}

#[test]
fn every_route_is_where_its_key_says_below_the_prefix() {
    for prefix in ["", "/in/side"] {
        let started = vitals(move |config| {
            let monitor = &mut config.monitor;
            (monitor.debug, monitor.pprof, monitor.prefix) = (true, true, prefix.to_owned());
            for (number, (key, path)) in KEYS.into_iter().enumerate() {
                assert_eq!(route(monitor, key), path);
                *route(monitor, key) = format!("/r/{number}");
            }
        });
        let mounted = routes(&started.vitals);
        let server = serve!(App::new().configure(mounted.clone()));
        for (number, (key, path)) in KEYS.into_iter().enumerate() {
            let answer = get(server.address, &format!("{prefix}/r/{number}"));
            // A disk may be full.
            assert!(matches!(answer.assert_ours().status, 200 | 503), "{key}: {}", answer.status);
            for elsewhere in [path.to_owned(), format!("{prefix}{path}"), format!("/in/r/{number}")] {
                assert_eq!(get(server.address, &elsewhere).status, 404, "{key}: {elsewhere}");
            }
        }
    }
}

#[test]
fn a_switch_turns_off_what_is_its_and_nothing_else() {
    type Switch = fn(&mut MonitorConfig);
    let switches: [(usize, Switch); 4] = [
        (4, |monitor| monitor.status = false),
        (4, |monitor| monitor.hardware = false),
        (1, |monitor| monitor.debug = false),
        (1, |monitor| monitor.pprof = false),
    ];
    let mut first = 0;
    for (count, switch) in switches {
        let started = vitals(move |config| {
            (config.monitor.debug, config.monitor.pprof) = (true, true);
            switch(&mut config.monitor);
        });
        let mounted = routes(&started.vitals);
        let server = serve!(App::new().configure(mounted.clone()));
        for (number, (key, path)) in KEYS.into_iter().enumerate() {
            let is_off = (first..first + count).contains(&number);
            assert_eq!(get(server.address, path).status == 404, is_off, "{key}");
        }
        first += count;
    }
}

#[test]
fn mounted_twice_and_below_scopes_beside_what_the_application_has() {
    struct Data(&'static str);
    let started = vitals(|config| config.monitor.pprof = true);
    let (mounted, of_app) = (routes(&started.vitals), started.vitals.clone());
    let server = serve!(
        App::new()
            .app_data(web::Data::new(Data("theirs")))
            .wrap(DefaultHeaders::new().add(("x-theirs", "1")))
            .configure(mounted.clone())
            .configure(routes(&of_app))
            .service(
                web::scope("/x")
                    .configure(mounted.clone())
                    .default_service(web::to(|| async { HttpResponse::ImATeapot().finish() }))
            )
            .service(web::scope("/{tenant}/y").configure(mounted.clone()))
            .route("/status/theirs", web::get().to(|data: web::Data<Data>| async move { data.0 }))
            .route("/", web::get().to(|| async { "home" }))
            .default_service(web::to(|| async { HttpResponse::Accepted().body("default") }))
    );
    for place in ["", "/x", "/anybody/y"] {
        let answer = get(server.address, &format!("{place}/status/health"));
        assert_eq!((answer.status, answer.text()), (200, "OK"), "{place}");
        assert_eq!(answer.header("x-theirs"), "1", "their middleware goes around ours");
        let index = get(server.address, &format!("{place}/debug/pprof/"));
        assert_eq!(index.status, 200, "{place}");
        assert_eq!(get(server.address, &format!("{place}/debug/pprof/cmdline")).status, 200, "{place}");
    }
    assert_eq!(get(server.address, "/status/theirs").text(), "theirs");
    assert_eq!(get(server.address, "/").text(), "home");
    assert_eq!(get(server.address, "/x/none").status, 418);
    for path in
        ["/none", "/status/health/", "/status/healthy", "/status", "//status/health", "/STATUS/HEALTH"]
    {
        let answer = get(server.address, path);
        assert_eq!((answer.status, answer.text()), (202, "default"), "{path}");
    }
}

#[test]
fn below_middleware_that_takes_slashes_away_all_is_reached() {
    let started = vitals(|config| (config.monitor.debug, config.monitor.pprof) = (true, true));
    let mounted = routes(&started.vitals);
    let server = serve!(App::new().wrap(NormalizePath::trim()).configure(mounted.clone()));
    for path in [
        "/status/health",
        "/status//health/",
        "/status/ready/",
        "/debug/vars/",
        "/debug/pprof/",
        "/debug/pprof",
    ] {
        assert_eq!(get(server.address, path).assert_ours().status, 200, "{path}");
    }
    let link = "href=\"/debug/pprof/cmdline\"";
    assert!(get(server.address, "/debug/pprof/").text().contains(link));
}

#[test]
fn workers_are_watched_once_however_often_routes_are_mounted() {
    let started = vitals(|_| {});
    let of_app = started.vitals.clone();
    let server = serve!(App::new().configure(routes(&of_app)).configure(routes(&of_app)));
    assert_eq!(get(server.address, "/status/health").status, 200);
    wire::until("two workers", || {
        let mut runtimes = started.vitals.runtimes();
        runtimes.sort();
        runtimes == ["actix-worker-0", "actix-worker-1"]
    });
    server.stop();
    wire::until("none", || started.vitals.runtimes().is_empty());
}

#[test]
fn profiles_say_what_there_is_and_what_is_not() {
    let started = vitals(|config| config.monitor.pprof = true);
    let mounted = routes(&started.vitals);
    let server = serve!(App::new().configure(mounted.clone()));
    for place in ["/debug/pprof/?debug=1", "/debug/pprof?debug=1", "/debug/pprof"] {
        let index = get(server.address, place);
        assert_eq!(index.assert_ours().status, 200);
        assert_eq!(index.header("content-type"), "text/html; charset=utf-8");
        assert!(index.text().contains("href=\"/debug/pprof/cmdline\""));
    }

    let cmdline = get(server.address, "/debug/pprof/cmdline?seconds=1");
    assert_eq!(cmdline.assert_ours().header("content-type"), "text/plain; charset=utf-8");
    assert_eq!(cmdline.text(), std::env::args().next().unwrap(), "and no arguments");

    for (profile, text) in [
        ("x/y", "there is no such profile\n"),
        ("cmdline/", "there is no such profile\n"),
        ("heap/", "there is no such profile\n"),
        ("%00", "there is no such profile\n"),
        ("/", "there is no such profile\n"),
        ("/heap", "there is no such profile\n"),
        ("trace", "there are no traces of execution: Go's are of its scheduler\n"),
    ] {
        let answer = get(server.address, &format!("/debug/pprof/{profile}"));
        assert_eq!(answer.assert_ours().status, 404, "{profile}");
        assert_eq!(answer.header("content-type"), "text/plain; charset=utf-8");
        assert_eq!(answer.header("x-go-pprof"), "1");
        assert_eq!(answer.text(), text);
    }
    let head = ask(server.address, "HEAD", "/debug/pprof/trace", &[]);
    assert_eq!((head.status, head.text(), head.header("x-go-pprof")), (404, "", "1"));
    for method in METHODS.iter().filter(|method| **method != "CONNECT") {
        let answer = ask(server.address, method, "/debug/pprof/cmdline", &[]);
        assert_eq!((answer.assert_ours().status, answer.header("allow")), (405, "GET, HEAD"), "{method}");
    }
}

#[test]
fn arguments_are_told_when_that_is_asked_for() {
    let started = vitals(|config| (config.monitor.pprof, config.monitor.cmdline) = (true, true));
    let mounted = routes(&started.vitals);
    let server = serve!(App::new().configure(mounted.clone()));
    let arguments: Vec<_> = std::env::args().collect();
    assert_eq!(get(server.address, "/debug/pprof/cmdline").text(), arguments.join("\0"));
}

#[actix_web::test]
async fn without_a_server_it_works_as_well() {
    let started = vitals(|config| config.monitor.retry_count = 10);
    let application = actix_web::test::init_service(App::new().configure(routes(&started.vitals))).await;
    let request = actix_web::test::TestRequest::get().uri("/status/health").to_request();
    assert_eq!(actix_web::test::call_and_read_body(&application, request).await, "OK");
}
