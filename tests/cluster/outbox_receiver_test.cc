#include "cluster/core/outbox_receiver.h"

#include <gtest/gtest.h>

#include <memory>
#include <utility>
#include <vector>

namespace shoal {
namespace {

constexpr uint32_t kShard = 1;
constexpr NodeSlot kFirstLeader = 3, kNextLeader = 4;

StoredState identity() {
  StoredState state;
  state.id = NodeId{1};
  state.incarnation = 1;
  return state;
}

struct Fixture {
  Context context{HubConfig{}, identity(), 7};
  std::vector<std::pair<NodeSlot, OutboxReceiver::Answer>> answers;
  OutboxReceiver receiver{context, [this](NodeSlot to, const OutboxReceiver::Answer& answer) {
                            answers.emplace_back(to, answer);
                          }};

  // A message for the member of a shared subscription at worker 0.
  void send(NodeSlot from, uint32_t part) {
    const SharedPick pick{0, "$share/g/t"};
    MessageView message;
    message.qos = Qos::k2;
    message.topic = "t";
    ForwardBatchWriter writer(kShard);
    writer.append(message, 0, {&pick, 1}, context.now.mono);
    std::vector<ForwardBatchRef> batches;
    writer.finish(batches);
    receiver.on_parcel(
        from, {kShard, part, 112, 100, std::const_pointer_cast<ForwardBatch>(batches.front())});
  }
  void place(uint64_t number) {
    receiver.on_accept(0, {{kShards, kShard}, {{number, number, Acceptance::kAccepted}}});
  }
};

// One that leads no more may send it once more after its successor did (simulate --nodes 3, seed 1757).
TEST(OutboxReceiver, AnswersEveryLeaderThatSent) {
  Fixture f;
  f.send(kFirstLeader, 2);
  f.send(kNextLeader, 1);
  f.send(kFirstLeader, 2);
  EXPECT_EQ(f.context.effects.mails.size(), 1u);
  EXPECT_TRUE(f.answers.empty());
  f.place(1);
  ASSERT_EQ(f.answers.size(), 2u);
  EXPECT_EQ(f.answers[0].first, kFirstLeader);
  EXPECT_EQ(f.answers[0].second.part, 2u);
  EXPECT_EQ(f.answers[1].first, kNextLeader);
  EXPECT_EQ(f.answers[1].second.part, 1u);
  EXPECT_TRUE(f.answers[1].second.placed);
}

TEST(OutboxReceiver, AnswersNobodyThatIsGone) {
  Fixture f;
  f.send(kFirstLeader, 1);
  f.send(kNextLeader, 1);
  f.receiver.on_node_gone(kFirstLeader);
  f.place(1);
  ASSERT_EQ(f.answers.size(), 1u);
  EXPECT_EQ(f.answers[0].first, kNextLeader);
}

}  // namespace
}  // namespace shoal
