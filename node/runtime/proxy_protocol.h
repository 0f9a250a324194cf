// The PROXY protocol, versions 1 and 2 (haproxy.org/download/2.8/doc/proxy-protocol.txt): the header by
// which a balancer tells whose connection it passes on. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>

namespace shoal {

struct ProxyHeader {
  size_t size = 0;  // bytes of the header: what comes after is the client's
  // Of the client; empty for LOCAL (the balancer itself, a health check), UNKNOWN and UNSPEC: the
  // connection's own address holds then.
  std::string address;
  uint16_t port = 0;
  // From TLVs of version 2; empty without them.
  std::string authority;     // PP2_TYPE_AUTHORITY: the host name that the client asked for (SNI)
  std::string tls_identity;  // PP2_SUBTYPE_SSL_CN of a certificate that the proxy verified
};

struct ProxyHeaderUnfinished {};
struct ProxyHeaderMalformed {
  std::string_view why;  // static text
};

using ProxyHeaderResult = std::variant<ProxyHeader, ProxyHeaderUnfinished, ProxyHeaderMalformed>;

// A header of version 2 is longer only with TLVs that nobody sends: bytes that a stranger could make
// us keep.
constexpr size_t kProxyHeaderBytesMax = 4096;

// `bytes` from the connection's start. What cannot become a header is malformed at once, however few
// its bytes are.
ProxyHeaderResult parse_proxy_header(std::span<const uint8_t> bytes);

}  // namespace shoal
