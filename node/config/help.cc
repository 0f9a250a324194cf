#include "node/config/help.h"

#include <string_view>

#include "node/config/draft.h"

namespace shoal {
namespace {

constexpr size_t kHelpColumn = 32;
constexpr size_t kHelpWidth = 100;

std::string default_of(const Option<ServeDraft>& option) {
  if (!option.default_note.empty()) return std::string(option.default_note);
  return option.binding.print(ServeDraft{});
}

// Words of `text` from `column` on, broken before `kHelpWidth` and indented to the column again.
void append_wrapped(std::string& out, std::string_view text) {
  size_t at = kHelpColumn;
  bool is_line_start = true;
  while (!text.empty()) {
    const size_t end = std::min(text.find(' '), text.size());
    if (!is_line_start && at + 1 + end > kHelpWidth) {
      out += "\n" + std::string(kHelpColumn, ' ');
      at = kHelpColumn;
      is_line_start = true;
    }
    if (!is_line_start) out += ' ';
    out += text.substr(0, end);
    at += end + (is_line_start ? 0 : 1);
    is_line_start = false;
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  out += '\n';
}

void append_option(std::string& out, const Option<ServeDraft>& option) {
  std::string left = "  --" + std::string(option.name);
  if (!option.placeholder.empty()) left += " " + std::string(option.placeholder);
  out += left;
  if (left.size() + 1 < kHelpColumn) {
    out += std::string(kHelpColumn - left.size(), ' ');
  } else {
    out += "\n" + std::string(kHelpColumn, ' ');
  }
  const std::string preset = default_of(option);
  append_wrapped(out, std::string(option.help) + (preset.empty() ? "" : " [" + preset + "]"));
}

void append_row(std::string& out, std::string_view name, std::string_view value,
                std::string_view preset, std::string_view meaning) {
  const auto escaped = [](std::string_view text) {
    std::string cell;
    for (const char c : text) {
      if (c == '|' || c == '*') cell += '\\';
      cell += c;
    }
    return cell;
  };
  out += "| `" + std::string(name) + "`";
  if (!value.empty()) out += " " + escaped(value);
  out += " | " + escaped(preset) + " | " + escaped(meaning) + " |\n";
}

constexpr std::string_view kIntroduction = R"(# Configuration of `shoal serve`

This page is what `shoal serve --help-markdown` prints; a test holds it to the program.

No option is needed: `shoal serve` alone is a working one-node broker on loopback. Each option below is

- a flag, `--max-packet-size 1MiB`;
- a variable of the environment, `SHOAL_MAX_PACKET_SIZE=1MiB`; one that is empty counts as not set;
- a key of the TOML file that `--config` (or `SHOAL_CONFIG`) names, `max-packet-size = "1MiB"`.

Flags win over the environment, the environment wins over the file; the winner replaces the whole value, lists too.

- Lists are separated by commas; a flag may also be repeated, and TOML may have an array.
- Durations have a unit: `500ms`, `20s`, `5m`, `1h`, `7d`; only `0` goes without.
- Sizes are bytes, or have a unit: `64KiB`, `64MiB`, `1GiB`, or decimal `1MB`.
- Addresses are `HOST:PORT`; IPv6 has brackets, `[::1]:1883`. Port 0 lets the system choose; the log names the port.
- Switches are `true` or `false`; the flag alone means `true`.
- Paths are relative to the directory in which the program was started, also in the file.

A mistake ends the program with status 2 before anything is opened. Each message names the flag, the variable, or the file's line
and key, and what was expected there; all mistakes are told at once. `shoal check FILE` does the same to a file without starting
a node, and also looks at the files that it names: certificates and keys, users, access rules.
)";

constexpr std::string_view kListenerIntroduction = R"(
## Listeners of their own: `[[listener]]`

Each such table in the file is one more listener, with settings of its own; what it leaves away is as in the option named as its
default. With any listener configured, the one on 127.0.0.1:1883 is no longer there by itself.

```toml
data-dir = "/var/lib/shoal"
password-file = "/etc/shoal/users"

[[listener]]                       # people and services: a password, two host names
name = "public"
type = "mqtts"
address = "0.0.0.0:8883"
tls-cert = ["/etc/shoal/mqtt.example.com.pem", "/etc/shoal/mqtt.example.org.pem"]
tls-key = ["/etc/shoal/mqtt.example.com.key", "/etc/shoal/mqtt.example.org.key"]

[[listener]]                       # devices: their certificates say who they are
name = "devices"
type = "mqtts"
address = "0.0.0.0:8884"
tls-cert = "/etc/shoal/mqtt.example.com.pem"
tls-key = "/etc/shoal/mqtt.example.com.key"
tls-client-ca = "/etc/shoal/devices-ca.pem"
identity-as-username = true
acl-file = "/etc/shoal/devices.acl"
max-qos = 1

[[listener]]                       # plain MQTT from balancers that end TLS, with PROXY headers
name = "balancer"
address = "10.0.0.5:1884"
proxy-protocol = true
trusted-proxies = ["10.0.0.2", "10.0.0.3"]
max-connections = 50000

[[listener]]                       # browsers, by way of a web server that sends X-Forwarded-For
name = "web"
type = "ws"
address = "10.0.0.5:8080"
path = "/mqtt"
allowed-origins = "https://app.example.com"
trusted-proxies = "10.0.1.0/24"

[[listener]]                       # programs of this machine, without a password
name = "local"
type = "mqtt-unix"
address = "/run/shoal/mqtt.sock"
allow-anonymous = true
```

)";

constexpr std::string_view kListenerNotes = R"(
- Several certificates are chosen from by the name that the client asks for (SNI); the first serves the others.
- With a client authority (`ca`, `tls-client-ca`) a client must show a certificate that it signed. `identity-as-username` then
  takes the certificate's common name as the user name, and no password is asked for.
- `proxy-protocol` wants a PROXY header, version 1 or 2, before anything else (before TLS too), and takes it from
  `trusted-proxies` only. Where none are named that is loopback. What is no header, is cut, or does not come within
  `connect-timeout` ends the connection.
- The address in the header is the client's from then on: in the log, in `shoal ctl sessions`, and in the question whether it is
  on this machine. A header without one (LOCAL, as health checks send it, UNKNOWN, UNSPEC) leaves the connection its own.
- A TCP listener with `proxy-protocol` does not listen while its node drains, so that the balancer takes another node at once.
- WebSocket listeners believe `X-Forwarded-For` from `trusted-proxies`, if any are named. All its lines are one list, of which the
  last address that is none of those proxies is the client's: what the client wrote itself stands before it and counts for nothing.
- WebSocket clients ask for the subprotocol `mqtt` (or `mqttv3.1`) and send binary frames.
- A web page may connect only if its origin is listed, or is the host that it connects to. Clients that are no browsers send
  no origin, and are not affected.
- A client beyond `max-connections`, the listener's or the node's, is refused: CONNACK 0x97 (3.x: 3) if its CONNECT comes within
  2 s. On listeners with TLS, and where 64 others are being refused just then, the connection is closed at once instead.
- Who gets in, and to what: see [security](security.md).
)";

}  // namespace

