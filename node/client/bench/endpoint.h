// Where the load goes, resolved once: a storm of connections must not ask for a name each time.
#pragma once

#include <sys/socket.h>

#include <optional>
#include <vector>

#include "node/config/address.h"

namespace shoal::bench {

struct Endpoint {
  sockaddr_storage address{};
  socklen_t size = 0;
};

std::optional<Endpoint> resolve(const HostPort& name);

// None if one of the names is unknown.
std::optional<std::vector<Endpoint>> resolve_all(const std::vector<HostPort>& names);

}  // namespace shoal::bench
