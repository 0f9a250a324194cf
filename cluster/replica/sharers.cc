#include "cluster/replica/sharers.h"

#include <utility>

#include "cluster/shard/slots.h"
#include "node/rules/topic.h"

namespace shoal::replica {

void Sharers::clear() {
  noted_.clear();
  sharing_.clear();
}

void Sharers::pump(const shard::ShardState& state, const Attachments& attachments,
                   std::vector<ServerEffects::Want>& out) {
  for (const std::string& client_id : std::exchange(noted_, {})) {
    const bool shares = attachments.find(client_id) != nullptr && say(state, client_id, out);
    if (shares) {
      sharing_.insert(client_id);
    } else {
      sharing_.erase(client_id);
    }
  }
}

// As many as the client may have open, less what is there already. False: it shares nothing.
bool Sharers::say(const shard::ShardState& state, const std::string& client_id,
                  std::vector<ServerEffects::Want>& out) const {
  const std::optional<shard::SessionRecord> session = state.session(client_id);
  if (!session || session->shared_subscriptions == 0) return false;
  if (session->queue.queued >= session->receive_maximum) return true;
  const uint32_t room = session->receive_maximum - session->queue.queued;
  for (const std::string& filter : state.subscriptions(client_id)) {
    if (!parse_shared(filter)) continue;
    out.push_back({shard::shard_of(filter, cluster_seed_, shards_), filter, client_id, room});
  }
  return true;
}

}  // namespace shoal::replica
