#include "node/runtime/proxy_protocol.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <vector>

namespace shoal {
namespace {

using ByteSpan = std::span<const uint8_t>;

constexpr std::string_view kPrefixV1 = "PROXY ";
constexpr size_t kLineBytesMaxV1 = 107;  // with CR LF
constexpr std::array<uint8_t, 12> kSignatureV2 = {0x0D, 0x0A, 0x0D, 0x0A, 0x00, 0x0D,
                                                  0x0A, 0x51, 0x55, 0x49, 0x54, 0x0A};
constexpr size_t kFixedBytesV2 = 16;

constexpr uint8_t kCommandLocal = 0x0;
constexpr uint8_t kCommandProxy = 0x1;
constexpr uint8_t kFamilyIpv4 = 0x1;
constexpr uint8_t kFamilyIpv6 = 0x2;
constexpr uint8_t kTypeAuthority = 0x02;
constexpr uint8_t kTypeSsl = 0x20;
constexpr uint8_t kSubtypeSslCommonName = 0x22;
constexpr uint8_t kClientCertificate = 0x02 | 0x04;  // on this connection, or in its session

std::string_view text_of(ByteSpan bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// An address as inet_ntop() writes it, so that one client has one spelling; and IPv4 as such, also
// from a balancer whose one socket takes both families.
std::string address_text(int family, const uint8_t* bytes) {
  constexpr std::array<uint8_t, 12> kMapped = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};
  if (family == AF_INET6 && std::equal(kMapped.begin(), kMapped.end(), bytes)) {
    return address_text(AF_INET, bytes + kMapped.size());
  }
  char text[INET6_ADDRSTRLEN] = {};
  ::inet_ntop(family, bytes, text, sizeof text);
  return text;
}

std::optional<std::string> canonical(int family, std::string_view text) {
  std::array<uint8_t, sizeof(in6_addr)> bytes{};
  if (::inet_pton(family, std::string(text).c_str(), bytes.data()) != 1) return std::nullopt;
  return address_text(family, bytes.data());
}

// ---- version 1: one line of text

// Digits alone, without a leading zero.
std::optional<uint16_t> port_of(std::string_view text) {
  uint32_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  const bool is_number = error == std::errc() && end == text.data() + text.size();
  if (!is_number || port > 65535 || (text.size() > 1 && text[0] == '0')) return std::nullopt;
  return static_cast<uint16_t>(port);
}

std::vector<std::string_view> words_of(std::string_view line) {
  std::vector<std::string_view> words;
  while (true) {
    const size_t space = line.find(' ');
    words.push_back(line.substr(0, space));
    if (space == std::string_view::npos) return words;
    line.remove_prefix(space + 1);
  }
}

ProxyHeaderResult parse_line_v1(std::string_view line, size_t size) {
  const auto words = words_of(line);  // PROXY TCP4 SOURCE DESTINATION PORT PORT
  ProxyHeader header;
  header.size = size;
  if (words[1] == "UNKNOWN") return header;  // the rest of the line is to be ignored
  const bool is_ipv4 = words[1] == "TCP4";
  if (!is_ipv4 && words[1] != "TCP6") return ProxyHeaderMalformed{"an unknown protocol"};
  if (words.size() != 6) return ProxyHeaderMalformed{"not six words"};
  const int family = is_ipv4 ? AF_INET : AF_INET6;
  const auto source = canonical(family, words[2]);
  if (!source || !canonical(family, words[3])) return ProxyHeaderMalformed{"not an address"};
  const auto port = port_of(words[4]);
  if (!port || !port_of(words[5])) return ProxyHeaderMalformed{"not a port"};
  header.address = *source;
  header.port = *port;
  return header;
}

ProxyHeaderResult parse_v1(ByteSpan bytes) {
  const std::string_view text = text_of(bytes.first(std::min(bytes.size(), kLineBytesMaxV1)));
  const size_t end = text.find("\r\n");
  const bool is_whole = end != std::string_view::npos;
  if (!is_whole && text.size() == kLineBytesMaxV1) {
    return ProxyHeaderMalformed{"a line without an end"};
  }
  // Before its CR LF, of which perhaps only the CR is there yet, a line has nothing below a space.
  const std::string_view line =
      is_whole ? text.substr(0, end) : text.substr(0, text.size() - (text.back() == '\r' ? 1 : 0));
  const auto is_control = [](char c) { return static_cast<uint8_t>(c) < ' '; };
  if (std::any_of(line.begin(), line.end(), is_control)) {
    return ProxyHeaderMalformed{"a control character"};
  }
  if (!is_whole) return ProxyHeaderUnfinished{};
  return parse_line_v1(line, end + 2);
}

// ---- version 2: binary

size_t number_of(ByteSpan bytes) { return static_cast<size_t>(bytes[0]) << 8 | bytes[1]; }

// Calls `visit(type, value)` for each TLV; false when they do not fit exactly.
template <class Visit>
bool for_each_tlv(ByteSpan rest, Visit&& visit) {
  while (!rest.empty()) {
    if (rest.size() < 3) return false;
    const size_t size = number_of(rest.subspan(1));
    if (rest.size() < 3 + size) return false;
    visit(rest[0], rest.subspan(3, size));
    rest = rest.subspan(3 + size);
  }
  return true;
}

// client flags (1), verify (4; 0: the certificate was good), and TLVs of its own.
bool read_ssl(ByteSpan value, ProxyHeader& header) {
  if (value.size() < 5) return false;
  const bool is_verified = (value[0] & kClientCertificate) != 0 && value[1] == 0 && value[2] == 0 &&
                           value[3] == 0 && value[4] == 0;
  return for_each_tlv(value.subspan(5), [&](uint8_t type, ByteSpan inner) {
    if (type == kSubtypeSslCommonName && is_verified) header.tls_identity = text_of(inner);
  });
}

bool read_tlvs(ByteSpan tlvs, ProxyHeader& header) {
  bool fits = true;
  const bool all_fit = for_each_tlv(tlvs, [&](uint8_t type, ByteSpan value) {
    if (type == kTypeAuthority) header.authority = text_of(value);
    if (type == kTypeSsl) fits = read_ssl(value, header) && fits;
  });
  return all_fit && fits;
}

// Source, destination, and their ports; then TLVs.
ProxyHeaderResult parse_proxied_v2(uint8_t family, ByteSpan payload, ProxyHeader header) {
  const bool is_ipv4 = family == kFamilyIpv4;
  if (!is_ipv4 && family != kFamilyIpv6) return header;  // UNSPEC, Unix: no address that we know
  const size_t address_size = is_ipv4 ? sizeof(in_addr) : sizeof(in6_addr);
  const size_t block_size = 2 * address_size + 4;
  if (payload.size() < block_size) return ProxyHeaderMalformed{"addresses cut short"};
  header.address = address_text(is_ipv4 ? AF_INET : AF_INET6, payload.data());
  header.port = static_cast<uint16_t>(number_of(payload.subspan(2 * address_size)));
  if (!read_tlvs(payload.subspan(block_size), header)) {
    return ProxyHeaderMalformed{"a TLV that does not fit"};
  }
  return header;
}

ProxyHeaderResult parse_v2(ByteSpan bytes) {
  if (bytes.size() > kSignatureV2.size()) {
    const uint8_t version_and_command = bytes[12];
    if (version_and_command >> 4 != 2) return ProxyHeaderMalformed{"an unknown version"};
    if ((version_and_command & 0xF) > kCommandProxy) {
      return ProxyHeaderMalformed{"an unknown command"};
    }
  }
  if (bytes.size() < kFixedBytesV2) return ProxyHeaderUnfinished{};
  ProxyHeader header;
  header.size = kFixedBytesV2 + number_of(bytes.subspan(14));
  if (header.size > kProxyHeaderBytesMax) return ProxyHeaderMalformed{"too long"};
  if (bytes.size() < header.size) return ProxyHeaderUnfinished{};
  if ((bytes[12] & 0xF) == kCommandLocal) return header;
  const ByteSpan payload = bytes.first(header.size).subspan(kFixedBytesV2);
  return parse_proxied_v2(bytes[13] >> 4, payload, std::move(header));
}

// Whether both begin alike, as far as both go.
template <class Other>
bool begins_like(ByteSpan bytes, const Other& pattern) {
  const size_t size = std::min(bytes.size(), pattern.size());
  return std::equal(bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(size), pattern.begin(),
                    [](uint8_t a, auto b) { return a == static_cast<uint8_t>(b); });
}

}  // namespace

ProxyHeaderResult parse_proxy_header(ByteSpan bytes) {
  if (bytes.empty()) return ProxyHeaderUnfinished{};
  if (begins_like(bytes, kSignatureV2)) return parse_v2(bytes);
  if (!begins_like(bytes, kPrefixV1)) return ProxyHeaderMalformed{"no PROXY header"};
  return bytes.size() < kPrefixV1.size() ? ProxyHeaderUnfinished{} : parse_v1(bytes);
}

}  // namespace shoal
