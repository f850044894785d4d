import Foundation
import HTTPServer

/// Keys and certificates, made anew by the `openssl` command for this run of the tests.
///
/// `root` certifies `intermediate`, which certifies `server`; `clients` certifies `client`, `stale` (expired) and
/// `device`, a second intermediate; `foreign` is somebody else's. All of them are on P-256, `rsa` alone is not.
final class TLSFixture: Sendable {
  static let shared = Result { try TLSFixture() }

  private let directory: URL

  private init() throws {
    let scratch = try TemporaryDirectory.kept()
    directory = scratch
    try Command.run("sh", "-euc", Self.script, in: scratch)
  }

  /// - Parameter name: of a file of the fixture; an absolute path stays itself.
  func path(_ name: String) -> String {
    name.hasPrefix("/") ? name : directory.appendingPathComponent(name).path
  }

  func configuration(clientCA: String? = nil) -> TLSConfiguration {
    TLSConfiguration(
      certificateChainFile: path("chain.pem"), privateKeyFile: path("server.key"),
      clientCAFile: clientCA.map { path($0) })
  }

  private static let script = #"""
    key() { openssl ecparam -name prime256v1 -genkey -noout | openssl pkcs8 -topk8 -nocrypt -out "$1.key"; }
    self() { key "$1"; openssl req -x509 -new -key "$1.key" -days 30 -subj "$2" -addext "$3" -out "$1.pem"; }
    by() {  # issuer, name, subject, extensions
      key "$2"
      openssl req -new -key "$2.key" -subj "$3" -utf8 -nameopt utf8 -out "$2.csr"
      printf "$4" > "$2.ext"
      openssl x509 -req -in "$2.csr" -CA "$1.pem" -CAkey "$1.key" -CAcreateserial -days 30 -extfile "$2.ext" -out "$2.pem"
    }
    dated() {  # issuer, name, subject, start, end
      key "$2"
      openssl req -new -key "$2.key" -subj "$3" -out "$2.csr"
      rm -f index.txt*; : > index.txt
      openssl ca -batch -config ca.cnf -in "$2.csr" -cert "$1.pem" -keyfile "$1.key" -startdate "$4" -enddate "$5" \
        -notext -outdir . -out "$2.pem"
    }
    cat > ca.cnf <<'END'
    [ca]
    default_ca = d
    [d]
    database = index.txt
    rand_serial = yes
    unique_subject = no
    default_md = sha256
    policy = p
    [p]
    commonName = supplied
    organizationName = optional
    END
    authority="basicConstraints=critical,CA:TRUE\nkeyUsage=keyCertSign\n"
    names="subjectAltName=DNS:localhost,IP:127.0.0.1\n"

    self root /CN=Root basicConstraints=critical,CA:TRUE
    by root intermediate /CN=Intermediate "$authority"
    by intermediate server /O=Example/CN=localhost "$names""extendedKeyUsage=serverAuth\n"
    cat server.pem intermediate.pem > chain.pem
    cat intermediate.pem server.pem > reversed.pem
    cat server.key chain.pem > combined.pem

    self clients "/CN=Clients" basicConstraints=critical,CA:TRUE
    by clients client '/O=Exámple/CN=client 1' "extendedKeyUsage=clientAuth\n"
    by clients device '/CN=Devices' "$authority"
    by device sensor '/CN=sensor' "extendedKeyUsage=clientAuth\n"
    dated clients stale /CN=stale 20200101000000Z 20200201000000Z
    self foreign /CN=Foreign basicConstraints=critical,CA:TRUE
    by foreign stranger /CN=stranger "extendedKeyUsage=clientAuth\n"

    dated root expired /CN=expired 20200101000000Z 20200201000000Z
    dated root future /CN=future 20900101000000Z 20910101000000Z
    openssl req -x509 -newkey rsa:2048 -nodes -keyout rsa.key -days 30 -subj /CN=localhost -out rsa.pem
    openssl req -x509 -newkey rsa:1024 -nodes -keyout weak.key -days 30 -subj /CN=weak -out weak.pem
    openssl pkcs8 -topk8 -in server.key -passout pass:secret -out encrypted.key
    openssl ec -in server.key -aes128 -passout pass:secret -out traditional.key
    openssl ec -in server.key -out sec1.key
    { openssl ecparam -name prime256v1; cat sec1.key; } > parameters.key
    openssl x509 -in server.pem -outform DER -out server.der
    sed '3s/./!/3' server.pem > broken.pem
    { cat server.pem; sed '3s/./!/3' intermediate.pem; } > second-broken.pem
    sed '2s/./!/3' server.key > broken.key
    head -4 server.pem > cut.pem
    : > empty.pem
    """#
}

extension TemporaryDirectory {
  /// A directory for everything a run of the tests shares; the system clears it away.
  static func kept() throws -> URL {
    let url = FileManager.default.temporaryDirectory.appendingPathComponent("sluice-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    return url
  }
}
