// From flags and [[listener]] tables to listeners that each hold all their settings.
#include <algorithm>

#include "node/config/bindings.h"
#include "node/config/resolve.h"

namespace shoal {
namespace {

std::string_view type_name(ListenerType type) {
  switch (type) {
    case ListenerType::kMqtt: return "mqtt";
    case ListenerType::kMqtts: return "mqtts";
    case ListenerType::kWs: return "ws";
    case ListenerType::kWss: return "wss";
    case ListenerType::kUnix: return "mqtt-unix";
  }
  return "";
}

std::vector<AddressRange> loopback_ranges() {
  return {*AddressRange::parse("127.0.0.0/8"), *AddressRange::parse("::1")};
}

template <class T>
const T& own_or(const T& own, const T& common) {
  return own == T{} ? common : own;
}

class ListenerMaker {
 public:
  ListenerMaker(const ServeDraft& draft, Findings& findings) : draft_(draft), findings_(findings) {}

  void from_flags() {
    add_all("mqtt", ListenerType::kMqtt, draft_.mqtt);
    add_all("mqtts", ListenerType::kMqtts, draft_.mqtts);
    add_all("ws", ListenerType::kWs, draft_.ws);
    add_all("wss", ListenerType::kWss, draft_.wss);
    add_all("mqtt-proxy", ListenerType::kMqtt, draft_.mqtt_proxy);
    for (const std::string& path : draft_.mqtt_unix) {
      ListenerDraft table = table_of("mqtt-unix", ListenerType::kUnix, path);
      add(table);
    }
  }

  void from_tables() {
    for (const ListenerDraft& table : draft_.tables) add(table);
  }

  void default_one() { add(table_of("mqtt", ListenerType::kMqtt, "127.0.0.1:1883")); }

  std::vector<ListenerConfig> take() { return std::move(listeners_); }

 private:
  // A flag is a table that only has a type and an address.
  ListenerDraft table_of(const std::string& option, ListenerType type, std::string address) const {
    ListenerDraft table;
    table.name = option + "@" + address;
    table.type = type;
    table.address = std::move(address);
    table.proxy_protocol = option == "mqtt-proxy";
    table.origin = draft_.origin_of(option);
    return table;
  }

  void add_all(const std::string& option, ListenerType type, const std::vector<HostPort>& all) {
    for (const HostPort& address : all) add(table_of(option, type, address.text()));
  }

  void add(const ListenerDraft& table) {
    ListenerConfig made;
    made.origin = table.origin;
    made.type = table.type.value_or(ListenerType::kMqtt);
    if (!set_address(table, made)) return;
    made.name = table.name.empty() ? std::string(type_name(made.type)) + "@" + made.address_text()
                                   : table.name;
    made.proxy_protocol = table.proxy_protocol;
    made.max_connections = table.max_connections;
    made.max_qos = table.own.max_qos.value_or(draft_.common.max_qos.value_or(Qos::k2));
    if (made.proxy_protocol && made.type == ListenerType::kUnix) {
      error(table, "proxy-protocol", "a Unix socket takes no PROXY header");
    }
    set_trust(table, made);
    set_tls(table, made);
    set_websocket(table, made);
    set_access(table, made);
    const auto same_name = [&made](const ListenerConfig& other) { return other.name == made.name; };
    // A made name repeats only with its address, which is reported as such.
    if (!table.origins.contains("name")) return listeners_.push_back(std::move(made));
    if (std::any_of(listeners_.begin(), listeners_.end(), same_name)) {
      error(table, "name", "\"" + made.name + "\" is the name of another listener");
    }
    listeners_.push_back(std::move(made));
  }

  bool set_address(const ListenerDraft& table, ListenerConfig& made) {
    if (table.address.empty()) {
      findings_.error(table.origin, "address is missing");
      return false;
    }
    if (made.type == ListenerType::kUnix) {
      made.unix_path = table.address;
      return true;
    }
    const auto address = host_port_of(table.address);
    if (!address) {
      error(table, "address", Mismatch{std::string(bind::kHostPortExpected), table.address}.text());
      return false;
    }
    made.address = *address;
    return true;
  }

  void set_trust(const ListenerDraft& table, ListenerConfig& made) {
    made.trusted_proxies = own_or(table.own.trusted_proxies, draft_.common.trusted_proxies);
    if (!made.proxy_protocol || !made.trusted_proxies.empty()) return;
    made.trusted_proxies = loopback_ranges();
    if (made.is_loopback()) return;
    findings_.warning(table.origin, "\"" + made.name +
                                        "\" expects PROXY headers but trusts only loopback to send "
                                        "them: name the balancer in trusted-proxies");
  }

