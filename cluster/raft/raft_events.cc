#include "cluster/raft/raft_events.h"

namespace shoal::raft {

void Effects::clear() {
  persists.clear();
  sends.clear();
  applies.clear();
  snapshots.clear();
  cuts.clear();
  roles.clear();
  configurations.clear();
}

}  // namespace shoal::raft