std::string serve_help() {
  std::string out =
      "usage: shoal serve [OPTION...]\n\n"
      "Runs a node. Without options: a broker of one node on 127.0.0.1:1883.\n"
      "An option --max-queued is also the variable SHOAL_MAX_QUEUED, and the key max-queued in "
      "the\n"
      "file of --config; flags win over variables, variables over the file. Defaults in "
      "brackets.\n";
  std::string_view group;
  for (const auto& option : serve_options()) {
    if (option.group != group) out += "\n" + std::string(option.group) + "\n";
    group = option.group;
    append_option(out, option);
  }
  return out;
}

std::string configuration_markdown() {
  std::string out(kIntroduction);
  std::string_view group;
  for (const auto& option : serve_options()) {
    if (option.group != group) {
      out += "\n## " + std::string(option.group) +
             "\n\n| option | default | meaning |\n|---|---|---|\n";
    }
    group = option.group;
    append_row(out, "--" + std::string(option.name), option.placeholder, default_of(option),
               option.help);
  }
  out += kListenerIntroduction;
  out += "| key | default | meaning |\n|---|---|---|\n";
  for (const auto& key : listener_keys()) {
    const std::string printed = key.binding.print(ListenerDraft{});
    append_row(out, key.name, key.placeholder,
               key.default_note.empty() ? std::string_view(printed) : key.default_note, key.help);
  }
  out += kListenerNotes;
  return out;
}

}  // namespace shoal