  void set_tls(const ListenerDraft& table, ListenerConfig& made) {
    made.tls_min_version = draft_.tls_min_version;
    if (!is_tls(made.type)) {
      for (const char* key : {"tls-cert", "tls-key", "tls-client-ca", "identity-as-username"}) {
        if (table.origins.contains(key)) error(table, key, "only for mqtts and wss");
      }
      return;
    }
    const bool is_own = !table.own.certs.empty() || !table.own.keys.empty();
    const ListenerSettings& from = is_own ? table.own : draft_.common;
    const std::string cert_key = is_own ? "tls-cert" : "cert";
    if (from.certs.empty()) {
      return findings_.error(table.origin, "\"" + made.name +
                                               "\" has no certificate: give --cert and --key, or "
                                               "tls-cert and tls-key in its table");
    }
    if (from.certs.size() != from.keys.size()) {
      return findings_.error(is_own ? place(table, cert_key) : draft_.origin_of(cert_key),
                             std::to_string(from.certs.size()) + " certificate(s) but " +
                                 std::to_string(from.keys.size()) +
                                 " key(s): each certificate needs its key");
    }
    for (size_t i = 0; i < from.certs.size(); ++i) {
      made.certificates.push_back({from.certs[i], from.keys[i]});
      made.file_origins[from.certs[i]] = is_own ? place(table, cert_key) : draft_.origin_of("cert");
      made.file_origins[from.keys[i]] = is_own ? place(table, "tls-key") : draft_.origin_of("key");
    }
    made.client_ca =
        file(table, table.own.client_ca, "tls-client-ca", draft_.common.client_ca, "ca", made);
    made.identity_as_username =
        table.own.identity_as_username.value_or(draft_.common.identity_as_username.value_or(false));
    if (made.identity_as_username && made.client_ca.empty()) {
      error(table, "identity-as-username",
            "needs the authority that signs clients' certificates (--ca or tls-client-ca)");
    }
  }

  void set_websocket(const ListenerDraft& table, ListenerConfig& made) {
    if (!is_websocket(made.type)) {
      for (const char* key : {"path", "allowed-origins"}) {
        if (table.origins.contains(key)) error(table, key, "only for ws and wss");
      }
      return;
    }
    made.path = own_or(table.own.path, draft_.common.path);
    made.allowed_origins = own_or(table.own.allowed_origins, draft_.common.allowed_origins);
    if (made.path.empty() || made.path.front() == '/') return;
    findings_.error(table.own.path.empty() ? draft_.origin_of("ws-path") : place(table, "path"),
                    Mismatch{"a path that begins with /", made.path}.text());
  }

  void set_access(const ListenerDraft& table, ListenerConfig& made) {
    made.password_file = file(table, table.own.password_file, "password-file",
                              draft_.common.password_file, "password-file", made);
    made.acl_file =
        file(table, table.own.acl_file, "acl-file", draft_.common.acl_file, "acl-file", made);
    const auto said =
        table.own.allow_anonymous ? table.own.allow_anonymous : draft_.common.allow_anonymous;
    if (said) {
      made.anonymous = *said ? Anonymous::kAllowed : Anonymous::kRefused;
    } else if (made.is_loopback() && made.password_file.empty()) {
      made.anonymous = Anonymous::kFromLoopback;
    }
    const bool nobody_gets_in = made.anonymous == Anonymous::kRefused &&
                                made.password_file.empty() && !made.identity_as_username;
    if (nobody_gets_in) {
      findings_.warning(table.origin, "nobody can log in on \"" + made.name +
                                          "\": give --password-file (made by `shoal passwd`), or "
                                          "--allow-anonymous to let everybody in");
    }
  }

  // The listener's own file, or the common one, with where it came from.
  std::string file(const ListenerDraft& table, const std::string& own, const std::string& key,
                   const std::string& common, const std::string& option,
                   ListenerConfig& made) const {
    if (own.empty() && common.empty()) return {};
    const std::string& chosen = own.empty() ? common : own;
    made.file_origins[chosen] = own.empty() ? draft_.origin_of(option) : place(table, key);
    return chosen;
  }

  std::string place(const ListenerDraft& table, const std::string& key) const {
    const auto found = table.origins.find(key);
    return found == table.origins.end() ? table.origin : found->second;
  }
  void error(const ListenerDraft& table, const std::string& key, std::string what) {
    findings_.error(place(table, key), std::move(what));
  }

  const ServeDraft& draft_;
  Findings& findings_;
  std::vector<ListenerConfig> listeners_;
};

}  // namespace

std::vector<ListenerConfig> listeners_of(const ServeDraft& draft, Findings& findings) {
  const bool is_any_configured = !draft.mqtt.empty() || !draft.mqtts.empty() || !draft.ws.empty() ||
                                 !draft.wss.empty() || !draft.mqtt_proxy.empty() ||
                                 !draft.mqtt_unix.empty() || !draft.tables.empty();
  ListenerMaker maker(draft, findings);
  if (!is_any_configured) maker.default_one();
  maker.from_flags();
  maker.from_tables();
  return maker.take();
}

}  // namespace shoal
