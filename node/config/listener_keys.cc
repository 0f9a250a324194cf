// The keys of a [[listener]] table.
#include "node/config/bindings.h"
#include "node/config/draft.h"

#define SHOAL_FIELD(path) [](auto& draft) -> auto& { return draft.path; }

namespace shoal {
namespace {

Binding<ListenerDraft> type_binding() {
  return bind::scalar<ListenerDraft>(
      SHOAL_FIELD(type), "mqtt, mqtts, ws, wss or mqtt-unix",
      [](const std::string& value) -> std::optional<std::optional<ListenerType>> {
        if (value == "mqtt") return ListenerType::kMqtt;
        if (value == "mqtts") return ListenerType::kMqtts;
        if (value == "ws") return ListenerType::kWs;
        if (value == "wss") return ListenerType::kWss;
        if (value == "mqtt-unix") return ListenerType::kUnix;
        return std::nullopt;
      },
      [](std::optional<ListenerType>) { return std::string(); });
}

Binding<ListenerDraft> qos_binding() {
  return bind::scalar<ListenerDraft>(
      SHOAL_FIELD(own.max_qos), "0, 1 or 2",
      [](const std::string& value) -> std::optional<std::optional<Qos>> {
        const auto read = number_of(value);
        if (!read || *read > 2) return std::nullopt;
        return static_cast<Qos>(*read);
      },
      [](std::optional<Qos>) { return std::string(); });
}

}  // namespace

const std::vector<Option<ListenerDraft>>& listener_keys() {
  static const std::vector<Option<ListenerDraft>> all = {
      {"name", "NAME", "", "names the listener in logs and metrics",
       bind::text<ListenerDraft>(SHOAL_FIELD(name)), "TYPE@ADDRESS"},
      {"type", "TYPE", "", "mqtt, mqtts, ws, wss or mqtt-unix", type_binding(), "mqtt"},
      {"address", "HOST:PORT", "", "where to listen; for mqtt-unix the path of the socket",
       bind::text<ListenerDraft>(SHOAL_FIELD(address), std::string(bind::kHostPortExpected)),
       "required"},
      {"proxy-protocol", "BOOL", "", "a PROXY protocol v1 or v2 header must come first",
       bind::on_off<ListenerDraft>(SHOAL_FIELD(proxy_protocol))},
      {"trusted-proxies", "RANGES", "", "who may send PROXY headers and X-Forwarded-For",
       bind::address_ranges<ListenerDraft>(SHOAL_FIELD(own.trusted_proxies)), "`trusted-proxies`"},
      {"tls-cert", "FILES", "", "certificate chains in PEM; several are chosen from by SNI",
       bind::texts<ListenerDraft>(SHOAL_FIELD(own.certs), "the path of a file"), "`cert`"},
      {"tls-key", "FILES", "", "private keys in PEM, one for each `tls-cert`",
       bind::texts<ListenerDraft>(SHOAL_FIELD(own.keys), "the path of a file"), "`key`"},
      {"tls-client-ca", "FILE", "", "clients must show a certificate signed by one of these",
       bind::path<ListenerDraft>(SHOAL_FIELD(own.client_ca)), "`ca`"},
      {"identity-as-username", "BOOL", "", "the certificate's common name is the user name",
       bind::optional_on_off<ListenerDraft>(SHOAL_FIELD(own.identity_as_username)),
       "`identity-as-username`"},
      {"allowed-origins", "ORIGINS", "", "web pages that may connect by WebSocket; * = all",
       bind::texts<ListenerDraft>(SHOAL_FIELD(own.allowed_origins), "an origin or *"),
       "`allowed-origins`"},
      {"path", "PATH", "", "path of the WebSocket",
       bind::text<ListenerDraft>(SHOAL_FIELD(own.path), "a path such as /mqtt"), "`ws-path`"},
      {"max-connections", "N", "", "clients connected to this listener at once",
       bind::number_or_none<ListenerDraft>(SHOAL_FIELD(max_connections), UINT32_MAX)},
      {"max-qos", "0|1|2", "", "highest QoS that is granted and taken", qos_binding(), "`max-qos`"},
      {"password-file", "FILE", "", "users and their passwords",
       bind::path<ListenerDraft>(SHOAL_FIELD(own.password_file)), "`password-file`"},
      {"acl-file", "FILE", "", "who may publish and receive what",
       bind::path<ListenerDraft>(SHOAL_FIELD(own.acl_file)), "`acl-file`"},
      {"allow-anonymous", "BOOL", "", "let clients in without a user name",
       bind::optional_on_off<ListenerDraft>(SHOAL_FIELD(own.allow_anonymous)), "`allow-anonymous`"},
  };
  return all;
}

}  // namespace shoal
