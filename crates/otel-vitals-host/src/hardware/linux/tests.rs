use super::*;
use std::sync::{Condvar, Mutex};

/// Long enough to fail a test that hangs, and no test waits for it otherwise.
const LONG: Duration = Duration::from_secs(60);
const AT_ONCE: Duration = Duration::from_millis(20);

const HALF: Blocks = Blocks { total: 1000, free: 500, available: 400, size: 4096, read_only: false };

/// File systems that hang, panic, are empty or are there, by their names.
#[derive(Default)]
struct Servers {
    released: Mutex<bool>,
    changed: Condvar,
}

impl Servers {
    fn release(&self) {
        *self.released.lock().unwrap() = true;
        self.changed.notify_all();
    }

    fn answer(&self, path: &CStr) -> io::Result<Answer> {
        let blocks = match path.to_str().unwrap() {
            "/hung" => {
                let released = self.released.lock().unwrap();
                drop(self.changed.wait_while(released, |released| !*released).unwrap());
                HALF
            }
            "/panics" => panic!("a thread ends"),
            "/gone" => return Err(io::Error::from_raw_os_error(libc::ENOENT)),
            "/empty" => Blocks { total: 0, ..HALF },
            _ => HALF,
        };
        Ok(Answer { blocks, mounted: None })
    }
}

fn reader(deadline: Duration, paths: &[&str]) -> (Reader, Arc<Servers>) {
    let servers = Arc::new(Servers::default());
    let asked = Arc::clone(&servers);
    let disks = paths.iter().map(|path| (*path).to_owned()).collect();
    let options = HardwareOptions { root_path: None, disks, deadline };
    let reader = Reader::asking(options, Roots::new(None), Arc::new(move |path: &CStr| asked.answer(path)));
    (reader, servers)
}

fn problem(disk: &DiskReading) -> &str {
    disk.problem.as_deref().unwrap_or_default()
}

#[test]
fn each_tells_of_itself_in_the_order_of_the_paths() {
    let (mut reader, _servers) = reader(LONG, &["/srv", "/gone", "/empty", "/with\0nul", "/"]);
    let disks = reader.read().disks;
    let paths: Vec<_> = disks.iter().map(|disk| &*disk.path).collect();
    assert_eq!(paths, ["/srv", "/gone", "/empty", "/with\0nul", "/"]);
    let space = DiskSpace { total: 4_096_000, used: 2_048_000, available: 1_638_400, reserved: 409_600 };
    assert_eq!((disks[0].space, disks[4].space), (Some(space), Some(space)));
    assert!((space.used_percent() - 55.555).abs() < 0.001);
    assert!(disks[1..4].iter().all(|disk| disk.space.is_none()));
    assert!(problem(&disks[1]).contains("No such file"), "{disks:?}");
    assert!(problem(&disks[2]).contains("without any space at /empty"), "{disks:?}");
    assert!(!problem(&disks[3]).is_empty());
}

#[test]
fn one_that_hangs_costs_its_own_values_and_is_waited_for_once() {
    let (mut reader, servers) = reader(AT_ONCE, &["/hung", "/srv"]);
    // The other one may be late, too, on a busy machine.
    let until = |reader: &mut Reader, condition: &dyn Fn(&[DiskReading]) -> bool| {
        let started = Instant::now();
        loop {
            let disks = reader.read().disks;
            if condition(&disks) {
                return disks;
            }
            assert!(started.elapsed() < LONG, "{disks:?}");
        }
    };
    let disks = until(&mut reader, &|disks| disks[1].space.is_some());
    assert_eq!((disks[0].space, problem(&disks[0])), (None, "did not answer within 20ms"));
    servers.release();
    until(&mut reader, &|disks| disks[0].space.is_some() && disks[0].problem.is_none());
}

#[test]
fn a_thread_that_ended_is_started_anew() {
    let (mut reader, _servers) = reader(LONG, &["/panics"]);
    for _ in 0..2 {
        let disks = reader.read().disks;
        assert_eq!(problem(&disks[0]), "the thread that asks has ended");
    }
}

#[test]
fn a_kernel_that_does_not_answer_is_said_to() {
    let (mut reader, _servers) = reader(AT_ONCE, &[]);
    let (release, hanging) = std::sync::mpsc::channel::<()>();
    let ask = move || {
        let _ = hanging.recv();
        Ok(Figures::default())
    };
    reader.machine = Some(Asker::start(THREAD, ask).unwrap());
    for _ in 0..2 {
        let reading = reader.read();
        assert_eq!(reading.memory.problem.as_deref(), Some("did not answer within 20ms"));
        assert_eq!(reading.cpu.problem, reading.memory.problem);
    }
    drop(release);
}

#[test]
fn a_foreign_root_is_put_before_the_paths() {
    let root = tempfile::tempdir().unwrap();
    std::fs::create_dir(root.path().join("srv")).unwrap();
    let options = HardwareOptions {
        root_path: Some(root.path().to_path_buf()),
        disks: vec!["/srv".to_owned(), "/absent".to_owned()],
        deadline: LONG,
    };
    let disks = Reader::new(options).read().disks;
    assert!(disks[0].space.is_some() && disks[0].kind.is_some(), "{disks:?}");
    assert_eq!(
        disks[0].mount_point, None,
        "the folder is no mount, and what is above is not of that machine"
    );
    assert!(disks[1].space.is_none());
}

#[test]
fn the_space_of_a_path_is_asked_at_once() {
    assert!(disk_space(Path::new("/")).unwrap().total > 0);
    assert!(matches!(disk_space(Path::new("/proc")), Err(ReadError::Unavailable { .. })));
    assert!(disk_space(Path::new("/nowhere")).unwrap_err().to_string().contains("statvfs of /nowhere"));
    assert!(disk_space(Path::new("/a\0b")).is_err());
}
