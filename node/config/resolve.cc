#include "node/config/resolve.h"

#include <algorithm>
#include <string_view>

#include "node/config/values.h"

namespace shoal {
namespace {

struct Bound {
  HostPort address;
  std::string what;    // "the listener \"x\"" or "--peer"
  std::string origin;  // for the message
};

bool is_same_host(const HostPort& a, const HostPort& b) {
  if (a.is_wildcard() || b.is_wildcard()) return true;
  if (a.host == "localhost" || b.host == "localhost") return a.is_loopback() && b.is_loopback();
  const auto a_bytes = ip_bytes_of(a.host);
  return a_bytes ? a_bytes == ip_bytes_of(b.host) : a.host == b.host;
}

// With SO_REUSEPORT the system itself would let two listeners share a port in silence.
void check_ports(const ServeConfig& config, const ServeDraft& draft, Findings& findings) {
  std::vector<Bound> bound = {
      {config.peer, "--peer", draft.origin_of("peer")},
      {config.admin, "--admin", draft.origin_of("admin")},
  };
  for (const ListenerConfig& listener : config.listeners) {
    if (listener.type == ListenerType::kUnix) continue;
    bound.push_back({listener.address, "\"" + listener.name + "\"", listener.origin});
  }
  for (size_t later = 1; later < bound.size(); ++later) {
    for (size_t earlier = 0; earlier < later; ++earlier) {
      const HostPort& address = bound[later].address;
      if (address.port == 0 || address.port != bound[earlier].address.port) continue;
      if (!is_same_host(address, bound[earlier].address)) continue;
      findings.error(bound[later].origin, address.text() + " is already taken by " +
                                              bound[earlier].what + " (" +
                                              bound[earlier].address.text() + ")");
      break;
    }
  }
}

void check_sockets(const ServeConfig& config, Findings& findings) {
  constexpr size_t kSocketPathMax = 107;  // sun_path, less its end
  std::vector<std::string_view> paths;
  for (const ListenerConfig& listener : config.listeners) {
    if (listener.type != ListenerType::kUnix) continue;
    if (listener.unix_path.size() > kSocketPathMax) {
      findings.error(listener.origin, "the path of a socket has at most 107 bytes, got " +
                                          std::to_string(listener.unix_path.size()));
    }
    if (std::find(paths.begin(), paths.end(), listener.unix_path) != paths.end()) {
      findings.error(listener.origin, listener.unix_path + " is already another listener's");
    }
    paths.push_back(listener.unix_path);
  }
}

void check_peer_tls(const ServeConfig& config, const ServeDraft& draft, Findings& findings) {
  const PeerTls& tls = config.peer_tls;
  const std::pair<const char*, const std::string*> files[] = {
      {"peer-cert", &tls.cert}, {"peer-key", &tls.key}, {"peer-ca", &tls.ca}};
  std::string given;
  std::string missing;
  for (const auto& [option, file] : files) {
    std::string& into = file->empty() ? missing : given;
    if (into.empty()) into = option;
  }
  if (!given.empty() && !missing.empty()) {
    findings.error(draft.origin_of(given), "needs --" + missing +
                                               " as well: TLS between nodes is "
                                               "mutual");
  }
  if (!given.empty() && config.peer_insecure) {
    findings.error(draft.origin_of("peer-insecure"), "contradicts --" + given);
  }
  if (given.empty() && !config.peer_insecure && !config.peer.is_loopback()) {
    findings.error(draft.origin_of("peer"),
                   config.peer.text() +
                       " is beyond loopback: give --peer-cert, --peer-key and "
                       "--peer-ca, or --peer-insecure on a network you trust");
  }
}

void check_cluster(const ServeConfig& config, const ServeDraft& draft, Findings& findings) {
  if (config.peer.is_wildcard() && !draft.is_given("peer-advertise")) {
    findings.error(draft.origin_of("peer"),
                   config.peer.text() +
                       " is no address that another node could reach: give "
                       "--peer-advertise as well");
  }
  if (draft.is_given("peer-advertise") && config.peer_advertise.is_wildcard()) {
    findings.error(draft.origin_of("peer-advertise"),
                   "expected an address that other nodes can reach, got \"" +
                       config.peer_advertise.text() + "\"");
  }
  for (const HostPort& seed : config.join) {
    if (seed.port == 0) findings.error(draft.origin_of("join"), seed.text() + " has no port");
  }
  const bool has_foreign_seed =
      std::any_of(config.join.begin(), config.join.end(), [&config](const HostPort& seed) {
        return seed != config.peer && seed != config.peer_advertise;
      });
  if (config.expect == 1u && has_foreign_seed) {
    findings.error(draft.origin_of("expect"),
                   "1 together with --join would make a cluster of this node alone: leave it away "
                   "to join, or say how many nodes make the new cluster");
  }
  if (config.expect.value_or(1) > 1 && !has_foreign_seed) {
    findings.warning(draft.origin_of("expect"),
                     "without --join the other nodes must name this one in theirs");
  }
  if (config.replicas % 2 == 0) {
    findings.warning(draft.origin_of("replicas"), std::to_string(config.replicas) +
                                                      " replicas bear the loss of no more nodes "
                                                      "than " +
                                                      std::to_string(config.replicas - 1));
  }
}

void check_limits(const ServeConfig& config, const ServeDraft& draft, Findings& findings) {
  const Limits& limits = config.limits;
  if (limits.lease < limits.heartbeat_interval * 3) {
    findings.error(draft.origin_of("lease-duration"),
                   "must be three times --heartbeat-interval or more, or one late heartbeat stops "
                   "acknowledgements");
  }
  if (limits.arriving_bytes_max < limits.packet_size_max) {
    findings.error(draft.origin_of("max-arriving-bytes"),
                   "is below --max-packet-size: the largest packet could never arrive");
  }
}

// Else a publisher is closed for a subscriber that is not given up yet.
void check_timeouts(const ServeConfig& config, const ServeDraft& draft, Findings& findings) {
  const Limits& limits = config.limits;
  if (limits.slow_timeout < limits.publish_timeout) return;
  findings.error(draft.origin_of("slow-timeout"),
                 "must be below --publish-timeout (" + text_of(limits.publish_timeout) +
                     "), or one slow subscriber costs its publishers their connections");
}

void check_unused(const ServeConfig& config, const ServeDraft& draft, Findings& findings) {
  const auto is_any = [&config](auto holds) {
    return std::any_of(config.listeners.begin(), config.listeners.end(), holds);
  };
  const bool has_tls = is_any([](const auto& listener) { return is_tls(listener.type); });
  const bool has_ws = is_any([](const auto& listener) { return is_websocket(listener.type); });
  for (const char* option : {"cert", "key", "ca", "identity-as-username"}) {
    if (has_tls || !draft.is_given(option)) continue;
    findings.warning(draft.origin_of(option), "has no use without an mqtts or wss listener");
  }
  for (const char* option : {"ws-path", "allowed-origins"}) {
    if (has_ws || !draft.is_given(option)) continue;
    findings.warning(draft.origin_of(option), "has no use without a ws or wss listener");
  }
}

}  // namespace

ServeConfig resolve(const ServeDraft& draft, const HostFacts& host, Findings& findings) {
  ServeConfig config = draft.config;
  if (config.node_name.empty()) config.node_name = host.name;
  if (config.workers == 0) config.workers = std::clamp<uint32_t>(host.cores, 1, kWorkersMax);
  if (!draft.is_given("peer-advertise")) config.peer_advertise = config.peer;
  Limits& limits = config.limits;
  if (!draft.is_given("slow-timeout")) {
    limits.slow_timeout = std::min(limits.slow_timeout, limits.publish_timeout / 2);
  }
  config.listeners = listeners_of(draft, findings);
  check_consistency(config, draft, findings);
  return config;
}

void check_consistency(const ServeConfig& config, const ServeDraft& draft, Findings& findings) {
  check_ports(config, draft, findings);
  check_sockets(config, findings);
  check_peer_tls(config, draft, findings);
  check_cluster(config, draft, findings);
  check_limits(config, draft, findings);
  check_timeouts(config, draft, findings);
  check_unused(config, draft, findings);
}

}  // namespace shoal
