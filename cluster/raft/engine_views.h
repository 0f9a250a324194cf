// Values of ours as engine.h takes them. What a view points to lives as long as the view.
#pragma once

#include <deque>
#include <span>
#include <vector>

#include "cluster/raft/engine.h"
#include "cluster/raft/types.h"
#include "shoal/assert.h"

namespace shoal::raft {

// A status that is no answer to a question: memory is short or the state is broken. Going on would
// corrupt the log.
inline void check_engine(int status) { SHOAL_ASSERT(status == 0); }

class EngineConfiguration {
 public:
  explicit EngineConfiguration(const Configuration& from);
  engine_configuration view() const { return {servers_.data(), servers_.size()}; }

 private:
  std::vector<engine_server> servers_;
};

class EngineSnapshot {
 public:
  explicit EngineSnapshot(const SnapshotMeta& from)
      : configuration_(from.configuration),
        view_{from.index, from.term, from.configuration_index, configuration_.view()} {}
  EngineSnapshot(const EngineSnapshot&) = delete;
  EngineSnapshot& operator=(const EngineSnapshot&) = delete;
  const engine_snapshot& view() const { return view_; }

 private:
  const EngineConfiguration configuration_;
  const engine_snapshot view_;
};

class EngineEntries {
 public:
  explicit EngineEntries(std::span<const Entry> from);
  EngineEntries(const EngineEntries&) = delete;
  EngineEntries& operator=(const EngineEntries&) = delete;
  const engine_entry* data() const { return entries_.data(); }
  size_t size() const { return entries_.size(); }

 private:
  std::deque<EngineConfiguration> changes_;  // its elements stay where they are
  std::vector<engine_entry> entries_;
};

}  // namespace shoal::raft
