// A configuration while its sources are merged: what was said, before it is put together.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "node/config/option.h"
#include "node/config/serve_config.h"

namespace shoal {

// What a listener may say for itself, and all listeners together by the options of the same sense.
// Empty fields fall back from the listener to the common ones.
struct ListenerSettings {
  std::vector<AddressRange> trusted_proxies;
  std::vector<std::string> certs;
  std::vector<std::string> keys;
  std::string client_ca;
  std::optional<bool> identity_as_username;
  std::vector<std::string> allowed_origins;
  std::string path;
  std::optional<Qos> max_qos;
  std::string password_file;
  std::string acl_file;
  std::optional<bool> allow_anonymous;
};

// One [[listener]] table.
struct ListenerDraft {
  std::string name;
  std::optional<ListenerType> type;
  std::string address;  // HOST:PORT, or a path where the type is mqtt-unix
  bool proxy_protocol = false;
  uint32_t max_connections = 0;
  ListenerSettings own;
  std::map<std::string, std::string> origins;  // key -> FILE:LINE: KEY
  std::string origin;                          // of the table itself
};

struct ServeDraft {
  ServeConfig config;  // without its listeners
  std::vector<HostPort> mqtt;
  std::vector<HostPort> mqtts;
  std::vector<HostPort> ws;
  std::vector<HostPort> wss;
  std::vector<HostPort> mqtt_proxy;
  std::vector<std::string> mqtt_unix;
  ListenerSettings common;
  TlsVersion tls_min_version = TlsVersion::k12;
  std::vector<ListenerDraft> tables;
  std::map<std::string, std::string> origins;  // option -> the flag, variable or FILE:LINE: KEY

  bool is_given(const std::string& option) const { return origins.contains(option); }
  // Where an option was set, or its flag if it was not: what a message should point at.
  std::string origin_of(const std::string& option) const {
    const auto found = origins.find(option);
    return found == origins.end() ? "--" + option : found->second;
  }
};

const std::vector<Option<ServeDraft>>& serve_options();
const std::vector<Option<ListenerDraft>>& listener_keys();

}  // namespace shoal
