// A QoS 2 publisher in one shard, its subscriber in another, and leaders between them that come and
// go: what they sent is lost, comes twice or late. Exactly once, in order, all the same.
#include <gtest/gtest.h>

#include <deque>
#include <string>
#include <vector>

#include "shoal/random.h"
#include "tests/shard/shard_fixture.h"

namespace shoal::shard {
namespace {

constexpr uint32_t kSourceShard = 1;
constexpr uint16_t kPacketIds = 3;  // few, so that they are used again at once

class Exchange {
 public:
  explicit Exchange(uint64_t seed) : random_(seed) {
    source_.connect("publisher");
    target_.connect("subscriber");
    target_.subscribe("subscriber", "t");
  }

  void run(int steps) {
    for (int i = 0; i < steps; ++i) step();
    is_reliable_ = true;
    for (uint16_t id = 1; id <= kPacketIds; ++id) release(id);
    while (source_.state->meta().outbox != 0) {
      new_leader();
      while (forward()) deliver();
    }
    EXPECT_EQ(read(), published_);
    EXPECT_EQ(source_.state->meta().bodies, 0u);
  }

 private:
  void step() {
    switch (random_.below(10)) {
      case 0:
      case 1: return publish();
      case 2: return release(static_cast<uint16_t>(1 + random_.below(kPacketIds)));
      case 3:
      case 4: forward(); return;
      case 5:
      case 6: return deliver();
      case 7: return new_leader();
      case 8:
        // The target's leader is gone, and what it had not committed.
        if (!on_the_way_.empty()) on_the_way_.resize(random_.below(on_the_way_.size()));
        return;
      default:
        source_.restart();
        target_.restart();
        source_.connect("publisher");
    }
  }

  // A PUBLISH that was not answered comes again, with the identifier that it had.
  void publish() {
    const uint16_t id = static_cast<uint16_t>(1 + random_.below(kPacketIds));
    std::string& payload = open_[id];
    if (payload.empty()) {
      payload = std::to_string(published_.size() + 1);
      published_.push_back(payload);
    }
    for (int times = random_.one_in(3) ? 2 : 1; times != 0; --times) {
      source_.apply(
          ReceiveOp{"publisher", source_.epoch("publisher"), id, message("t", payload, Qos::k2)});
    }
  }

  void release(uint16_t id) {
    if (open_[id].empty()) return;
    source_.apply(ReleaseOp{"publisher", source_.epoch("publisher"), id});
    open_[id].clear();
  }

  // It begins at the lowest item of the outbox, before which nothing is unanswered.
  void new_leader() { sent_to_ = previous_ = 0; }

  bool forward() {
    const auto next = source_.state->outbox(sent_to_, {.items = 1});
    if (next.empty()) return false;
    EntryBuilder entry(target_.stamp);
    entry.add(forwarded(next[0], kSourceShard, previous_));
    on_the_way_.push_back(entry.finish());
    sent_to_ = previous_ = next[0].number;
    // Sent twice, of which one is late.
    if (!is_reliable_ && random_.one_in(4)) on_the_way_.push_back(on_the_way_.back());
    return true;
  }

  void deliver() {
    if (on_the_way_.empty()) return;
    const Effects effects = target_.apply_bytes(on_the_way_.front());
    on_the_way_.pop_front();
    const Effects::OutboxAnswer answer = effects.outbox_answers.at(0);
    if (!answer.accepted) return new_leader();
    const bool is_lost = !is_reliable_ && random_.one_in(4);
    if (!is_lost) source_.apply(OutboxDoneOp{{answer.number}});
  }

  std::vector<std::string> read() {
    std::vector<std::string> got;
    for (;;) {
      const auto next = target_.state->deliveries("subscriber", 0, {.items = 1});
      if (next.empty()) return got;
      got.push_back(next[0].message.payload);
      target_.ack("subscriber", next[0].number, AckKind::kPubrec);
      target_.ack("subscriber", next[0].number, AckKind::kPubcomp);
    }
  }

  Random random_;
  TestShard source_{1}, target_{2};
  std::vector<std::string> open_ = std::vector<std::string>(kPacketIds + 1);  // by identifier
  std::vector<std::string> published_;
  std::deque<std::string> on_the_way_;
  uint64_t sent_to_ = 0;
  uint64_t previous_ = 0;
  bool is_reliable_ = false;
};

TEST(Exchange, Qos2BetweenShardsIsExactlyOnceAndInOrder) {
  for (uint64_t seed = 1; seed <= 40 && !HasFailure(); ++seed) {
    SCOPED_TRACE(seed);
    Exchange(seed).run(300);
  }
}

}  // namespace
}  // namespace shoal::shard
