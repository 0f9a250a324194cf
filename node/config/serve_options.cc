// The table of all options of `shoal serve`, in the order of its help. Defaults are those of
// ServeConfig and Limits: a row only says how its value is read and printed.
#include <algorithm>

#include "node/config/bindings.h"
#include "node/config/draft.h"

#define SHOAL_FIELD(path) [](auto& draft) -> auto& { return draft.path; }

namespace shoal {
namespace {

using Draft = ServeDraft;
using Options = std::vector<Option<Draft>>;

constexpr uint64_t kU16 = UINT16_MAX;
constexpr uint64_t kU32 = UINT32_MAX;
constexpr uint64_t kPacketSizeMax = 268'435'455;  // [MQTT5-2.1.4] largest Remaining Length
constexpr uint64_t kBytesMax = uint64_t{1} << 50;
constexpr Duration kDay = Duration::seconds(24 * 3600);

Options node_options() {
  constexpr std::string_view kGroup = "Node";
  return {
      {"config", "FILE", kGroup, "read options from this TOML file",
       bind::path<Draft>(SHOAL_FIELD(config.config_file)), "none", true},
      {"node-name", "NAME", kGroup,
       "name for people; the identity is generated into the data directory",
       bind::text<Draft>(SHOAL_FIELD(config.node_name)), "host name"},
      {"data-dir", "DIR", kGroup, "where the node keeps its state; created if missing",
       bind::path<Draft>(SHOAL_FIELD(config.data_dir))},
      {"workers", "N", kGroup, "threads that serve clients",
       bind::number<Draft>(SHOAL_FIELD(config.workers), 1, kWorkersMax), "number of cores"},
  };
}

Options listener_options() {
  constexpr std::string_view kGroup = "Listeners";
  return {
      {"mqtt", "HOST:PORT,...", kGroup, "MQTT over TCP", bind::host_ports<Draft>(SHOAL_FIELD(mqtt)),
       "127.0.0.1:1883, if no listener is configured"},
      {"mqtts", "HOST:PORT,...", kGroup, "MQTT over TLS",
       bind::host_ports<Draft>(SHOAL_FIELD(mqtts))},
      {"ws", "HOST:PORT,...", kGroup, "MQTT over WebSocket",
       bind::host_ports<Draft>(SHOAL_FIELD(ws))},
      {"wss", "HOST:PORT,...", kGroup, "MQTT over secure WebSocket",
       bind::host_ports<Draft>(SHOAL_FIELD(wss))},
      {"mqtt-proxy", "HOST:PORT,...", kGroup,
       "MQTT over TCP behind a balancer that sends PROXY protocol v1 or v2",
       bind::host_ports<Draft>(SHOAL_FIELD(mqtt_proxy))},
      {"mqtt-unix", "PATH,...", kGroup, "MQTT over a Unix socket",
       bind::texts<Draft>(SHOAL_FIELD(mqtt_unix), "the path of a socket")},
      {"trusted-proxies", "RANGE,...", kGroup,
       "who may send PROXY headers, and X-Forwarded-For where given",
       bind::address_ranges<Draft>(SHOAL_FIELD(common.trusted_proxies)),
       "127.0.0.0/8,::1/128 for PROXY headers, none for X-Forwarded-For"},
      {"allowed-origins", "ORIGIN,...", kGroup,
       "web pages that may connect by WebSocket, such as https://app.example.com; * = all",
       bind::texts<Draft>(SHOAL_FIELD(common.allowed_origins), "an origin or *"),
       "pages of the same host"},
      {"ws-path", "PATH", kGroup, "path of the WebSocket listeners",
       bind::text<Draft>(SHOAL_FIELD(common.path), "a path such as /mqtt"), "any"},
      {"max-connections", "N|none", kGroup, "clients connected to this node at once",
       bind::number_or_none<Draft>(SHOAL_FIELD(config.max_connections), kU32)},
  };
}

Options tls_options() {
  constexpr std::string_view kGroup = "TLS of the listeners";
  return {
      {"cert", "FILE,...", kGroup, "certificate chain in PEM; several are chosen from by SNI",
       bind::texts<Draft>(SHOAL_FIELD(common.certs), "the path of a file"), "none"},
      {"key", "FILE,...", kGroup, "private key in PEM, one for each --cert",
       bind::texts<Draft>(SHOAL_FIELD(common.keys), "the path of a file"), "none"},
      {"ca", "FILE", kGroup, "clients must show a certificate signed by one of these",
       bind::path<Draft>(SHOAL_FIELD(common.client_ca)), "none"},
      {"identity-as-username", "", kGroup,
       "the common name of the client's certificate is its user name; needs --ca",
       bind::optional_on_off<Draft>(SHOAL_FIELD(common.identity_as_username)), "false"},
      {"tls-min-version", "1.2|1.3", kGroup, "oldest version of TLS that is spoken",
       bind::choice<Draft, TlsVersion>(SHOAL_FIELD(tls_min_version),
                                       {{"1.2", TlsVersion::k12}, {"1.3", TlsVersion::k13}})},
  };
}

Options access_options() {
  constexpr std::string_view kGroup = "Access";
  return {
      {"password-file", "FILE", kGroup, "users and their passwords, made by `shoal passwd`",
       bind::path<Draft>(SHOAL_FIELD(common.password_file)), "none"},
      {"acl-file", "FILE", kGroup, "who may publish and receive what, in mosquitto's format",
       bind::path<Draft>(SHOAL_FIELD(common.acl_file)), "none: everything"},
      {"allow-anonymous", "", kGroup, "let clients in without a user name",
       bind::optional_on_off<Draft>(SHOAL_FIELD(common.allow_anonymous)),
       "false; true on loopback if there is no password file"},
      {"allow-zero-length-client-id", "", kGroup, "let clients leave their client id to the node",
       bind::on_off<Draft>(SHOAL_FIELD(config.allow_zero_length_client_id))},
  };
}

Options cluster_options() {
  constexpr std::string_view kGroup = "Cluster";
  return {
      {"peer", "HOST:PORT", kGroup, "address for the other nodes",
       bind::host_port<Draft>(SHOAL_FIELD(config.peer))},
      {"peer-advertise", "HOST:PORT", kGroup, "address by which other nodes reach this one",
       bind::host_port<Draft>(SHOAL_FIELD(config.peer_advertise)), "the same as --peer"},
      {"peer-cert", "FILE", kGroup, "this node's certificate for mutual TLS between nodes, in PEM",
       bind::path<Draft>(SHOAL_FIELD(config.peer_tls.cert)), "none"},
      {"peer-key", "FILE", kGroup, "its private key",
       bind::path<Draft>(SHOAL_FIELD(config.peer_tls.key)), "none"},
      {"peer-ca", "FILE", kGroup, "who signs the nodes' certificates",
       bind::path<Draft>(SHOAL_FIELD(config.peer_tls.ca)), "none"},
      {"peer-insecure", "", kGroup, "no TLS between nodes, even beyond loopback",
       bind::on_off<Draft>(SHOAL_FIELD(config.peer_insecure))},
      {"join", "HOST:PORT,...", kGroup, "nodes to ask for the cluster; this node's own is ignored",
       bind::host_ports<Draft>(SHOAL_FIELD(config.join)), "none"},
      {"expect", "N", kGroup, "a new cluster forms when so many nodes see each other",
       bind::scalar<Draft>(
           SHOAL_FIELD(config.expect), "a number from 1 to 1024",
           [](const std::string& value) -> std::optional<std::optional<uint32_t>> {
             const auto read = number_of(value);
             if (!read || *read < 1 || *read > 1024) return std::nullopt;
             return static_cast<uint32_t>(*read);
           },
           [](std::optional<uint32_t> value) { return value ? std::to_string(*value) : ""; }),
       "1; with --join a majority of the members already stored"},
      {"replicas", "N", kGroup, "copies of durable state; when the cluster is created",
       bind::number<Draft>(SHOAL_FIELD(config.replicas), 1, 7)},
      {"shards", "N", kGroup, "parts of durable state; when the cluster is created",
       bind::number<Draft>(SHOAL_FIELD(config.shards), 1, kShardsMax)},
      {"zone", "NAME", kGroup, "replicas of one shard go to different zones",
       bind::text<Draft>(SHOAL_FIELD(config.zone)), "none"},
      {"weight", "N", kGroup, "share of the replicas that this node takes",
       bind::number<Draft>(SHOAL_FIELD(config.weight), 1, 1000)},
      {"replace-after", "DURATION", kGroup, "a node dead for so long is replaced",
       bind::duration<Draft>(SHOAL_FIELD(config.replace_after), Duration::seconds(10), kDay * 365)},
      {"protocol-version", "N", kGroup,
       "speak no more with other nodes: to hold back an upgrade, and for tests",
       bind::number<Draft>(SHOAL_FIELD(config.protocol_version), kProtocolMin, kProtocolMax)},
      {"heartbeat-interval", "DURATION", kGroup, "between heartbeats to each peer",
       bind::duration<Draft>(SHOAL_FIELD(config.limits.heartbeat_interval), Duration::millis(20),
                             Duration::seconds(60))},
      {"lease-duration", "DURATION", kGroup,
       "how long a node that falls silent holds up its peers' acknowledgements",
       bind::duration<Draft>(SHOAL_FIELD(config.limits.lease), Duration::millis(100),
                             Duration::seconds(300))},
      {"durability", "fsync|os", kGroup, "acknowledge after fsync, or once the system has it",
       bind::choice<Draft, Durability>(SHOAL_FIELD(config.durability),
                                       {{"fsync", Durability::kFsync}, {"os", Durability::kOs}})},
  };
}

Options client_limit_options() {
  constexpr std::string_view kGroup = "Limits of a client";
  return {
      {"max-packet-size", "SIZE", kGroup, "largest packet taken from a client",
       bind::size<Draft>(SHOAL_FIELD(config.limits.packet_size_max), 64, kPacketSizeMax)},
      {"max-connect-size", "SIZE", kGroup, "largest CONNECT, will and password included",
       bind::size<Draft>(SHOAL_FIELD(config.limits.connect_size_max), 1024, 1024 * 1024)},
      {"receive-maximum", "N", kGroup, "QoS 1 and 2 publishes a client may have open to us",
       bind::number<Draft>(SHOAL_FIELD(config.limits.receive_maximum), 1, kU16)},
      {"max-inflight", "N", kGroup, "QoS 1 and 2 publishes open to one client",
       bind::number<Draft>(SHOAL_FIELD(config.limits.inflight_max), 1, kU16)},
      {"max-queued", "N", kGroup, "messages that wait for one session",
       bind::number<Draft>(SHOAL_FIELD(config.limits.queued_max), 1, kU32)},
      {"max-queued-bytes", "SIZE", kGroup,
       "bytes that wait for one session, and as many sent and not acknowledged",
       bind::size<Draft>(SHOAL_FIELD(config.limits.queued_bytes_max), 1024, kBytesMax)},
      {"queue-policy", "drop-oldest|reject-new", kGroup,
       "which message a session without a connection loses past these",
       bind::choice<Draft, bool>(SHOAL_FIELD(config.limits.rejects_new),
                                 {{"drop-oldest", false}, {"reject-new", true}})},
      {"max-durable-payload", "SIZE", kGroup,
       "largest message for sessions that outlive their connection; others get it all the same",
       bind::size<Draft>(SHOAL_FIELD(config.limits.durable_payload_max), 1024,
                         size_t{64} * 1024 * 1024)},
      {"max-output-bytes", "SIZE", kGroup,
       "encoded for one connection and not yet taken by it; past it QoS 0 is dropped",
       bind::size<Draft>(SHOAL_FIELD(config.limits.output_bytes_max), 64 * 1024, kBytesMax)},
      {"max-subscriptions", "N", kGroup, "subscriptions of one session",
       bind::number<Draft>(SHOAL_FIELD(config.limits.subscriptions_max), 1, kU32)},
      {"max-qos", "0|1|2", kGroup, "highest QoS that is granted and taken",
       bind::scalar<Draft>(
           SHOAL_FIELD(common.max_qos), "0, 1 or 2",
           [](const std::string& value) -> std::optional<std::optional<Qos>> {
             const auto read = number_of(value);
             if (!read || *read > 2) return std::nullopt;
             return static_cast<Qos>(*read);
           },
           [](std::optional<Qos> value) {
             return value ? std::to_string(static_cast<int>(*value)) : "";
           }),
       "2"},
      {"session-expiry-max", "DURATION|none", kGroup, "longest life of an absent client's session",
       bind::seconds_or_none<Draft>(SHOAL_FIELD(config.limits.session_expiry_max_s), kU32 - 1,
                                    kU32)},
      {"topic-alias-max", "N", kGroup, "topic aliases either way; 0 = none",
       bind::number<Draft>(SHOAL_FIELD(config.limits.topic_alias_max), 0, kU16)},
      {"keepalive-max", "DURATION|none", kGroup, "longest keep-alive; 5.0 clients are told ours",
       bind::seconds_or_none<Draft>(SHOAL_FIELD(config.limits.keepalive_max_s), kU16, 0)},
      {"retry-interval", "DURATION", kGroup,
       "3.x clients get what they do not acknowledge again; 0 = only when they reconnect",
       bind::duration<Draft>(SHOAL_FIELD(config.limits.retry_interval), Duration{}, kDay)},
      {"connect-timeout", "DURATION", kGroup,
       "from the beginning of a connection to the end of its CONNECT, TLS and the like included",
       bind::duration<Draft>(SHOAL_FIELD(config.limits.connect_timeout), Duration::millis(100),
                             Duration::seconds(3600))},
      {"slow-timeout", "DURATION", kGroup,
       "a subscriber over its limits for so long is disconnected, and of a shared subscription one "
       "that does not acknowledge is picked last; must be below --publish-timeout",
       bind::duration<Draft>(SHOAL_FIELD(config.limits.slow_timeout), Duration::millis(100), kDay),
       "15s, or half of --publish-timeout if that is less"},
      {"publish-timeout", "DURATION", kGroup,
       "a publisher whose message cannot be acknowledged is disconnected after this, unless it "
       "waits for members of shared subscriptions alone",
       bind::duration<Draft>(SHOAL_FIELD(config.limits.publish_timeout), Duration::millis(100),
                             kDay)},
  };
}

Options node_limit_options() {
  constexpr std::string_view kGroup = "Limits of the node";
  return {
      {"max-arriving-bytes", "SIZE", kGroup,
       "packets that are still arriving, and large ones that not everyone has taken yet, together; "
       "beside it an eighth as much for clients that are not let in yet",
       bind::size<Draft>(SHOAL_FIELD(config.limits.arriving_bytes_max), 1024 * 1024, kBytesMax)},
      {"max-retained-bytes", "SIZE", kGroup, "all retained messages together",
       bind::size<Draft>(SHOAL_FIELD(config.limits.retained_bytes_max), 0, kBytesMax)},
      {"max-durable-bytes", "SIZE", kGroup, "messages that wait in the cluster's shards, together",
       bind::size<Draft>(SHOAL_FIELD(config.limits.durable_bytes_max), 1024 * 1024, kBytesMax)},
      {"copy-rate", "SIZE", kGroup,
       "bytes a second that go to other nodes of one shard's state while they get a copy; 0: no "
       "limit",
       bind::size<Draft>(SHOAL_FIELD(config.limits.copy_rate), 0, kBytesMax)},
      {"peer-window", "SIZE", kGroup, "sent to a peer and not yet worked off there",
       bind::size<Draft>(SHOAL_FIELD(config.limits.forward_window_bytes), 64 * 1024, kBytesMax)},
      {"peer-queue", "SIZE", kGroup,
       "waiting for that window; past it QoS 0 for the peer is dropped, publishers wait",
       bind::size<Draft>(SHOAL_FIELD(config.limits.forward_queue_bytes), 64 * 1024, kBytesMax)},
  };
}

// A text that goes into packets, so that it must be UTF-8 and not too long.
template <class Field>
Binding<Draft> told_to_clients(Field field) {
  return bind::scalar<Draft>(
      field, "up to 1024 printable ASCII characters",
      [](const std::string& value) -> std::optional<std::string> {
        const bool printable =
            std::all_of(value.begin(), value.end(), [](char c) { return c >= ' ' && c <= '~'; });
        if (value.empty() || value.size() > 1024 || !printable) return std::nullopt;
        return value;
      },
      [](const std::string& value) { return value; });
}

Options operation_options() {
  constexpr std::string_view kGroup = "Operation";
  return {
      {"admin", "HOST:PORT", kGroup, "HTTP: /livez, /readyz and /metrics for anyone",
       bind::host_port<Draft>(SHOAL_FIELD(config.admin))},
      {"admin-token-file", "FILE", kGroup, "holds the token that opens the rest of --admin",
       bind::path<Draft>(SHOAL_FIELD(config.admin_token_file)), "none: only on the Unix socket"},
      {"response-information", "PREFIX", kGroup,
       "5.0 clients that ask where answers to them may go are told this",
       told_to_clients(SHOAL_FIELD(config.response_information)), "none"},
      {"server-reference", "SERVER,...", kGroup,
       "5.0 clients are told to go there when the node drains (0x9C), or leaves (then 0x9D: for "
       "good); "
       "not behind a balancer",
       told_to_clients(SHOAL_FIELD(config.server_reference)), "none"},
      {"sys-interval", "DURATION", kGroup, "between updates of the $SYS topics; 0 = none",
       bind::duration<Draft>(SHOAL_FIELD(config.sys_interval), Duration{}, kDay)},
      {"log-level", "LEVEL", kGroup, "least level that is logged: debug, info, warning, error",
       bind::choice<Draft, LogLevel>(SHOAL_FIELD(config.log_level),
                                     {{"debug", LogLevel::kDebug},
                                      {"info", LogLevel::kInfo},
                                      {"warning", LogLevel::kWarning},
                                      {"error", LogLevel::kError}})},
      {"log-format", "text|json", kGroup, "form of the log on standard error",
       bind::choice<Draft, LogFormat>(SHOAL_FIELD(config.log_format),
                                      {{"text", LogFormat::kText}, {"json", LogFormat::kJson}})},
      {"log-rate", "N|none", kGroup, "lines a second of one kind; the rest is counted",
       bind::number_or_none<Draft>(SHOAL_FIELD(config.log_rate), 1'000'000)},
  };
}

}  // namespace

const std::vector<Option<ServeDraft>>& serve_options() {
  static const Options all = [] {
    Options options;
    for (const auto& part :
         {node_options(), listener_options(), tls_options(), access_options(), cluster_options(),
          client_limit_options(), node_limit_options(), operation_options()}) {
      options.insert(options.end(), part.begin(), part.end());
    }
    return options;
  }();
  return all;
}

}  // namespace shoal
