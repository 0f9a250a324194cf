// A shard with its log: what an op does, and that it does the same on a replica that was restarted.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cluster/shard/forwarded.h"
#include "cluster/shard/shard_state.h"

namespace shoal::shard {

inline constexpr uint64_t kClusterSeed = 77;
inline constexpr NodeId kNodeA{0xA};
inline constexpr NodeId kNodeB{0xB};

inline ConnectOp connect_op(std::string_view client_id) {
  return {.client_id = client_id,
          .user = "u",
          .node = kNodeA,
          .incarnation = 1,
          .worker = 0,
          .receive_maximum = 2,
          .expiry_s = 3600};
}

inline MessageSpec message(std::string_view topic, std::string_view payload, Qos qos = Qos::k1) {
  return {.topic = topic, .payload = payload, .qos = qos};
}

class TestShard {
 public:
  explicit TestShard(uint64_t router_seed = 1) : router_seed_(router_seed) { restart(); }

  // As an entry of its own.
  template <class... Ops>
  Effects apply(const Ops&... ops) {
    EntryBuilder entry(stamp);
    (entry.add(ops), ...);
    return apply_bytes(entry.finish());
  }
  template <class AnyOp>
  Effects submit(const AnyOp& op, const Source& source) {
    EntryBuilder entry(stamp);
    entry.add(op, source);
    return apply_bytes(entry.finish());
  }
  Effects apply_bytes(const std::string& bytes) {
    Effects effects;
    applied = state->apply(++index, bytes, effects);
    state->check_invariants();
    return effects;
  }
  void restart() { state = std::make_unique<ShardState>(options(), values); }

  // ---- what tests say in one line

  OpPlace connect(const ConnectOp& op) { return apply(op).connected.at(0).epoch; }
  OpPlace connect(std::string_view client_id) { return connect(connect_op(client_id)); }
  OpPlace epoch(std::string_view client_id) { return state->session(client_id)->epoch; }
  Effects subscribe(std::string_view client_id, const FilterSpec& filter) {
    return apply(SubscribeOp{client_id, epoch(client_id), {filter}});
  }
  Effects subscribe(std::string_view client_id, std::string_view filter, Qos qos = Qos::k2) {
    return subscribe(client_id, FilterSpec{.filter = filter, .qos = qos});
  }
  Effects publish(std::string_view topic, std::string_view payload, Qos qos = Qos::k1) {
    return apply(PublishOp{message(topic, payload, qos)});
  }
  // A large payload, for the op that names it.
  void upload(const Upload& upload, std::string_view payload, size_t each) {
    for (size_t at = 0; at < payload.size(); at += each) {
      apply(PieceOp{upload, at, payload.size(), payload.substr(at, each)});
    }
  }
  Effects detach(std::string_view client_id) {
    return apply(DetachOp{.client_id = client_id, .epoch = epoch(client_id)});
  }
  Effects ack(std::string_view client_id, uint64_t number, AckKind kind = AckKind::kPuback) {
    return apply(AckOp{client_id, epoch(client_id), {AckOp::ack(number, kind)}});
  }
  std::vector<Delivery> deliveries(std::string_view client_id, uint64_t from = 0) {
    return state->deliveries(client_id, from, {});
  }
  std::vector<std::string> payloads(std::string_view client_id) {
    std::vector<std::string> out;
    for (const Delivery& each : deliveries(client_id)) out.push_back(each.message.payload);
    return out;
  }
  uint64_t skips(SkipReason reason) const { return at(state->meta().skips, reason); }
  uint64_t drops(DropReason reason) const { return at(state->meta().drops, reason); }
  uint64_t drops(std::string_view client_id, DropReason reason) const {
    return at(state->session(client_id)->drops, reason);
  }

  uint64_t stamp = 1'000'000;
  uint64_t index = 0;
  Applied applied = Applied::kApplied;
  MemoryKeyValues values;
  std::unique_ptr<ShardState> state;

 private:
  template <class Reason>
  static uint64_t at(const std::vector<uint64_t>& counts, Reason reason) {
    return counts.empty() ? 0 : counts[static_cast<size_t>(reason)];
  }
  ShardState::Options options() const {
    return {.cluster_seed = kClusterSeed, .router_seed = router_seed_};
  }
  uint64_t router_seed_;
};

}  // namespace shoal::shard
