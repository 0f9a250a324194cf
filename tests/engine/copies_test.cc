// Three nodes on real disks: one that was away for longer than the others' logs go back gets their
// state, and starts again on what it got.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <filesystem>
#include <optional>
#include <set>

#include "cluster/raft/wire.h"
#include "shoal/byte_view.h"
#include "tests/engine/test_clients.h"
#include "tests/storage/storage_fixture.h"

namespace shoal::engine::test {
namespace {

class CopiesTest : public storage::StorageTest {
 protected:
  static constexpr int kNodes = 3;

  void start(int at, bool found = false) {
    NodeOptions options;
    options.directory = path("n" + std::to_string(at + 1));
    options.id = static_cast<uint64_t>(at) + 1;
    options.incarnation = ++incarnations_[at];
    options.nodes = kNodes;
    options.found = found;
    options.trailing = 20;
    options.engine.flush = {Duration::millis(20), 1'000'000, 200};
    nodes_[at] = std::make_unique<EngineNode>(std::move(options));
    nodes_[at]->on_frame = [this, at](StoreEffects::Frame&& frame) {
      if (at == 2 && acknowledges_nothing_ && is_acknowledgement(frame)) return;
      frames_.push_back({at, std::move(frame)});
    };
    nodes_[at]->turn_all = [this] { turn(); };
  }
  void stop(int at) {
    const EngineNode& gone = *nodes_[at];
    for (int other = 0; other < kNodes; ++other) {
      if (other == at || !nodes_[other] || !nodes_[other]->is_open()) continue;
      nodes_[other]->store().on_peer_end(gone.id(), clock_now());
      nodes_[other]->store().on_peer_gone(gone.id(), gone.incarnation(), clock_now());
      sessions_.erase(std::minmax(at, other));
    }
    nodes_[at].reset();
  }

  static bool is_acknowledgement(const StoreEffects::Frame& frame) {
    if (frame.kind != replica::StoreFrame::kRaft) return false;
    const auto message = raft::decode(bytes_of(frame.bytes));
    const auto* const result = message ? std::get_if<raft::AppendResult>(&message->body) : nullptr;
    return result != nullptr && result->rejected == 0;
  }

  void turn() {
    for (int at = 0; at < kNodes; ++at) {
      if (!nodes_[at]) continue;
      ASSERT_EQ(nodes_[at]->failure(), "");
      meet(at);
      nodes_[at]->turn(Duration::millis(1));
      deliver();
    }
  }
  void meet(int at) {
    for (int other = 0; other < kNodes; ++other) {
      if (other == at || !nodes_[other] || !nodes_[at]->is_open() || !nodes_[other]->is_open() ||
          !sessions_.insert(std::minmax(at, other)).second) {
        continue;
      }
      greet(at, other);
      greet(other, at);
    }
  }
  void greet(int at, int other) {
    nodes_[at]->store().on_peer(nodes_[other]->id(), nodes_[other]->incarnation(), clock_now());
  }
  void deliver() {
    for (auto& [from, frame] : std::exchange(frames_, {})) {
      const int to = static_cast<int>(frame.to.value) - 1;
      if (!nodes_[to] || !nodes_[from] || !sessions_.contains(std::minmax(to, from))) continue;
      const auto* const bytes = reinterpret_cast<const uint8_t*>(frame.bytes.data());
      nodes_[to]->store().on_frame(nodes_[from]->id(), frame.kind, {bytes, frame.bytes.size()},
                                   clock_now());
    }
  }
  bool run_until(const std::function<bool()>& is_done) {
    const Instant give_up = clock_now().mono + Duration::seconds(30);
    while (!is_done() && clock_now().mono < give_up && !HasFatalFailure()) turn();
    return is_done();
  }
  bool all_ready() {
    return run_until([this] {
      for (const auto& node : nodes_) {
        if (node && (!node->is_open() || !node->store().is_ready())) return false;
      }
      return true;
    });
  }

  // It knows of the session, and has the first twenty of its messages.
  void begin_and_stop_third() {
    for (int at = 0; at < kNodes; ++at) start(at, true);
    ASSERT_TRUE(all_ready());
    clients_.emplace(*nodes_[0]);
    ASSERT_TRUE(clients_->connect() && clients_->subscribe() && clients_->detach());
    ASSERT_TRUE(clients_->publish(20, 1));
    stop(2);
  }

  // The first is gone: of three, the third has to be one of the two that go on.
  void expect_messages_at_third(uint64_t count) {
    ASSERT_TRUE(all_ready());
    stop(0);
    ASSERT_TRUE(all_ready());
    TestClients clients(*nodes_[2]);
    ASSERT_TRUE(clients.connect());
    EXPECT_TRUE(clients.session_present());
    ASSERT_TRUE(clients.receive(count));
    for (uint64_t i = 0; i < count; ++i) ASSERT_EQ(clients.received()[i], i + 1);
  }

  std::array<std::unique_ptr<EngineNode>, kNodes> nodes_;
  std::optional<TestClients> clients_;  // of the first
  std::array<uint64_t, kNodes> incarnations_{};
  bool acknowledges_nothing_ = false;  // the third's log goes no further, for the others
  std::set<std::pair<int, int>> sessions_;
  std::vector<std::pair<int, StoreEffects::Frame>> frames_;
};

TEST_F(CopiesTest, ANodeThatWasAwayForLongGetsTheState) {
  ASSERT_NO_FATAL_FAILURE(begin_and_stop_third());
  ASSERT_TRUE(all_ready());
  ASSERT_TRUE(clients_->publish(300, 1));
  start(2);
  ASSERT_TRUE(run_until([this] { return nodes_[2]->installed() > 0; }));
  ASSERT_TRUE(clients_->publish(20, 1));

  // It starts again on what it got, and needs no other.
  stop(2);
  start(2);
  ASSERT_TRUE(all_ready());
  ASSERT_TRUE(clients_->publish(20, 1));
  EXPECT_EQ(nodes_[2]->installed(), 0);
  expect_messages_at_third(360);
}

// As after a crash between the two: the state has become the copy, the log is what it was before.
TEST_F(CopiesTest, AStateAheadOfItsLogIsGoneOnWith) {
  ASSERT_NO_FATAL_FAILURE(begin_and_stop_third());
  std::filesystem::copy(path("n3/log"), path("before"));
  ASSERT_TRUE(all_ready());
  ASSERT_TRUE(clients_->publish(200, 1));
  // What it has acknowledged it must not lose.
  acknowledges_nothing_ = true;
  start(2);
  ASSERT_TRUE(run_until([this] { return nodes_[2]->installed() == 2; }));
  stop(2);
  acknowledges_nothing_ = false;
  std::filesystem::remove_all(path("n3/log"));
  std::filesystem::copy(path("before"), path("n3/log"));
  start(2);
  ASSERT_TRUE(clients_->publish(20, 1));
  expect_messages_at_third(240);
}

}  // namespace
}  // namespace shoal::engine::test
