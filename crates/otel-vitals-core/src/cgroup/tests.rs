use super::*;
use proptest::prelude::*;

mod limits;

const V1_STAT: &str = "nr_periods 5\nnr_throttled 4\nthrottled_time 3\n";
const V2_STAT: &str =
    "usage_usec 9\nuser_usec 8\nsystem_usec 1\nnr_periods 5\nnr_throttled 4\nthrottled_usec 3\n";
const USAGE: &str = "usage_usec 9\nuser_usec 8\nsystem_usec 1\n";
const PRESSURE: &str = "some avg10=0.00 avg60=0.00 avg300=0.00 total=7\n";

const V1_MOUNTS: &str = "31 23 0:28 / /sys/fs/cgroup ro - tmpfs tmpfs ro,mode=755\n\
    32 31 0:29 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset\n\
    33 31 0:30 / /sys/fs/cgroup/cpu,cpuacct rw,nosuid shared:9 - cgroup cgroup rw,cpu,cpuacct\n";
const V2_MOUNT: &str = "31 23 0:28 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n";

/// A machine in a folder.
struct Machine(tempfile::TempDir);

impl Machine {
    fn new(membership: &str, mounts: &str) -> Self {
        let machine = Machine(tempfile::tempdir().unwrap());
        machine.file("proc/self/cgroup", membership).file("proc/self/mountinfo", mounts);
        machine
    }

    fn file(&self, path: &str, content: &str) -> &Self {
        let path = self.0.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
        self
    }

    /// A group of version 1, whose quota is `quota` microseconds a period.
    fn v1(&self, folder: &str, quota: &str) -> &Self {
        self.file(&format!("{folder}/cgroup.procs"), "")
            .file(&format!("{folder}/cpu.stat"), V1_STAT)
            .file(&format!("{folder}/cpu.cfs_quota_us"), quota)
    }

    /// A group of version 2 that is not the root.
    fn v2(&self, folder: &str, stat: &str, max: Option<&str>) -> &Self {
        self.file(&format!("{folder}/cgroup.procs"), "")
            .file(&format!("{folder}/cgroup.events"), "populated 1\nfrozen 0\n")
            .file(&format!("{folder}/cpu.stat"), stat);
        max.map_or(self, |max| self.file(&format!("{folder}/cpu.max"), max))
    }

    fn pressures(&self, folder: &str) -> &Self {
        for resource in ["cpu", "memory", "io"] {
            self.file(&format!("{folder}/{resource}.pressure"), PRESSURE);
        }
        self
    }

    /// The file with the figures, below the machine's root.
    fn cpu_stat(&self) -> Option<String> {
        Cgroup::at(self.0.path()).cpu_stat().map(|path| self.inside(path))
    }

    fn pressure(&self, resource: Resource) -> Option<String> {
        Cgroup::at(self.0.path()).pressure(resource).map(|path| self.inside(path))
    }

    fn inside(&self, path: &Path) -> String {
        path.strip_prefix(self.0.path()).unwrap().to_str().unwrap().to_owned()
    }
}

#[test]
fn version_1_by_the_name_of_the_controller() {
    for (line, mount) in [
        ("3:cpu,cpuacct:/user.slice", "/sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct"),
        ("3:cpuacct,cpu:/user.slice", "/sys/fs/cgroup/cpuacct,cpu rw - cgroup cgroup rw,cpuacct,cpu"),
        ("3:cpu:/user.slice", "/sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu"),
        ("3:cpu:/user.slice", "/mnt/with\\040blank rw - cgroup cgroup rw,cpu"),
    ] {
        let others = "30 23 0:27 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset\n";
        let machine = Machine::new(
            &format!("9:cpuset:/\n{line}\n1:name=systemd:/user.slice\n"),
            &format!("{others}33 31 0:30 / {mount}\n"),
        );
        let point = mount.split(' ').next().unwrap().trim_start_matches('/').replace("\\040", " ");
        machine.v1(&point, "-1\n").v1(&format!("{point}/user.slice"), "-1\n");
        assert_eq!(machine.cpu_stat(), Some(format!("{point}/user.slice/cpu.stat")));
        assert_eq!(machine.pressure(Resource::Cpu), None);
    }
}

#[test]
fn version_2_with_a_quota_of_its_own() {
    let group = "sys/fs/cgroup/system.slice/shop.service";
    let machine = Machine::new("0::/system.slice/shop.service\n", V2_MOUNT);
    machine.file("sys/fs/cgroup/cgroup.procs", "").file("sys/fs/cgroup/cpu.stat", USAGE);
    machine.v2("sys/fs/cgroup/system.slice", V2_STAT, Some("max 100000\n"));
    machine.v2(group, V2_STAT, Some("20000 100000\n")).pressures(group);
    assert_eq!(machine.cpu_stat(), Some(format!("{group}/cpu.stat")));
    for resource in Resource::ALL {
        let expected = (resource != Resource::Irq).then(|| format!("{group}/{}.pressure", resource.name()));
        assert_eq!(machine.pressure(resource), expected);
    }
    assert!(!Cgroup::at(machine.0.path()).is_root());
}

