#include "cluster/raft/engine_views.h"

#include <optional>

#include "cluster/raft/wire.h"

namespace shoal::raft {

EngineConfiguration::EngineConfiguration(const Configuration& from) {
  servers_.reserve(from.servers.size());
  for (const Server& server : from.servers) {
    servers_.push_back(
        {server.id.value, server.role == Role::kVoter ? ENGINE_VOTER : ENGINE_STANDBY});
  }
}

EngineEntries::EngineEntries(std::span<const Entry> from) {
  entries_.reserve(from.size());
  for (const Entry& entry : from) {
    engine_entry to{entry.term, static_cast<int>(entry.kind), {nullptr, 0}};
    if (entry.kind == EntryKind::kChange) {
      const std::optional<Configuration> change = decode_configuration(bytes_of(entry.payload));
      SHOAL_ASSERT(change.has_value());
      to.change = changes_.emplace_back(*change).view();
    }
    entries_.push_back(to);
  }
}

}  // namespace shoal::raft
