// What a ShardServer asks of its node. Within one kind the order holds. The caller carries them out
// after each turn and clears them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cluster/replica/session_ids.h"
#include "cluster/shard/effects.h"
#include "cluster/shard/shard_state.h"
#include "proto/shoal/store.pb.h"
#include "shoal/message.h"
#include "shoal/types.h"

namespace shoal::replica {

struct ServerEffects {
  // To be appended to the shard's log, in this order.
  std::vector<std::string> entries;

  // To a node, maybe this one. It goes out once all places that are waited for have the shard's
  // routes up to version `after_routes`, and behind what goes to the same node before it.
  struct Reply {
    NodeId to;
    uint64_t after_routes = 0;
    proto::StoreReply message;
  };
  std::vector<Reply> replies;

  // The shard's routes, which this leader announces. `whole`: all of them, as they are when it begins
  // to serve; else what changed. Versions ascend through the life of a shard.
  struct Routes {
    uint64_t version = 0;
    bool whole = false;
    std::vector<shard::Effects::RouteChange> changes;
  };
  std::vector<Routes> routes;

  // A message of the outbox: who is to have it? Answered by on_targets() and on_published(), for each
  // shard in the order of the numbers.
  struct Publish {
    uint64_t number = 0;
    uint64_t least = 0;  // none below this comes again, whoever leads
    shard::Body message;
    SharedBytes payload;                   // of one in pieces
    bool is_will = false;                  // what it retains nobody has written
    std::string group;                     // a shared subscription: to who shares that alone
    std::vector<shard::OutboxPick> picks;  // that an earlier leader may have sent it to
  };
  std::vector<Publish> publishes;
  // Picks that on_picks() told are durable: once for each call, in its order.
  std::vector<uint64_t> picked;

  // An op for another shard, without a source: answered by on_outbox_answer(). It may be lost.
  struct ToShard {
    uint32_t shard = 0;
    std::string ops;
    uint32_t op_count = 0;
  };
  std::vector<ToShard> to_shards;

  // An answer to another shard's OutboxInOp, for its leader; it too goes out after the routes.
  struct OutboxAnswer {
    uint64_t after_routes = 0;
    shard::Effects::OutboxAnswer answer;
  };
  std::vector<OutboxAnswer> outbox_answers;

  // Retained messages for a replay. Answered by on_retained().
  struct RetainedQuery {
    std::string client_id;
    std::string filter;
    shard::OpPlace replay = 0;
    std::string after;
  };
  std::vector<RetainedQuery> retained_queries;

  // A member of a shared subscription has room: to the leader of the group's shard.
  struct Want {
    uint32_t shard = 0;
    std::string group;
    std::string client_id;
    uint32_t room = 0;
  };
  std::vector<Want> wants;

  std::vector<shard::Effects::Drop> drops;
  // The state is as of this index; 0: as it was. Set by every replica, as is what follows.
  uint64_t applied = 0;
  SessionChanges sessions;

  bool empty() const {
    return entries.empty() && replies.empty() && routes.empty() && publishes.empty() &&
           to_shards.empty() && outbox_answers.empty() && retained_queries.empty() &&
           wants.empty() && picked.empty() && drops.empty() && applied == 0 && sessions.empty();
  }
  void clear() { *this = ServerEffects(); }
};

}  // namespace shoal::replica