#[test]
fn the_nearest_quota_above_counts() {
    let pod = "sys/fs/cgroup/kubepods.slice/kubepods-pod1.slice";
    let machine =
        Machine::new("0::/kubepods.slice/kubepods-pod1.slice/cri-containerd-2.scope/inner\n", V2_MOUNT);
    machine.v2("sys/fs/cgroup/kubepods.slice", V2_STAT, Some("400000 100000\n"));
    machine.v2(pod, V2_STAT, Some("50000 100000\n"));
    machine.v2(&format!("{pod}/cri-containerd-2.scope"), V2_STAT, Some("max 100000\n"));
    machine.v2(&format!("{pod}/cri-containerd-2.scope/inner"), USAGE, None);
    assert_eq!(machine.cpu_stat(), Some(format!("{pod}/cpu.stat")));

    let v1 = Machine::new("3:cpu,cpuacct:/kubepods/pod1/2\n", V1_MOUNTS);
    let pod = "sys/fs/cgroup/cpu,cpuacct/kubepods/pod1";
    v1.v1("sys/fs/cgroup/cpu,cpuacct", "-1\n").v1("sys/fs/cgroup/cpu,cpuacct/kubepods", "-1\n");
    v1.v1(pod, "50000\n").v1(&format!("{pod}/2"), "-1\n");
    assert_eq!(v1.cpu_stat(), Some(format!("{pod}/cpu.stat")));
}

#[test]
fn without_any_quota_the_nearest_with_figures_counts() {
    let machine = Machine::new("0::/user.slice/session-1.scope\n", V2_MOUNT);
    machine.v2("sys/fs/cgroup/user.slice", V2_STAT, Some("max 100000\n"));
    machine.v2("sys/fs/cgroup/user.slice/session-1.scope", USAGE, None);
    assert_eq!(machine.cpu_stat().as_deref(), Some("sys/fs/cgroup/user.slice/cpu.stat"));
    machine.v2("sys/fs/cgroup/user.slice", USAGE, None);
    assert_eq!(machine.cpu_stat(), None);
}

#[test]
fn the_root_group_of_version_2_has_pressure_and_no_figures() {
    let machine = Machine::new("0::/\n", V2_MOUNT);
    machine.file("sys/fs/cgroup/cgroup.procs", "").file("sys/fs/cgroup/cpu.stat", USAGE);
    machine.pressures("sys/fs/cgroup");
    assert_eq!(machine.cpu_stat(), None);
    assert_eq!(machine.pressure(Resource::Memory).as_deref(), Some("sys/fs/cgroup/memory.pressure"));
    assert!(Cgroup::at(machine.0.path()).is_root());
}

#[test]
fn hybrid_takes_each_from_where_it_is() {
    let unified = "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";
    let machine = Machine::new(
        "3:cpu,cpuacct:/system.slice\n1:name=systemd:/system.slice/a.service\n0::/system.slice/a.service\n",
        &format!("{V1_MOUNTS}{unified}"),
    );
    machine.v1("sys/fs/cgroup/cpu,cpuacct/system.slice", "-1\n");
    let group = "sys/fs/cgroup/unified/system.slice/a.service";
    machine.v2(group, USAGE, None).pressures(group);
    assert_eq!(machine.cpu_stat().as_deref(), Some("sys/fs/cgroup/cpu,cpuacct/system.slice/cpu.stat"));
    assert_eq!(machine.pressure(Resource::Io), Some(format!("{group}/io.pressure")));

    // The CPU controller of version 1 is not mounted, and version 2 has none: nobody tells.
    machine.file("proc/self/mountinfo", unified);
    assert_eq!(machine.cpu_stat(), None);
}

