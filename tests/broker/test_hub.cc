// The hub of a TestCluster: as simple as can be.
#include <algorithm>
#include <bit>
#include <variant>

#include <gtest/gtest.h>

#include "node/rules/forward_batch.h"
#include "node/rules/overloaded.h"
#include "node/rules/topic.h"
#include "tests/broker/test_cluster.h"
#include "tests/broker/test_store.h"

namespace shoal::test {

void TestCluster::on_hub(size_t from, ToHub& mail) {
  std::visit(Overloaded{
                 [&](RouteBatch& m) { on_routes(from, m); },
                 [&](RoutesApplied&) {},
                 [&](ClaimRequest& m) { on_claim(from, m); },
                 [&](ClaimWithdraw& m) { hub_log.push_back("withdraw " + m.client_id); },
                 [&](ClaimRelease& m) {
                   hub_log.push_back("release " + m.client_id);
                   Claim& claim = claims_[m.client_id];
                   if (claim.held && claim.stamp == m.stamp) claim.held = false;
                 },
                 [&](ClaimMove& m) {
                   hold_moves ? held_moves_.emplace_back(from, m), void() : on_move(from, m);
                 },
                 [&](EvictDone& m) { on_evicted(m); },
                 [&](EvictRefused& m) { on_evict_refused(m); },
                 [&](ForwardOut& m) { on_forward(from, m); },
                 [&](AcceptOut& m) {
                   if (m.origin.node == kShards) return store_->on_accept(from, m);
                   const size_t node = workers_[from]->node;
                   const size_t target = node_of(node, m.origin.node);
                   const Place place{slot_of(target, node), workers_[from]->index};
                   Mail answer{index_of(target, m.origin.worker), AcceptIn{place, m.ranges},
                               nullptr, nullptr};
                   (hold_acceptances ? held_.push_back(answer) : mails_.push_back(answer));
                 },
                 [&](ForwardConsumed&) {},
                 [&](RetainWrite& m) {
                   const std::string topic(m.message->topic());
                   if (m.message->payload().empty()) {
                     retained.erase(topic);
                   } else {
                     retained.insert_or_assign(topic, m.message);
                   }
                   if (!hold_retained) post(from, RetainDone{m.number});
                 },
                 [&](RetainedQuery& m) { on_query(from, m); },
                 [&](AllClosed&) { ++all_closed; },
                 [&](ToStore& m) { store_->on_mail(from, std::move(m)); },
             },
             mail);
}

void TestCluster::on_routes(size_t from, RouteBatch& batch) {
  const size_t node = workers_[from]->node;
  for (size_t to = 0; to < workers_.size(); ++to) {
    if (to == from) continue;
    RouteUpdate update;
    update.number = batch.number;
    const Place place{slot_of(workers_[to]->node, node), workers_[from]->index};
    for (const RouteChange& change : batch.changes) update.routes.push_back({place, change});
    post(to, std::move(update));
  }
  store_->on_routes(from, batch);
  if (!hold_routes) post(from, RoutesSynced{batch.number});
}

void TestCluster::on_move(size_t from, const ClaimMove& move) {
  hub_log.push_back("move " + move.client_id);
  Claim& claim = claims_[move.client_id];
  if (claim.held && claim.stamp == move.stamp) claim.holder = from;
  post(index_of(workers_[from]->node, move.from), ClaimMoved{move.client_id, move.number});
}

void TestCluster::on_claim(size_t from, const ClaimRequest& request) {
  Claim& claim = claims_[request.client_id];
  const bool elsewhere = claim.held && claim.holder != from;
  claim.next = from;
  claim.request = request;
  claim.next_stamp = Stamp{++stamps_, NodeId{workers_[from]->node + 1}};
  if (!elsewhere) return grant(request.client_id, claim);
  hub_log.push_back("evict " + request.client_id);
  claim.waits = true;
  post(claim.holder, Evict{request.client_id, claim.stamp, request.user});
}

void TestCluster::grant(const std::string& client_id, Claim& claim) {
  hub_log.push_back("grant " + client_id);
  claim.waits = false;
  claim.held = true;
  claim.holder = claim.next;
  claim.stamp = claim.next_stamp;
  ClaimAnswer answer;
  answer.conn = claim.request.conn;
  answer.client_id = client_id;
  answer.stamp = claim.stamp;
  answer.is_nothing_stored =
      knows_store && claim.request.is_volatile && !store_->session(client_id).has_value();
  post(claim.holder, answer);
}

void TestCluster::on_evicted(const EvictDone& done) {
  hub_log.push_back("evicted " + done.client_id);
  Claim& claim = claims_[done.client_id];
  if (claim.waits && claim.stamp == done.stamp) grant(done.client_id, claim);
}

void TestCluster::on_evict_refused(const EvictRefused& refused) {
  hub_log.push_back("refused " + refused.client_id);
  Claim& claim = claims_[refused.client_id];
  claim.waits = false;
  ClaimAnswer answer;
  answer.conn = claim.request.conn;
  answer.client_id = refused.client_id;
  answer.outcome = ClaimAnswer::Outcome::kRefusedUser;
  post(claim.next, answer);
}

// Over the wire, as between nodes.
void TestCluster::on_forward(size_t from, const ForwardOut& out) {
  const size_t node = workers_[from]->node;
  const size_t target = node_of(node, out.node);
  std::string bytes;
  serialize(*out.batch, bytes);
  auto parsed = parse_forward_batch(bytes_of(bytes));
  ASSERT_TRUE(parsed.has_value());
  std::vector<uint8_t> large;
  for (const auto part : large_parts(*out.batch))
    large.insert(large.end(), part.begin(), part.end());
  ASSERT_EQ(large.size(), parsed->large_bytes);
  if (!large.empty()) {
    auto shared = std::shared_ptr<uint8_t[]>(new uint8_t[large.size()]);
    std::copy(large.begin(), large.end(), shared.get());
    ASSERT_TRUE(attach_large(*parsed->batch, shared, large.size(), now_.mono));
  }
  for (uint64_t left = parsed->batch->worker_mask; left != 0; left &= left - 1) {
    const auto worker = static_cast<WorkerIndex>(std::countr_zero(left));
    Mail mail{index_of(target, worker), ForwardIn{slot_of(target, node), parsed->batch}, nullptr,
              nullptr};
    (hold_forwards ? held_.push_back(mail) : mails_.push_back(mail));
  }
}

void TestCluster::on_query(size_t from, const RetainedQuery& query) {
  RetainedPortion answer;
  answer.query = query.query;
  answer.done = true;
  for (auto at = retained.upper_bound(query.after); at != retained.end(); ++at) {
    if (!topic_matches(query.filter, at->first)) continue;
    if (answer.messages.size() == portion) {
      answer.done = false;
      break;
    }
    answer.messages.push_back(at->second);
  }
  post(from, std::move(answer));
}

void TestCluster::release_held() {
  for (Mail& mail : std::exchange(held_, {})) mails_.push_back(std::move(mail));
  for (const auto& [from, move] : std::exchange(held_moves_, {})) on_move(from, move);
  settle();
}

}  // namespace shoal::test
