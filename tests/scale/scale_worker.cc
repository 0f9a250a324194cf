#include "tests/scale/scale_worker.h"

#include <utility>
#include <variant>

#include "shoal/assert.h"

namespace shoal::scale {

void ScaleWorker::change(std::string filter, RouteWeight weight) {
  changes_.push_back({std::move(filter), weight});
}

void ScaleWorker::claim(const std::string& client_id) {
  to_hub_.push_back(ClaimRequest{.conn = {++connections_, 0}, .client_id = client_id, .user = {}});
}

void ScaleWorker::forward(const std::vector<MessageRef>& messages, WorkerIndex to, Instant now) {
  for (auto& [slot, lane] : lanes_) {
    for (const MessageRef& message : messages) {
      lane.append(message->view(), uint64_t{1} << to, {}, now);
    }
    std::vector<ForwardBatchRef> batches;
    lane.finish(batches);
    for (ForwardBatchRef& batch : batches) {
      forwarded_ += batch->messages;
      to_hub_.push_back(ForwardOut{slot, std::move(batch)});
    }
  }
}

void ScaleWorker::on_mail(ToWorker&& mail, Now now) {
  if (auto* const update = std::get_if<RouteUpdate>(&mail)) {
    if (router_) {
      for (const PlacedRoute& route : update->routes) router_->apply(route);
    }
    to_hub_.push_back(RoutesApplied{update->number});
  } else if (const auto* const synced = std::get_if<RoutesSynced>(&mail)) {
    synced_ = synced->number;
    reports_.on_synced(synced_);
  } else if (const auto* const until = std::get_if<AckUntil>(&mail)) {
    ack_until_ = until->until;
  } else if (const auto* const claimed = std::get_if<ClaimAnswer>(&mail)) {
    reports_.on_claim(*claimed);
  } else if (const auto* const evict = std::get_if<Evict>(&mail)) {
    to_hub_.push_back(EvictDone{evict->client_id, evict->stamp});
  } else if (const auto* const up = std::get_if<PeerUp>(&mail)) {
    lanes_.emplace(up->node, ForwardBatchWriter(index_));
  } else if (const auto* const down = std::get_if<PeerDown>(&mail)) {
    lanes_.erase(down->node);
    if (router_) router_->drop_node(down->node);
  } else if (std::get_if<AllClose>(&mail) != nullptr) {
    to_hub_.push_back(AllClosed{});
  } else if (const auto* const forwarded = std::get_if<ForwardIn>(&mail)) {
    take(*forwarded, now.mono);
  } else if (const auto* const accepts = std::get_if<AcceptIn>(&mail)) {
    for (const AcceptedRange& range : accepts->ranges) accepted_ += range.last - range.first + 1;
  }
}

void ScaleWorker::take(const ForwardIn& mail, Instant now) {
  ForwardBatchReader reader(*mail.batch, now);
  ForwardRecord record;
  while (reader.next(record)) ++received_;
  SHOAL_ASSERT(reader.ok());
  to_hub_.push_back(ForwardConsumed{mail.node, mail.batch->bytes()});
  if (mail.batch->first_number == 0) return;
  to_hub_.push_back(
      AcceptOut{{mail.node, mail.batch->origin_worker},
                {{mail.batch->first_number, mail.batch->last_number, Acceptance::kAccepted}}});
}

std::vector<ToHub> ScaleWorker::end_turn() {
  if (!changes_.empty()) {
    to_hub_.push_back(RouteBatch{++batch_, std::exchange(changes_, {})});
  }
  return std::exchange(to_hub_, {});
}

void ScaleWorker::keep_routes(bool does) {
  router_.reset();
  if (does) router_ = std::make_unique<Router>(Router::Options{.worker = index_, .seed = 1});
}

}  // namespace shoal::scale
