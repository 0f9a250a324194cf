#include "node/client/bench/endpoint.h"

#include <netdb.h>

#include <cstring>
#include <string>

namespace shoal::bench {

std::optional<Endpoint> resolve(const HostPort& name) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (getaddrinfo(name.host.c_str(), std::to_string(name.port).c_str(), &hints, &found) != 0) {
    return std::nullopt;
  }
  Endpoint endpoint;
  endpoint.size = found->ai_addrlen;
  std::memcpy(&endpoint.address, found->ai_addr, found->ai_addrlen);
  freeaddrinfo(found);
  return endpoint;
}

std::optional<std::vector<Endpoint>> resolve_all(const std::vector<HostPort>& names) {
  std::vector<Endpoint> endpoints;
  for (const HostPort& name : names) {
    const auto endpoint = resolve(name);
    if (!endpoint) return std::nullopt;
    endpoints.push_back(*endpoint);
  }
  return endpoints;
}

}  // namespace shoal::bench
