// What comes out of outboxes (outbox_publisher.h) for the live sessions here. Numbers of a shard come in
// their order, and again from another leader: each is given to the workers once, and answered to
// whoever sent it last. Of shared subscriptions what was given is known as long as it may come again;
// so what a leader sent before its successor, and comes behind what that sent, is void: the successor
// may have done with it.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "cluster/core/context.h"
#include "cluster/core/forwarding.h"
#include "node/rules/forward_batch.h"
#include "shoal/peers.h"

namespace shoal {

class OutboxReceiver {
 public:
  struct Answer {
    uint32_t shard = 0;
    uint64_t number = 0;
    uint32_t part = 0;
    bool placed = true;
  };
  using Answered = std::function<void(NodeSlot to, const Answer&)>;
  OutboxReceiver(Context& context, Answered answered)
      : context_(context), answered_(std::move(answered)) {}

  void on_parcel(NodeSlot from, OutboxParcel&& parcel);
  // Of a worker; the origin is {kShards, shard}.
  void on_accept(WorkerIndex worker, const AcceptOut& accept);
  // Its slot may come to stand for another session.
  void on_node_gone(NodeSlot node);

 private:
  // Number, and the shared subscription that it was picked for; of plain ones empty.
  using Key = std::pair<uint64_t, std::string>;
  struct Given {
    NodeSlot answer_to = kSelf;
    bool is_wanted = true;  // whoever sent it is there
    uint32_t part = 0;
    uint64_t workers = 0;  // that have not answered
    bool placed = true;
  };
  struct Source {
    explicit Source(WorkerIndex shard) : writer(shard) {}
    uint64_t term = 0;             // of the leaders that sent any, the highest
    uint64_t mark = 0;             // of plain ones, the highest
    std::set<Key> picked;          // given for shared subscriptions
    std::map<Key, Given> open;     // not answered
    std::map<uint64_t, Key> sent;  // by the numbers that the workers have
    ForwardBatchWriter writer;
  };
  void give(uint32_t shard, Source& source, const Key& key, Given given,
            const ForwardRecord& record);
  void answer(uint32_t shard, Source& source, const Key& key);

  Context& context_;
  const Answered answered_;
  std::map<uint32_t, Source> sources_;
};

}  // namespace shoal
