// The first bytes of a connection behind a balancer: never a crash, and the same verdict however few
// of them are there.
#include <arpa/inet.h>

#include <cstdio>
#include <cstdlib>
#include <vector>

#include "node/runtime/proxy_protocol.h"

namespace {

using namespace shoal;

void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "%s\n", what);
  std::abort();
}

// From a buffer of its own, so that a read past its end is seen.
ProxyHeaderResult parse_first(const uint8_t* data, size_t size) {
  return parse_proxy_header(std::vector<uint8_t>(data, data + size));
}

bool is_address(const std::string& text) {
  unsigned char bytes[sizeof(in6_addr)];
  return ::inet_pton(AF_INET, text.c_str(), bytes) == 1 ||
         ::inet_pton(AF_INET6, text.c_str(), bytes) == 1;
}

void check_header(const ProxyHeader& header, const uint8_t* data, size_t size) {
  require(header.size > 0 && header.size <= size, "a header longer than what came");
  require(header.size <= kProxyHeaderBytesMax, "a header longer than any may be");
  require(header.address.empty() || is_address(header.address), "an address that is none");
  const ProxyHeaderResult alone = parse_first(data, header.size);
  const auto* const again = std::get_if<ProxyHeader>(&alone);
  require(again != nullptr && again->size == header.size && again->address == header.address &&
              again->port == header.port && again->authority == header.authority &&
              again->tls_identity == header.tls_identity,
          "what follows a header changes it");
  const size_t step = 1 + header.size / 16;
  for (size_t part = 0; part < header.size; part += step) {
    require(std::holds_alternative<ProxyHeaderUnfinished>(parse_first(data, part)),
            "a part of a header is judged");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const ProxyHeaderResult result = parse_first(data, size);
  if (const auto* header = std::get_if<ProxyHeader>(&result)) {
    check_header(*header, data, size);
  } else if (std::holds_alternative<ProxyHeaderUnfinished>(result)) {
    require(size < kProxyHeaderBytesMax, "waits for more than a header may have");
  } else {
    std::vector<uint8_t> longer(data, data + size);
    longer.push_back('\n');
    require(std::holds_alternative<ProxyHeaderMalformed>(parse_proxy_header(longer)),
            "what was refused is taken with a byte more");
  }
  return 0;
}
