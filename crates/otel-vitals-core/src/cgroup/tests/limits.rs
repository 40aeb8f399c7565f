//! Limits of CPU time and memory.

use super::*;

const V1_MEMORY: &str = "34 31 0:31 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n";
const UNLIMITED: &str = "9223372036854771712\n";

impl Machine {
    /// Memory of a group of version 1, all of whose usage but 1,000 bytes is needed.
    fn v1_memory(&self, folder: &str, limit: &str) -> &Self {
        self.file(&format!("{folder}/cgroup.procs"), "")
            .file(&format!("{folder}/memory.limit_in_bytes"), limit)
            .file(&format!("{folder}/memory.usage_in_bytes"), "5000\n")
            .file(&format!("{folder}/memory.stat"), "inactive_file 7\ntotal_inactive_file 1000\n")
    }

    fn v2_memory(&self, folder: &str, limit: &str) -> &Self {
        self.v2(folder, V2_STAT, None)
            .file(&format!("{folder}/memory.max"), limit)
            .file(&format!("{folder}/memory.current"), "6000\n")
            .file(&format!("{folder}/memory.stat"), "anon 5\ninactive_file 2000\n")
    }

    /// The folder of the group that limits memory, and what its files say.
    fn memory(&self) -> Option<(String, Memory)> {
        let own = Cgroup::at(self.0.path());
        let limit = own.memory()?;
        let (memory, outcome) = limit.read();
        outcome.unwrap();
        Some((self.inside(limit.folder()), memory))
    }

    /// Cores, and the folder of the group whose quota that is.
    fn cores(&self) -> Option<(f64, String)> {
        let own = Cgroup::at(self.0.path());
        own.cpu_limit().map(|limit| (limit.cores(), self.inside(limit.folder())))
    }
}

fn memory(limit: u64, usage: u64, inactive_file: u64) -> Memory {
    Memory { limit: Some(limit), usage: Some(usage), inactive_file: Some(inactive_file) }
}

#[test]
fn the_smallest_memory_limit_on_the_way_counts_on_version_2() {
    let machine = Machine::new("0::/kubepods/pod1/app\n", V2_MOUNT);
    machine.v2_memory("sys/fs/cgroup/kubepods", "8000000\n");
    machine.v2_memory("sys/fs/cgroup/kubepods/pod1", "max\n");
    machine.v2_memory("sys/fs/cgroup/kubepods/pod1/app", "max\n");
    assert_eq!(machine.memory(), Some(("sys/fs/cgroup/kubepods".to_owned(), memory(8_000_000, 6000, 2000))));
    machine.v2_memory("sys/fs/cgroup/kubepods/pod1", "400000\n");
    machine.v2_memory("sys/fs/cgroup/kubepods/pod1/app", "500000\n");
    assert_eq!(machine.memory().unwrap().0, "sys/fs/cgroup/kubepods/pod1");
    // Of two with the same limit, the nearest.
    machine.v2_memory("sys/fs/cgroup/kubepods/pod1/app", "400000\n");
    assert_eq!(machine.memory().unwrap().0, "sys/fs/cgroup/kubepods/pod1/app");
}

#[test]
fn version_1_writes_no_limit_as_a_huge_number() {
    let machine = Machine::new("4:memory:/docker/a\n", V1_MEMORY);
    machine.v1_memory("sys/fs/cgroup/memory", UNLIMITED);
    machine.v1_memory("sys/fs/cgroup/memory/docker", UNLIMITED);
    machine.v1_memory("sys/fs/cgroup/memory/docker/a", UNLIMITED);
    assert_eq!(machine.memory(), None);
    machine.v1_memory("sys/fs/cgroup/memory/docker", "90000\n");
    let (folder, limited) = machine.memory().unwrap();
    assert_eq!((&*folder, limited), ("sys/fs/cgroup/memory/docker", memory(90_000, 5000, 1000)));
    assert_eq!(limited.working_set(), Some(4000));
    // A group above that does not count those below it limits none of them.
    machine.file("sys/fs/cgroup/memory/docker/memory.use_hierarchy", "0\n");
    assert_eq!(machine.memory(), None);
    machine.file("sys/fs/cgroup/memory/docker/a/memory.use_hierarchy", "0\n");
    machine.v1_memory("sys/fs/cgroup/memory/docker/a", "80000\n");
    assert_eq!(machine.memory().unwrap().0, "sys/fs/cgroup/memory/docker/a");
}

#[test]
fn hybrid_takes_memory_from_where_it_is() {
    let unified = "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";
    let machine = Machine::new("4:memory:/a\n0::/b\n", &format!("{V1_MEMORY}{unified}"));
    machine.v1_memory("sys/fs/cgroup/memory/a", "90000\n");
    machine.v2("sys/fs/cgroup/unified/b", USAGE, None);
    assert_eq!(machine.memory().unwrap().0, "sys/fs/cgroup/memory/a");
    machine.v1_memory("sys/fs/cgroup/memory/a", UNLIMITED);
    assert_eq!(machine.memory(), None);
    machine.v2_memory("sys/fs/cgroup/unified/b", "70000\n");
    assert_eq!(machine.memory().unwrap().0, "sys/fs/cgroup/unified/b");
}

