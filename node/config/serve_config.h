// What `shoal serve` runs with, complete and typed: every default filled in, every listener with
// its own settings. Plain data, made by load_serve_config() and constant afterwards.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "node/config/address.h"
#include "shoal/limits.h"
#include "shoal/protocol.h"
#include "shoal/types.h"

namespace shoal {

enum class ListenerType : uint8_t { kMqtt, kMqtts, kWs, kWss, kUnix };

constexpr bool is_tls(ListenerType type) {
  return type == ListenerType::kMqtts || type == ListenerType::kWss;
}
constexpr bool is_websocket(ListenerType type) {
  return type == ListenerType::kWs || type == ListenerType::kWss;
}

// Who gets in without a user name.
enum class Anonymous : uint8_t {
  kRefused,
  // Only a client whose own address is loopback: the one that a PROXY header or X-Forwarded-For
  // gives, if there is one, or else a balancer on this machine would let in the whole world.
  kFromLoopback,
  kAllowed,
};

enum class Durability : uint8_t { kFsync, kOs };
enum class LogLevel : uint8_t { kDebug, kInfo, kWarning, kError };
enum class LogFormat : uint8_t { kText, kJson };
enum class TlsVersion : uint8_t { k12, k13 };

struct CertificateFiles {
  std::string cert;  // PEM, the chain with the server's own certificate first
  std::string key;   // PEM

  friend bool operator==(const CertificateFiles&, const CertificateFiles&) = default;
};

struct ListenerConfig {
  std::string name;  // unique; names the listener in logs, metrics and messages
  ListenerType type = ListenerType::kMqtt;
  HostPort address;       // unless type is kUnix
  std::string unix_path;  // if type is kUnix

  bool proxy_protocol = false;  // a PROXY v1 or v2 header must come first (before TLS)
  // Who may say what a client's address is, in a PROXY header or X-Forwarded-For. A PROXY header
  // from anyone else ends the connection; a foreign X-Forwarded-For is ignored.
  std::vector<AddressRange> trusted_proxies;

  std::vector<CertificateFiles> certificates;  // by SNI; the first where no name matches
  std::string client_ca;  // not empty: clients must show a certificate signed by these (PEM)
  bool identity_as_username = false;  // the client certificate's common name is the user
  TlsVersion tls_min_version = TlsVersion::k12;

  std::vector<std::string> allowed_origins;  // "*" any; empty: only pages of the same host
  std::string path;                          // of the WebSocket; empty: any

  uint32_t max_connections = 0;  // 0: only the node's own limit
  Qos max_qos = Qos::k2;
  std::string password_file;  // empty: none
  std::string acl_file;       // empty: everything is allowed to who got in
  Anonymous anonymous = Anonymous::kRefused;

  // Where it was configured, and where its files were, to name that in messages.
  std::string origin;
  std::map<std::string, std::string> file_origins;  // file -> flag, variable or FILE:LINE: KEY

  bool is_loopback() const { return type == ListenerType::kUnix || address.is_loopback(); }
  std::string address_text() const {
    return type == ListenerType::kUnix ? unix_path : address.text();
  }
};

struct PeerTls {
  std::string cert;
  std::string key;
  std::string ca;

  bool is_set() const { return !cert.empty(); }
};

struct ServeConfig {
  // The node.
  std::string config_file;  // empty: none
  std::string node_name;
  std::string data_dir = "./shoal-data";
  uint32_t workers = 0;  // never 0 once loaded
  std::string zone;
  uint32_t weight = 1;

  // Clients.
  std::vector<ListenerConfig> listeners;  // never empty once loaded
  bool allow_zero_length_client_id = true;
  std::string response_information;  // for 5.0 clients that ask for it; empty: none
  std::string server_reference;  // where 5.0 clients are sent when the node drains; empty: not told
  uint32_t max_connections = 0;  // of the node; 0: as many as the system's limits bear
  Limits limits;

  // Peers.
  HostPort peer{"127.0.0.1", 7883};
  HostPort peer_advertise;  // equals `peer` if not given
  PeerTls peer_tls;
  bool peer_insecure = false;
  std::vector<HostPort> join;
  std::optional<uint32_t> expect;  // none: 1, or with `join` what the stored members say
  uint32_t replicas = 3;
  uint32_t shards = 8;
  uint32_t protocol_version = kProtocolMax;  // spoken with other nodes at most
  Duration replace_after = Duration::seconds(600);
  Durability durability = Durability::kFsync;

  // Operation.
  HostPort admin{"127.0.0.1", 9883};
  std::string admin_token_file;
  Duration sys_interval = Duration::seconds(10);  // of the $SYS topics; 0: none are published
  LogLevel log_level = LogLevel::kInfo;
  LogFormat log_format = LogFormat::kText;
  uint32_t log_rate = 100;  // lines a second from one place in the code; 0: no limit
};

}  // namespace shoal
