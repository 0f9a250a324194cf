// The store of a TestCluster: real shards, one replica each, led by one simple leader. What workers say
// becomes an op of its own entry at once, or when the test lets it commit; what that brings about is
// carried out as a leader does: answers, deliveries, the outbox to shards and live sessions, members of
// shared subscriptions, retained messages.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cluster/shard/shard_state.h"
#include "node/rules/forward_batch.h"
#include "node/rules/router.h"
#include "shoal/peers.h"
#include "shoal/session_store.h"

namespace shoal::test {

class TestStore {
 public:
  // What surrounds it. Workers are counted over all nodes.
  struct World {
    size_t workers = 1;
    size_t workers_per_node = 1;
    std::function<void(size_t worker, ToWorker mail)> post;
    std::function<Now()> now;
    std::map<std::string, MessageRef>* retained = nullptr;
  };
  TestStore(size_t shards, World world);

  void on_mail(size_t from, ToStore mail);
  void on_routes(size_t from, const RouteBatch& batch);
  // An answer to what came from a shard's outbox.
  void on_accept(size_t from, const AcceptOut& accept);
  void on_tick();

  // What was held back commits.
  void commit();
  // As when nothing heard from it: all sessions attached there lose their connection.
  void lose_node(size_t node);

  // The session's record; null when there is none.
  std::optional<shard::SessionRecord> session(std::string_view client_id) const;
  bool has_received(std::string_view client_id, uint16_t packet_id) const;
  size_t outbox() const;
  size_t shard_of(std::string_view name) const;

  bool holds_commits = false;
  bool holds_answers = false;  // SessionAttached waits until commit()
  bool is_full = false;        // numbered mails are refused: quota
  size_t room = 1000;          // messages that a session is given beyond what SessionRoom says
  std::map<std::string, size_t> seen;  // mails, by kind
  std::vector<SessionConnect> connects;
  std::vector<ShardPublish> publishes;
  std::vector<SessionDetach> detaches;

 private:
  struct Shard {
    shard::MemoryKeyValues values;
    std::unique_ptr<shard::ShardState> state;
    uint64_t index = 0;
    std::map<size_t, uint64_t> source_numbers;                      // by worker
    std::set<uint64_t> out;                                         // of the outbox, on their way
    std::map<size_t, std::unique_ptr<ForwardBatchWriter>> writers;  // by node
  };
  struct Attached {
    size_t worker = 0;
    SessionEpoch epoch = 0;
    uint64_t sent = 0;    // up to this number
    uint64_t passed = 0;  // by SessionRoom
    std::vector<uint64_t> unpassed;
  };
  // Who has yet to accept an item of an outbox.
  struct Waited {
    uint64_t item = 0;
    MessageRef message;
    // By worker and number: who shares, or "".
    std::map<std::pair<size_t, uint64_t>, std::string> answers;
    std::map<std::string, std::vector<Place>, std::less<>> asked;  // in vain, by who shares
  };

  // test_store.cc: what workers say
  void process(size_t from, ToStore& mail);
  void on(size_t from, SessionConnect& mail);
  void on(size_t from, SessionWithdraw& mail);
  void on(size_t from, SessionDetach& mail);
  void on(size_t from, SessionSubscribe& mail);
  void on(size_t from, SessionUnsubscribe& mail);
  void on(size_t from, SessionAck& mail);
  void on(size_t from, SessionRoom& mail);
  void on(size_t from, SessionReceive& mail);
  void on(size_t from, SessionRelease& mail);
  void on(size_t from, ShardPublish& mail);
  void publish_shared(size_t from, ShardPublish& mail);
  void answer(size_t from, uint64_t number, const shard::Effects& effects);
  uint64_t stamp() const { return static_cast<uint64_t>(world_.now().wall_ms); }
  template <class AnyOp>
  shard::Effects submit(size_t from, size_t shard, const AnyOp& op);
  template <class AnyOp>
  shard::Effects apply(size_t shard, const AnyOp& op);
  shard::Effects apply_bytes(size_t shard, const std::string& bytes);
  shard::MessageSpec spec_of(const Message& message) const;

  // test_store_leader.cc: what a leader does with it
  void work();
  bool deliver(const std::string& client_id);
  bool work_off_outbox(size_t shard);
  void forward_item(size_t shard, const shard::OutboxMessage& item);
  void publish_item(size_t shard, const shard::OutboxMessage& item);
  void give_member(size_t shard, Waited& waited, const SharedGroup& group);
  void give(size_t shard, Waited& waited, NodeSlot slot, uint64_t mask,
            std::span<const SharedPick> picks);
  void on_answer(size_t shard, Waited& waited, std::pair<size_t, uint64_t> of,
                 Acceptance acceptance);
  bool take_for_members(size_t shard);
  bool replay(size_t shard);
  void tell_routes();
  std::map<std::pair<size_t, std::string>, RouteWeight> wanted_routes() const;
  MessageRef message_of(const shard::Body& body) const;

  World world_;
  std::vector<std::unique_ptr<Shard>> shards_;
  std::deque<std::pair<size_t, ToStore>> held_;
  std::vector<std::pair<size_t, SessionAttached>> held_answers_;
  std::map<size_t, uint64_t> numbers_;  // last of each worker
  std::map<std::string, Attached> attached_;
  std::set<std::string> known_;  // client ids
  std::map<std::pair<size_t, std::string>, RouteWeight> told_;
  std::vector<std::pair<size_t, Waited>> waited_;  // by shard
  Router routes_{Router::Options{.worker = 63}};
  Random random_{5};
  size_t turn_ = 0;
};

}  // namespace shoal::test
