internal import Glibc

extension ListenAddress {
  /// The sockets that a service manager, systemd above all, has opened for this process (sd_listen_fds(3)).
  ///
  /// `LISTEN_FDS` of them begin at descriptor 3, where `LISTEN_PID` names this process. Both variables are taken out of
  /// the environment, so that no child believes itself meant. To be called once, at start.
  package static func inheritedFromServiceManager() -> [ListenAddress] {
    func take(_ name: String) -> String? {
      defer { unsetenv(name) }
      return getenv(name).map { String(cString: $0) }
    }
    let addresses = inherited(listenPID: take("LISTEN_PID"), listenFDs: take("LISTEN_FDS"), processID: getpid())
    unsetenv("LISTEN_FDNAMES")
    return addresses
  }

  /// What the two variables say to the process of this number; nothing where they are missing, meant for another
  /// process or no numbers.
  package static func inherited(listenPID: String?, listenFDs: String?, processID: Int32) -> [ListenAddress] {
    guard let pid = listenPID.flatMap({ Int32($0) }), pid == processID,
      let count = listenFDs.flatMap({ Int32($0) }), count > 0, count < 4096
    else { return [] }
    return (3..<3 + count).map { .inherited(descriptor: $0) }
  }
}
