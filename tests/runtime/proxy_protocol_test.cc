#include "node/runtime/proxy_protocol.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "shoal/byte_view.h"

namespace shoal {
namespace {

using std::string_literals::operator""s;

std::string shown(const ProxyHeaderResult& result) {
  if (std::holds_alternative<ProxyHeaderUnfinished>(result)) return "unfinished";
  if (const auto* malformed = std::get_if<ProxyHeaderMalformed>(&result)) {
    return "malformed: " + std::string(malformed->why);
  }
  const auto& header = std::get<ProxyHeader>(result);
  return header.address + " " + std::to_string(header.port) + " " + std::to_string(header.size);
}

std::string number(size_t value) {
  return {static_cast<char>(value >> 8), static_cast<char>(value & 0xFF)};
}

const std::string kSignature = "\r\n\r\n\0\r\nQUIT\n"s;
const std::string kIpv4Block = "\xC0\x00\x02\x07\x7F\x00\x00\x01\x30\x39\x07\x5B"s;  // port 12345
const std::string kIpv6Block = "\x20\x01\x0D\xB8"s + std::string(11, '\0') + "\x09" +
                               std::string(15, '\0') + "\x01" + "\x30\x39\x07\x5B";
const std::string kMappedBlock = std::string(10, '\0') + "\xFF\xFF\xC0\x00\x02\x07"s +
                                 std::string(15, '\0') + "\x01" + "\x30\x39\x07\x5B";

std::string v2(char version_and_command, char family, const std::string& payload) {
  return kSignature + version_and_command + family + number(payload.size()) + payload;
}

std::string tlv(char type, const std::string& value) {
  return std::string(1, type) + number(value.size()) + value;
}

TEST(ProxyProtocol, Version1) {
  const struct {
    std::string bytes;
    const char* expected;
  } cases[] = {
      {"PROXY TCP4 192.0.2.7 127.0.0.1 12345 1883\r\n", "192.0.2.7 12345 43"},
      {"PROXY TCP4 192.0.2.7 127.0.0.1 12345 1883\r\n\x10\x0c", "192.0.2.7 12345 43"},
      {"PROXY TCP6 2001:DB8::0009 ::1 12345 1883\r\n", "2001:db8::9 12345 42"},
      {"PROXY TCP6 ::ffff:192.0.2.7 ::ffff:127.0.0.1 12345 1883\r\n", "192.0.2.7 12345 57"},
      {"PROXY UNKNOWN\r\n", " 0 15"},
      {"PROXY UNKNOWN ffff:f...f:ffff whatever\r\n", " 0 40"},
      {"PROXY TCP4 192.0.2.7 127.0.0.1 0 65535\r\n", "192.0.2.7 0 40"},
      {"PROXY TCP4 192.0.2.7 127.0.0.1 12345 1883\r", "unfinished"},
      {"PROXY TCP4 192.0", "unfinished"},
      {"P", "unfinished"},
      {"", "unfinished"},
      {"PROXY TCP4 192.0.2.256 127.0.0.1 1 2\r\n", "malformed: not an address"},
      {"PROXY TCP4 ::1 127.0.0.1 1 2\r\n", "malformed: not an address"},
      {"PROXY TCP4 192.0.2.7 127.0.0.1 65536 2\r\n", "malformed: not a port"},
      {"PROXY TCP4 192.0.2.7 127.0.0.1 01 2\r\n", "malformed: not a port"},
      {"PROXY TCP4 192.0.2.7 127.0.0.1 1 -2\r\n", "malformed: not a port"},
      {"PROXY TCP4 192.0.2.7 127.0.0.1 1\r\n", "malformed: not six words"},
      {"PROXY TCP4  192.0.2.7 127.0.0.1 1 2\r\n", "malformed: not six words"},
      {"PROXY TCP4 192.0.2.7 127.0.0.1 1 2 3\r\n", "malformed: not six words"},
      {"PROXY UDP4 192.0.2.7 127.0.0.1 1 2\r\n", "malformed: an unknown protocol"},
      {"PROXY \r\n", "malformed: an unknown protocol"},
      {"PROXY TCP4 192.0.2.7\n", "malformed: a control character"},
      {"PROXY TCP4\r192.0.2.7", "malformed: a control character"},
      {"PROXY UNKNOWN\n\r\n", "malformed: a control character"},  // whole or cut: refused alike
      {"PROXY " + std::string(101, 'x'), "malformed: a line without an end"},
      {"PROXX", "malformed: no PROXY header"},
      {"\x10\x0c", "malformed: no PROXY header"},
      {"GET / HTTP/1.1", "malformed: no PROXY header"},
  };
  for (const auto& row : cases) {
    EXPECT_EQ(shown(parse_proxy_header(bytes_of(row.bytes))), row.expected) << row.bytes;
  }
}

TEST(ProxyProtocol, Version2) {
  const std::string long_tlv = tlv('\x04', std::string(5000, 'x'));
  const struct {
    const char* what;
    std::string bytes;
    const char* expected;
  } cases[] = {
      {"IPv4", v2('\x21', '\x11', kIpv4Block), "192.0.2.7 12345 28"},
      {"IPv4 and a client's byte", v2('\x21', '\x11', kIpv4Block) + "\x10", "192.0.2.7 12345 28"},
      {"IPv6", v2('\x21', '\x21', kIpv6Block), "2001:db8::9 12345 52"},
      {"IPv4 within IPv6", v2('\x21', '\x21', kMappedBlock), "192.0.2.7 12345 52"},
      {"UNSPEC", v2('\x21', '\0', ""), " 0 16"},
      {"UNSPEC with bytes", v2('\x21', '\0', "xyz"), " 0 19"},
      {"Unix", v2('\x21', '\x31', std::string(216, 'x')), " 0 232"},
      {"LOCAL", v2('\x20', '\0', ""), " 0 16"},
      {"LOCAL with an address", v2('\x20', '\x11', kIpv4Block), " 0 28"},
      {"TLVs", v2('\x21', '\x11', kIpv4Block + tlv('\x04', "") + tlv('\x05', "id")),
       "192.0.2.7 12345 36"},
      {"cut", v2('\x21', '\x11', kIpv4Block).substr(0, 27), "unfinished"},
      {"the signature alone", kSignature, "unfinished"},
      {"an older version", v2('\x11', '\x11', kIpv4Block), "malformed: an unknown version"},
      {"a bad version, early", kSignature + '\x31', "malformed: an unknown version"},
      {"a bad command", v2('\x22', '\x11', kIpv4Block), "malformed: an unknown command"},
      {"a short address", v2('\x21', '\x11', "\x7F\0\0\1"s), "malformed: addresses cut short"},
      {"IPv6 with IPv4's", v2('\x21', '\x21', kIpv4Block), "malformed: addresses cut short"},
      {"a TLV cut short", v2('\x21', '\x11', kIpv4Block + "\x04\x00\x09x"s),
       "malformed: a TLV that does not fit"},
      {"half a TLV header", v2('\x21', '\x11', kIpv4Block + "\x04"),
       "malformed: a TLV that does not fit"},
      {"an SSL TLV cut short", v2('\x21', '\x11', kIpv4Block + tlv('\x20', "\x07")),
       "malformed: a TLV that does not fit"},
      {"too long", v2('\x21', '\x11', kIpv4Block + long_tlv), "malformed: too long"},
      {"not the signature", "\r\n\r\n\0\r\nQUIX"s, "malformed: no PROXY header"},
  };
  for (const auto& row : cases) {
    EXPECT_EQ(shown(parse_proxy_header(bytes_of(row.bytes))), row.expected) << row.what;
  }
}

TEST(ProxyProtocol, TlvsTellOfTlsAtTheProxy) {
  const auto header_of = [](const std::string& tlvs) {
    return std::get<ProxyHeader>(
        parse_proxy_header(bytes_of(v2('\x21', '\x11', kIpv4Block + tlvs))));
  };
  EXPECT_EQ(header_of(tlv('\x02', "mqtt.example")).authority, "mqtt.example");
  const std::string name = tlv('\x22', "meter-7");
  EXPECT_EQ(header_of(tlv('\x20', "\x07\0\0\0\0"s + name)).tls_identity, "meter-7");
  EXPECT_EQ(header_of(tlv('\x20', "\x07\0\0\0\x01"s + name)).tls_identity, "") << "not verified";
  EXPECT_EQ(header_of(tlv('\x20', "\x01\0\0\0\0"s + name)).tls_identity, "") << "no certificate";
}

// Wherever a header is cut, its first part is unfinished, never something else.
TEST(ProxyProtocol, AnyCutIsUnfinished) {
  for (const std::string& whole :
       {"PROXY TCP6 2001:db8::9 ::1 12345 1883\r\n"s, v2('\x21', '\x21', kIpv6Block)}) {
    for (size_t size = 0; size < whole.size(); ++size) {
      EXPECT_EQ(shown(parse_proxy_header(bytes_of(whole.substr(0, size)))), "unfinished") << size;
    }
  }
}

}  // namespace
}  // namespace shoal
