#include "node/config/address.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <cstring>

namespace shoal {
namespace {

constexpr uint8_t kMappedPrefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
constexpr size_t kHostNameMax = 253;  // RFC 1035, 2.3.4, less the root's dot and length octet

bool is_mapped_v4(const IpBytes& address) {
  return std::memcmp(address.data(), kMappedPrefix, sizeof kMappedPrefix) == 0;
}

template <class T>
std::optional<T> whole_number(std::string_view text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

bool is_host_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
         c == '-' || c == '_';  // no underscore in DNS, but containers' names have it
}

bool is_host_name(std::string_view host) {
  if (host.empty() || host.size() > kHostNameMax || host.front() == '-') return false;
  if (!std::all_of(host.begin(), host.end(), is_host_character)) return false;
  // "127.0.0.256" is a mistyped address, not a name to ask the DNS for.
  const bool looks_numeric = std::all_of(host.begin(), host.end(),
                                         [](char c) { return c == '.' || (c >= '0' && c <= '9'); });
  return !looks_numeric || ip_bytes_of(host).has_value();
}

}  // namespace

bool HostPort::is_loopback() const {
  if (host == "localhost") return true;
  const auto address = ip_bytes_of(host);
  if (!address) return false;
  static const auto v4 = AddressRange::parse("127.0.0.0/8");
  static const auto v6 = AddressRange::parse("::1");
  return v4->contains(*address) || v6->contains(*address);
}

bool HostPort::is_wildcard() const {
  const auto address = ip_bytes_of(host);
  return address && (*address == ip_bytes_of("0.0.0.0") || *address == ip_bytes_of("::"));
}

std::string HostPort::text() const {
  const std::string port_text = std::to_string(port);
  const bool is_v6 = host.find(':') != std::string::npos;
  return is_v6 ? "[" + host + "]:" + port_text : host + ":" + port_text;
}

std::optional<HostPort> host_port_of(std::string_view text) {
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  std::string_view host = text.substr(0, colon);
  const auto port = whole_number<uint16_t>(text.substr(colon + 1));
  if (!port) return std::nullopt;
  if (host.starts_with('[')) {
    if (!host.ends_with(']')) return std::nullopt;
    host = host.substr(1, host.size() - 2);
    if (host.find(':') == std::string_view::npos || !ip_bytes_of(host)) return std::nullopt;
  } else if (!is_host_name(host)) {
    return std::nullopt;
  }
  return HostPort{std::string(host), *port};
}

std::optional<IpBytes> ip_bytes_of(std::string_view text) {
  const std::string terminated(text);
  if (terminated.find('\0') != std::string::npos) return std::nullopt;
  IpBytes bytes{};
  if (inet_pton(AF_INET6, terminated.c_str(), bytes.data()) == 1) return bytes;
  std::memcpy(bytes.data(), kMappedPrefix, sizeof kMappedPrefix);
  if (inet_pton(AF_INET, terminated.c_str(), bytes.data() + sizeof kMappedPrefix) == 1)
    return bytes;
  return std::nullopt;
}

std::optional<AddressRange> AddressRange::parse(std::string_view text) {
  const size_t slash = text.find('/');
  const auto address = ip_bytes_of(text.substr(0, slash));
  if (!address) return std::nullopt;
  const bool is_v4 = text.substr(0, slash).find(':') == std::string_view::npos;
  AddressRange range;
  range.network_ = *address;
  if (slash == std::string_view::npos) return range;
  const auto bits = whole_number<uint8_t>(text.substr(slash + 1));
  if (!bits || *bits > (is_v4 ? 32 : 128)) return std::nullopt;
  range.prefix_bits_ = static_cast<uint8_t>(is_v4 ? 96 + *bits : *bits);
  // "10.1.2.3/8" means 10.0.0.0/8: clear what lies beyond the prefix, so that equal blocks compare
  // equal.
  for (int bit = range.prefix_bits_; bit < 128; ++bit) {
    range.network_[static_cast<size_t>(bit / 8)] &= static_cast<uint8_t>(~(0x80 >> (bit % 8)));
  }
  return range;
}

bool AddressRange::contains(const IpBytes& address) const {
  const size_t whole_bytes = prefix_bits_ / 8;
  if (std::memcmp(address.data(), network_.data(), whole_bytes) != 0) return false;
  const int rest = prefix_bits_ % 8;
  if (rest == 0) return true;
  const auto mask = static_cast<uint8_t>(0xff << (8 - rest));
  return ((address[whole_bytes] ^ network_[whole_bytes]) & mask) == 0;
}

bool AddressRange::contains(std::string_view address) const {
  const auto bytes = ip_bytes_of(address);
  return bytes && contains(*bytes);
}

std::string AddressRange::text() const {
  const bool is_v4 = is_mapped_v4(network_) && prefix_bits_ >= 96;
  char buffer[INET6_ADDRSTRLEN] = {};
  inet_ntop(is_v4 ? AF_INET : AF_INET6, network_.data() + (is_v4 ? sizeof kMappedPrefix : 0),
            buffer, sizeof buffer);
  return std::string(buffer) + "/" + std::to_string(is_v4 ? prefix_bits_ - 96 : prefix_bits_);
}

}  // namespace shoal