#[test]
fn a_container_sees_its_limits_at_the_root_of_what_is_mounted() {
    let machine = Machine::new("0::/\n", "610 600 0:28 / /sys/fs/cgroup ro - cgroup2 cgroup rw\n");
    machine.v2_memory("sys/fs/cgroup", "536870912\n").file("sys/fs/cgroup/cpu.max", "150000 100000\n");
    assert_eq!(machine.memory().unwrap().1.limit, Some(536_870_912));
    assert_eq!(machine.cores(), Some((1.5, "sys/fs/cgroup".to_owned())));
}

#[test]
fn what_of_memory_cannot_be_read_costs_only_itself() {
    let machine = Machine::new("0::/a\n", V2_MOUNT);
    machine.v2_memory("sys/fs/cgroup/a", "9000\n").file("sys/fs/cgroup/a/memory.current", "60");
    let own = Cgroup::at(machine.0.path());
    let (read, outcome) = own.memory().unwrap().read();
    assert_eq!(read, Memory { usage: None, ..memory(9000, 0, 2000) });
    assert!(outcome.unwrap_err().to_string().contains("memory.current"));
    fs::remove_file(machine.0.path().join("sys/fs/cgroup/a/memory.stat")).unwrap();
    machine.file("sys/fs/cgroup/a/memory.current", "60\n").file("sys/fs/cgroup/a/memory.max", "max\n");
    let (read, outcome) = own.memory().unwrap().read();
    assert_eq!(
        read,
        Memory { limit: None, usage: Some(60), inactive_file: None },
        "the limit was taken away"
    );
    assert!(outcome.unwrap_err().is_absence());
    machine.file("sys/fs/cgroup/a/memory.max", "90");
    assert_eq!(machine.memory(), None, "cut");
}

#[test]
fn the_smallest_quota_on_the_way_is_the_number_of_cores() {
    let machine = Machine::new("0::/pod/app\n", V2_MOUNT);
    machine.v2("sys/fs/cgroup/pod", V2_STAT, Some("50000 100000\n"));
    machine.v2("sys/fs/cgroup/pod/app", V2_STAT, Some("400000 100000\n"));
    assert_eq!(machine.cores(), Some((0.5, "sys/fs/cgroup/pod".to_owned())));
    machine.v2("sys/fs/cgroup/pod/app", V2_STAT, Some("10000 20000\n"));
    assert_eq!(machine.cores(), Some((0.5, "sys/fs/cgroup/pod/app".to_owned())));
    for folder in ["sys/fs/cgroup/pod", "sys/fs/cgroup/pod/app"] {
        machine.v2(folder, V2_STAT, Some("max 100000\n"));
    }
    assert_eq!(machine.cores(), None);
}

#[test]
fn version_1_counts_time_in_the_group_that_it_limits_or_it_is_not_told() {
    let together = "sys/fs/cgroup/cpu,cpuacct";
    let machine = Machine::new("4:cpu,cpuacct:/pod/a\n", V1_MOUNTS);
    machine.v1(&format!("{together}/pod"), "50000\n").v1(&format!("{together}/pod/a"), "-1\n");
    assert_eq!(machine.cores(), None, "a quota without a period");
    machine.file(&format!("{together}/pod/cpu.cfs_period_us"), "100000\n");
    assert_eq!(machine.cores(), Some((0.5, format!("{together}/pod"))));
    let time = |machine: &Machine| {
        let own = Cgroup::at(machine.0.path());
        own.cpu_limit().unwrap().time().map(|path| machine.inside(path))
    };
    assert_eq!(time(&machine), Some(format!("{together}/pod/cpuacct.usage")));

    let apart = "33 31 0:30 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n\
        34 31 0:31 / /sys/fs/cgroup/cpuacct rw - cgroup cgroup rw,cpuacct\n";
    let machine = Machine::new("4:cpuacct:/pod\n3:cpu:/pod\n", apart);
    machine
        .v1("sys/fs/cgroup/cpu/pod", "50000\n")
        .file("sys/fs/cgroup/cpu/pod/cpu.cfs_period_us", "100000\n");
    machine.file("sys/fs/cgroup/cpuacct/cgroup.procs", "").file("sys/fs/cgroup/cpuacct/pod/cgroup.procs", "");
    assert_eq!(time(&machine).as_deref(), Some("sys/fs/cgroup/cpuacct/pod/cpuacct.usage"));
    machine.file("proc/self/cgroup", "4:cpuacct:/\n3:cpu:/pod\n");
    assert_eq!(time(&machine), None, "it is counted with others");
}

#[test]
fn the_limits_of_this_process_can_be_read() {
    let own = Cgroup::own();
    if let Some(limit) = own.memory() {
        let (memory, outcome) = limit.read();
        outcome.unwrap();
        assert!(memory.limit.is_some() && memory.working_set() <= memory.usage);
    }
    if let Some(path) = own.cpu_limit().and_then(CpuLimit::time) {
        assert!(cpu_time(&fs::read(path).unwrap()).unwrap() > 0, "{}", path.display());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn whatever_the_files_say_the_smallest_limit_is_found(limits in proptest::collection::vec(proptest::option::of(1_u64..1 << 50), 3)) {
        let machine = Machine::new("0::/a/b\n", V2_MOUNT);
        let folders = ["sys/fs/cgroup", "sys/fs/cgroup/a", "sys/fs/cgroup/a/b"];
        for (folder, limit) in folders.iter().zip(&limits) {
            machine.v2_memory(folder, &limit.map_or("max\n".to_owned(), |limit| format!("{limit}\n")));
        }
        let found = machine.memory().map(|(_, memory)| memory.limit.unwrap());
        prop_assert_eq!(found, limits.iter().flatten().min().copied());
    }
}