#[test]
fn a_container_sees_its_group_as_the_root() {
    // With a namespace: the path is `/`, and so is what is mounted.
    let machine = Machine::new("0::/\n", "610 600 0:28 / /sys/fs/cgroup ro - cgroup2 cgroup rw\n");
    machine.v2("sys/fs/cgroup", V2_STAT, Some("150000 100000\n")).pressures("sys/fs/cgroup");
    assert_eq!(machine.cpu_stat().as_deref(), Some("sys/fs/cgroup/cpu.stat"));
    assert!(!Cgroup::at(machine.0.path()).is_root(), "it only looks like one");

    // Without: the path is the host's, and what is mounted begins there.
    let id = "2b2d2d0d6b1c".repeat(5);
    let mounts = format!(
        "610 600 0:28 /docker/{id} /sys/fs/cgroup/cpu,cpuacct ro - cgroup cgroup rw,cpu,cpuacct\n\
         611 600 0:29 /docker/{id} /sys/fs/cgroup/systemd ro - cgroup systemd rw,name=systemd\n"
    );
    let machine = Machine::new(&format!("4:cpu,cpuacct:/docker/{id}\n0::/docker/{id}\n"), &mounts);
    machine.v1("sys/fs/cgroup/cpu,cpuacct", "150000\n");
    assert_eq!(machine.cpu_stat().as_deref(), Some("sys/fs/cgroup/cpu,cpuacct/cpu.stat"));
    // A group that another program made inside.
    machine.file("proc/self/cgroup", &format!("4:cpu,cpuacct:/docker/{id}/inner\n"));
    machine.v1("sys/fs/cgroup/cpu,cpuacct/inner", "-1\n");
    assert_eq!(machine.cpu_stat().as_deref(), Some("sys/fs/cgroup/cpu,cpuacct/cpu.stat"));
    machine.v1("sys/fs/cgroup/cpu,cpuacct/inner", "10000\n");
    assert_eq!(machine.cpu_stat().as_deref(), Some("sys/fs/cgroup/cpu,cpuacct/inner/cpu.stat"));
}

#[test]
fn what_is_outside_of_the_mounts_is_not_guessed() {
    for (membership, mounted) in [
        ("0::/../other\n", "/"),
        ("0::/\n", "/.."),
        ("0::/docker/ab\n", "/docker/a"),
        ("0::/gone (deleted)\n", "/"),
    ] {
        let mounts = format!("610 600 0:28 {mounted} /sys/fs/cgroup ro - cgroup2 cgroup rw\n");
        let machine = Machine::new(membership, &mounts);
        machine.v2("sys/fs/cgroup", V2_STAT, Some("150000 100000\n")).pressures("sys/fs/cgroup");
        machine.v2("sys/fs/other", V2_STAT, Some("150000 100000\n"));
        assert_eq!(Cgroup::at(machine.0.path()), Cgroup::default(), "{membership} {mounted}");
    }
}

#[test]
fn of_several_mounts_the_one_that_shows_most_counts() {
    let mounts = "600 1 0:28 /pod/app /mnt/part ro - cgroup2 cgroup rw\n\
        601 1 0:28 / /mnt/covered ro - cgroup2 cgroup rw\n\
        602 1 0:28 / /mnt/all ro - cgroup2 cgroup rw\n";
    let machine = Machine::new("0::/pod/app\n", mounts);
    machine.v2("mnt/part", V2_STAT, Some("max 100000\n"));
    machine.v2("mnt/all/pod", V2_STAT, Some("1000 100000\n"));
    machine.v2("mnt/all/pod/app", V2_STAT, Some("max 100000\n"));
    assert_eq!(machine.cpu_stat().as_deref(), Some("mnt/all/pod/cpu.stat"));
}

#[test]
fn what_cannot_be_read_is_not_there() {
    let machine = Machine::new("0::/a\n", V2_MOUNT);
    machine.v2("sys/fs/cgroup/a", V2_STAT, Some("max 100000\n")).pressures("sys/fs/cgroup/a");
    // A folder can be opened and not read, as a pressure file with pressure turned off.
    fs::remove_file(machine.0.path().join("sys/fs/cgroup/a/io.pressure")).unwrap();
    fs::create_dir(machine.0.path().join("sys/fs/cgroup/a/io.pressure")).unwrap();
    assert_eq!(machine.pressure(Resource::Io), None);
    assert!(machine.pressure(Resource::Cpu).is_some());
    fs::remove_file(machine.0.path().join("proc/self/mountinfo")).unwrap();
    assert_eq!(Cgroup::at(machine.0.path()), Cgroup::default());
    assert_eq!(Cgroup::at(Path::new("/nowhere")), Cgroup::default());
}

#[test]
fn the_files_of_this_process_tell_what_they_are_said_to() {
    let own = Cgroup::own();
    if let Some(path) = own.cpu_stat() {
        let (stat, outcome) = CpuStat::parse(&fs::read(path).unwrap());
        assert_eq!(outcome, Ok(()), "{}", path.display());
        assert!(stat.periods.is_some());
    }
    for path in Resource::ALL.iter().filter_map(|resource| own.pressure(*resource)) {
        let (_, outcome) = crate::pressure::Pressure::parse(&fs::read(path).unwrap());
        assert_eq!(outcome, Ok(()), "{}", path.display());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn never_panics(membership in "((0|4):(cpu|):/?(a|/|\\.\\.|\\PC){0,4}\n?){0,3}", mounts in "([0-9] [0-9] 0:1 /(a|\\.\\.)? /(m|\\\\040)? rw - (cgroup2?) c (rw,)?cpu\n?){0,3}") {
        let machine = Machine::new(&membership, &mounts);
        machine.v1("m/a", "1").v2("m", V2_STAT, Some("x"));
        let _ = Cgroup::at(machine.0.path());
    }
}
