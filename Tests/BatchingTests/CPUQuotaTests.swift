import Batching
import Testing

/// The texts are what the kernel and container engines really print.
@Suite struct CPUQuotaTests {
  @Test(
    arguments: [
      ("max 100000\n", nil),
      ("150000 100000\n", 1.5),
      ("50000 100000\n", 0.5),
      ("400000", 4),
      ("", nil),
      ("nonsense 100000", nil),
      ("100000 0", nil),
      ("-5 100000", nil),
    ] as [(String, Double?)])
  func cpuMax(text: String, processors: Double?) {
    #expect(CPUQuota.parse(cpuMax: text) == processors)
  }

  @Test(
    arguments: [
      ("-1\n", "100000\n", nil), ("250000\n", "100000\n", 2.5), ("0", "100000", nil), ("", "", nil),
    ] as [(String, String, Double?)])
  func cfsQuota(quota: String, period: String, processors: Double?) {
    #expect(CPUQuota.parse(quota: quota, period: period) == processors)
  }

  static let v2Mount = "29 23 0:26 / /sys/fs/cgroup ro,nosuid,nodev,noexec,relatime shared:4 - cgroup2 cgroup2 rw\n"
  static let v1Mount =
    "35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n"
    + "36 31 0:33 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:10 - cgroup cgroup rw,cpu,cpuacct\n"
  /// A container without a control group namespace: the mount shows the container's own group as its root.
  static let v1ContainerMount =
    "36 31 0:33 /docker/4f2a /sys/fs/cgroup/cpu,cpuacct ro,relatime - cgroup cgroup rw,cpu,cpuacct\n"

  @Test(arguments: [
    ("0::/\n", v2Mount, ["/sys/fs/cgroup"]),
    (
      "0::/system.slice/sluice.service\n", v2Mount,
      ["/sys/fs/cgroup/system.slice/sluice.service", "/sys/fs/cgroup/system.slice", "/sys/fs/cgroup"]
    ),
    ("0::/../other\n", v2Mount, ["/sys/fs/cgroup"]),
    ("4:memory:/a\n3:cpu,cpuacct:/b\n", v1Mount, ["/sys/fs/cgroup/cpu,cpuacct/b", "/sys/fs/cgroup/cpu,cpuacct"]),
    ("3:cpu,cpuacct:/docker/4f2a\n", v1ContainerMount, ["/sys/fs/cgroup/cpu,cpuacct"]),
    (
      "3:cpu,cpuacct:/docker/4f2a/inner\n", v1ContainerMount,
      ["/sys/fs/cgroup/cpu,cpuacct/inner", "/sys/fs/cgroup/cpu,cpuacct"]
    ),
    ("3:cpu,cpuacct:/docker/4f2abc\n", v1ContainerMount, ["/sys/fs/cgroup/cpu,cpuacct"]),
    ("0::/\n", "29 23 0:26 / /mnt/a\\040b rw - cgroup2 cgroup2 rw\n", ["/mnt/a b"]),
    ("0::/\n", "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n", []),
    ("no colons", v2Mount, []),
    ("0::/\n", "- - -", []),
  ])
  func directories(cgroup: String, mountinfo: String, expected: [String]) {
    #expect(CPUQuota.hierarchies(cgroup: cgroup, mountinfo: mountinfo).flatMap(\.directories) == expected)
  }

  /// (files, processors of the machine) → threads
  @Test(
    arguments: [
      ([:], 8, 8),
      ([:], 0, 1),
      (["/proc/self/status": "Name:\tsluice\nCpus_allowed_list:\t0-1,4\nMems_allowed_list:\t0\n"], 8, 3),
      // Processors that the machine could have, and those that it has.
      (["/proc/self/status": "Cpus_allowed_list:\t0-127\n"], 8, 8),
      (["/proc/self/status": "Cpus_allowed_list:\t0-127\n", "/sys/devices/system/cpu/online": "0-2,5\n"], 8, 4),
      (["/proc/self/status": "Cpus_allowed_list:\t2,4-6\n", "/sys/devices/system/cpu/online": "0-4\n"], 8, 2),
      (["/proc/self/status": "Cpus_allowed_list:\t3-1\n"], 8, 8),
      (
        [
          "/proc/self/cgroup": "0::/a/b\n", "/proc/self/mountinfo": v2Mount,
          "/sys/fs/cgroup/a/b/cpu.max": "max 100000\n", "/sys/fs/cgroup/a/cpu.max": "350000 100000\n",
        ], 8, 3
      ),
      (
        [
          "/proc/self/cgroup": "0::/\n", "/proc/self/mountinfo": v2Mount,
          "/sys/fs/cgroup/cpu.max": "50000 100000\n",
        ], 8, 1
      ),
      (
        [
          "/proc/self/cgroup": "0::/\n", "/proc/self/mountinfo": v2Mount,
          "/sys/fs/cgroup/cpu.max": "1600000 100000\n",
        ], 8, 8
      ),
      (
        [
          "/proc/self/cgroup": "3:cpu,cpuacct:/docker/4f2a\n", "/proc/self/mountinfo": v1ContainerMount,
          "/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "250000\n",
          "/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
        ], 8, 2
      ),
    ] as [([String: String], Int, Int)])
  func threads(files: [String: String], online: Int, expected: Int) {
    #expect(CPUQuota.threads(online: online, readFile: { files[$0] }) == expected)
  }

  @Test func thisProcessHasAtLeastOne() {
    #expect(CPUQuota.threads() >= 1)
  }
}
