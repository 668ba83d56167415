"""Cores and memory within the limits of control groups, on made-up trees of /proc and /sys."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from darter import kernels, machine
from darter.machine import Memory, available_cpus, cpu_model, cpu_name, memory_now

GIB = 1 << 30
V2 = "29 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate"
MEMORY_V1 = "35 31 0:32 {shows} /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory"
CPU_V1 = "32 31 0:29 {shows} /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct"


class Tree:
    """A root folder with a machine of 8 GiB, 6 of them available, and 8 cores."""

    def __init__(self, root: Path, group: str, mounts: list[str]) -> None:
        self.root = root
        self.write("proc/self/cgroup", group)
        others = "23 1 0:22 / /proc rw - proc proc rw"
        self.write("proc/self/mountinfo", "\n".join([others, *mounts]))
        self.write("proc/meminfo", f"MemTotal: {8 << 20} kB\nMemAvailable: {6 << 20} kB\n")

    def write(self, name: str, text: object) -> None:
        file = self.root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{text}\n")

    def limit(self, folder: str, **files: object) -> "Tree":
        """Files of a group; `memory_max` is memory.max."""
        for name, value in files.items():
            self.write(f"sys/fs/cgroup/{folder}/{name.replace('_', '.', 1)}", value)
        return self


@pytest.fixture(autouse=True)
def eight_cores(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: range(8))


def test_without_groups_it_is_the_whole_machine(tmp_path):
    tree = Tree(tmp_path, "", [])
    assert memory_now(tree.root) == Memory(8 * GIB, 6 * GIB)
    assert available_cpus(tree.root) == 8


@pytest.mark.parametrize(
    ("quota", "cores"),
    [("max 100000", 8), ("200000 100000", 2), ("150000 100000", 2), ("10000 100000", 1),
     ("9900000 100000", 8), ("", 8), ("odd", 8), ("100000 0", 8)],
)  # fmt: skip
def test_quota_of_version_2(tmp_path, quota, cores):
    tree = Tree(tmp_path, "0::/user/job", [V2]).limit("user/job", cpu_max=quota)
    assert available_cpus(tree.root) == cores


def test_groups_around_limit_as_well(tmp_path):
    tree = Tree(tmp_path, "0::/user/job", [V2])
    tree.limit("user", cpu_max="300000 100000", memory_max=3 * GIB, memory_current=GIB)
    tree.limit("user/job", cpu_max="max 100000", memory_max=4 * GIB, memory_current=GIB // 2)
    assert available_cpus(tree.root) == 3
    assert memory_now(tree.root) == Memory(3 * GIB, 2 * GIB)


def test_a_container_sees_its_group_as_the_top(tmp_path):
    tree = Tree(tmp_path, "0::/", [V2]).limit("", cpu_max="100000 100000", memory_max=GIB)
    assert available_cpus(tree.root) == 1
    assert memory_now(tree.root) == Memory(GIB, GIB)


@pytest.mark.parametrize("group", ["0::/../other", "0::/docker/of/the/host"])
def test_a_group_that_is_not_shown_here_is_the_mount_itself(tmp_path, group):
    tree = Tree(tmp_path, group, [V2]).limit("", memory_max=GIB, memory_current=0)
    assert memory_now(tree.root).total == GIB


def test_cached_files_can_be_had(tmp_path):
    """A data set that was read once fills a container's memory, and is dropped for the asking."""
    tree = Tree(tmp_path, "0::/", [V2])
    statistics = f"anon {GIB}\ninactive_file {GIB}\nactive_file {GIB}\nfile_mapped 5"
    tree.limit("", memory_max=4 * GIB, memory_current=3 * GIB, memory_stat=statistics)
    assert memory_now(tree.root) == Memory(4 * GIB, 3 * GIB)


def test_high_memory_is_a_limit(tmp_path):
    tree = Tree(tmp_path, "0::/", [V2])
    tree.limit("", memory_max="max", memory_high=2 * GIB, memory_current=3 * GIB)
    assert memory_now(tree.root) == Memory(2 * GIB, 0)


@pytest.mark.parametrize("shows", ["/", "/docker/0123"])
def test_version_1(tmp_path, shows):
    """Of a process on the host, and of one in a container, where the group is the mount."""
    mounts = [line.format(shows=shows) for line in (MEMORY_V1, CPU_V1)]
    groups = "4:memory:/docker/0123\n3:cpu,cpuacct:/docker/0123\n1:name=systemd:/"
    inside = "docker/0123" if shows == "/" else ""
    tree = Tree(tmp_path, groups, mounts)
    tree.limit("memory", memory_limit_in_bytes=9223372036854771712)
    tree.limit(
        f"memory/{inside}",
        memory_limit_in_bytes=2 * GIB, memory_usage_in_bytes=GIB,
        memory_stat=f"inactive_file 7\ntotal_inactive_file {GIB // 2}\ntotal_active_file 0",
    )  # fmt: skip
    tree.write(f"sys/fs/cgroup/cpu,cpuacct/{inside}/cpu.cfs_quota_us", 250000)
    tree.write(f"sys/fs/cgroup/cpu,cpuacct/{inside}/cpu.cfs_period_us", 100000)
    assert memory_now(tree.root) == Memory(2 * GIB, 3 * GIB // 2)
    assert available_cpus(tree.root) == 3


def test_version_1_without_limits(tmp_path):
    tree = Tree(tmp_path, "4:cpu:/", [CPU_V1.format(shows="/")])
    tree.write("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", -1)
    assert available_cpus(tree.root) == 8


def test_mount_points_with_blanks(tmp_path):
    mount = r"29 23 0:26 / /sys/fs/cgroup/my\040groups rw - cgroup2 none rw"
    tree = Tree(tmp_path, "0::/", [mount]).limit("my groups", memory_max=GIB)
    assert memory_now(tree.root).total == GIB


def test_names_of_the_cpu(tmp_path):
    tree = Tree(tmp_path, "", [])
    one = "model name\t: Fast CPU @ 3 GHz\ncpu family\t: 6\nmodel\t\t: 85\nstepping\t: 7\n"
    tree.write("proc/cpuinfo", f"{one}\n{one}")
    assert cpu_name(tree.root) == "Fast CPU @ 3 GHz"
    assert cpu_model(tree.root) == "Fast CPU @ 3 GHz 6 85 7"


def test_names_where_the_system_has_none(tmp_path):
    assert cpu_name(tmp_path) == cpu_model(tmp_path) != ""


def in_a_process(code: str, prepare) -> str:
    return subprocess.run(
        [sys.executable, "-c", code], preexec_fn=prepare, capture_output=True, text=True, check=True
    ).stdout.strip()


def test_kernels_begin_with_the_cores_of_the_affinity_mask():
    code = "from darter import kernels, machine; print(kernels.threads(), machine.available_cpus())"
    assert in_a_process(code, lambda: os.sched_setaffinity(0, {0})) == "1 1"


@pytest.mark.parametrize("kind", ["RLIMIT_AS", "RLIMIT_DATA"])
def test_limits_of_a_process_limit_memory(kind):
    import resource

    code = "from darter import machine; print(machine.memory_now().total)"
    limit, which = 2 * GIB, getattr(resource, kind)
    found = in_a_process(code, lambda: resource.setrlimit(which, (limit, limit)))
    assert int(found) == min(limit, machine.memory_now().total)


def test_the_real_machine():
    found = machine.describe()
    assert found["cpu"] and found["cores"] >= 1 and found["memory_gb"] > 0
    assert 0 < memory_now().available <= memory_now().total
    assert kernels.threads() >= 1
